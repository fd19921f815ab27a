//! Cuts batches, and settles them when they have ended.

use super::consumer_state::{ConsumerState, Writing};
use super::port::GroupConsumer;
use crate::kafka::base::error::Error;
use crate::kafka::base::log;
use crate::kafka::base::partition::Partition;
use crate::kafka::ledger::cut::Cut;
use crate::kafka::ledger::sentinel::Sentinel;
use crate::kafka::ledger::traced::tell;
use crate::kafka::state::states;
use crate::kafka::transaction::abort::{Abort, Cause, Oversized};
use crate::kafka::transaction::batch::{AbortRequest, Batch, Ended};
use crate::kafka::transaction::port::GroupMembership;
use crate::kafka::transaction::worker::CAREFUL_ENTRIES;
use crate::metrics::{Histogram, record_with};
use rdkafka::TopicPartitionList;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The time before a batch that failed is cut again.
const BACK_OFF: Duration = Duration::from_millis(200);
/// The number of characters that the sets of one transaction share.
const SETS: usize = 256 << 10;

impl<M: GroupMembership> ConsumerState<M> {
    /// Advances the batch in the order that promise 2 asks for: cut, write together with the
    /// offsets, forget.
    pub(crate) fn advance(&mut self, consumer: &dyn GroupConsumer<M>) -> Result<(), Error> {
        if self.is_in_transaction() {
            match self.transactions.outcome(Duration::ZERO) {
                None => return Ok(()),
                Some(ended) => self.settle(ended)?,
            }
        } else if let Some(error) = self.transactions.failure() {
            return Err(error);
        }
        self.begin_again(consumer)?;
        self.pass_idle(consumer);
        self.freeze(consumer);
        let now = self.clock.now().instant;
        if let Writing::BackingOff { until } = self.writing {
            if now < until {
                return Ok(());
            }
            self.writing = Writing::Nothing;
        }
        let is_early = now.duration_since(self.last_cut) < self.limits.commit_interval
            && !self.intake_stopped
            && self.partitions.ready() < self.limits.batch_records
            && !states::are_urgent(&self.partitions);
        if is_early { Ok(()) } else { self.cut(consumer, now) }
    }

    /// Marks positions of idle partitions for the next commit.
    fn pass_idle(&mut self, consumer: &dyn GroupConsumer<M>) {
        let now = self.clock.now().instant;
        // Once reading has stopped, the library's position lies past records that were dropped.
        if self.intake_stopped || self.refusals.stopped() || !self.idle.is_due(now) {
            return;
        }
        let mut positions = consumer.positions();
        // For a partition that is being started, the library may still know an earlier position.
        positions.retain(|(partition, _)| self.partitions.get(partition).is_some_and(|assigned| assigned.each.has_started()));
        let mut has_passed = false;
        for (partition, position) in self.idle.look(positions, now) {
            has_passed |= self.partitions.pass(&partition, position);
        }
        if has_passed {
            self.idle.passed(now);
        }
    }

    /// Lets states do the work that had to wait until everything below some offset was applied.
    fn freeze(&mut self, consumer: &dyn GroupConsumer<M>) {
        // A closing that would begin here is left to the next owner. After a stop for refusals the
        // library's position lies past records that were dropped.
        if self.states.is_none() || self.intake_stopped || self.refusals.stopped() {
            return;
        }
        let read: BTreeMap<Partition, i64> = if states::wait_for_position(&self.partitions) {
            consumer.positions().into_iter().collect()
        } else {
            BTreeMap::new()
        };
        let now = self.clock.now().time;
        states::freeze(&mut self.partitions, |partition| read.get(partition).copied(), now);
    }

    /// Cuts a batch under the membership of this moment. There is no poll between the two, so no
    /// partition of the batch can have been revoked.
    fn cut(&mut self, consumer: &dyn GroupConsumer<M>, now: Instant) -> Result<(), Error> {
        // A closing that is in progress is left to the next owner.
        let has_something = self.partitions.ready() > 0 || self.partitions.has_unread();
        if !has_something && (self.states.is_none() || self.intake_stopped) {
            return Ok(());
        }
        // The consumer is not in the group at this moment; a rebalance will follow.
        let Some(membership) = consumer.membership() else { return Ok(()) };
        if self.is_taken_in_anew(Some(&membership)) {
            return self.begin_again(consumer);
        }
        // A state is written as it is, so its batch holds all that was applied.
        let (records, bytes) = match self.states {
            Some(_) => (usize::MAX, usize::MAX),
            None => (self.limits.batch_records, self.limits.commit_bytes),
        };
        let room = self.limits.set.min(SETS / self.partitions.len().max(1));
        let mut cut = self.partitions.cut(records, bytes, room).unwrap_or_default();
        let time = self.clock.now().time;
        let state = self.states.as_mut().map(|states| states.cut(&mut cut, &mut self.partitions, time));
        if cut.commits().next().is_none() {
            return Ok(());
        }
        let offsets = offsets(&cut)?;
        if offsets.count() == 0 {
            Sentinel::OutputWithoutOffset.hit();
            return Err(Error::Inconsistent("outputs without offsets".to_owned()));
        }
        self.last_cut = now;
        tell(cut.traces(), |trace, at| trace.batched(at));
        let (entries, logs, abort) = (cut.outputs.clone(), cut.logs(), AbortRequest::default());
        let state = state.unwrap_or_default().into();
        self.transactions.submit(Batch { entries, state, offsets, logs, membership, abort: abort.clone() })?;
        self.writing = Writing::InTransaction { cut, abort };
        Ok(())
    }

    /// Ends the batch in flight if it holds records of these partitions.
    pub(crate) fn end_batch_of(&mut self, partitions: &BTreeSet<Partition>, lost: bool) -> Result<(), Error> {
        let Writing::InTransaction { cut, abort } = &self.writing else { return Ok(()) };
        if !cut.touches(partitions) {
            return Ok(());
        }
        abort.request(if lost { Cause::PartitionLost } else { Cause::PartitionRevoked });
        let patience = if lost || self.closing { Duration::ZERO } else { self.limits.revoke };
        match self.transactions.outcome(patience) {
            Some(ended) => self.settle(ended),
            None => Ok(()),
        }
    }

    /// Asks for an abort of the batch in flight, if there is one.
    pub(crate) fn request_abort(&self, cause: Cause) {
        if let Writing::InTransaction { abort, .. } = &self.writing {
            abort.request(cause);
        }
    }

    /// Ends the open transaction without a commit, and lets no later revocation wait. Returns false
    /// when the transaction thread has not ended within `patience`.
    pub(crate) fn close(&mut self, patience: Duration) -> bool {
        self.closing = true;
        self.request_abort(Cause::Stopping);
        self.transactions.close(patience)
    }

    fn settle(&mut self, ended: Ended) -> Result<(), Error> {
        let Writing::InTransaction { cut, .. } = std::mem::replace(&mut self.writing, Writing::Nothing) else { return Ok(()) };
        let took = self.clock.now().instant.saturating_duration_since(self.last_cut);
        record_with(Histogram::Batch, took, &[("role", self.role_name)]);
        states::settle(&mut self.partitions, matches!(ended, Ended::Written(_)));
        match ended {
            Ended::Written(written) => self.on_committed(&cut, written),
            Ended::Aborted(abort) => self.on_aborted(&cut, &abort),
            Ended::Failed(error) => {
                self.tally.failed += 1;
                Err(error)
            }
        }
    }

    fn on_committed(&mut self, cut: &Cut, written: u64) -> Result<(), Error> {
        self.tally.written += written;
        self.limits.batch_records = self.limits.batch_records.saturating_mul(2).min(self.limits.commit_records);
        self.tally.commits += 1;
        let now = self.clock.now().time;
        cut.outputs.iter().for_each(|done| done.counted.commit(now));
        tell(cut.traces(), |trace, at| trace.committed(at, cut.outputs.len()));
        self.partitions.committed(cut)
    }

    fn on_aborted(&mut self, cut: &Cut, abort: &Abort) -> Result<(), Error> {
        let (role, cause) = (self.role_name, abort.cause.name());
        // While brokers are away, this line would otherwise be logged five times a second.
        let folds = matches!(abort.cause, Cause::Error | Cause::TopicUnconfirmed | Cause::SetRefused);
        let silent = if folds { log::again(&format!("{role} {}", abort.reason)) } else { Some(0) };
        if let Some(silent) = silent {
            let (reason, records) = (&abort.reason, cut.outputs.len());
            tracing::warn!(role, cause, reason, records, silent, "a batch was aborted and is written again");
        }
        if let Some(aborts) = self.tally.aborts.get_mut(abort.cause as usize) {
            *aborts += 1;
        }
        tell(cut.traces(), |trace, at| trace.aborted(at, cause));
        if abort.cause == Cause::SetRefused && std::mem::take(&mut self.limits.set) > 0 {
            tracing::warn!(
                role,
                "the brokers accept less metadata with a position than this role writes: a slow message holds back those behind it in \
                 its partition from now on; raise offset.metadata.max.bytes of the brokers to 4096, and restart this process"
            );
        }
        self.partitions.aborted(&cut.positions)?;
        for (partition, assigned) in self.partitions.iter_mut() {
            assigned.each.is_doubtful |= abort.others.contains(&partition.topic);
        }
        match &abort.oversized {
            Some(Oversized::At(index)) => self.stand_in(cut, *index)?,
            Some(Oversized::Somewhere(topic)) if self.states.is_some() => {
                return Err(Error::TooLarge { topic: topic.clone() });
            }
            Some(Oversized::Somewhere(_)) => self.limits.batch_records = CAREFUL_ENTRIES.min(self.limits.commit_records),
            None if abort.wanted => {}
            None => self.writing = Writing::BackingOff { until: self.clock.now().instant + BACK_OFF },
        }
        Ok(())
    }

    /// Replaces the outputs of an entry that a topic refuses for their size.
    fn stand_in(&mut self, cut: &Cut, index: usize) -> Result<(), Error> {
        let Some((position, entry)) = cut.position_of(index).zip(cut.outputs.get(index)) else { return Ok(()) };
        if entry.stands_in {
            // The replacement is refused too, and nothing smaller exists.
            let topic = entry.outputs.first().map(|output| output.topic.to_string()).unwrap_or_default();
            return Err(Error::TooLarge { topic });
        }
        let Partition { topic, number } = &position.partition;
        let (outputs, counted) = self.role.stand_in((topic, *number, entry.offset), &entry.outputs);
        self.partitions.replace(cut, index, outputs, counted)
    }
}

/// Converts the positions of a cut to the library's list.
fn offsets(cut: &Cut) -> Result<TopicPartitionList, Error> {
    let mut offsets = TopicPartitionList::new();
    for (Partition { topic, number }, commit) in cut.commits() {
        commit.add_to(&mut offsets, topic, *number)?;
    }
    Ok(offsets)
}
