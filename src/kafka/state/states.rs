//! Drives the states of a stateful role's partitions on the consumer thread,
//! from restore to commit (K7).
//!
//! ```text
//! assigned ─► position (start) ─► restore ─► given to librdkafka ─► apply, in offset order
//!                                                                     │
//!        one transaction ◄─ absolute values, outputs, marker ◄─ cut ◄─┘
//! ```
//!
//! A record is applied when it is read, so its slot in the ledger is done at once.
//! A batch holds what the states write besides the outcomes of the records. It holds the positions
//! of every partition whose state it touches, even if nothing of the partition was read: without
//! them nothing would fence the transaction.

use super::contract::{Applied, PartitionState, Stateful};
use super::log_end::{Asked, LogEnds, log_ends};
use super::progress::RestoreProgress;
use super::restore::{Job, Restores, Unrestored, restores};
use crate::config::Kafka;
use crate::event::{Output, Record};
use crate::kafka::base::error::Error;
use crate::kafka::base::lease::LeaseWatch;
use crate::kafka::base::partition::{Generation, Partition};
use crate::kafka::client::committed::Committed;
use crate::kafka::client::start_position::{Answer, Found, Start};
use crate::kafka::client::written::Written;
use crate::kafka::ledger::assignment::{Assigned, Assignment};
use crate::kafka::ledger::cut::{Cut, Unread};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The driver of the states of all partitions. The states themselves are kept
/// with their partitions.
pub(crate) struct States {
    /// The partition whose long work had a step in the last batch. Another one is next.
    stepped: Option<Partition>,
    restores: Restores,
    /// The partitions whose last restore failed, each with the committed position that the
    /// state had to belong to.
    misfits: BTreeMap<Partition, Option<i64>>,
    ends: LogEnds,
}

/// The outcome of a restore.
pub(crate) enum Restored {
    /// The start of the partition, and its state.
    Ready(Answer, Stated),
    /// The state does not belong to the position that the group had. Both must be asked for again.
    Doubtful(Partition, Generation),
}

/// The state of one partition.
pub(crate) struct Stated {
    state: Box<dyn PartitionState>,
    /// The offset where reading began; None for the beginning of the log.
    start: Option<i64>,
    /// The time at which the end of the log was asked for; None when no answer is awaited.
    asked: Option<Timestamp>,
    /// True when the batch in flight holds something of the state.
    in_flight: bool,
}

/// The part of an assigned partition's data that holds its state.
pub(crate) trait HoldsState {
    /// Returns the state; None for a role without state, and as long as it is not restored.
    fn stated(&self) -> Option<&Stated>;
    fn stated_mut(&mut self) -> Option<&mut Stated>;
}

impl Stated {
    /// Applies a record. Returns what must be written because of this record alone.
    ///
    /// # Errors
    /// The role must stop.
    pub(crate) fn apply(&mut self, record: Record) -> Result<Applied, Error> {
        let (number, offset) = (record.partition, record.offset);
        let failed = |reason| Error::State { partition: number, reason: format!("offset {offset}: {reason}") };
        self.state.apply(record).map_err(failed)
    }

    /// Returns whether reading should wait until something is written.
    pub(crate) fn is_full(&self) -> bool {
        self.state.is_full()
    }
}

impl States {
    pub(crate) fn new(kafka: &Kafka, role: Arc<dyn Stateful>, progress: Arc<RestoreProgress>) -> Result<Self, Error> {
        Ok(Self::of(restores(kafka, role, progress)?, log_ends(kafka)?))
    }

    pub(crate) fn of(restores: Restores, ends: LogEnds) -> Self {
        Self { stepped: None, restores, misfits: BTreeMap::new(), ends }
    }

    /// Asks the restore threads for the state of a partition whose position is known.
    ///
    /// # Errors
    /// Records that the state does not hold are gone.
    pub(crate) fn restore(&mut self, answer: Answer, lease: LeaseWatch) -> Result<(), Error> {
        // A state is written as it is below a position, so there is no set.
        let Answer { partition, generation, found: Found { start, log, .. } } = answer;
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
        self.restores.ask(Job { partition, generation, committed, log, lease });
        Ok(())
    }

    /// Returns the next partition whose state is restored, or whose state does not belong to the
    /// group's position. Returns None when there is none for now.
    ///
    /// # Errors
    /// The restore failed in a way that another one cannot repair.
    pub(crate) fn restored(&mut self) -> Result<Option<Restored>, Error> {
        let (Job { partition, generation, committed, log, .. }, state) = loop {
            match self.restores.answer()? {
                None => return Ok(None),
                Some((job, _)) if job.lease.is_over() => {}
                Some(wanted) => break wanted,
            }
        };
        let state = match state {
            Ok(state) => state,
            // Others may have had the partition since its position was asked, and this process
            // learns of that only when it next polls.
            Err(Unrestored::Misfit(error)) if self.misfits.insert(partition.clone(), committed) != Some(committed) => {
                tracing::warn!(%error, "the position is asked once more");
                return Ok(Some(Restored::Doubtful(partition, generation)));
            }
            Err(Unrestored::Misfit(error) | Unrestored::Failed(error)) => return Err(error),
        };
        self.misfits.remove(&partition);
        let stated = Stated { state, start: committed, asked: None, in_flight: false };
        let start = committed.map_or(Start::Beginning, Start::At);
        let found = Found { start, log, written: Written::default() };
        Ok(Some(Restored::Ready(Answer { partition, generation, found }, stated)))
    }

    /// Tells every state where its log ends, if the state needs to know.
    pub(crate) fn find_ends<E: HoldsState>(&mut self, partitions: &mut Assignment<E>, now: Timestamp) -> Result<(), Error> {
        while let Some((Asked { partition, generation }, end)) = self.ends.answer()? {
            // An answer to a question of an earlier owner is older than the question of this one.
            let assigned = partitions.ours(&partition, generation);
            let Some(stated) = assigned.and_then(|assigned| assigned.each.stated_mut()) else { continue };
            if let Some((asked, end)) = stated.asked.take().zip(end) {
                stated.state.end_of_log(end, asked);
            }
        }
        for (partition, generation, stated) in each(partitions) {
            if stated.asked.is_none() && stated.state.wants_end(now) {
                stated.asked = Some(now);
                self.ends.ask(Asked { partition: partition.clone(), generation });
            }
        }
        Ok(())
    }

    /// Returns the partition with long work that is next after the one that had its turn last;
    /// None when no partition has any.
    fn next_to_step<E: HoldsState>(&self, partitions: &Assignment<E>) -> Option<Partition> {
        let is_closing = |assigned: &Assigned<E>| assigned.each.stated().is_some_and(|stated| stated.state.is_closing());
        let busy = || partitions.iter().filter(|(_, assigned)| is_closing(assigned)).map(|(partition, _)| partition);
        busy().find(|partition| self.stepped.as_ref().is_none_or(|last| *partition > last)).or_else(|| busy().next()).cloned()
    }

    /// Returns the outputs of the states for a cut, with a step of one partition's long work.
    /// `cut` holds the positions of what was read since the last one, and those of idle partitions,
    /// whose markers move with them. Other states may have something to write too: the positions of
    /// their partitions are added to `cut`.
    pub(crate) fn cut<E: HoldsState>(&mut self, cut: &mut Cut, partitions: &mut Assignment<E>, now: Timestamp) -> Vec<Output> {
        let mut outputs = Vec::new();
        let stepping = self.next_to_step(partitions);
        for (partition, assigned) in partitions.iter_mut() {
            let (generation, log, position) = (assigned.generation(), assigned.log(), assigned.position());
            let Some(stated) = assigned.each.stated_mut() else { continue };
            let steps = stepping.as_ref() == Some(partition);
            let read = cut.commits().find(|(touched, _)| *touched == partition).map(|(_, commit)| commit.position.next);
            let next = match read {
                Some(next) => next,
                None if !steps && !stated.state.has_outputs() => continue,
                None => {
                    // The state has something to write, so something was read and committed before.
                    let Some(next) = position.or(stated.start) else { continue };
                    let commit = Committed { next, log }.into();
                    cut.unread.push(Unread { partition: partition.clone(), generation, commit });
                    next
                }
            };
            outputs.extend(stated.state.cut(next, now, steps));
            stated.in_flight = true;
        }
        self.stepped = stepping;
        outputs
    }
}

/// Returns whether some state waits until everything below the end of its log is applied.
pub(crate) fn wait_for_position<E: HoldsState>(partitions: &Assignment<E>) -> bool {
    partitions.iter().filter_map(|(_, assigned)| assigned.each.stated()).any(|stated| stated.state.waits_for_position())
}

/// Lets every state do what waited until everything below some offset was applied.
/// Called between two batches. `position_of` returns the next offset that would be read of a
/// partition, or None when it is not known.
pub(crate) fn freeze<E: HoldsState>(
    partitions: &mut Assignment<E>,
    position_of: impl Fn(&Partition) -> Option<i64>,
    now: Timestamp,
) {
    for (partition, _, stated) in each(partitions) {
        stated.state.freeze(position_of(partition).or(stated.start).unwrap_or(0), now);
    }
}

/// Returns whether some state has something to write that should not wait.
pub(crate) fn are_urgent<E: HoldsState>(partitions: &Assignment<E>) -> bool {
    let stated = partitions.iter().filter_map(|(_, assigned)| assigned.each.stated());
    stated.into_iter().any(|stated| stated.state.is_urgent() || stated.state.is_closing())
}

/// Tells the states how the batch in flight ended.
pub(crate) fn settle<E: HoldsState>(partitions: &mut Assignment<E>, is_committed: bool) {
    for (_, _, stated) in each(partitions).filter(|(_, _, stated)| stated.in_flight) {
        stated.in_flight = false;
        if is_committed {
            stated.state.committed();
        } else {
            stated.state.aborted();
        }
    }
}

fn each<E: HoldsState>(partitions: &mut Assignment<E>) -> impl Iterator<Item = (&Partition, Generation, &mut Stated)> {
    partitions.iter_mut().filter_map(|(partition, assigned)| {
        let generation = assigned.generation();
        Some((partition, generation, assigned.each.stated_mut()?))
    })
}
