//! Skips one record for a group. This is the last resort when a record ends every process that
//! reads it.

use crate::config::{Config, Kafka};
use crate::event::dead_letter::{DeadLetterReason, letter};
use crate::event::{Lineage, Record, TopicId};
use crate::kafka::base::error::Error;
use crate::kafka::client::committed::{Commit, Committed};
use crate::kafka::client::group::Group;
use crate::kafka::client::log_id::LogIds;
use crate::kafka::client::read_range::{Range, Span};
use crate::kafka::client::written::Written;
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
    /// There is no record with this offset.
    #[error("{target} is no record that group {group} reads, the next one is {next}; name that one if it is meant")]
    NoRecord {
        /// The group.
        group: String,
        /// The record that was named.
        target: Target,
        /// The next record.
        next: Target,
    },
    /// The group is done with the record.
    #[error("group {group} is done with {target}")]
    Done {
        /// The group.
        group: String,
        /// The record that was named.
        target: Target,
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

/// Writes the record to the dead letters and has the group that reads its topic pass over it, both
/// or neither. Returns the record. Unless `act` is set, it only checks whether that could be done.
///
/// # Errors
/// The group has members, it is done with the record, or Kafka fails.
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
    let before = committed(&config.kafka, reader, target, log)?;
    let (record, first) = find(&config.kafka, group, target, before.as_ref())?;
    if act {
        let member = Member::join(&config.kafka, group, &target.topic)?;
        if committed(&config.kafka, reader, target, log)? != before {
            return Err(SkipError::Moved { group: group.to_owned() });
        }
        let writer = Writer::start(&config.kafka, &format!("{group}.skip"))?;
        let lineage = Lineage::of(&record).unwrap_or_else(|_| Lineage::itself(&record));
        let why = (REASON.code(), "an operator had the group pass over it");
        let outputs = [letter(&topic(config), record.clone(), &lineage, why)];
        let after = passed(before, log, first, target.offset);
        member.commit(&writer, &outputs, &target.topic, [(target.partition, after)])?;
    }
    Ok(record)
}

/// Returns what the group has committed in the partition of this log; None when it has committed
/// nothing yet.
fn committed(kafka: &Kafka, reader: &Group, target: &Target, log: Option<TopicId>) -> Result<Option<Commit>, Error> {
    let mut commits = reader.positions(kafka, &target.topic)?;
    let count = commits.len();
    let place = usize::try_from(target.partition).ok().filter(|place| *place < count).ok_or_else(|| Error::Topic {
        topic: target.topic.clone(),
        reason: format!("it has {count} partitions, {} is none of them", target.partition),
    })?;
    // In a log that was made anew, the role would begin at the beginning.
    Ok(commits.swap_remove(place).filter(|commit| !commit.position.is_of_another(log)))
}

/// Reads the target, and finds the offset of the first record that the group is not done with.
/// Offsets between the position and that record hold only the ends of transactions and records that
/// were aborted.
fn find(kafka: &Kafka, group: &str, target: &Target, before: Option<&Commit>) -> Result<(Record, i64), SkipError> {
    let is_done = |offset: i64| before.is_some_and(|commit| offset < commit.position.next || commit.written.contains(offset));
    let group = || group.to_owned();
    if is_done(target.offset) {
        return Err(SkipError::Done { group: group(), target: target.clone() });
    }
    let first_from = |offset: i64| -> Result<Option<Record>, Error> {
        let span = Span::Offsets(BTreeMap::from([(target.partition, (offset, i64::MAX))]));
        let mut range = Range::open(kafka, &Arc::from(target.topic.as_str()), &span)?;
        while let Some(record) = range.next()? {
            if !is_done(record.offset) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    };
    let Some(first) = first_from(before.map_or(0, |commit| commit.position.next))? else {
        return Err(SkipError::AtEnd { group: group(), topic: target.topic.clone(), partition: target.partition });
    };
    let offset = first.offset;
    let found = if target.offset > offset { first_from(target.offset)?.unwrap_or(first) } else { first };
    if found.offset != target.offset {
        let next = Target { offset: found.offset, ..target.clone() };
        return Err(SkipError::NoRecord { group: group(), target: target.clone(), next });
    }
    Ok((found, offset))
}

/// Returns what to commit so that the group passes over the target. `first` is the first record
/// that it is not done with.
fn passed(before: Option<Commit>, log: Option<TopicId>, first: i64, target: i64) -> Commit {
    let (position, written) = before.map_or((first, Written::default()), |commit| (commit.position.next, commit.written));
    let written = written.with(target);
    let next = if first == target { written.first_outside(target) } else { position };
    Commit { position: Committed { next, log }, written: written.within(next..i64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k11_a_skip_adds_the_record_to_the_set_and_moves_the_position_when_it_is_the_next() {
        let commit = |next, set: &str| Commit {
            position: Committed { next, log: None },
            written: Written::parse(set, next).unwrap_or_default(),
        };
        for (before, first, target, after) in [
            (None, 0, 0, commit(1, "")),
            (None, 3, 5, commit(3, "2,1")),
            (Some(commit(4, "")), 4, 4, commit(5, "")),
            // 4 is the end of a transaction.
            (Some(commit(4, "")), 5, 5, commit(6, "")),
            (Some(commit(4, "1,2,1,3")), 4, 4, commit(7, "1,3")),
            (Some(commit(4, "1,2,1,3")), 4, 7, commit(4, "1,6")),
            (Some(commit(4, "1,2,1,3")), 4, 13, commit(4, "1,2,1,3,2,1")),
        ] {
            assert_eq!(passed(before.clone(), None, first, target), after, "{before:?} {first} {target}");
        }
    }

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
