//! Names the topic that may not be written, which the failure of a transaction does not name.

use super::batch::Ended;
use crate::kafka::base::error::Error;
use crate::kafka::base::log;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::time::{Duration, Instant};

/// The time between two looks for that line, in milliseconds.
const LOOK: Duration = Duration::from_millis(1);
/// The longest time after a failure in which librdkafka's line about a refused topic may come.
const LINE: Duration = Duration::from_millis(300);

/// Returns a failure that names the topic that may not be written, because the failure
/// of the transaction as a whole does not name it. Returns the outcome as it is when
/// there is no such topic.
pub(super) fn naming(outcome: Ended) -> Ended {
    let waits = match &outcome {
        Ended::Failed(Error::Transaction(_)) => LINE,
        Ended::Aborted(abort) if !abort.wanted => Duration::ZERO,
        _ => return outcome,
    };
    let until = Instant::now() + waits;
    loop {
        if let Some(topic) = log::refused_topic() {
            let reason = KafkaError::MessageProduction(RDKafkaErrorCode::TopicAuthorizationFailed);
            return Ended::Failed(Error::Produce { topic, reason });
        }
        if Instant::now() >= until {
            return outcome;
        }
        std::thread::sleep(LOOK);
    }
}
