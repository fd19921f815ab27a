//! Where logs end, open transactions included: only a client that reads uncommitted records is told (kafka.md 1.7, End of log).

use super::assignment::Partition;
use super::client;
use super::error::Error;
use super::inquiry::Inquiry;
use super::ledger::Generation;
use super::reader::{Quiet, log};
use crate::config::Kafka;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use std::sync::mpsc;
use std::time::Duration;

/// Longest wait for an answer; a question without one is asked again by whoever wants to know.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client that is told where logs end.
pub(super) struct Uncommitted(BaseConsumer<Quiet>);

impl Uncommitted {
    pub(super) fn new(kafka: &Kafka) -> Result<Self, Error> {
        Quiet::consumer(&client::uncommitted(kafka)?).map(Self)
    }

    /// The oldest record's offset and the one behind the newest.
    pub(super) fn log(&self, topic: &str, partition: i32, patience: Duration) -> Result<(i64, i64), Error> {
        // What the library has to say comes only to whoever polls.
        while self.0.poll(Duration::ZERO).is_some() {}
        log(&self.0, topic, partition, patience)
    }

    /// The first offsets that are not older than the times which stand in their place.
    pub(super) fn at_times(&self, asked: TopicPartitionList, patience: Duration) -> KafkaResult<TopicPartitionList> {
        self.0.offsets_for_times(asked, patience)
    }
}

/// A partition whose end is asked for, by the owner in this generation.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) partition: Partition,
    pub(super) generation: Generation,
}

/// Asks on a thread of its own, which ends when this is dropped.
pub(super) struct Ends(Inquiry<Asked, (Asked, Option<i64>)>);

impl Ends {
    pub(super) fn start(kafka: &Kafka) -> Result<Self, Error> {
        let client = Uncommitted::new(kafka)?;
        let inquiry = Inquiry::start("ends", move |questions: &mpsc::Receiver<Asked>, found: &mpsc::Sender<_>| {
            for asked in questions {
                let log = client.log(&asked.partition.topic, asked.partition.number, PATIENCE);
                if let Err(error) = &log {
                    tracing::warn!(%error, partition = %asked.partition, "the end of a log is not known yet");
                }
                // The owner is gone only when nothing is to be closed any more.
                let _ = found.send((asked, log.ok().map(|(_, end)| end)));
            }
        })?;
        Ok(Self(inquiry))
    }

    pub(super) fn ask(&self, asked: Asked) {
        self.0.ask(asked);
    }

    /// The next that was found; none for a partition without answer.
    pub(super) fn found(&self) -> Result<Option<(Asked, Option<i64>)>, Error> {
        self.0.answer()
    }
}
