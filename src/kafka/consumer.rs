//! What the consumer thread does between two polls and at a rebalance.
//!
//! The rebalance callback runs inside `poll`, on the same thread; the desk is behind a lock only because the library asks for
//! a shared context. The lock is never held over a poll.

use super::assignment::{Assignment, Cut, Partition, Slot};
use super::backlog::Backlog;
use super::error::{Error, is_passing};
use super::failpoint::Mutant;
use super::membership::Membership;
use super::pipeline::{Handlers, Intake, Outcome, Tally, Work};
use super::refusals::Refusals;
use super::sentinel::Sentinel;
use super::start::Starts;
use super::state::{Applied, States};
use super::status::Status;
use super::transaction::{Abort, Batch, Outcome as Ended, Transactions};
use crate::config::Delivery;
use crate::event::{Output, Record};
use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

mod rebalance;

pub(super) use rebalance::Context;

/// Records handed out together when there are so many.
const TOGETHER: usize = 8;
/// Time before a batch that failed is written again.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Everything the consumer thread works with besides the consumer itself.
pub(super) struct Desk {
    assignment: Assignment,
    starts: Starts,
    /// Of a stateful role, which takes records at once instead of having them handed out.
    states: Option<States>,
    transactions: Transactions,
    delivery: Delivery,
    /// None once nothing more is handed out: whoever evaluates may end then.
    work: Option<UnboundedSender<Vec<Work>>>,
    /// Not handed out yet, so that those who evaluate are woken once for several.
    outbox: Vec<Work>,
    backlog: Backlog,
    collected: mpsc::Receiver<(Slot, Outcome)>,
    in_flight: Option<Cut>,
    /// Written, but the offsets are not committed yet (at least once only).
    uncommitted: Option<Cut>,
    /// Records whose time has not come; their partitions are paused.
    held: Vec<Held>,
    paused: BTreeSet<Partition>,
    refusals: Refusals,
    handlers: Handlers,
    status: Arc<Status>,
    last_cut: Instant,
    not_before: Instant,
    commit_interval: Duration,
    commit_records: usize,
    commit_bytes: usize,
    revoke_patience: Duration,
    intake_stopped: bool,
    closing: bool,
    failure: Option<Error>,
    tally: Tally,
}

/// A record that waits at the head of its partition.
struct Held {
    due: Instant,
    slot: Slot,
    record: Record,
}

impl Desk {
    pub(super) fn new(
        assignment: Assignment,
        (starts, states): (Starts, Option<States>),
        transactions: Transactions,
        delivery: Delivery,
        (work, collected): (UnboundedSender<Vec<Work>>, mpsc::Receiver<(Slot, Outcome)>),
        intake: &Intake,
        status: Arc<Status>,
    ) -> Self {
        let now = Instant::now();
        Self {
            assignment,
            starts,
            states,
            transactions,
            delivery,
            work: Some(work),
            outbox: Vec::new(),
            backlog: Backlog::new(),
            collected,
            in_flight: None,
            uncommitted: None,
            held: Vec::new(),
            paused: BTreeSet::new(),
            refusals: Refusals::default(),
            handlers: intake.handlers.clone(),
            status,
            last_cut: now,
            not_before: now,
            commit_interval: intake.commit_interval,
            commit_records: intake.commit_records,
            commit_bytes: intake.commit_bytes,
            revoke_patience: intake.revoke,
            intake_stopped: false,
            closing: false,
            failure: None,
            tally: Tally::default(),
        }
    }

    /// Whether nothing is held and nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.uncommitted.is_none() && self.assignment.records() == 0 && self.starts.is_empty()
    }

    /// Whether nothing that a stop can finish is left: what waits for its time is left to the next owner.
    pub(super) fn is_drained(&self) -> bool {
        let finished = self.in_flight.is_none() && self.uncommitted.is_none() && self.assignment.ready() == 0;
        self.refusals.stopped() || finished && self.assignment.pending() == self.held.len()
    }

    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// From now on a revocation waits for nothing. Ends the open transaction without commit; false when that cannot be had in time.
    pub(super) fn close(&mut self, patience: Duration) -> bool {
        self.closing = true;
        self.transactions.request_abort();
        self.transactions.close(patience)
    }

    /// Takes up a record and hands it out, at once or when its time has come.
    pub(super) fn take_up(&mut self, record: Record) -> Result<(), Error> {
        if self.intake_stopped || self.refusals.stopped() {
            return Ok(());
        }
        let Some(slot) = self.assignment.charge(&record)? else { return Ok(()) };
        self.tally.read += 1;
        if let Some(states) = &mut self.states {
            let Applied { outputs, refused } = states.apply(record)?;
            return self.done(slot, outputs, refused);
        }
        match (self.handlers.due)(&record) {
            Some(wait) => self.held.push(Held { due: Instant::now() + wait, slot, record }),
            None => self.dispatch(slot, record),
        }
        Ok(())
    }

    /// Whether a partition is to be paused before anything else is read: a record waits at its head, or the budget is used up.
    pub(super) fn must_pause(&mut self) -> bool {
        let waits = self.held.last().is_some_and(|held| !self.paused.contains(held.slot.partition()));
        waits || self.assignment.is_over_budget()
    }

    /// Leaves everything that is held to the next owner, and hands out nothing more.
    pub(super) fn leave(&mut self) -> Tally {
        self.work = None;
        let partitions: Vec<Partition> = self.assignment.partitions().cloned().collect();
        self.tally.left += self.assignment.revoke(&partitions) as u64;
        self.tally
    }

    /// Whether so much waits to be evaluated that nothing needs to be read for now.
    pub(super) fn has_enough(&self) -> bool {
        self.backlog.is_enough()
    }

    fn dispatch(&mut self, slot: Slot, record: Record) {
        self.outbox.push(Work { slot, record, waiting: self.backlog.add() });
        if self.outbox.len() >= TOGETHER {
            self.hand_out();
        }
    }

    fn hand_out(&mut self) {
        if let Some(work) = self.work.as_ref().filter(|_| !self.outbox.is_empty()) {
            // The receiver is gone only when the role has ended, which requests a stop.
            let _ = work.send(std::mem::take(&mut self.outbox));
        }
    }

    pub(super) fn stop_intake(&mut self, consumer: &BaseConsumer<Context>) {
        self.intake_stopped = true;
        self.status.draining();
        self.regulate(consumer);
    }

    /// Collects what is done, moves the batch on, pauses and resumes.
    pub(super) fn turn(&mut self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        if !self.intake_stopped {
            self.begin(consumer)?;
        }
        if let Some(states) = &mut self.states {
            states.find_ends(Timestamp::now())?;
        }
        self.collect()?;
        self.release();
        self.hand_out();
        self.advance(consumer)?;
        self.regulate(consumer);
        self.status.publish(self.tally);
        Ok(())
    }

    /// Gives the library the partitions whose start is known, and whose state is restored.
    fn begin(&mut self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        let mut ready = self.starts.answers()?;
        if let Some(states) = &mut self.states {
            states.restore(ready)?;
            ready = states.restored()?;
        }
        self.starts.begin(consumer, &mut self.assignment, ready)
    }

    fn collect(&mut self) -> Result<(), Error> {
        while let Ok((slot, outcome)) = self.collected.try_recv() {
            let (outputs, refused) = match outcome {
                Outcome::Done(outputs) => (outputs, false),
                Outcome::Refused(outputs) => (outputs, true),
                Outcome::Later { record, wait } => {
                    if self.assignment.holds(&slot) {
                        self.held.push(Held { due: Instant::now() + wait, slot, record });
                    }
                    continue;
                }
                Outcome::Panicked => {
                    return Err(Error::Inconsistent(format!(
                        "a panic outside of the evaluation of {slot}; see `verdmarc dead-letters skip` when it comes again"
                    )));
                }
            };
            self.done(slot, outputs, refused)?;
        }
        Ok(())
    }

    /// Notes what a record came to.
    fn done(&mut self, slot: Slot, outputs: Vec<Output>, refused: bool) -> Result<(), Error> {
        self.tally.refused += u64::from(refused);
        if self.assignment.complete(slot, outputs)? && self.refusals.note(refused) {
            self.stop_for_refusals();
        }
        Ok(())
    }

    /// Most of what comes is refused: whoever writes it is broken, and its records are not to be drained into dead letters. Stays
    /// alive, because a restart would only drain some more.
    fn stop_for_refusals(&mut self) {
        self.transactions.request_abort();
        self.status.stopped();
        tracing::error!(
            refused = Refusals::LIMIT,
            of = Refusals::WINDOW,
            "stopped: most records break the producer's contract; nothing more is read until a restart, see mail.dead-letters and the \
             log for the reasons, mend the producer, then restart"
        );
    }

    /// Hands out what has waited long enough.
    fn release(&mut self) {
        let now = Instant::now();
        let due = self.held.extract_if(.., |held| held.due <= now).collect::<Vec<_>>();
        for held in due {
            self.dispatch(held.slot, held.record);
        }
    }

    /// The order that promise 2 asks for: cut, write with the offsets, forget.
    fn advance(&mut self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        if self.in_flight.is_some() {
            match self.transactions.outcome(Duration::ZERO) {
                None => return Ok(()),
                Some(ended) => self.settle(ended)?,
            }
        } else if let Some(error) = self.transactions.failure() {
            return Err(error);
        }
        if let Some(cut) = self.uncommitted.take() {
            self.commit(consumer, cut)?;
        }
        // A closing that begins now is left to the next owner.
        if let Some(states) = self.states.as_mut().filter(|_| !self.intake_stopped) {
            states.freeze(consumer, Timestamp::now());
        }
        let now = Instant::now();
        let early = now.duration_since(self.last_cut) < self.commit_interval
            && !self.intake_stopped
            && self.assignment.ready() < self.commit_records
            && !self.states.as_ref().is_some_and(States::are_urgent);
        if early || now < self.not_before || self.uncommitted.is_some() || self.refusals.stopped() {
            return Ok(());
        }
        self.cut(consumer)
    }

    /// Cuts a batch under the membership of this moment. No poll lies between the two, so none of its partitions can have gone.
    fn cut(&mut self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        // A closing that is under way is left to the next owner.
        if self.assignment.ready() == 0 && (self.states.is_none() || self.intake_stopped) {
            return Ok(());
        }
        let membership = match self.delivery {
            Delivery::AtLeastOnce => None,
            Delivery::ExactlyOnce => match Membership::of(consumer) {
                // Not in the group at this moment: a rebalance will tell.
                None => return Ok(()),
                membership => membership,
            },
        };
        let mut cut = self.assignment.cut(self.commit_records, self.commit_bytes).unwrap_or_default();
        let states = self.states.as_mut().map(|states| states.cut(&mut cut, &self.assignment, Timestamp::now()));
        if cut.next().next().is_none() {
            return Ok(());
        }
        let state = states.unwrap_or_default().into();
        let offsets = offsets(&cut)?;
        if offsets.count() == 0 {
            Sentinel::OutputWithoutOffset.hit();
            return Err(Error::Inconsistent("outputs without offsets".to_owned()));
        }
        self.last_cut = Instant::now();
        self.transactions.submit(Batch { entries: cut.outputs.clone(), state, offsets, membership })?;
        self.in_flight = Some(cut);
        Ok(())
    }

    fn settle(&mut self, ended: Ended) -> Result<(), Error> {
        let Some(cut) = self.in_flight.take() else { return Ok(()) };
        if let Some(states) = &mut self.states {
            states.settle(matches!(ended, Ended::Written(_)));
        }
        match ended {
            Ended::Written(written) => {
                self.tally.written += written;
                match self.delivery {
                    Delivery::ExactlyOnce => self.forget(&cut),
                    Delivery::AtLeastOnce => {
                        self.uncommitted = Some(cut);
                        Ok(())
                    }
                }
            }
            Ended::Aborted(abort) => self.take_back(&cut, &abort),
            Ended::Failed(error) => Err(error),
        }
    }

    fn forget(&mut self, cut: &Cut) -> Result<(), Error> {
        self.tally.commits += 1;
        self.assignment.committed(&cut.positions)
    }

    fn take_back(&mut self, cut: &Cut, abort: &Abort) -> Result<(), Error> {
        tracing::warn!(reason = abort.reason, records = cut.outputs.len(), "a batch was taken back and is written again");
        self.tally.aborted += 1;
        self.assignment.aborted(&cut.positions)?;
        if let Some(index) = abort.oversized
            && let Some((position, entry)) = cut.position_of(index).zip(cut.outputs.get(index))
        {
            let Partition { topic, number } = &position.partition;
            let outputs = (self.handlers.oversized)(topic, *number, entry.offset, &entry.outputs);
            self.assignment.replace(cut, index, outputs)?;
        } else if !abort.wanted {
            self.not_before = Instant::now() + BACK_OFF;
        }
        Ok(())
    }

    /// Commits what was written without a transaction.
    fn commit(&mut self, consumer: &BaseConsumer<Context>, cut: Cut) -> Result<(), Error> {
        let mut offsets = TopicPartitionList::new();
        for position in self.assignment.still_ours(&cut.positions) {
            add(&mut offsets, &position.partition, Offset::Offset(position.next))?;
        }
        if offsets.count() > 0
            && let Err(error) = consumer.commit(&offsets, CommitMode::Sync)
        {
            if !is_passing(&error) {
                return Err(Error::Consume(error));
            }
            tracing::warn!(%error, "offsets are not committed yet");
            self.not_before = Instant::now() + BACK_OFF;
            self.uncommitted = Some(cut);
            return Ok(());
        }
        self.forget(&cut)
    }

    /// Pauses and resumes what the budget asks for. Only what we paused and still own is resumed.
    fn regulate(&mut self, consumer: &BaseConsumer<Context>) {
        let mut wanted: BTreeSet<Partition> = if self.intake_stopped || self.refusals.stopped() {
            self.assignment.partitions().cloned().collect()
        } else {
            let waiting = self.held.iter().map(|held| held.slot.partition().clone());
            let full = self.states.iter().flat_map(States::full);
            self.assignment.overfull().into_iter().chain(waiting).chain(full).collect()
        };
        wanted.retain(|partition| self.starts.has_started(partition));
        if wanted == self.paused {
            return;
        }
        let to_pause = list(wanted.difference(&self.paused));
        let to_resume = list(self.paused.difference(&wanted));
        if to_pause.count() > 0
            && let Err(error) = consumer.pause(&to_pause)
        {
            tracing::warn!(%error, "pausing");
        }
        if to_resume.count() > 0
            && let Err(error) = consumer.resume(&to_resume)
        {
            tracing::warn!(%error, "resuming");
        }
        self.paused = wanted;
    }
}

/// The positions of a cut as the library wants them.
fn offsets(cut: &Cut) -> Result<TopicPartitionList, Error> {
    let too_far = i64::from(Mutant::FrontierPlusOne.is_on());
    let mut offsets = TopicPartitionList::new();
    for (partition, next) in cut.next() {
        add(&mut offsets, partition, Offset::Offset(next + too_far))?;
    }
    Ok(offsets)
}

pub(super) fn add(list: &mut TopicPartitionList, partition: &Partition, offset: Offset) -> Result<(), Error> {
    list.add_partition_offset(&partition.topic, partition.number, offset).map_err(Error::Consume)
}

fn list<'p>(partitions: impl Iterator<Item = &'p Partition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&partition.topic, partition.number);
    }
    list
}
