//! Keeps the ledgers of the assigned partitions, and counts what they hold in memory.
//! It does not use the client library.

mod batches;

use super::budget::{Budget, Load, Use};
use super::sentinel::Sentinel;
use super::slot::{Done, Slot};
use super::{Charged, Ledger, Misplaced, Regressed};
use crate::event::{Output, Record, TopicId};
use crate::kafka::base::error::Error;
use crate::kafka::base::lease::Lease;
use crate::kafka::base::partition::{Generation, Partition};
use crate::kafka::client::written::Written;
use crate::metrics::Counted;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// An assigned partition: its ledger, and what the pipeline keeps of it in `each`.
/// Whatever belongs to the assignment is dropped with it.
#[derive(Debug)]
pub(crate) struct Assigned<E> {
    /// The data that the pipeline keeps of the partition.
    pub(crate) each: E,
    lease: Lease,
    ledger: Ledger<Done>,
    /// The id of the partition's topic when reading started, if the brokers report ids.
    log: Option<TopicId>,
    /// A position that must be committed soon although no record was read up to it.
    /// It is where reading began, or it lies past the control records that follow the last record.
    unread: Option<i64>,
    /// The offset of a record that was read and not taken up, and will be read again.
    let_go: Option<i64>,
    /// The number of offsets in the set that was committed last.
    written: i64,
    /// The bytes that are held of the partition.
    bytes: usize,
    /// The offsets and timestamps of the records that are held.
    taken: VecDeque<(i64, Timestamp)>,
    /// True when reading had to leave the partition alone at the last check.
    full: bool,
}

/// All partitions that are assigned to this consumer.
#[derive(Debug)]
pub(crate) struct Assignment<E = ()> {
    partitions: BTreeMap<Partition, Assigned<E>>,
    generations: u64,
    budget: Budget,
}

impl<E> Assigned<E> {
    pub(crate) fn generation(&self) -> Generation {
        self.ledger.generation()
    }

    /// Returns the lease of the assignment, which ends when the partition is given up.
    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Returns the log that the partition is read from; None as long as that is not known.
    pub(crate) fn log(&self) -> Option<TopicId> {
        self.log
    }

    /// Returns the position that is committed, or the one at which reading began when nothing was
    /// committed since. None when there is neither.
    pub(crate) fn position(&self) -> Option<i64> {
        self.ledger.committed_position()
    }

    /// Returns whether an earlier owner of the partition has written the outputs of the record at
    /// this offset, which was not read since.
    pub(crate) fn is_written(&self, offset: i64) -> bool {
        self.ledger.is_inherited(offset)
    }
}

impl<E> Assignment<E> {
    pub(crate) fn new(budget: Budget) -> Self {
        Self { partitions: BTreeMap::new(), generations: 0, budget }
    }

    /// Takes partitions up, each in a new generation. They must not be read until
    /// their start is known.
    pub(crate) fn assign(&mut self, partitions: impl IntoIterator<Item = Partition>)
    where
        E: Default,
    {
        for partition in partitions {
            self.generations += 1;
            let assigned = Assigned {
                each: E::default(),
                lease: Lease::default(),
                ledger: Ledger::new(Generation(self.generations)),
                log: None,
                unread: None,
                let_go: None,
                written: 0,
                bytes: 0,
                taken: VecDeque::new(),
                full: false,
            };
            self.partitions.insert(partition, assigned);
        }
    }

    /// Returns an assigned partition; None when it is not assigned to this consumer.
    pub(crate) fn get(&self, partition: &Partition) -> Option<&Assigned<E>> {
        self.partitions.get(partition)
    }

    pub(crate) fn get_mut(&mut self, partition: &Partition) -> Option<&mut Assigned<E>> {
        self.partitions.get_mut(partition)
    }

    /// Returns all assigned partitions, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Partition, &Assigned<E>)> {
        self.partitions.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Partition, &mut Assigned<E>)> {
        self.partitions.iter_mut()
    }

    /// Returns the number of assigned partitions.
    pub(crate) fn len(&self) -> usize {
        self.partitions.len()
    }

    /// Notes the log that a partition is read from, and the position where reading begins, with the
    /// offsets above it that are written; None for the beginning. Records below the position are
    /// refused.
    pub(crate) fn start(&mut self, partition: &Partition, log: Option<TopicId>, start: Option<(i64, Written)>) {
        if let Some(held) = self.partitions.get_mut(partition) {
            held.log = log;
            if let Some((position, written)) = start {
                held.written = written.len();
                held.ledger.start(position, written);
            }
        }
    }

    /// Notes that reading begins at a position that the group has not committed.
    /// It must be committed, because the next start would not know it otherwise.
    pub(crate) fn commit_start(&mut self, partition: &Partition, position: i64) {
        if let Some(held) = self.partitions.get_mut(partition) {
            held.unread = Some(position);
        }
    }

    /// Notes that librdkafka's position of a partition must be committed although no record ends
    /// there. Returns false and does nothing while a record is held or will be read again, and when
    /// the position is no step forward.
    pub(crate) fn pass(&mut self, partition: &Partition, position: i64) -> bool {
        let Some(held) = self.partitions.get_mut(partition) else { return false };
        let is_idle = held.ledger.is_empty() && held.let_go.is_none();
        let moves = Some(position) > held.ledger.committed_position().max(held.unread);
        if is_idle && moves {
            held.unread = Some(position);
        }
        is_idle && moves
    }

    /// Notes that a record was read and not taken up. Nothing from its offset on may be passed
    /// until it has been read again.
    pub(crate) fn let_go(&mut self, record: &Record) {
        let partition = Partition::of(record);
        if let Some(held) = self.partitions.get_mut(&partition) {
            held.let_go = Some(held.let_go.map_or(record.offset, |before| before.min(record.offset)));
        }
    }

    /// Returns whether a position must be committed although no record was read up to it.
    pub(crate) fn has_unread(&self) -> bool {
        self.partitions.values().any(|held| held.unread.is_some())
    }

    /// Gives partitions up. Returns how many of their records are left to the next owner.
    pub(crate) fn revoke<'p>(&mut self, partitions: impl IntoIterator<Item = &'p Partition>) -> usize {
        partitions.into_iter().filter_map(|partition| self.partitions.remove(partition)).map(|held| held.ledger.len()).sum()
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.keys()
    }

    /// Takes up a record, whose outputs may be `extra` bytes larger than the record itself.
    /// Returns None when its partition is not assigned any more, and when its outputs are written.
    ///
    /// # Errors
    /// The record lies below what was read before, so its log may be another one.
    /// Nothing changes then.
    pub(crate) fn charge(&mut self, record: &Record, extra: usize) -> Result<Option<Slot>, Regressed> {
        let partition = Partition::of(record);
        let Some(held) = self.partitions.get_mut(&partition) else { return Ok(None) };
        let charged = held.ledger.charge(record.offset, record.weight())?;
        let _ = held.let_go.take_if(|let_go| *let_go <= record.offset);
        if charged == Charged::Written {
            return Ok(None);
        }
        let weight = record.weight() + extra;
        held.bytes += weight;
        held.taken.extend(record.timestamp.as_ref().map(|stamp| (record.offset, stamp.time)));
        Ok(Some(Slot { generation: held.ledger.generation(), offset: record.offset, partition, weight, extra, trace: None }))
    }

    /// Counts a delayed record without its extra bytes.
    /// Returns whether its partition is still assigned.
    pub(crate) fn set_aside(&mut self, slot: &mut Slot) -> bool {
        slot.weight -= slot.extra;
        let held = self.ours(&slot.partition, slot.generation);
        held.map(|held| held.bytes = held.bytes.saturating_sub(slot.extra)).is_some()
    }

    /// Counts a record that was delayed with its extra bytes again.
    pub(crate) fn take_again(&mut self, slot: &mut Slot) {
        slot.weight += slot.extra;
        if let Some(held) = self.ours(&slot.partition, slot.generation) {
            held.bytes += slot.extra;
        }
    }

    /// Returns a partition; None when it is not assigned any more in this generation.
    pub(crate) fn ours(&mut self, partition: &Partition, generation: Generation) -> Option<&mut Assigned<E>> {
        self.partitions.get_mut(partition).filter(|held| held.ledger.generation() == generation)
    }

    /// Returns whether a slot's partition is still assigned in the same generation.
    #[cfg(test)]
    fn holds(&self, slot: &Slot) -> bool {
        self.partitions.get(&slot.partition).is_some_and(|held| held.ledger.generation() == slot.generation)
    }

    /// Notes the outcome of a record. Returns false when its partition was revoked meanwhile;
    /// the outputs are dropped then.
    pub(crate) fn complete(&mut self, slot: Slot, outputs: Vec<Output>, counted: Counted) -> Result<bool, Error> {
        let Some(held) = self.partitions.get_mut(&slot.partition) else { return Ok(false) };
        let done = Done::new(slot.offset, outputs, counted, false, slot.trace);
        let weight = done.weight;
        match held.ledger.complete(slot.generation, slot.offset, done) {
            Ok(()) => {
                held.bytes = (held.bytes + weight).saturating_sub(slot.weight);
                Ok(true)
            }
            Err(Misplaced::OtherGeneration { expected, found }) => {
                if found > expected {
                    Sentinel::CompletionFromFutureGeneration.hit();
                }
                Ok(false)
            }
            Err(error) => {
                Sentinel::DuplicateSlot.hit();
                Err(Error::Inconsistent(format!("{}: {error}", slot.partition)))
            }
        }
    }

    /// Returns the number of records that are held, done ones included.
    pub(crate) fn records(&self) -> usize {
        self.partitions.values().map(|held| held.ledger.len()).sum()
    }

    fn bytes(&self) -> usize {
        self.partitions.values().map(|held| held.bytes).sum()
    }

    /// Returns what all partitions hold, and `besides` bytes.
    fn load(&self, besides: usize) -> Load {
        Load { records: self.records(), bytes: self.bytes() + besides }
    }

    /// Returns the number of records that are held and not done.
    pub(crate) fn pending(&self) -> usize {
        self.partitions.values().map(|held| held.ledger.pending()).sum()
    }

    /// Returns the number of records that a cut without limits would take.
    pub(crate) fn ready(&self) -> usize {
        self.partitions.values().map(|held| held.ledger.ready()).sum()
    }

    /// Returns the timestamp of the oldest record that is held; None when none with
    /// a timestamp is held.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.partitions.values().filter_map(|held| held.taken.front().map(|(_, time)| *time)).min()
    }

    /// Returns how much of the budget is used. `besides` are the bytes of records that are still
    /// evaluated and whose partitions were given up.
    pub(crate) fn used(&self, besides: usize) -> Use {
        self.budget.used(self.load(besides))
    }

    /// Returns whether as much is held as the budget allows, with `besides` as in [`Self::used`].
    pub(crate) fn is_over_budget(&self, besides: usize) -> bool {
        self.budget.is_used_up(self.load(besides))
    }

    /// Returns the partitions that reading must leave alone for now, with `besides`
    /// as in [`Self::used`]: those that hold too much, and those that were read too far beyond a
    /// record that is not written.
    pub(crate) fn overfull(&mut self, besides: usize) -> Vec<Partition> {
        let (all, alone, budget) = (self.load(besides), self.partitions.len() == 1, self.budget);
        let full = self.partitions.iter_mut().filter_map(|(partition, held)| {
            let own = Load { records: held.ledger.len(), bytes: held.bytes };
            held.full = budget.is_full(own, all, alone, held.full);
            (held.full || budget.is_too_far(held.ledger.ahead())).then(|| partition.clone())
        });
        full.collect()
    }
}

#[cfg(test)]
mod tests;
