//! Where logs end, open transactions included: only a client that reads uncommitted records is told (kafka.md 1.7, End of log).

use super::assignment::Partition;
use super::client;
use super::error::Error;
use super::ledger::Generation;
use super::reader::{Quiet, watermarks};
use crate::config::Kafka;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use std::sync::mpsc::{self, TryRecvError};
use std::time::Duration;

/// Longest wait for an answer; a question without one is asked again by whoever wants to know.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client that is told where logs end.
pub(super) struct Uncommitted(BaseConsumer<Quiet>);

impl Uncommitted {
    pub(super) fn new(kafka: &Kafka) -> Result<Self, Error> {
        client::uncommitted(kafka)?.create_with_context(Quiet).map(Self).map_err(Error::Client)
    }

    pub(super) fn end(&self, topic: &str, partition: i32) -> KafkaResult<i64> {
        // What the library has to say comes only to whoever polls.
        while self.0.poll(Duration::ZERO).is_some() {}
        watermarks(&self.0, topic, partition, PATIENCE).map(|(_, end)| end)
    }
}

/// The oldest record's offset and the one behind the newest.
pub(super) fn log_of(kafka: &Kafka, topic: &str, partition: i32) -> Result<(i64, i64), Error> {
    let failed = |error: KafkaError| Error::Topic { topic: topic.to_owned(), reason: error.to_string() };
    Uncommitted::new(kafka)?.0.fetch_watermarks(topic, partition, PATIENCE).map_err(failed)
}

/// A partition whose end is asked for, by the owner in this generation.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) partition: Partition,
    pub(super) generation: Generation,
}

/// Asks on a thread of its own, which ends when this is dropped.
pub(super) struct Ends {
    questions: mpsc::Sender<Asked>,
    answers: mpsc::Receiver<(Asked, Option<i64>)>,
}

impl Ends {
    pub(super) fn start(kafka: &Kafka) -> Result<Self, Error> {
        let client = Uncommitted::new(kafka)?;
        let (questions, asked) = mpsc::channel::<Asked>();
        let (found, answers) = mpsc::channel();
        let answer = move || {
            for asked in asked {
                let end = client.end(&asked.partition.topic, asked.partition.number);
                if let Err(error) = &end {
                    tracing::warn!(%error, ?asked, "the end of a log is not known yet");
                }
                // The owner is gone only when nothing is to be closed any more.
                let _ = found.send((asked, end.ok()));
            }
        };
        std::thread::Builder::new()
            .name("ends".to_owned())
            .spawn(answer)
            .map_err(|error| Error::Inconsistent(format!("cannot start the thread for the ends of logs: {error}")))?;
        Ok(Self { questions, answers })
    }

    pub(super) fn ask(&self, asked: Asked) {
        // A thread that has ended is noticed where its answers are taken.
        let _ = self.questions.send(asked);
    }

    /// What was found since the last time; none for a partition without answer.
    pub(super) fn found(&self) -> Result<Vec<(Asked, Option<i64>)>, Error> {
        let mut found = Vec::new();
        loop {
            match self.answers.try_recv() {
                Ok(answer) => found.push(answer),
                Err(TryRecvError::Empty) => return Ok(found),
                Err(TryRecvError::Disconnected) => {
                    return Err(Error::Inconsistent("the thread that asks for the ends of logs has ended".to_owned()));
                }
            }
        }
    }
}
