//! What the consumer thread does between two polls and at a rebalance.
//!
//! The rebalance callback runs inside `poll`, on the same thread; the desk is behind a lock only because the library asks for
//! a shared context. The lock is never held over a poll.

use super::assignment::{Assignment, Cut, Partition, Slot};
use super::backlog::Backlog;
use super::budget::Budget;
use super::committed::Committed;
use super::error::{Error, is_fenced};
use super::failpoint::Mutant;
use super::fetches::Fetches;
use super::flow::{self, Flow};
use super::membership::Membership;
use super::pipeline::{Handlers, Intake, Outcome, Tally, Work};
use super::places::Places;
use super::refusals::{REFUSALS_ACCEPTED, REFUSALS_OF, Refusals};
use super::sentinel::Sentinel;
use super::start::Starts;
use super::state::{Applied, States};
use super::status::{Reading, Status};
use super::traced::tell;
use super::transaction::{Abort, Batch, CAREFUL_ENTRIES, Cause, Outcome as Ended, Oversized, Transactions};
use crate::config::Protocol;
use crate::event::{Output, Record};
use crate::metrics::{Counted, Histogram, record_with};
use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

mod idle;
mod place;
mod rebalance;
mod rights;
mod waits;

use idle::Idle;
use place::Place;
pub(super) use rebalance::Context;
use rights::Rights;
use waits::Waits;

/// Records handed out together when there are so many.
const TOGETHER: usize = 8;
/// Time before a batch that failed is written again.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Everything the consumer thread works with besides the consumer itself.
pub(super) struct Desk {
    role: &'static str,
    /// The topics that are read.
    topics: Vec<String>,
    assignment: Assignment,
    starts: Starts,
    /// Of a stateful role, which takes records at once instead of having them handed out.
    states: Option<States>,
    transactions: Transactions,
    /// None once nothing more is handed out: whoever evaluates may end then.
    work: Option<UnboundedSender<Vec<Work>>>,
    places: Places,
    /// Records that came since the last were handed out: those who evaluate are woken once for several.
    fresh: usize,
    backlog: Backlog,
    collected: mpsc::Receiver<(Slot, Outcome)>,
    in_flight: Option<Cut>,
    /// Partitions whose log may not be the one that it was, or that others may have had meanwhile: they are begun again between two
    /// batches.
    doubtful: BTreeSet<Partition>,
    /// The member id under which the partitions that are held were assigned.
    member: Option<CString>,
    waits: Waits,
    idle: Idle,
    place: Place,
    paused: BTreeSet<Partition>,
    refusals: Refusals,
    /// The setting that would turn that stop off.
    refusal_stop: Option<&'static str>,
    fetches: Fetches,
    rights: Rights,
    handlers: Handlers,
    status: Arc<Status>,
    last_cut: Instant,
    not_before: Instant,
    /// When its figures were shown last.
    looked: Option<Instant>,
    commit_interval: Duration,
    commit_records: usize,
    /// As many as that, but for a while after something was refused for its size: what it is shows in a small batch.
    batch_records: usize,
    commit_bytes: usize,
    revoke_patience: Duration,
    intake_stopped: bool,
    closing: bool,
    /// The session in the group ended by our own clock, and no new one has begun.
    session_over: bool,
    failure: Option<Error>,
    tally: Tally,
}

impl Desk {
    pub(super) fn new(
        (starts, states): (Starts, Option<States>),
        transactions: Transactions,
        (work, collected): (UnboundedSender<Vec<Work>>, mpsc::Receiver<(Slot, Outcome)>),
        (intake, protocol): (&Intake, Protocol),
        status: Arc<Status>,
    ) -> Self {
        let now = Instant::now();
        let budget =
            Budget { records: intake.budget_records, bytes: intake.budget_bytes, partition_records: intake.partition_records };
        Self {
            role: intake.role,
            topics: intake.topics.clone(),
            assignment: Assignment::new(budget),
            rights: Rights::of(starts.user()),
            starts,
            states,
            transactions,
            work: Some(work),
            places: Places::new(intake.places),
            fresh: 0,
            backlog: Backlog::new(),
            collected,
            in_flight: None,
            doubtful: BTreeSet::new(),
            member: None,
            waits: Waits::default(),
            idle: Idle::default(),
            place: Place::of(protocol),
            paused: BTreeSet::new(),
            refusals: Refusals::new(intake.refusal_stop.is_some()),
            refusal_stop: intake.refusal_stop,
            fetches: Fetches::default(),
            handlers: intake.handlers.clone(),
            status,
            last_cut: now,
            not_before: now,
            looked: None,
            commit_interval: intake.commit_interval,
            commit_records: intake.commit_records,
            batch_records: intake.commit_records,
            commit_bytes: intake.commit_bytes,
            revoke_patience: intake.revoke,
            intake_stopped: false,
            closing: false,
            session_over: false,
            failure: None,
            tally: Tally::default(),
        }
    }

    /// Whether nothing is held and nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.assignment.records() == 0 && self.starts.is_empty()
    }

    /// Whether nothing that a stop can finish is left: what waits for its time is left to the next owner.
    pub(super) fn is_drained(&self) -> bool {
        let finished = self.in_flight.is_none() && self.assignment.ready() == 0;
        finished && self.assignment.pending() == self.waits.held()
    }

    /// Fences whoever used this process's transactional id before, without waiting for that.
    pub(super) fn fence(&mut self) -> Result<(), Error> {
        self.transactions.fence()
    }

    /// What it means that the consumer cannot go on. One whose session was over is fenced by its own next tries to join, when the
    /// brokers take them up later than it makes them (kafka.md 1.13).
    pub(super) fn gone(&self, code: RDKafkaErrorCode, reason: String) -> Error {
        match code {
            RDKafkaErrorCode::FencedInstanceId if self.session_over => Error::SessionOver(reason),
            _ if is_fenced(code) => Error::Fenced(reason),
            _ => Error::Consume(KafkaError::MessageConsumptionFatal(code)),
        }
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

    /// Takes up a record and hands it out when its time has come. True when something is to be paused before any more is read.
    pub(super) fn take_up(&mut self, record: Record) -> Result<bool, Error> {
        if self.intake_stopped || self.refusals.stopped() {
            return Ok(false);
        }
        if let Some(wait) = (self.handlers.due)(&record) {
            self.assignment.let_go(&record);
            self.waits.read_again(&record, wait);
            return Ok(true);
        }
        let slot = match self.assignment.charge(&record, (self.handlers.refers_to)(&record)) {
            Ok(Some(slot)) => slot,
            Ok(None) => return Ok(false),
            Err(regressed) => {
                self.doubt(&record, &regressed);
                return Ok(false);
            }
        };
        self.tally.read += 1;
        match &mut self.states {
            Some(states) => {
                let Applied { outputs, counted, refused } = states.apply(record)?;
                self.done(slot, outputs, counted, refused)?;
            }
            None => self.dispatch(slot, record),
        }
        Ok(self.assignment.is_over_budget(self.places.orphaned()))
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

    /// Whether no broker has answered the consumer for so long, although one did before.
    pub(super) fn is_unanswered(&self, patience: Duration) -> bool {
        self.fetches.is_silent(patience, Instant::now())
    }

    /// Takes what the library's statistics say.
    pub(super) fn observe(&mut self, statistics: &[u8]) {
        self.fetches.note(statistics, self.assignment.partitions(), &self.paused, Instant::now());
    }

    /// An error in the place of a record.
    pub(super) fn not_read(&mut self, error: &KafkaError) {
        super::log::reading(error);
        self.rights.note(error, Instant::now());
    }

    fn dispatch(&mut self, slot: Slot, record: Record) {
        self.places.queue(slot, record);
        self.fresh += 1;
        if self.fresh >= TOGETHER {
            self.hand_out();
        }
    }

    /// Hands out the records whose turn it is, by the few.
    fn hand_out(&mut self) {
        self.fresh = 0;
        let Some(work) = &self.work else { return };
        let mut next = self.places.next().into_iter().peekable();
        while next.peek().is_some() {
            let some = next.by_ref().take(TOGETHER);
            let some = some.map(|(slot, record)| Work { slot, record, waiting: self.backlog.add() }).collect();
            // The receiver is gone only when the role has ended, which requests a stop.
            let _ = work.send(some);
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
        self.release(consumer);
        self.hand_out();
        self.advance(consumer)?;
        self.regulate(consumer);
        self.look_for_place(consumer, Instant::now());
        let is_refused = self.rights.remind(&self.fetches, Instant::now());
        let (oldest, unreadable) = (self.fetches.oldest(), self.fetches.unreadable());
        let member = self.place.last_seen();
        self.status.publish(self.tally, Reading { member, starting: self.starts.len(), is_refused, oldest, unreadable });
        if self.looked.is_none_or(|looked| looked.elapsed() >= flow::INTERVAL) {
            self.looked = Some(Instant::now());
            self.status.flows(self.flow());
        }
        Ok(())
    }

    /// How much is held, and how far it is behind.
    fn flow(&self) -> Flow {
        let assigned = self.assignment.partitions().count();
        let (starting, paused) = (self.starts.len().min(assigned), self.paused.len());
        let behind = |partition: &Partition| {
            let (first, end) = self.fetches.log(partition)?;
            u64::try_from(end - self.assignment.position(partition).unwrap_or(first)).ok()
        };
        let pending = self.assignment.pending();
        Flow {
            lag: self.assignment.partitions().filter_map(behind).sum(),
            oldest: self.assignment.oldest(),
            partitions: [starting, assigned.saturating_sub(starting + paused), paused],
            records: [pending, self.assignment.records().saturating_sub(pending)],
            budget: self.assignment.used(self.places.orphaned()),
            brokers: self.fetches.brokers(),
        }
    }

    /// Gives the library the partitions whose start is known, and whose state is restored.
    fn begin(&mut self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        let mut ready = self.starts.answers()?;
        if let Some(states) = &mut self.states {
            states.restore(ready)?;
            ready = states.restored()?;
        }
        self.tally.cut_off += self.starts.begin(consumer, &mut self.assignment, ready)?;
        Ok(())
    }

    fn collect(&mut self) -> Result<(), Error> {
        while let Ok((mut slot, outcome)) = self.collected.try_recv() {
            self.places.give_back(&slot);
            let (outputs, counted, refused) = match outcome {
                Outcome::Done(outputs, counted) => (outputs, counted, false),
                Outcome::Refused(outputs, counted) => (outputs, counted, true),
                Outcome::Later { record, wait } => {
                    if self.assignment.set_aside(&mut slot) {
                        self.waits.hold(slot, record, wait);
                    }
                    continue;
                }
                Outcome::Panicked => {
                    return Err(Error::Inconsistent(format!(
                        "a panic outside of the evaluation of {slot}; see `verdmarc dead-letters skip` when it comes again"
                    )));
                }
            };
            self.done(slot, outputs, counted, refused)?;
        }
        Ok(())
    }

    /// Notes what a record came to.
    fn done(&mut self, slot: Slot, outputs: Vec<Output>, counted: Counted, refused: bool) -> Result<(), Error> {
        self.tally.refused += u64::from(refused);
        if self.assignment.complete(slot, outputs, counted)? && self.refusals.note(refused) {
            self.stop_for_refusals();
        }
        Ok(())
    }

    /// Most of what comes is refused: whoever writes it is broken, and its records are not to be drained into dead letters. Stays
    /// alive, because a restart would only drain some more. What was read is finished, so that dead letters tell the reasons.
    fn stop_for_refusals(&mut self) {
        self.status.stopped();
        tracing::error!(
            "stopped: more than {REFUSALS_ACCEPTED} of the last {REFUSALS_OF} records break the producer's contract; nothing more is \
             read, and what was read is committed: `verdmarc dead-letters list --count-by reason` says why; mend the producer, then \
             start once with {} = false, which makes dead letters of all that is broken",
            self.refusal_stop.unwrap_or_default()
        );
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
        self.begin_again(consumer)?;
        let now = Instant::now();
        self.pass_idle(consumer, now);
        // A closing that begins now is left to the next owner. After a stop for refusals the library's position lies behind records
        // that were let go.
        if let Some(states) = self.states.as_mut().filter(|_| !self.intake_stopped && !self.refusals.stopped()) {
            states.freeze(consumer, Timestamp::now());
        }
        let early = now.duration_since(self.last_cut) < self.commit_interval
            && !self.intake_stopped
            && self.assignment.ready() < self.batch_records
            && !self.states.as_ref().is_some_and(States::are_urgent);
        if early || now < self.not_before {
            return Ok(());
        }
        self.cut(consumer)
    }

    /// Cuts a batch under the membership of this moment. No poll lies between the two, so none of its partitions can have gone.
    fn cut(&mut self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        // A closing that is under way is left to the next owner.
        let has_something = self.assignment.ready() > 0 || self.assignment.has_unread();
        if !has_something && (self.states.is_none() || self.intake_stopped) {
            return Ok(());
        }
        // Not in the group at this moment: a rebalance will tell.
        let Some(membership) = Membership::of(consumer) else { return Ok(()) };
        if self.is_taken_in_anew(Some(&membership)) {
            return self.begin_again(consumer);
        }
        // A state is written as it is, so its batch holds all that was applied.
        let limits = if self.states.is_some() { (usize::MAX, usize::MAX) } else { (self.batch_records, self.commit_bytes) };
        let mut cut = self.assignment.cut(limits.0, limits.1).unwrap_or_default();
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
        tell(cut.traces(), |trace, at| trace.batched(at));
        let (entries, logs) = (cut.outputs.clone(), cut.logs());
        self.transactions.submit(Batch { entries, state, offsets, logs, membership })?;
        self.in_flight = Some(cut);
        Ok(())
    }

    fn settle(&mut self, ended: Ended) -> Result<(), Error> {
        let Some(cut) = self.in_flight.take() else { return Ok(()) };
        record_with(Histogram::Batch, self.last_cut.elapsed(), &[("role", self.role)]);
        if let Some(states) = &mut self.states {
            states.settle(matches!(ended, Ended::Written(_)));
        }
        match ended {
            Ended::Written(written) => {
                self.tally.written += written;
                self.batch_records = self.batch_records.saturating_mul(2).min(self.commit_records);
                self.tally.commits += 1;
                let now = Timestamp::now();
                cut.outputs.iter().for_each(|done| done.counted.commit(now));
                tell(cut.traces(), |trace, at| trace.committed(at, cut.outputs.len()));
                self.assignment.committed(&cut)
            }
            Ended::Aborted(abort) => self.aborted(&cut, &abort),
            Ended::Failed(error) => {
                self.tally.failed += 1;
                Err(error)
            }
        }
    }

    fn aborted(&mut self, cut: &Cut, abort: &Abort) -> Result<(), Error> {
        let (role, cause) = (self.role, abort.cause.name());
        // Brokers that are away would have it said five times a second.
        let folds = matches!(abort.cause, Cause::Error | Cause::TopicUnconfirmed);
        let silent = if folds { super::log::again(&format!("{role} {}", abort.reason)) } else { Some(0) };
        if let Some(silent) = silent {
            let (reason, records) = (&abort.reason, cut.outputs.len());
            tracing::warn!(role, cause, reason, records, silent, "a batch was aborted and is written again");
        }
        if let Some(aborts) = self.tally.aborts.get_mut(abort.cause as usize) {
            *aborts += 1;
        }
        tell(cut.traces(), |trace, at| trace.aborted(at, cause));
        self.assignment.aborted(&cut.positions)?;
        let of_others = self.assignment.partitions().filter(|partition| abort.others.contains(&partition.topic));
        self.doubtful.extend(of_others.cloned());
        match &abort.oversized {
            Some(Oversized::At(index)) => self.stand_in(cut, *index)?,
            Some(Oversized::Somewhere(topic)) if self.states.is_some() => {
                return Err(Error::TooLarge { topic: topic.clone() });
            }
            Some(Oversized::Somewhere(_)) => self.batch_records = CAREFUL_ENTRIES.min(self.commit_records),
            None if abort.wanted => {}
            None => self.not_before = Instant::now() + BACK_OFF,
        }
        Ok(())
    }

    /// Puts other outputs in the place of those of an entry that no topic takes.
    fn stand_in(&mut self, cut: &Cut, index: usize) -> Result<(), Error> {
        let Some((position, entry)) = cut.position_of(index).zip(cut.outputs.get(index)) else { return Ok(()) };
        if entry.stands_in {
            // Nothing is smaller than that.
            let topic = entry.outputs.first().map(|output| output.topic.to_string()).unwrap_or_default();
            return Err(Error::TooLarge { topic });
        }
        let Partition { topic, number } = &position.partition;
        let (outputs, counted) = (self.handlers.oversized)(topic, *number, entry.offset, &entry.outputs);
        self.assignment.replace(cut, index, outputs, counted)
    }

    /// Pauses and resumes what the budget asks for. Only what we paused and still own is resumed.
    fn regulate(&mut self, consumer: &BaseConsumer<Context>) {
        let mut wanted: BTreeSet<Partition> = if self.intake_stopped || self.refusals.stopped() {
            self.assignment.partitions().cloned().collect()
        } else {
            let full = self.states.iter().flat_map(States::full);
            let overfull = self.assignment.overfull(self.places.orphaned());
            overfull.into_iter().chain(self.waits.partitions()).chain(full).collect()
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
    for (Partition { topic, number }, Committed { next, log }) in cut.next() {
        Committed { next: next + too_far, log }.add_to(&mut offsets, topic, *number)?;
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
