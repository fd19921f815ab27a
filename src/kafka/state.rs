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

use super::assignment::{Assignment, Cut, Partition, Unread};
use super::committed::Committed;
use super::consumer::Context;
use super::ends::{Asked, Ends};
use super::error::Error;
use super::failpoint::Mutant;
use super::ledger::Generation;
use super::restore::{Job, Restorer};
use super::start::{Answer, Start};
use super::status::Status;
use crate::config::Kafka;
use crate::event::{Output, Record, TopicId};
use crate::metrics::Counted;
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
    /// The state, when it belongs to the position that the group has committed in the input with this id, if the brokers say ids.
    ///
    /// # Errors
    /// Why it does not, and what to do.
    fn finish(self: Box<Self>, committed: Option<i64>, log: Option<TopicId>) -> Result<Box<dyn PartitionState>, String>;
}

/// The state of one partition. All its methods are called by one thread.
pub trait PartitionState: Send {
    /// Applies a record, in offset order; what is to be written because of it alone.
    ///
    /// # Errors
    /// Why the role must not go on.
    fn apply(&mut self, record: Record) -> Result<Applied, String>;
    /// Whether it wants to know where the input's log ends.
    fn wants_end(&self, now: Timestamp) -> bool;
    /// The input's log ended here, open transactions included, when that was asked at `asked` or later.
    fn end_of_log(&mut self, end: i64, asked: Timestamp);
    /// Whether it waits until everything below the end is applied.
    fn waits_for_position(&self) -> bool;
    /// Everything below `position` is applied. Called just before a batch is cut, never while one is under way.
    fn freeze(&mut self, position: i64, now: Timestamp);
    /// Whether reading should wait until something is written.
    fn is_full(&self) -> bool;
    /// Whether there is something to write although nothing was read, long work apart.
    fn has_outputs(&self) -> bool;
    /// Whether that should not wait for the next commit's time.
    fn is_urgent(&self) -> bool;
    /// Whether there is long work to do, a step in each batch.
    fn is_closing(&self) -> bool;
    /// What a batch writes that commits the position `next`, with a step of the long work when it is this partition's turn. The batch
    /// before has ended.
    fn cut(&mut self, next: i64, now: Timestamp, with_step: bool) -> Vec<Output>;
    /// The batch is committed.
    fn committed(&mut self);
    /// The batch is not: what it held is cut again.
    fn aborted(&mut self);
}

/// What a record came to by itself.
#[derive(Debug, Default)]
pub struct Applied {
    /// What is to be written because of it.
    pub outputs: Vec<Output>,
    /// What is counted when that is committed.
    pub counted: Counted,
    /// It breaks the producer's contract. When most records do, the pipeline stops.
    pub refused: bool,
}

/// The states of the partitions that are ours.
pub(super) struct States {
    parts: BTreeMap<Partition, Part>,
    /// The partition whose long work had a step in the last batch: another one is next.
    stepped: Option<Partition>,
    restorer: Restorer,
    ends: Ends,
}

struct Part {
    generation: Generation,
    state: Box<dyn PartitionState>,
    /// Where reading began.
    start: Option<i64>,
    /// When the log's end was asked for.
    asked: Option<Timestamp>,
    /// The batch under way holds something of it.
    in_flight: bool,
}

impl States {
    pub(super) fn new(kafka: &Kafka, role: Arc<dyn Stateful>, status: Arc<Status>) -> Result<Self, Error> {
        Ok(Self {
            parts: BTreeMap::new(),
            stepped: None,
            restorer: Restorer::start(kafka, role, status)?,
            ends: Ends::start(kafka)?,
        })
    }

    /// Restores the partitions whose position is known.
    pub(super) fn restore(&mut self, answers: Vec<Answer>) -> Result<(), Error> {
        for answer in answers {
            let Answer { partition, generation, start, log } = answer;
            let gone = |position: i64, why: &str| {
                Err(Error::Gone(format!("offset {position} of {}/{}, {why}", partition.topic, partition.number)))
            };
            let committed = match start {
                Start::At(position) | Start::TakenOver { position } => Some(position),
                Start::Beginning => None,
                Start::Anew { position } => return gone(position, "because the topic was deleted and made anew"),
                Start::Deleted { position, first } => return gone(position, &format!("because the log begins at {first}")),
                Start::CutOff { position, end } => {
                    return gone(
                        position,
                        &format!("because the log, which is the same, ends at {end}: its brokers have lost records"),
                    );
                }
                Start::Unknown { position, end } => return gone(position, &format!("because the log ends at {end}")),
            };
            self.restorer.ask(Job { partition, generation, committed, log });
        }
        Ok(())
    }

    /// The partitions that are restored, which the library may be given.
    pub(super) fn restored(&mut self) -> Result<Vec<Answer>, Error> {
        let mut ready = Vec::new();
        while let Some((Job { partition, generation, committed, log }, state)) = self.restorer.restored()? {
            let part = Part { generation, state, start: committed, asked: None, in_flight: false };
            self.parts.insert(partition.clone(), part);
            ready.push(Answer { partition, generation, start: committed.map_or(Start::Beginning, Start::At), log });
        }
        Ok(ready)
    }

    /// Forgets partitions that were given up.
    pub(super) fn forget(&mut self, partitions: &BTreeSet<Partition>) {
        self.restorer.forget(partitions);
        self.parts.retain(|partition, _| !partitions.contains(partition));
    }

    /// Applies a record; what comes of it alone.
    pub(super) fn apply(&mut self, record: Record) -> Result<Applied, Error> {
        let partition = Partition { topic: record.topic.clone(), number: record.partition };
        let part = self.parts.get_mut(&partition);
        let part = part.ok_or_else(|| Error::Inconsistent(format!("a record of {partition}, which is not restored")))?;
        let (number, offset) = (record.partition, record.offset);
        let failed = |reason| Error::State { partition: number, reason: format!("offset {offset}: {reason}") };
        part.state.apply(record).map_err(failed)
    }

    /// Tells every state where its log ends, if it wants to know.
    pub(super) fn find_ends(&mut self, now: Timestamp) -> Result<(), Error> {
        while let Some((Asked { partition, generation }, end)) = self.ends.found()? {
            // An answer to an earlier owner's question is older than what this one asks.
            let Some(part) = self.parts.get_mut(&partition).filter(|part| part.generation == generation) else { continue };
            if let Some((asked, end)) = part.asked.take().zip(end) {
                part.state.end_of_log(end, asked);
            }
        }
        for (partition, part) in &mut self.parts {
            if part.asked.is_none() && part.state.wants_end(now) {
                part.asked = Some(now);
                self.ends.ask(Asked { partition: partition.clone(), generation: part.generation });
            }
        }
        Ok(())
    }

    /// Has every state do what it waited for everything below some offset for. Between two batches.
    pub(super) fn freeze(&mut self, consumer: &BaseConsumer<Context>, now: Timestamp) {
        let waits = |part: &Part| part.state.waits_for_position();
        let positions = self.parts.values().any(waits).then(|| consumer.position().ok()).flatten();
        for (partition, part) in &mut self.parts {
            let read = positions.as_ref().and_then(|list| list.find_partition(&partition.topic, partition.number));
            let position = match read.map(|element| element.offset()) {
                Some(Offset::Offset(position)) => Some(position),
                _ => part.start,
            };
            part.state.freeze(position.unwrap_or(0), now);
        }
    }

    /// Whether there is something to write that should not wait.
    pub(super) fn are_urgent(&self) -> bool {
        self.parts.values().any(|part| part.state.is_urgent() || part.state.is_closing())
    }

    /// Partitions whose reading should wait.
    pub(super) fn full(&self) -> impl Iterator<Item = Partition> {
        self.parts.iter().filter(|(_, part)| part.state.is_full()).map(|(partition, _)| partition.clone())
    }

    /// What the states want written with a cut, a step of one partition's long work among it. `cut` holds what was read since the last,
    /// and positions of idle partitions, whose markers move with them; others may have something to write too, whose positions are added.
    pub(super) fn cut(&mut self, cut: &mut Cut, assignment: &Assignment, now: Timestamp) -> Vec<Output> {
        let mut outputs = Vec::new();
        let stepping = self.next_to_step();
        for (partition, part) in &mut self.parts {
            let is_idle = |cut: &Cut| cut.unread.iter().any(|unread| unread.partition == *partition);
            if Mutant::UnmarkedIdle.is_on() && is_idle(cut) {
                continue;
            }
            let steps = stepping.as_ref() == Some(partition);
            let read = cut.next().find(|(touched, _)| *touched == partition).map(|(_, committed)| committed.next);
            let next = match read {
                Some(next) => next,
                None if !steps && !part.state.has_outputs() => continue,
                None => {
                    // Something stands in the state, so something was read and committed before.
                    let Some(next) = assignment.position(partition).or(part.start) else { continue };
                    let committed = Committed { next, log: assignment.log(partition) };
                    cut.unread.push(Unread { partition: partition.clone(), generation: part.generation, committed });
                    next
                }
            };
            outputs.extend(part.state.cut(next, now, steps));
            part.in_flight = true;
        }
        self.stepped = stepping;
        outputs
    }

    /// The partition that has long work, behind the one that had its turn.
    fn next_to_step(&self) -> Option<Partition> {
        let busy = || self.parts.iter().filter(|(_, part)| part.state.is_closing()).map(|(partition, _)| partition);
        busy().find(|partition| self.stepped.as_ref().is_none_or(|last| *partition > last)).or_else(|| busy().next()).cloned()
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
