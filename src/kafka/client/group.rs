//! Looks up the positions of a consumer group, and takes over those of the group that it replaces.

use super::committed::Commit;
use super::lookup;
use crate::config::Kafka;
use crate::kafka::base::error::Error;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::time::{Duration, Instant};

/// The time beyond the brokers' time-out for a transaction in which this client still waits for
/// the end of the transaction.
const MARGIN: Duration = Duration::from_secs(20);

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// The group that read the topics before. Where this group has no position, that of the
    /// former group is taken over.
    pub former: Option<String>,
}

impl Group {
    /// Returns a group that takes over no positions.
    pub fn alone(id: String) -> Self {
        Self { id, former: None }
    }

    /// Returns the position from which the group reads each partition of a topic; None where it
    /// reads from the beginning. Waits while a process has left a position in an open transaction.
    pub(crate) fn positions(&self, kafka: &Kafka, topic: &str) -> Result<Vec<Option<Commit>>, Error> {
        let own = positions(kafka, &self.id, topic)?;
        let Some(former) = self.former.as_deref().filter(|_| own.iter().any(Option::is_none)) else { return Ok(own) };
        let former = positions(kafka, former, topic)?;
        Ok(own.into_iter().zip(former).map(|(own, former)| own.or(former)).collect())
    }
}

/// Returns the group's own position in each partition of a topic; None where it has none yet.
/// Waits while a process has left a position in an open transaction.
pub(crate) fn positions(kafka: &Kafka, group: &str, topic: &str) -> Result<Vec<Option<Commit>>, Error> {
    let deadline = Instant::now() + Duration::from_millis(kafka.transaction_timeout_ms) + MARGIN;
    loop {
        match lookup::committed(kafka, group, topic) {
            Err(Error::Consume(error)) if is_unstable(&error) && Instant::now() < deadline => {
                tracing::warn!(%error, "waiting for an open transaction of the group to end");
            }
            answer => return answer,
        }
    }
}

/// Checks that a group which replaces another one has positions of its own by now, or that
/// the other one has none.
///
/// # Errors
/// Only `former` has positions in `topic`, or the positions cannot be read.
/// A group has none in a topic that does not exist or cannot be looked up.
pub fn succeeds(kafka: &Kafka, group: &str, former: &str, topic: &str) -> Result<(), Error> {
    let has_positions = |group: &str| match positions(kafka, group, topic) {
        Ok(positions) => Ok(positions.iter().any(Option::is_some)),
        Err(Error::Topic { .. } | Error::NoTopic { .. } | Error::NoBroker { .. } | Error::Denied(_)) => Ok(false),
        Err(error) => Err(error),
    };
    if has_positions(group)? || !has_positions(former)? {
        return Ok(());
    }
    Err(Error::FormerGroup { group: group.to_owned(), former: former.to_owned(), topic: topic.to_owned() })
}

/// Returns whether an error is one with which librdkafka says that a position is part of an open
/// transaction, after it has asked for a while.
fn is_unstable(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(error.rdkafka_error_code(), Some(Code::UnstableOffsetCommit | Code::OperationTimedOut | Code::RequestTimedOut))
}
