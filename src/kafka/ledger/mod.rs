//! Keeps the records that were read of one partition, and finds the position that may be committed.
//!
//! Messages are evaluated out of order and offsets are committed in order: the committed position
//! never passes a record whose outputs are not written (promise 2). A slow record holds the
//! position back, but not the outputs of the records behind it: these are written, and their
//! offsets are committed as a set beside the position (K11).
//!
//! A ledger belongs to one assignment of one partition. The next assignment gets a new ledger with
//! another generation, so that completions of the old assignment cannot be mistaken for its own.
//!
//! A slot is pending, then done, then in the open batch, and is removed when that batch is
//! committed. It keeps its outputs until then, so that an aborted batch is sent again without
//! another evaluation. What lies below the end of what was read and has no slot is written, or was
//! never seen (compacted records, transaction markers).

pub(crate) mod assignment;
pub(crate) mod batch;
pub(crate) mod budget;
pub(crate) mod cut;
pub(crate) mod sentinel;
pub(crate) mod slot;
pub(crate) mod traced;

use crate::kafka::base::partition::Generation;
use crate::kafka::client::written::Written;
use std::collections::VecDeque;

/// The slots of one partition in one generation. `O` is the outcome of a record,
/// which is cloned into a batch.
#[derive(Debug)]
pub(crate) struct Ledger<O> {
    generation: Generation,
    /// The records that are not written, in the order of their offsets.
    slots: VecDeque<Slot<O>>,
    /// The number of slots that are not done.
    pending: usize,
    /// One past the highest offset that was read or passed, or the position where reading begins.
    /// None before the first record of a log that is read from its beginning.
    end: Option<i64>,
    /// True when a record behind the last slot is written.
    is_end_written: bool,
    /// The offsets from the end on that an earlier owner of the partition has written.
    /// Every commit holds them, because the next owner may begin before they were read.
    inherited: Written,
    /// The batch that is open, and the position that it commits; None when no batch is open.
    open: Option<(BatchNumber, i64)>,
    batches: u64,
    /// True when the last cut left done records behind the position that its set had no room for.
    is_crowded: bool,
    /// The position that was committed last, at first the one where reading begins;
    /// None when there is neither.
    committed: Option<i64>,
    /// The number of records that were read, and the bytes of input that they have.
    read: Read,
}

/// A record that is held. It has no outputs until it is done.
#[derive(Debug)]
struct Slot<O> {
    offset: i64,
    outputs: Option<O>,
    /// True while the record is in the open batch.
    is_sent: bool,
    /// True when a record between the slot above and this one is written.
    follows_written: bool,
    /// The records that were read before this one.
    before: Read,
}

/// A number of records, and the bytes of input that they have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// The number of a batch among those of its ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchNumber(u64);

/// The meaning of a record that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charged {
    /// It has a slot now.
    Open,
    /// An earlier owner of the partition has written its outputs.
    Written,
}

/// The refusal to charge a record whose offset is not above those that were read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset} was read after offset {}", end - 1)]
pub(crate) struct Regressed {
    /// The offset that was read.
    pub(crate) offset: i64,
    /// One past the highest offset read before.
    pub(crate) end: i64,
}

/// The refusal of a completion that does not fit the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misplaced {
    /// The completion belongs to an earlier assignment. The partition was revoked in between,
    /// and its next owner reads the record again.
    #[error("completed in generation {}, the ledger is of {}", found.0, expected.0)]
    OtherGeneration {
        /// The generation of the ledger.
        expected: Generation,
        /// The generation of the completion.
        found: Generation,
    },
    /// The offset was never charged, or is committed.
    #[error("offset {0} is not in the ledger")]
    Unknown(i64),
    /// The offset is done already.
    #[error("offset {0} was completed before")]
    Twice(i64),
}

impl<O> Ledger<O> {
    /// Returns an empty ledger.
    pub(crate) fn new(generation: Generation) -> Self {
        Self {
            generation,
            slots: VecDeque::new(),
            pending: 0,
            end: None,
            is_end_written: false,
            inherited: Written::default(),
            open: None,
            batches: 0,
            is_crowded: false,
            committed: None,
            read: Read::default(),
        }
    }

    /// Returns the generation of the ledger.
    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    /// Returns the number of records that are held: pending, done, or in the open batch.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns whether no record is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Returns the next offset to read that may be committed once everything below it is written:
    /// the first pending one, else one past the last that was read. None before the first record.
    pub(crate) fn frontier(&self) -> Option<i64> {
        self.slots.iter().find(|slot| slot.outputs.is_none()).map_or(self.end, |slot| Some(slot.offset))
    }

    /// Returns the position that was committed last in this generation, at first the one where
    /// reading begins. None when there is neither.
    pub(crate) fn committed_position(&self) -> Option<i64> {
        self.committed
    }

    /// Returns how much was read from the first record on that is not written. A restart would read
    /// it again.
    pub(crate) fn ahead(&self) -> Read {
        let Some(first) = self.slots.front() else { return Read::default() };
        Read { records: self.read.records - first.before.records, bytes: self.read.bytes - first.before.bytes }
    }

    /// Returns whether the record at this offset is held.
    pub(crate) fn holds(&self, offset: i64) -> bool {
        self.slots.binary_search_by_key(&offset, |slot| slot.offset).is_ok()
    }

    /// Notes the position where reading begins, which counts as committed, and the offsets from it
    /// on that are written. The first record may not lie below the position.
    pub(crate) fn start(&mut self, position: i64, written: Written) {
        (self.end, self.committed, self.inherited) = (Some(position), Some(position), written);
    }

    /// Notes that the position `next` is committed although no record was read up to it.
    /// The offsets below it that were not read hold no records.
    pub(crate) fn passed(&mut self, next: i64) {
        self.committed = self.committed.max(Some(next));
        self.read_up_to(self.end.map_or(next, |end| end.max(next)));
    }

    /// Returns the offsets from `next` on that are written, where nothing below it is held.
    pub(crate) fn written_from(&self, next: i64) -> Written {
        self.inherited.within(next..i64::MAX)
    }

    /// Returns whether an earlier owner of the partition has written the outputs of the record at
    /// this offset, which was not read since.
    pub(crate) fn is_inherited(&self, offset: i64) -> bool {
        self.inherited.contains(offset)
    }

    /// Takes up a record of this many bytes that was read.
    ///
    /// # Errors
    /// Offsets rise within a generation. A record whose offset does not is refused,
    /// and nothing changes.
    pub(crate) fn charge(&mut self, offset: i64, bytes: usize) -> Result<Charged, Regressed> {
        if let Some(end) = self.end.filter(|end| offset < *end) {
            return Err(Regressed { offset, end });
        }
        let before = self.read;
        self.read = Read { records: before.records + 1, bytes: before.bytes + bytes as u64 };
        let is_written = self.inherited.contains(offset);
        self.read_up_to(offset + 1);
        if is_written {
            self.is_end_written = true;
            return Ok(Charged::Written);
        }
        let follows_written = std::mem::take(&mut self.is_end_written);
        self.slots.push_back(Slot { offset, outputs: None, is_sent: false, follows_written, before });
        self.pending += 1;
        Ok(Charged::Open)
    }

    fn read_up_to(&mut self, end: i64) {
        self.end = Some(end);
        self.inherited.drop_below(end);
    }

    /// Notes the outcome of the record at `offset`.
    ///
    /// # Errors
    /// See [`Misplaced`]; nothing changes then.
    pub(crate) fn complete(&mut self, generation: Generation, offset: i64, outputs: O) -> Result<(), Misplaced> {
        if generation != self.generation {
            return Err(Misplaced::OtherGeneration { expected: self.generation, found: generation });
        }
        let index = self.slots.binary_search_by_key(&offset, |slot| slot.offset).map_err(|_| Misplaced::Unknown(offset))?;
        let slot = self.slots.get_mut(index).ok_or(Misplaced::Unknown(offset))?;
        if slot.outputs.is_some() {
            return Err(Misplaced::Twice(offset));
        }
        slot.outputs = Some(outputs);
        self.pending -= 1;
        Ok(())
    }

    /// Replaces the outcome of a record by `outputs`, before its batch is cut again.
    ///
    /// # Errors
    /// The record is not held, or not done; nothing changes then.
    pub(crate) fn replace(&mut self, offset: i64, outputs: O) -> Result<(), Misplaced> {
        let index = self.slots.binary_search_by_key(&offset, |slot| slot.offset).map_err(|_| Misplaced::Unknown(offset))?;
        let done = self.slots.get_mut(index).and_then(|slot| slot.outputs.as_mut()).ok_or(Misplaced::Unknown(offset))?;
        *done = outputs;
        Ok(())
    }

    /// Returns the number of records that are not done.
    pub(crate) fn pending(&self) -> usize {
        self.pending
    }
}

#[cfg(test)]
mod tests;
