//! Asks where logs end, open transactions included, on a thread of its own (K7).
//!
//! Only a client that reads uncommitted records is told that end.

use crate::config::Kafka;
use crate::kafka::base::error::Error;
use crate::kafka::base::partition::{Generation, Partition};
use crate::kafka::client::background::Background;
use crate::kafka::client::lookup::UncommittedEnds;
use std::sync::mpsc;
use std::time::Duration;

/// The longest wait for an answer. A question without an answer is asked again if the
/// state still needs it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A question for the end of a partition's log, from the partition's owner in this generation.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) partition: Partition,
    pub(crate) generation: Generation,
}

/// The thread that asks where logs end, which ends when this is dropped.
/// An answer has no end when the brokers gave none.
pub(crate) type LogEnds = Background<Asked, (Asked, Option<i64>)>;

/// Starts the thread.
pub(crate) fn log_ends(kafka: &Kafka) -> Result<LogEnds, Error> {
    let client = UncommittedEnds::new(kafka)?;
    Background::start("ends", move |questions: &mpsc::Receiver<Asked>, found: &mpsc::Sender<_>| {
        for asked in questions {
            let log = client.log(&asked.partition.topic, asked.partition.number, PATIENCE);
            if let Err(error) = &log {
                tracing::warn!(%error, partition = %asked.partition, "the end of a log is not known yet");
            }
            // The owner is gone only when no end is needed any more.
            let _ = found.send((asked, log.ok().map(|(_, end)| end)));
        }
    })
}
