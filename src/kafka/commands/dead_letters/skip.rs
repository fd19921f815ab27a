//! Skips one record for a group. This is the last resort when a record ends every process that
//! reads it.

use crate::config::{Config, Kafka};
use crate::event::dead_letter::{DeadLetterReason, letter};
use crate::event::{Lineage, Record, TopicId};
use crate::kafka::base::error::Error;
use crate::kafka::client::committed::Committed;
use crate::kafka::client::group::Group;
use crate::kafka::client::log_id::LogIds;
use crate::kafka::client::read_range::{Range, Span};
use crate::kafka::commands::dead_letters::topic;
use crate::kafka::commands::sole_member;
use crate::kafka::commands::sole_member::{GroupError, Member};
use crate::kafka::commands::transaction::{CommandError, Writer};
use crate::kafka::topics;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The record to skip.
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

/// The error for a text that is not `TOPIC/PARTITION/OFFSET`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write TOPIC/PARTITION/OFFSET, say mail.raw/3/41")]
pub struct NoTarget;

/// The reason why a record is not skipped.
#[derive(Debug, thiserror::Error)]
pub enum SkipError {
    /// Kafka failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The verdict role does not read that topic.
    #[error("the verdict role does not read {topic}; it reads {}", topics.join(", "))]
    NotRead {
        /// The topic.
        topic: String,
        /// The topics that it reads.
        topics: Vec<String>,
    },
    /// The group has members, or may have some.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// The group's next record is another one.
    #[error("{target} is not the next record of group {group}, {next} is; name that one if it is meant")]
    NotNext {
        /// The group.
        group: String,
        /// The record that was named.
        target: Target,
        /// The next record of the group.
        next: Target,
    },
    /// The group has read the partition to its end.
    #[error("group {group} has read {topic}/{partition} to its end: there is no record to skip")]
    AtEnd {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// The group's position moved meanwhile.
    #[error("group {group} moved on while the record was read; nothing was done")]
    Moved {
        /// The group.
        group: String,
    },
}

impl From<Error> for SkipError {
    fn from(error: Error) -> Self {
        Self::Command(error.into())
    }
}

/// The reason of dead letters that a skip writes.
const REASON: DeadLetterReason = DeadLetterReason::SkippedByOperator;

/// Writes the record to the dead letters and moves the position of the group that reads its topic
/// past it, both or neither. Returns the record. Unless `act` is set, it only checks whether that
/// could be done.
///
/// # Errors
/// The group has members, its next record is another one, or Kafka fails.
pub fn skip(config: &Config, reader: &Group, target: &Target, act: bool) -> Result<Record, SkipError> {
    let raw = config.topics.full(&config.topics.raw);
    let topics: Vec<String> = std::iter::once(raw).chain(config.topics.all_retries()).collect();
    if !topics.contains(&target.topic) {
        return Err(SkipError::NotRead { topic: target.topic.clone(), topics });
    }
    // This call explains a missing topic or broker better than the calls that follow would.
    topics::partitions(&config.kafka, &target.topic)?;
    let group = &*reader.id;
    sole_member::nobody_in(&config.kafka, group)?;
    let log = LogIds::new(&config.kafka)?.of(&target.topic)?;
    let position = position(&config.kafka, reader, target, log)?;
    let record = next(&config.kafka, group, target, position)?;
    if act {
        let member = Member::join(&config.kafka, group, &target.topic)?;
        if self::position(&config.kafka, reader, target, log)? != position {
            return Err(SkipError::Moved { group: group.to_owned() });
        }
        let writer = Writer::start(&config.kafka, &format!("{group}.skip"))?;
        let lineage = Lineage::of(&record).unwrap_or_else(|_| Lineage::itself(&record));
        let why = (REASON.code(), "an operator had the group pass over it");
        let outputs = [letter(&topic(config), record.clone(), &lineage, why)];
        let behind = Committed { next: target.offset + 1, log };
        member.commit(&writer, &outputs, &target.topic, [(target.partition, behind)])?;
    }
    Ok(record)
}

/// Returns the group's position in the partition of this log; None when it has none yet.
fn position(kafka: &Kafka, reader: &Group, target: &Target, log: Option<TopicId>) -> Result<Option<i64>, Error> {
    let positions = reader.positions(kafka, &target.topic)?;
    let of_partition = usize::try_from(target.partition).ok().and_then(|partition| positions.get(partition));
    let position = of_partition.copied().ok_or_else(|| Error::Topic {
        topic: target.topic.clone(),
        reason: format!("it has {} partitions, {} is none of them", positions.len(), target.partition),
    })?;
    // In a log that was made anew, the role would begin at the beginning.
    Ok(position.filter(|position| !position.is_of_another(log)).map(|position| position.next))
}

/// Reads the first record at or above the group's position, which must be `target`. Offsets between
/// the position and that record hold only the ends of transactions and records that were aborted.
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
