//! Keeps the records that were read of one partition, and finds the position that may be committed.
//!
//! Messages are evaluated out of order and offsets are committed in order: the committed position
//! never passes a record whose outputs are not written (promise 2).
//! A ledger belongs to one assignment of one partition. The next assignment gets a new ledger with
//! another generation, so that completions of the old assignment cannot be mistaken for its own.
//!
//! A slot is pending, then done, then sent, and is removed when its batch is committed. It keeps
//! its outputs until then, so that an aborted batch is sent again without another evaluation.
//! Offsets that were never seen (compacted records, transaction markers) have no slot: reading
//! offset n completes everything below n.

pub(crate) mod assignment;
pub(crate) mod budget;
pub(crate) mod cut;
pub(crate) mod sentinel;
pub(crate) mod slot;
pub(crate) mod traced;

use crate::kafka::base::partition::Generation;
use std::collections::VecDeque;

/// The slots of one partition in one generation. `O` is the outcome of a record,
/// which is cloned into a batch.
#[derive(Debug)]
pub(crate) struct Ledger<O> {
    generation: Generation,
    slots: VecDeque<Slot<O>>,
    /// The number of slots that are not done.
    pending: usize,
    /// One past the highest offset that was read or passed, or the position where reading begins.
    /// None before the first record of a log that is read from its beginning.
    end: Option<i64>,
    /// The position that the open batch commits; None when no batch is open.
    open: Option<i64>,
    /// The position that was committed last, at first the one where reading begins;
    /// None when there is neither.
    committed: Option<i64>,
}

/// A record that is held. It has no outputs until it is done.
#[derive(Debug)]
struct Slot<O> {
    offset: i64,
    outputs: Option<O>,
}

/// The done prefix of a partition: the outcomes of its records, and the position to commit
/// once they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut<O> {
    /// The outcomes in the order of their records.
    pub(crate) outputs: Vec<O>,
    /// The next offset to read.
    pub(crate) next: i64,
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

/// The refusal to settle a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsettled {
    /// No batch is open.
    #[error("no batch is open")]
    NotOpen,
    /// The open batch ends elsewhere.
    #[error("the open batch ends at {open}, not at {next}")]
    Other {
        /// The position at which the open batch ends.
        open: i64,
        /// The position at which the caller says that the batch ends.
        next: i64,
    },
}

impl<O> Ledger<O> {
    /// Returns an empty ledger.
    pub(crate) fn new(generation: Generation) -> Self {
        Self { generation, slots: VecDeque::new(), pending: 0, end: None, open: None, committed: None }
    }

    /// Returns the generation of the ledger.
    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    /// Returns the number of slots that are held, done ones included.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns whether no slot is held.
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

    /// Notes the position where reading begins, which counts as committed.
    /// The first record may not lie below it.
    pub(crate) fn start(&mut self, position: i64) {
        (self.end, self.committed) = (Some(position), Some(position));
    }

    /// Notes that the position `next` is committed although no record was read up to it.
    /// The offsets below it that were not read hold no records.
    pub(crate) fn passed(&mut self, next: i64) {
        self.end = self.end.max(Some(next));
        self.committed = self.committed.max(Some(next));
    }

    /// Takes up a record that was read.
    ///
    /// # Errors
    /// Offsets rise within a generation. A record whose offset does not is refused,
    /// and nothing changes.
    pub(crate) fn charge(&mut self, offset: i64) -> Result<(), Regressed> {
        if let Some(end) = self.end.filter(|end| offset < *end) {
            return Err(Regressed { offset, end });
        }
        self.slots.push_back(Slot { offset, outputs: None });
        self.pending += 1;
        self.end = Some(offset + 1);
        Ok(())
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

    /// Returns the number of records in the done prefix.
    pub(crate) fn ready(&self) -> usize {
        if self.pending == 0 { self.len() } else { self.slots.iter().take_while(|slot| slot.outputs.is_some()).count() }
    }

    /// Opens a batch with the done prefix, at most `limit` records of it and only as long as each
    /// `fits`. Returns None when a batch is open, or when no record can be put into one.
    pub(crate) fn cut(&mut self, limit: usize, mut fits: impl FnMut(&O) -> bool) -> Option<Cut<O>>
    where
        O: Clone,
    {
        if self.open.is_some() {
            return None;
        }
        let done = self.slots.iter().take(limit).map_while(|slot| slot.outputs.as_ref());
        let outputs: Vec<O> = done.take_while(|outputs| fits(outputs)).cloned().collect();
        if outputs.is_empty() {
            return None;
        }
        let next = match self.slots.get(outputs.len()) {
            Some(slot) => slot.offset,
            None => self.end?,
        };
        self.open = Some(next);
        Some(Cut { outputs, next })
    }

    /// Removes the records of the open batch, which ends at `next`: it is written and its position
    /// is committed. Returns their outcomes.
    ///
    /// # Errors
    /// No batch is open, or another one; nothing changes then.
    pub(crate) fn committed(&mut self, next: i64) -> Result<Vec<O>, Unsettled> {
        self.settle(next)?;
        let mut outputs = Vec::new();
        while self.slots.front().is_some_and(|slot| slot.offset < next) {
            outputs.extend(self.slots.pop_front().and_then(|slot| slot.outputs));
        }
        self.committed = Some(next);
        Ok(outputs)
    }

    /// Takes back the open batch, which ends at `next`: its records will be cut again.
    ///
    /// # Errors
    /// No batch is open, or another one; nothing changes then.
    pub(crate) fn aborted(&mut self, next: i64) -> Result<(), Unsettled> {
        self.settle(next)
    }

    fn settle(&mut self, next: i64) -> Result<(), Unsettled> {
        match self.open {
            None => Err(Unsettled::NotOpen),
            Some(open) if open != next => Err(Unsettled::Other { open, next }),
            Some(_) => {
                self.open = None;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
