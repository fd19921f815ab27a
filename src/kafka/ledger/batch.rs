//! Opens the batches of one partition, and settles them (K11).

use super::{BatchNumber, Ledger};
use crate::kafka::client::written::Written;

/// Done records of a partition: their outcomes, and what to commit once they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut<O> {
    pub(crate) batch: BatchNumber,
    /// The outcomes in the order of their records.
    pub(crate) outputs: Vec<O>,
    /// The next offset to read.
    pub(crate) next: i64,
    /// The offsets from `next` on that are written then.
    pub(crate) written: Written,
}

/// The refusal to settle a batch that is not the open one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("batch {} is not the open one", .0.0)]
pub(crate) struct NotOpen(pub(super) BatchNumber);

impl<O> Ledger<O> {
    /// Returns the number of records that a cut would take.
    pub(crate) fn ready(&self) -> usize {
        if self.is_crowded {
            return self.slots.iter().take_while(|slot| slot.outputs.is_some()).count();
        }
        self.len() - self.pending
    }

    /// Opens a batch with the done records, at most `limit` of them and only as long as each
    /// `fits`. The set of those behind the position is committed as a text of at most `room`
    /// characters; records that it has no room for wait until the position moves. Without any room
    /// the batch holds the done records up to the first that is not done. Returns None when a batch
    /// is open, or when no record can be put into one.
    pub(crate) fn cut(&mut self, limit: usize, mut fits: impl FnMut(&O) -> bool, room: usize) -> Option<Cut<O>>
    where
        O: Clone,
    {
        if self.open.is_some() {
            return None;
        }
        let done = (0..).zip(&self.slots).filter_map(|(index, slot)| Some((index, slot.outputs.as_ref()?)));
        let mut taken: Vec<usize> = done.take(limit).take_while(|(_, outputs)| fits(outputs)).map(|(index, _)| index).collect();
        let prefix = (0..).zip(&taken).take_while(|(place, index)| place == *index).count();
        if room == 0 {
            self.is_crowded |= taken.len() > prefix;
            taken.truncate(prefix);
        }
        let (next, written) = loop {
            let (next, written) = self.commit_of(&taken)?;
            if taken.len() == prefix || written.text(next).len() <= room {
                break (next, written);
            }
            taken.truncate(prefix + (taken.len() - prefix) / 2);
            self.is_crowded = true;
        };
        if taken.is_empty() {
            return None;
        }
        for index in &taken {
            if let Some(slot) = self.slots.get_mut(*index) {
                slot.is_sent = true;
            }
        }
        let outputs = self.slots.iter().filter(|slot| slot.is_sent).filter_map(|slot| slot.outputs.clone()).collect();
        self.batches += 1;
        let batch = BatchNumber(self.batches);
        self.open = Some((batch, next));
        Some(Cut { batch, outputs, next, written })
    }

    /// Returns the position and the set to commit when the slots at these indices are written.
    /// None before the first record.
    fn commit_of(&self, taken: &[usize]) -> Option<(i64, Written)> {
        let mut taken = taken.iter().copied().peekable();
        let mut written = Written::default();
        // The last slot that stays, and whether a record behind it is written.
        let mut last: Option<(i64, bool)> = None;
        let mut next = self.end;
        for (index, slot) in self.slots.iter().enumerate() {
            let is_taken = taken.next_if_eq(&index).is_some();
            match &mut last {
                None if is_taken => {}
                None => {
                    next = Some(slot.offset);
                    last = Some((slot.offset, false));
                }
                Some((before, is_written)) => {
                    *is_written |= slot.follows_written || is_taken;
                    if !is_taken {
                        if *is_written {
                            written.push(*before + 1..slot.offset);
                        }
                        last = Some((slot.offset, false));
                    }
                }
            }
        }
        if let (Some((before, is_written)), Some(end)) = (last, self.end)
            && (is_written || self.is_end_written)
        {
            written.push(before + 1..end);
        }
        self.inherited.ranges().for_each(|range| written.push(range));
        Some((next?, written))
    }

    /// Removes the records of the open batch: it is written, and its position and set are
    /// committed. Returns their outcomes.
    ///
    /// # Errors
    /// The batch is not open; nothing changes then.
    pub(crate) fn committed(&mut self, batch: BatchNumber) -> Result<Vec<O>, NotOpen> {
        let next = self.settle(batch)?;
        let mut outputs = Vec::new();
        let mut is_written = false;
        self.slots.retain_mut(|slot| {
            if slot.is_sent {
                outputs.extend(slot.outputs.take());
                is_written = true;
            } else {
                slot.follows_written |= std::mem::take(&mut is_written);
            }
            !slot.is_sent
        });
        self.is_end_written |= is_written;
        self.is_crowded = false;
        self.committed = Some(next);
        Ok(outputs)
    }

    /// Takes back the open batch: its records will be cut again.
    ///
    /// # Errors
    /// The batch is not open; nothing changes then.
    pub(crate) fn aborted(&mut self, batch: BatchNumber) -> Result<(), NotOpen> {
        self.settle(batch)?;
        self.slots.iter_mut().for_each(|slot| slot.is_sent = false);
        self.is_crowded = false;
        Ok(())
    }

    /// Returns the position that the batch commits.
    fn settle(&mut self, batch: BatchNumber) -> Result<i64, NotOpen> {
        self.open.take_if(|(open, _)| *open == batch).map(|(_, next)| next).ok_or(NotOpen(batch))
    }
}
