//! Cuts one batch from the ledgers of all partitions, and settles it in each of them.

use super::{Assigned, Assignment};
use crate::event::Output;
use crate::kafka::base::error::Error;
use crate::kafka::client::committed::{Commit, Committed};
use crate::kafka::ledger::batch::NotOpen;
use crate::kafka::ledger::cut::{Cut, Position, Unread};
use crate::kafka::ledger::sentinel::Sentinel;
use crate::kafka::ledger::slot::Done;
use crate::metrics::Counted;

impl<E> Assignment<E> {
    /// Replaces the outputs of the entry at `index` of a cut, which no topic accepts.
    pub(crate) fn replace(&mut self, cut: &Cut, index: usize, outputs: Vec<Output>, counted: Counted) -> Result<(), Error> {
        let Some((position, entry)) = cut.position_of(index).zip(cut.outputs.get(index)) else { return Ok(()) };
        let Some(held) = self.ours(&position.partition, position.generation) else { return Ok(()) };
        let done = Done::new(entry.offset, outputs, counted, true, entry.trace.clone());
        held.bytes = (held.bytes + done.weight).saturating_sub(entry.weight);
        held.ledger.replace(entry.offset, done).map_err(|error| Error::Inconsistent(format!("{}: {error}", position.partition)))
    }

    /// Opens a batch with the done records of every partition. It takes at most `limit` records,
    /// and no more once their outputs have `bytes`. The set of each partition has `room` as
    /// [`Ledger::cut`] describes it. Returns None when there is neither a record nor a position to
    /// commit.
    pub(crate) fn cut(&mut self, limit: usize, bytes: usize, room: usize) -> Option<Cut> {
        let mut cut = Cut::default();
        let mut weight = 0;
        for (partition, held) in &mut self.partitions {
            let left = limit.saturating_sub(cut.outputs.len());
            let fits = |done: &Done| {
                let fits = weight < bytes;
                weight += done.weight;
                fits
            };
            let Some(done) = held.ledger.cut(left, fits, room) else {
                cut.unread.extend(held.unread.map(|next| Unread {
                    partition: partition.clone(),
                    generation: held.ledger.generation(),
                    commit: Commit { position: Committed { next, log: held.log }, written: held.ledger.written_from(next) },
                }));
                continue;
            };
            let before = held.ledger.committed_position();
            if before.is_some_and(|before| done.next < before || done.next == before && done.written.len() < held.written) {
                Sentinel::CommitRegressed.hit();
            }
            if held.ledger.frontier().is_none_or(|frontier| done.next > frontier) {
                Sentinel::CommitBeyondFrontier.hit();
            }
            cut.outputs.extend(done.outputs);
            cut.positions.push(Position {
                partition: partition.clone(),
                generation: held.ledger.generation(),
                batch: done.batch,
                commit: Commit { position: Committed { next: done.next, log: held.log }, written: done.written },
                end: cut.outputs.len(),
            });
        }
        (!cut.positions.is_empty() || !cut.unread.is_empty()).then_some(cut)
    }

    /// Removes the records of a cut, which is written and committed.
    pub(crate) fn committed(&mut self, cut: &Cut) -> Result<(), Error> {
        for Unread { partition, generation, commit } in &cut.unread {
            if let Some(held) = self.ours(partition, *generation) {
                let next = commit.position.next;
                held.unread.take_if(|unread| *unread <= next);
                held.ledger.passed(next);
                held.written = commit.written.len();
            }
        }
        self.settle(&cut.positions, |held, position| {
            let done = held.ledger.committed(position.batch)?;
            held.unread = None;
            held.written = position.commit.written.len();
            let Assigned { ledger, taken, .. } = held;
            taken.retain(|(offset, _)| ledger.holds(*offset));
            held.bytes = held.bytes.saturating_sub(done.iter().map(|done| done.weight).sum());
            Ok(())
        })
    }

    /// Takes back the batch with these positions, which was aborted. Its records will be cut again.
    pub(crate) fn aborted(&mut self, positions: &[Position]) -> Result<(), Error> {
        self.settle(positions, |held, position| held.ledger.aborted(position.batch))
    }

    fn settle(
        &mut self,
        positions: &[Position],
        how: impl Fn(&mut Assigned<E>, &Position) -> Result<(), NotOpen>,
    ) -> Result<(), Error> {
        for position in positions {
            if let Some(held) = self.ours(&position.partition, position.generation) {
                how(held, position).map_err(|error| Error::Inconsistent(format!("{}: {error}", position.partition)))?;
            }
        }
        Ok(())
    }
}
