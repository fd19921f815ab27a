//! Where logs end, open transactions included: only a client that reads uncommitted records is told (K7, End of log).

use crate::config::Kafka;
use crate::kafka::base::error::Error;
use crate::kafka::base::partition::{Generation, Partition};
use crate::kafka::client::background::Background;
use crate::kafka::client::lookup::UncommittedEnds;
use std::sync::mpsc;
use std::time::Duration;

/// Longest wait for an answer; a question without one is asked again by whoever wants to know.
const PATIENCE: Duration = Duration::from_secs(5);

/// A partition whose end is asked for, by the owner in this generation.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) partition: Partition,
    pub(crate) generation: Generation,
}

/// The thread that asks where logs end, which ends when this is dropped. There is no end in an answer when brokers gave none.
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
            // The owner is gone only when nothing is to be closed any more.
            let _ = found.send((asked, log.ok().map(|(_, end)| end)));
        }
    })
}
