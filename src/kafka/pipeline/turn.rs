//! Does the consumer thread's work between two polls: starts partitions, collects outcomes,
//! advances the batch, pauses and resumes.

use super::consumer_state::ConsumerState;
use super::contract::Completion;
use super::flow::{self, Flow};
use super::handling::{Handling, Phase};
use super::port::GroupConsumer;
use super::status::Reading;
use crate::kafka::base::error::Error;
use crate::kafka::base::partition::Partition;
use crate::kafka::client::start_position::{Answer, Found, Start};
use crate::kafka::state::states::Restored;
use crate::kafka::transaction::port::GroupMembership;
use std::collections::BTreeSet;

impl<M: GroupMembership> ConsumerState<M> {
    /// Starts partitions, collects outcomes, hands records out, advances the batch, and pauses or
    /// resumes partitions.
    pub(crate) fn turn(&mut self, consumer: &dyn GroupConsumer<M>) -> Result<(), Error> {
        if !self.intake_stopped {
            self.begin(consumer)?;
        }
        if let Some(states) = &mut self.states {
            states.find_ends(&mut self.partitions, self.clock.now().time)?;
        }
        self.collect()?;
        self.release(consumer);
        let lanes = self.partitions.iter_mut().map(|(_, assigned)| (assigned.generation(), &mut assigned.each.lane));
        self.dispatch.park(lanes, self.clock.now().instant);
        self.hand_out();
        self.advance(consumer)?;
        self.regulate(consumer);
        self.look_for_place(consumer);
        self.publish();
        Ok(())
    }

    /// Stops reading. The records that were read are finished.
    pub(crate) fn stop_intake(&mut self, consumer: &dyn GroupConsumer<M>) {
        self.intake_stopped = true;
        self.status.draining();
        self.regulate(consumer);
    }

    /// Gives the library the partitions whose start position is known and whose state is restored.
    fn begin(&mut self, consumer: &dyn GroupConsumer<M>) -> Result<(), Error> {
        let mut started = Vec::new();
        while let Some((question, found)) = self.positions.answer()? {
            if question.lease.is_over() {
                continue;
            }
            let answer = Answer { partition: question.partition, generation: question.generation, found: found? };
            let Some(assigned) = self.partitions.ours(&answer.partition, answer.generation) else { continue };
            match &mut self.states {
                Some(states) => {
                    assigned.each.phase = Phase::Restoring;
                    states.restore(answer, assigned.lease().watch())?;
                }
                None => started.extend(self.start(answer)),
            }
        }
        while let Some(states) = &mut self.states
            && let Some(restored) = states.restored()?
        {
            match restored {
                Restored::Ready(answer, stated) => {
                    if let Some(assigned) = self.partitions.ours(&answer.partition, answer.generation) {
                        assigned.each.state = Some(stated);
                        started.extend(self.start(answer));
                    }
                }
                Restored::Doubtful(partition, generation) => {
                    if let Some(assigned) = self.partitions.ours(&partition, generation) {
                        assigned.each.is_doubtful = true;
                    }
                }
            }
        }
        if started.is_empty() { Ok(()) } else { consumer.assign(&started) }
    }

    /// Notes where a partition starts. Returns the partition with the first offset to read, which
    /// is None for the beginning of the log, or None when the partition is not assigned any more.
    fn start(&mut self, answer: Answer) -> Option<(Partition, Option<i64>)> {
        let Answer { partition, generation, found: Found { start, log, written } } = answer;
        let position = start.position(&partition);
        self.partitions.ours(&partition, generation)?.each.phase = Phase::Reading;
        self.partitions.start(&partition, log, position.map(|position| (position, written)));
        match start {
            Start::CutOff { end, .. } => {
                self.partitions.commit_start(&partition, end);
                self.tally.cut_off += 1;
            }
            Start::TakenOver { position } => self.partitions.commit_start(&partition, position),
            _ => {}
        }
        Some((partition, position))
    }

    /// Collects the outcomes of records.
    fn collect(&mut self) -> Result<(), Error> {
        while let Ok((mut slot, outcome)) = self.outcomes.try_recv() {
            let ours = self.partitions.ours(slot.partition(), slot.generation());
            self.dispatch.give_back(&slot, ours.map(|assigned| &mut assigned.each.lane));
            match outcome {
                Completion::Done(outputs, counted) => self.done(slot, outputs, counted, false)?,
                Completion::Refused(outputs, counted) => self.done(slot, outputs, counted, true)?,
                Completion::Later { record, wait } => {
                    let due = self.clock.now().instant + wait;
                    if self.partitions.set_aside(&mut slot)
                        && let Some(assigned) = self.partitions.get_mut(&Partition::of(&record))
                    {
                        assigned.each.delayed.retry_at(due, slot, record);
                    }
                }
                Completion::Panicked => {
                    return Err(Error::Inconsistent(format!(
                        "a panic outside of the evaluation of {slot}; see `verdmarc dead-letters skip` when it comes again"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Hands out delayed records that are due, or seeks back to those that must be read again.
    fn release(&mut self, consumer: &dyn GroupConsumer<M>) {
        let now = self.clock.now().instant;
        let mut due = Vec::new();
        for (partition, assigned) in self.partitions.iter_mut() {
            let Partition { topic, number } = partition;
            let Handling { phase, delayed, .. } = &mut assigned.each;
            due.extend(delayed.take_due(now));
            if let Some(offset) = delayed.overdue(*phase != Phase::Reading, now) {
                tracing::warn!(%topic, partition = number, offset, "a seek did not bring this record back; it is sought again");
            }
            // While the partition is paused, nothing after the record is read.
            if let Some(offset) = delayed.to_read_again(now).filter(|_| *phase == Phase::Paused) {
                let sought = consumer.seek(partition, offset);
                if let Err(error) = &sought {
                    tracing::warn!(%topic, partition = number, offset, %error, "seeking");
                }
                delayed.sought(sought.is_ok(), now);
            }
        }
        for (mut slot, record) in due {
            self.partitions.take_again(&mut slot);
            self.queue(slot, record);
        }
    }

    /// Returns the partitions that the library was asked to pause.
    pub(crate) fn paused(&self) -> BTreeSet<Partition> {
        let paused = self.partitions.iter().filter(|(_, assigned)| assigned.each.phase == Phase::Paused);
        paused.map(|(partition, _)| partition.clone()).collect()
    }

    /// Pauses the partitions that exceed the budget, that wait, or that must not be read any more,
    /// and resumes the others. It resumes only partitions that it has paused and that are still
    /// assigned.
    fn regulate(&mut self, consumer: &dyn GroupConsumer<M>) {
        let all = self.intake_stopped || self.refusals.stopped();
        let overfull: BTreeSet<Partition> =
            if all { BTreeSet::new() } else { self.partitions.overfull(self.dispatch.orphaned()).into_iter().collect() };
        let (mut to_pause, mut to_resume) = (BTreeSet::new(), BTreeSet::new());
        for (partition, assigned) in self.partitions.iter_mut() {
            let is_to_wait = all || overfull.contains(partition) || assigned.each.waits();
            match assigned.each.phase {
                Phase::Reading if is_to_wait => {
                    assigned.each.phase = Phase::Paused;
                    to_pause.insert(partition.clone());
                }
                Phase::Paused if !is_to_wait => {
                    assigned.each.phase = Phase::Reading;
                    to_resume.insert(partition.clone());
                }
                _ => {}
            }
        }
        if !to_pause.is_empty()
            && let Err(error) = consumer.pause(&to_pause)
        {
            tracing::warn!(%error, "pausing");
        }
        if !to_resume.is_empty()
            && let Err(error) = consumer.resume(&to_resume)
        {
            tracing::warn!(%error, "resuming");
        }
    }

    /// Checks whether the member has its place in the group.
    fn look_for_place(&mut self, consumer: &dyn GroupConsumer<M>) {
        let now = self.clock.now().instant;
        if self.place.is_due(now)
            && consumer.membership().is_some_and(|membership| membership.is_let_in())
            && self.place.seen(now)
        {
            self.status.assigned();
        }
    }

    /// Publishes the figures and conditions for other threads.
    fn publish(&mut self) {
        let now = self.clock.now().instant;
        let is_refused = self.rights.remind(&self.fetches, now);
        let (oldest, unreadable) = (self.fetches.oldest(), self.fetches.unreadable());
        let (member, starting) = (self.place.last_seen(), self.starting());
        self.status.publish(self.tally, Reading { member, starting, is_refused, oldest, unreadable });
        if self.figures.is_due(now, flow::INTERVAL) {
            self.status.flows(self.flow());
        }
    }

    /// Measures how much is held, and how far it is behind.
    fn flow(&self) -> Flow {
        let assigned = self.partitions.len();
        let (starting, paused) = (self.starting(), self.paused().len());
        let behind = |partition: &Partition, position: Option<i64>| {
            let (first, end) = self.fetches.log(partition)?;
            u64::try_from(end - position.unwrap_or(first)).ok()
        };
        let pending = self.partitions.pending();
        Flow {
            lag: self.partitions.iter().filter_map(|(partition, assigned)| behind(partition, assigned.position())).sum(),
            oldest: self.partitions.oldest(),
            partitions: [starting, assigned.saturating_sub(starting + paused), paused],
            records: [pending, self.partitions.records().saturating_sub(pending)],
            budget: self.partitions.used(self.dispatch.orphaned()),
            brokers: self.fetches.brokers(),
        }
    }
}
