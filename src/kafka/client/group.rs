//! A consumer group and where its positions come from.

use super::committed::Committed;
use super::lookup;
use crate::config::Kafka;
use crate::kafka::base::error::Error;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::time::{Duration, Instant};

/// Beyond the brokers' time-out for a transaction, how long its end is waited for.
const MARGIN: Duration = Duration::from_secs(20);

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// The group that read its topics before it: a position that this one lacks is taken over from there.
    pub former: Option<String>,
}

impl Group {
    /// A group that takes over nothing.
    pub fn alone(id: String) -> Self {
        Self { id, former: None }
    }

    /// Where it goes on in each partition of a topic, none where it begins at the beginning. A position that a process left in an open
    /// transaction is waited for.
    pub(crate) fn positions(&self, kafka: &Kafka, topic: &str) -> Result<Vec<Option<Committed>>, Error> {
        let own = positions(kafka, &self.id, topic)?;
        let Some(former) = self.former.as_deref().filter(|_| own.iter().any(Option::is_none)) else { return Ok(own) };
        let former = positions(kafka, former, topic)?;
        Ok(own.into_iter().zip(former).map(|(own, former)| own.or(former)).collect())
    }
}

/// The group's positions in a topic, none where it has none yet. One that a process left in an open transaction is waited for.
pub(crate) fn positions(kafka: &Kafka, group: &str, topic: &str) -> Result<Vec<Option<Committed>>, Error> {
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

/// A group that goes on where another one stopped has positions of its own by now, or the other has none.
///
/// # Errors
/// Only `former` has positions in `topic`, or no broker answers. A topic that does not exist has none.
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

/// How the library says that a position is part of an open transaction, after it has asked for a while.
fn is_unstable(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(error.rdkafka_error_code(), Some(Code::UnstableOffsetCommit | Code::OperationTimedOut | Code::RequestTimedOut))
}
