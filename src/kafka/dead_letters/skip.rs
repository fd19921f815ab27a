//! Having a group pass over one record: the last resort when the record ends every process that reads it.

use super::topic;
use crate::config::{Config, Kafka};
use crate::event::dead_letter::letter;
use crate::event::{Lineage, Output, Record};
use crate::kafka::client;
use crate::kafka::command::{CommandError, Positions, Writer};
use crate::kafka::error::Error;
use crate::kafka::instance::Instance;
use crate::kafka::membership::Membership;
use crate::kafka::range::{Range, Span};
use crate::kafka::reader::{METADATA_PATIENCE, Quiet, Reader, partitions};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::groups::GroupInfo;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The record to be passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

impl std::str::FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        let mut parts = text.rsplitn(3, '/');
        let offset = parts.next().and_then(|part| part.parse().ok()).filter(|offset| *offset >= 0).ok_or(NoTarget)?;
        let partition = parts.next().and_then(|part| part.parse().ok()).filter(|partition| *partition >= 0).ok_or(NoTarget)?;
        let topic = parts.next().filter(|topic| !topic.is_empty() && !topic.contains('/')).ok_or(NoTarget)?;
        Ok(Self { topic: topic.to_owned(), partition, offset })
    }
}

/// Not `TOPIC/PARTITION/OFFSET`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write TOPIC/PARTITION/OFFSET, say mail.raw/3/41")]
pub struct NoTarget;

/// Why a record is not passed over.
#[derive(Debug, thiserror::Error)]
pub enum SkipError {
    /// Kafka.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The group does not read that topic.
    #[error("group {group} does not read {topic}; it reads {}", topics.join(", "))]
    NotRead {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// What it reads.
        topics: Vec<String>,
    },
    /// Somebody may be working on the record.
    #[error(
        "group {group} has members ({}): stop every process of the role, wait until the group's session timeout is over, and try \
         again",
        members.join(", ")
    )]
    Active {
        /// The group.
        group: String,
        /// Its members.
        members: Vec<String>,
    },
    /// It is not the record at which the group stands.
    #[error("{target} is not the next record of group {group}, {next} is; name that one if it is meant")]
    NotNext {
        /// The group.
        group: String,
        /// The record that was named.
        target: Target,
        /// The record at which the group stands.
        next: Target,
    },
    /// There is nothing to pass over.
    #[error("group {group} has read {topic}/{partition} to its end: there is no record to skip")]
    AtEnd {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// The group moved on meanwhile.
    #[error("group {group} moved on while the record was read; nothing was done")]
    Moved {
        /// The group.
        group: String,
    },
    /// The group did not take us in.
    #[error("group {group} could not be joined within {} s; nothing was done, try again", waited.as_secs())]
    NotJoined {
        /// The group.
        group: String,
        /// How long it was tried.
        waited: Duration,
    },
}

impl From<Error> for SkipError {
    fn from(error: Error) -> Self {
        Self::Command(error.into())
    }
}

/// The reason of letters made here.
const REASON: &str = "skipped_by_operator";
/// How long the group may take to give us its partitions.
const JOINING: Duration = Duration::from_secs(30);
/// Beyond the brokers' time-out for a transaction, how long its end is waited for.
const MARGIN: Duration = Duration::from_secs(20);

/// Writes the record to the dead letters and sets the group's position behind it, both or neither; returns it. Unless `act` is
/// set it only says whether that could be done.
///
/// # Errors
/// The group has members, or stands somewhere else; or Kafka.
pub fn skip(config: &Config, group: &str, target: &Target, act: bool) -> Result<Record, SkipError> {
    let retries = (1..=config.verdict.retry_delays_s.len()).map(|number| config.topics.retry(number));
    let topics: Vec<String> = std::iter::once(config.topics.full(&config.topics.raw)).chain(retries).collect();
    if !topics.contains(&target.topic) {
        return Err(SkipError::NotRead { group: group.to_owned(), topic: target.topic.clone(), topics });
    }
    nobody_in(&config.kafka, group)?;
    let position = position(&config.kafka, group, target)?;
    let record = next(&config.kafka, group, target, position)?;
    if act {
        let member = Member::join(&config.kafka, group, target)?;
        if self::position(&config.kafka, group, target)? != position {
            return Err(SkipError::Moved { group: group.to_owned() });
        }
        let writer = Writer::start(&config.kafka, &format!("{group}.skip"))?;
        let lineage = Lineage::of(&record).unwrap_or_else(|_| Lineage::itself(&record));
        let why = (REASON, "an operator had the group pass over it");
        let outputs = [letter(&topic(config), record.clone(), &lineage, why)];
        member.commit(&writer, &outputs, target)?;
    }
    Ok(record)
}

/// The group's position, none when it has none yet. One that a process left in an open transaction is waited for.
fn position(kafka: &Kafka, group: &str, target: &Target) -> Result<Option<i64>, Error> {
    let deadline = Instant::now() + Duration::from_millis(kafka.transaction_timeout_ms) + MARGIN;
    let positions = loop {
        match Reader::committed(kafka, group, &target.topic) {
            Err(Error::Consume(error)) if is_unstable(&error) && Instant::now() < deadline => {
                tracing::warn!(%error, "waiting for an open transaction of the group to end");
            }
            answer => break answer?,
        }
    };
    let of_partition = usize::try_from(target.partition).ok().and_then(|partition| positions.get(partition));
    of_partition.copied().ok_or_else(|| Error::Topic {
        topic: target.topic.clone(),
        reason: format!("it has {} partitions, {} is none of them", positions.len(), target.partition),
    })
}

/// How the library says that a position is part of an open transaction, after it has asked for a while.
fn is_unstable(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(error.rdkafka_error_code(), Some(Code::UnstableOffsetCommit | Code::OperationTimedOut | Code::RequestTimedOut))
}

/// The first record at or behind the group's position, which must be `target`. Offsets between the two hold nothing: the ends of
/// transactions, and what was aborted.
fn next(kafka: &Kafka, group: &str, target: &Target, position: Option<i64>) -> Result<Record, SkipError> {
    let here = BTreeMap::from([(target.partition, (position.unwrap_or_default(), i64::MAX))]);
    let found = Range::open(kafka, &Arc::from(target.topic.as_str()), &Span::Offsets(here))?.next()?;
    let group = group.to_owned();
    let Some(record) = found else {
        return Err(SkipError::AtEnd { group, topic: target.topic.clone(), partition: target.partition });
    };
    if record.offset != target.offset {
        let next = Target { offset: record.offset, ..target.clone() };
        return Err(SkipError::NotNext { group, target: target.clone(), next });
    }
    Ok(record)
}

/// Nobody is in the group, as far as the brokers say; of a group with the protocol `consumer` they do not (KIP-848), and whoever
/// is there is found when it is joined.
fn nobody_in(kafka: &Kafka, group: &str) -> Result<(), SkipError> {
    let observer: BaseConsumer<Quiet> = client::reader(kafka)?.create_with_context(Quiet).map_err(Error::Client)?;
    let groups = observer.fetch_group_list(Some(group), METADATA_PATIENCE).map_err(Error::Consume)?;
    let members = groups.groups().iter().filter(|found| found.name() == group).flat_map(GroupInfo::members);
    let members: Vec<String> = members.map(|member| format!("{} at {}", member.client_id(), member.client_host())).collect();
    if members.is_empty() { Ok(()) } else { Err(SkipError::Active { group: group.to_owned(), members }) }
}

/// This process as the only member of the group.
///
/// The brokers would take the position from an outsider too, and check nothing then: a process that starts meanwhile could read
/// the record as well, and its position would be overwritten by ours. A member's commit is refused when the group has changed.
struct Member {
    /// Not polled any more: whatever the group decides, what is ours stays so until a poll gives it away.
    _consumer: BaseConsumer<Quiet>,
    /// Of the moment when every partition was ours. A later one would be accepted for what is not ours any more.
    membership: Membership,
}

impl Member {
    /// Joins and waits until every partition of the topic is ours.
    fn join(kafka: &Kafka, group: &str, target: &Target) -> Result<Self, SkipError> {
        let consumer: BaseConsumer<Quiet> = client::consumer(kafka, group, &Instance { name: "skip".to_owned(), lasts: false })?
            .create_with_context(Quiet)
            .map_err(Error::Client)?;
        let all = partitions(&consumer, &target.topic)?;
        consumer.subscribe(&[&target.topic]).map_err(|reason| Error::Subscribe { topics: target.topic.clone(), reason })?;
        let started = Instant::now();
        let mut ours = 0;
        while started.elapsed() < JOINING {
            // What it reads is let go: the position is set by the transaction alone.
            let _ = consumer.poll(Duration::from_millis(50));
            ours = consumer.assignment().map_err(Error::Consume)?.count();
            if i32::try_from(ours) == Ok(all)
                && let Some(membership) = Membership::of(&consumer)
            {
                return Ok(Self { _consumer: consumer, membership });
            }
        }
        let group = group.to_owned();
        if ours > 0 {
            return Err(SkipError::Active { group, members: vec!["others hold some of its partitions".to_owned()] });
        }
        Err(SkipError::NotJoined { group, waited: started.elapsed() })
    }

    fn commit(&self, writer: &Writer, outputs: &[Output], target: &Target) -> Result<(), SkipError> {
        let mut offsets = TopicPartitionList::new();
        let behind = Offset::Offset(target.offset + 1);
        offsets.add_partition_offset(&target.topic, target.partition, behind).map_err(Error::Consume)?;
        Ok(writer.transact(outputs, Some(Positions { offsets: &offsets, membership: &self.membership }))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_strictly() {
        let target = Target { topic: "mail.raw".into(), partition: 3, offset: 41 };
        assert_eq!("mail.raw/3/41".parse(), Ok(target.clone()));
        assert_eq!(target.to_string(), "mail.raw/3/41");
        for text in ["mail.raw/3", "mail.raw/3/", "/3/41", "mail.raw/-3/41", "mail.raw/3/-41", "a/b/3/41", "3/41"] {
            assert_eq!(text.parse::<Target>(), Err(NoTarget), "{text}");
        }
    }
}
