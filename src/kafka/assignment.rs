//! The partitions that are ours: their ledgers, and what they hold in memory. Pure bookkeeping, no client library.

use super::budget::{Budget, Load, Use};
use super::committed::Committed;
use super::error::Error;
use super::failpoint::Mutant;
use super::ledger::{Generation, Ledger, Misplaced, Regressed};
use super::log_id::Logs;
use super::sentinel::Sentinel;
use super::traced::Trace;
use crate::event::{Output, Record, TopicId};
use crate::metrics::Counted;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Partition {
    pub(super) topic: Arc<str>,
    pub(super) number: i32,
}

impl std::fmt::Display for Partition {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.topic, self.number)
    }
}

/// The place that a record's outcome goes to.
#[derive(Debug)]
pub struct Slot {
    partition: Partition,
    generation: Generation,
    offset: i64,
    /// Bytes that it counts for until it is done.
    weight: usize,
    /// Those of them that are for outputs larger than the record, which it has only while it is evaluated.
    extra: usize,
    trace: Trace,
}

impl std::fmt::Display for Slot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.partition, self.offset)
    }
}

impl Slot {
    pub(super) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Has the record's way to its commit traced from now on.
    #[must_use]
    pub fn traced(self, trace: Trace) -> Self {
        Self { trace, ..self }
    }

    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }
}

/// What one record came to.
#[derive(Debug, Clone)]
pub(super) struct Done {
    pub(super) outputs: Arc<[Output]>,
    pub(super) offset: i64,
    /// The outputs stand in for others that no topic took.
    pub(super) stands_in: bool,
    /// What is counted when they are committed.
    pub(super) counted: Counted,
    pub(super) trace: Trace,
    weight: usize,
}

impl Done {
    fn new(offset: i64, outputs: Vec<Output>, counted: Counted, stands_in: bool, trace: Trace) -> Self {
        // The library copies what it sends, so that what is on its way is held twice.
        let weight = outputs.iter().map(Output::weight).sum::<usize>() * 2;
        Self { outputs: outputs.into(), offset, stands_in, counted, trace, weight }
    }
}

#[derive(Debug)]
struct Held {
    ledger: Ledger<Done>,
    /// The id of its topic when it was started, if the brokers say ids.
    log: Option<TopicId>,
    /// A position that is to be committed soon although nothing was read up to it: where reading began, or what stands behind the
    /// last record and is none.
    unread: Option<i64>,
    /// A record that was read and not taken up, to be read again.
    let_go: Option<i64>,
    bytes: usize,
    /// Offsets and timestamps of the records that are held.
    taken: VecDeque<(i64, Timestamp)>,
    /// Whether reading was to leave it alone when that was last asked.
    full: bool,
}

/// Everything that is assigned to this consumer.
#[derive(Debug)]
pub(super) struct Assignment {
    partitions: BTreeMap<Partition, Held>,
    generations: u64,
    budget: Budget,
}

/// What a cut of all partitions gave.
#[derive(Debug, Default)]
pub(super) struct Cut {
    pub(super) outputs: Vec<Done>,
    pub(super) positions: Vec<Position>,
    /// Positions of partitions of which nothing was read since: they are idle, or their states have something to write.
    pub(super) unread: Vec<Unread>,
}

/// A position that is committed although nothing of its partition was read.
#[derive(Debug, Clone)]
pub(super) struct Unread {
    pub(super) partition: Partition,
    pub(super) generation: Generation,
    pub(super) committed: Committed,
}

/// How far one partition is done once the cut is written.
#[derive(Debug, Clone)]
pub(super) struct Position {
    pub(super) partition: Partition,
    pub(super) generation: Generation,
    pub(super) next: i64,
    /// The log that it is a position of.
    log: Option<TopicId>,
    /// One past the last of the cut's outputs that are of this partition.
    end: usize,
}

impl Cut {
    /// The traces of its records.
    pub(super) fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.outputs.iter().map(|done| &done.trace)
    }

    /// The partition that an output of the cut is of.
    pub(super) fn position_of(&self, index: usize) -> Option<&Position> {
        self.positions.iter().find(|position| index < position.end)
    }

    /// Whether it holds records of any of `partitions`.
    pub(super) fn touches(&self, partitions: &BTreeSet<Partition>) -> bool {
        self.next().any(|(partition, _)| partitions.contains(partition))
    }

    /// The next offset to read of every partition that it touches.
    pub(super) fn next(&self) -> impl Iterator<Item = (&Partition, Committed)> {
        let committed = |position: &Position| Committed { next: position.next, log: position.log };
        let read = self.positions.iter().map(move |position| (&position.partition, committed(position)));
        read.chain(self.unread.iter().map(|unread| (&unread.partition, unread.committed)))
    }

    /// The logs that these are positions of.
    pub(super) fn logs(&self) -> Logs {
        let mut logs = Logs::default();
        for (partition, committed) in self.next() {
            if let Some(log) = committed.log {
                logs.note(&partition.topic, log);
            }
        }
        logs
    }
}

impl Assignment {
    pub(super) fn new(budget: Budget) -> Self {
        Self { partitions: BTreeMap::new(), generations: 0, budget }
    }

    /// Takes partitions up, each in a new generation. They are to be left alone until it is known where they start.
    pub(super) fn assign(&mut self, partitions: impl IntoIterator<Item = Partition>) -> Vec<(Partition, Generation)> {
        let mut assigned = Vec::new();
        for partition in partitions {
            self.generations += 1;
            let generation = Generation(self.generations);
            let (ledger, taken) = (Ledger::new(generation), VecDeque::new());
            let held = Held { ledger, log: None, unread: None, let_go: None, bytes: 0, taken, full: false };
            self.partitions.insert(partition.clone(), held);
            assigned.push((partition, generation));
        }
        assigned
    }

    /// Notes the log that a partition is read from, and where reading begins unless at the beginning: what lies below is not to be read.
    pub(super) fn start(&mut self, partition: &Partition, log: Option<TopicId>, position: Option<i64>) {
        if let Some(held) = self.partitions.get_mut(partition) {
            held.log = log;
            if let Some(position) = position {
                held.ledger.start(position);
            }
        }
    }

    /// Notes that reading begins where the group has not committed that it does: until it has, the next start would not know it.
    pub(super) fn commit_start(&mut self, partition: &Partition, position: i64) {
        if let Some(held) = self.partitions.get_mut(partition) {
            held.unread = Some(position);
        }
    }

    /// Has the library's position of a partition committed that no record answers. Whether it will be: not while anything is held or is
    /// to be read again, and only when it is a step forward.
    pub(super) fn pass(&mut self, partition: &Partition, position: i64) -> bool {
        let Some(held) = self.partitions.get_mut(partition) else { return false };
        let is_idle = held.ledger.is_empty() && (held.let_go.is_none() || Mutant::PassedRetry.is_on());
        let moves = Some(position) > held.ledger.committed_position().max(held.unread);
        if is_idle && moves {
            held.unread = Some(position);
        }
        is_idle && moves
    }

    /// Notes that a record was read and not taken up: nothing from there on may be passed until it was read again.
    pub(super) fn let_go(&mut self, record: &Record) {
        let partition = Partition { topic: record.topic.clone(), number: record.partition };
        if let Some(held) = self.partitions.get_mut(&partition) {
            held.let_go = Some(held.let_go.map_or(record.offset, |before| before.min(record.offset)));
        }
    }

    /// Whether there are positions to commit of which nothing was read.
    pub(super) fn has_unread(&self) -> bool {
        self.partitions.values().any(|held| held.unread.is_some())
    }

    /// The log that a partition is read from, as far as that is known.
    pub(super) fn log(&self, partition: &Partition) -> Option<TopicId> {
        self.partitions.get(partition)?.log
    }

    /// The position that is committed of a partition, or was when it was taken up.
    pub(super) fn position(&self, partition: &Partition) -> Option<i64> {
        self.partitions.get(partition)?.ledger.committed_position()
    }

    /// Gives partitions up; returns how many records of them are left to their next owner.
    pub(super) fn revoke<'p>(&mut self, partitions: impl IntoIterator<Item = &'p Partition>) -> usize {
        partitions.into_iter().filter_map(|partition| self.partitions.remove(partition)).map(|held| held.ledger.len()).sum()
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.keys()
    }

    /// Takes up a record, whose outputs may be so much larger than itself; none when its partition is not ours any more.
    ///
    /// # Errors
    /// It lies below what was read before: its log may not be the one that it was. Nothing changes then.
    pub(super) fn charge(&mut self, record: &Record, extra: usize) -> Result<Option<Slot>, Regressed> {
        let partition = Partition { topic: record.topic.clone(), number: record.partition };
        let Some(held) = self.partitions.get_mut(&partition) else { return Ok(None) };
        held.ledger.charge(record.offset)?;
        let _ = held.let_go.take_if(|let_go| *let_go <= record.offset);
        let weight = record.weight() + extra;
        held.bytes += weight;
        held.taken.extend(record.timestamp.as_ref().map(|stamp| (record.offset, stamp.time)));
        Ok(Some(Slot { generation: held.ledger.generation(), offset: record.offset, partition, weight, extra, trace: None }))
    }

    /// While a record waits for its time it counts for itself only; true when its partition is still ours.
    pub(super) fn set_aside(&mut self, slot: &mut Slot) -> bool {
        slot.weight -= slot.extra;
        let held = self.ours(&slot.partition, slot.generation);
        held.map(|held| held.bytes = held.bytes.saturating_sub(slot.extra)).is_some()
    }

    /// Counts a record that was set aside in full again.
    pub(super) fn take_again(&mut self, slot: &mut Slot) {
        slot.weight += slot.extra;
        if let Some(held) = self.ours(&slot.partition, slot.generation) {
            held.bytes += slot.extra;
        }
    }

    /// A partition, if it is still ours in the same assignment.
    fn ours(&mut self, partition: &Partition, generation: Generation) -> Option<&mut Held> {
        self.partitions.get_mut(partition).filter(|held| held.ledger.generation() == generation)
    }

    /// Whether a slot's partition is still ours, in the same assignment.
    #[cfg(test)]
    fn holds(&self, slot: &Slot) -> bool {
        self.partitions.get(&slot.partition).is_some_and(|held| held.ledger.generation() == slot.generation)
    }

    /// Notes what a record came to. False when its partition was revoked meanwhile: the outputs are dropped.
    pub(super) fn complete(&mut self, slot: Slot, outputs: Vec<Output>, counted: Counted) -> Result<bool, Error> {
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

    /// Puts other outputs in the place of those that `index` of a cut names, which no topic takes.
    pub(super) fn replace(&mut self, cut: &Cut, index: usize, outputs: Vec<Output>, counted: Counted) -> Result<(), Error> {
        let Some((position, entry)) = cut.position_of(index).zip(cut.outputs.get(index)) else { return Ok(()) };
        let Some(held) = self.ours(&position.partition, position.generation) else { return Ok(()) };
        let done = Done::new(entry.offset, outputs, counted, true, entry.trace.clone());
        held.bytes = (held.bytes + done.weight).saturating_sub(entry.weight);
        held.ledger.replace(entry.offset, done).map_err(|error| Error::Inconsistent(format!("{}: {error}", position.partition)))
    }

    /// Opens a batch with what is done of every partition, at most about `limit` records, and bytes until there are `bytes`.
    pub(super) fn cut(&mut self, limit: usize, bytes: usize) -> Option<Cut> {
        let mut cut = Cut::default();
        let mut weight = 0;
        for (partition, held) in &mut self.partitions {
            let room = limit.saturating_sub(cut.outputs.len());
            let fits = |done: &Done| {
                let fits = weight < bytes;
                weight += done.weight;
                fits
            };
            let Some(done) = held.ledger.cut(room, fits) else {
                let (generation, log) = (held.ledger.generation(), held.log);
                let unread = |next| Unread { partition: partition.clone(), generation, committed: Committed { next, log } };
                cut.unread.extend(held.unread.map(unread));
                continue;
            };
            if held.ledger.committed_position().is_some_and(|committed| done.next <= committed) {
                Sentinel::CommitRegressed.hit();
            }
            if held.ledger.frontier().is_none_or(|frontier| done.next > frontier) {
                Sentinel::CommitBeyondFrontier.hit();
            }
            cut.outputs.extend(done.outputs);
            let generation = held.ledger.generation();
            let end = cut.outputs.len();
            cut.positions.push(Position { partition: partition.clone(), generation, next: done.next, log: held.log, end });
        }
        (!cut.positions.is_empty() || !cut.unread.is_empty()).then_some(cut)
    }

    /// Forgets what was written and committed.
    pub(super) fn committed(&mut self, cut: &Cut) -> Result<(), Error> {
        for Unread { partition, generation, committed } in &cut.unread {
            if let Some(held) = self.ours(partition, *generation) {
                held.unread.take_if(|next| *next <= committed.next);
                held.ledger.passed(committed.next);
            }
        }
        self.settle(&cut.positions, |held, next| {
            let done = held.ledger.committed(next)?;
            held.unread = None;
            while held.taken.pop_front_if(|(offset, _)| *offset < next).is_some() {}
            held.bytes = held.bytes.saturating_sub(done.iter().map(|done| done.weight).sum());
            Ok(())
        })
    }

    /// A batch was aborted: it is cut again.
    pub(super) fn aborted(&mut self, positions: &[Position]) -> Result<(), Error> {
        self.settle(positions, |held, next| held.ledger.aborted(next))
    }

    fn settle(
        &mut self,
        positions: &[Position],
        how: impl Fn(&mut Held, i64) -> Result<(), super::ledger::Unsettled>,
    ) -> Result<(), Error> {
        for position in positions {
            if let Some(held) = self.ours(&position.partition, position.generation) {
                how(held, position.next).map_err(|error| Error::Inconsistent(format!("{}: {error}", position.partition)))?;
            }
        }
        Ok(())
    }

    /// Records held, done ones included.
    pub(super) fn records(&self) -> usize {
        self.partitions.values().map(|held| held.ledger.len()).sum()
    }

    fn bytes(&self) -> usize {
        self.partitions.values().map(|held| held.bytes).sum()
    }

    /// What all partitions hold, and `besides` bytes.
    fn load(&self, besides: usize) -> Load {
        Load { records: self.records(), bytes: self.bytes() + besides }
    }

    /// Records held that are not done.
    pub(super) fn pending(&self) -> usize {
        self.partitions.values().map(|held| held.ledger.pending()).sum()
    }

    /// Records that a cut would take.
    pub(super) fn ready(&self) -> usize {
        self.partitions.values().map(|held| held.ledger.ready()).sum()
    }

    /// The timestamp of the oldest record that is held.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.partitions.values().filter_map(|held| held.taken.front().map(|(_, time)| *time)).min()
    }

    /// How much of the budget is used, with `besides` bytes of what was ours.
    pub(super) fn used(&self, besides: usize) -> Use {
        self.budget.used(self.load(besides))
    }

    /// Whether as much is held as the budget allows, with `besides` bytes of what was ours.
    pub(super) fn is_over_budget(&self, besides: usize) -> bool {
        self.budget.is_used_up(self.load(besides))
    }

    /// The partitions that reading should leave alone for now, with `besides` bytes of what was ours.
    pub(super) fn overfull(&mut self, besides: usize) -> Vec<Partition> {
        let (all, alone, budget) = (self.load(besides), self.partitions.len() == 1, self.budget);
        let full = self.partitions.iter_mut().filter_map(|(partition, held)| {
            let own = Load { records: held.ledger.len(), bytes: held.bytes };
            held.full = budget.is_full(own, all, alone, held.full);
            held.full.then(|| partition.clone())
        });
        full.collect()
    }
}

#[cfg(test)]
mod tests;
