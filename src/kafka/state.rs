//! What a stateful role keeps of each partition, and how the consumer thread drives it (kafka.md 1.7).
//!
//! ```text
//! assigned ─► position (start) ─► restore ─► given to the library ─► apply, in offset order
//!                                                                  └► cut: absolute values, outputs, marker ─► one transaction
//! ```
//!
//! A record is applied when it is read, so its slot in the ledger is done at once. A batch holds what the state wants written beside
//! what the records came to, and the positions of every partition whose state it touches, read or not: without them nothing would
//! fence the transaction.

use super::assignment::{Assignment, Cut, Partition};
use super::consumer::Context;
use super::ends::Ends;
use super::error::Error;
use super::ledger::Generation;
use super::restore::{Job, Restorer};
use super::start::{Answer, Start};
use super::status::Status;
use crate::config::Kafka;
use crate::event::{Output, Record};
use jiff::Timestamp;
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A role with state.
pub trait Stateful: Send + Sync {
    /// The topic of the changelog. It has as many partitions as the input.
    fn changelog(&self) -> &str;
    /// Begins to restore a partition, of so many.
    fn restore(&self, partition: i32, partitions: i32) -> Box<dyn Restoring>;
}

/// The state of a partition while its changelog is read.
pub trait Restoring: Send {
    /// Takes a record of the changelog.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String>;
    /// Whether the records so far say how many partitions there are. When they do not, those of partition 0 are asked.
    fn knows_partitions(&self) -> bool;
    /// Takes a record of the changelog's partition 0.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn take_of_first(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String>;
    /// The state, when it belongs to the position that the group has committed.
    ///
    /// # Errors
    /// Why it does not, and what to do.
    fn finish(self: Box<Self>, committed: Option<i64>) -> Result<Box<dyn PartitionState>, String>;
}

/// The state of one partition. All its methods are called by one thread.
pub trait PartitionState: Send {
    /// Applies a record, in offset order; returns what is to be written because of it alone.
    fn apply(&mut self, record: Record) -> Vec<Output>;
    /// Whether it wants to know where the input's log ends.
    fn wants_end(&self, now: Timestamp) -> bool;
    /// The input's log ended here at `now`, open transactions included.
    fn end_of_log(&mut self, end: i64, now: Timestamp);
    /// Whether it waits until everything below the end is applied.
    fn waits_for_position(&self) -> bool;
    /// Everything below `position` is applied. Not called while a batch is under way.
    fn look(&mut self, position: i64, now: Timestamp);
    /// Whether reading should wait until something is written.
    fn is_full(&self) -> bool;
    /// Whether there is something to write although nothing was read.
    fn has_outputs(&self) -> bool;
    /// Whether that should not wait for the next commit's time.
    fn is_urgent(&self) -> bool;
    /// What a batch writes that commits the position `next`. The batch before has ended.
    fn cut(&mut self, next: i64, now: Timestamp) -> Vec<Output>;
    /// The batch is committed.
    fn committed(&mut self);
    /// The batch is not: what it held is cut again.
    fn aborted(&mut self);
}

/// The states of the partitions that are ours.
pub(super) struct States {
    parts: BTreeMap<Partition, Part>,
    restorer: Restorer,
    ends: Ends,
}

struct Part {
    generation: Generation,
    state: Box<dyn PartitionState>,
    /// Where reading began.
    start: Option<i64>,
    /// The log's end is asked for.
    asked: bool,
    /// The batch under way holds something of it.
    in_flight: bool,
}

impl States {
    pub(super) fn new(kafka: &Kafka, role: Arc<dyn Stateful>, status: Arc<Status>) -> Result<Self, Error> {
        Ok(Self { parts: BTreeMap::new(), restorer: Restorer::start(kafka, role, status)?, ends: Ends::start(kafka)? })
    }

    /// Restores the partitions whose position is known.
    pub(super) fn restore(&mut self, answers: Vec<Answer>) -> Result<(), Error> {
        for answer in answers {
            let committed = match answer.start {
                Start::At(position) => Some(position),
                Start::Beginning => None,
                Start::Lost { position, first, end } => {
                    return Err(Error::State {
                        partition: answer.partition.number,
                        reason: format!(
                            "the group's committed position {position} is not in the log, which goes from {first} to {end}: records \
                             were deleted before they were counted, or the topic was made anew; `verdmarc aggregate repair` shows it"
                        ),
                    });
                }
            };
            self.restorer.ask(Job { partition: answer.partition, generation: answer.generation, committed });
        }
        Ok(())
    }

    /// The partitions that are restored, which the library may be given.
    pub(super) fn restored(&mut self) -> Result<Vec<Answer>, Error> {
        let mut ready = Vec::new();
        while let Some((Job { partition, generation, committed }, state)) = self.restorer.restored()? {
            let part = Part { generation, state, start: committed, asked: false, in_flight: false };
            self.parts.insert(partition.clone(), part);
            ready.push(Answer { partition, generation, start: committed.map_or(Start::Beginning, Start::At) });
        }
        Ok(ready)
    }

    /// Forgets partitions that were given up.
    pub(super) fn forget(&mut self, partitions: &BTreeSet<Partition>) {
        self.restorer.forget(partitions);
        self.parts.retain(|partition, _| !partitions.contains(partition));
    }

    /// Applies a record; what comes of it alone.
    pub(super) fn apply(&mut self, record: Record) -> Result<Vec<Output>, Error> {
        let partition = Partition { topic: record.topic.clone(), number: record.partition };
        let part = self.parts.get_mut(&partition);
        let part = part.ok_or_else(|| Error::Inconsistent(format!("a record of {partition:?}, which is not restored")))?;
        Ok(part.state.apply(record))
    }

    /// Tells every state what it wants to know, but for what would change a batch that is under way.
    pub(super) fn look(&mut self, consumer: &BaseConsumer<Context>, now: Timestamp) -> Result<(), Error> {
        for (partition, end) in self.ends.found()? {
            if let Some(part) = self.parts.get_mut(&partition) {
                part.asked = false;
                if let Some(end) = end {
                    part.state.end_of_log(end, now);
                }
            }
        }
        let waits = |part: &Part| part.state.waits_for_position();
        let positions = self.parts.values().any(waits).then(|| consumer.position().ok()).flatten();
        for (partition, part) in &mut self.parts {
            if !part.asked && part.state.wants_end(now) {
                part.asked = true;
                self.ends.ask(partition.clone());
            }
            if part.in_flight {
                continue;
            }
            let read = positions.as_ref().and_then(|list| list.find_partition(&partition.topic, partition.number));
            let position = match read.map(|element| element.offset()) {
                Some(Offset::Offset(position)) => Some(position),
                _ => part.start,
            };
            part.state.look(position.unwrap_or(0), now);
        }
        Ok(())
    }

    /// Whether there is something to write that should not wait.
    pub(super) fn are_urgent(&self) -> bool {
        self.parts.values().any(|part| part.state.is_urgent())
    }

    /// Partitions whose reading should wait.
    pub(super) fn full(&self) -> impl Iterator<Item = Partition> {
        self.parts.iter().filter(|(_, part)| part.state.is_full()).map(|(partition, _)| partition.clone())
    }

    /// Adds to a cut what the states want written. `cut` holds what was read since the last; others have something to write too.
    pub(super) fn cut(&mut self, cut: &mut Cut, assignment: &Assignment, now: Timestamp) {
        for (partition, part) in &mut self.parts {
            let read = cut.positions.iter().find(|position| position.partition == *partition).map(|position| position.next);
            let next = match read {
                Some(next) => next,
                None if !part.state.has_outputs() => continue,
                None => {
                    // Something stands in the state, so something was read and committed before.
                    let Some(next) = assignment.position(partition).or(part.start) else { continue };
                    cut.unread.push((partition.clone(), part.generation, next));
                    next
                }
            };
            cut.state.extend(part.state.cut(next, now));
            part.in_flight = true;
        }
    }

    /// The batch under way ended.
    pub(super) fn settle(&mut self, committed: bool) {
        for part in self.parts.values_mut().filter(|part| part.in_flight) {
            part.in_flight = false;
            if committed {
                part.state.committed();
            } else {
                part.state.aborted();
            }
        }
    }
}
