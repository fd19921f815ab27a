//! What the consumer thread keeps between two polls, and what it does with one record.
//!
//! What is done in turn with everything that is kept stands in `turn`, batches in `writing`, and partitions that come and go in
//! `rebalance`.

use super::contract::{Intake, Outcome, Role, Work};
use super::dispatch::{Begun, Dispatch};
use super::fetches::Fetches;
use super::handling::Handling;
use super::idle::Idle;
use super::place::Place;
use super::port::{GroupMembership, TransactionPort};
use super::refusals::{REFUSALS_ACCEPTED, REFUSALS_OF, Refusals};
use super::rights::Rights;
use super::status::Status;
use super::tally::Tally;
use crate::config::Protocol;
use crate::event::{Output, Record};
use crate::kafka::base::clock::Clock;
use crate::kafka::base::error::{Error, is_fenced};
use crate::kafka::base::partition::Partition;
use crate::kafka::base::throttle::Throttle;
use crate::kafka::client::connection::User;
use crate::kafka::client::start_position::Positions;
use crate::kafka::ledger::assignment::Assignment;
use crate::kafka::ledger::budget::Budget;
use crate::kafka::ledger::cut::Cut;
use crate::kafka::ledger::slot::Slot;
use crate::kafka::state::contract::Applied;
use crate::kafka::state::states::States;
use crate::kafka::transaction::batch::AbortRequest;
use crate::metrics::Counted;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::ffi::CString;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Records handed out together, as far as there are so many.
const CHUNK: usize = 8;

/// Everything that the consumer thread works with besides the consumer itself. `M` is a membership of its group.
pub(crate) struct ConsumerState<M> {
    pub(crate) role_name: &'static str,
    pub(crate) role: Arc<dyn Role>,
    /// The topics that are read.
    pub(crate) topics: Vec<String>,
    /// All that is kept of each partition that is ours.
    pub(crate) partitions: Assignment<Handling>,
    pub(crate) positions: Positions,
    /// Drives the states of a stateful role, which takes records at once instead of having them handed out.
    pub(crate) states: Option<States>,
    pub(crate) transactions: Box<dyn TransactionPort<M>>,
    /// None once nothing more is handed out: whoever evaluates may end then.
    work: Option<UnboundedSender<Vec<Work>>>,
    pub(crate) dispatch: Dispatch,
    /// Records that came since the last were handed out: those who evaluate are woken once for several.
    fresh: usize,
    pub(crate) outcomes: mpsc::Receiver<(Slot, Outcome)>,
    pub(crate) writing: Writing,
    /// The member id under which the partitions that are held were assigned.
    pub(crate) member: Option<CString>,
    pub(crate) idle: Idle,
    pub(crate) place: Place,
    pub(crate) refusals: Refusals,
    /// The setting that would turn the stop for refusals off.
    refusal_stop: Option<&'static str>,
    pub(crate) fetches: Fetches,
    pub(crate) rights: Rights,
    pub(crate) status: Arc<Status>,
    pub(crate) clock: Clock,
    pub(crate) last_cut: Instant,
    /// When the figures for monitoring are shown.
    pub(crate) figures: Throttle,
    pub(crate) limits: Limits,
    pub(crate) intake_stopped: bool,
    pub(crate) closing: bool,
    /// The session in the group ended by our own clock, and no new one has begun.
    pub(crate) session_over: bool,
    pub(crate) failure: Option<Error>,
    pub(crate) tally: Tally,
}

/// How far the writing of the last batch is.
#[derive(Debug)]
pub(crate) enum Writing {
    /// The next batch may be cut.
    Nothing,
    /// The transaction thread has this one in hand.
    InTransaction { cut: Cut, abort: AbortRequest },
    /// The last one failed: it is cut again then.
    BackingOff { until: Instant },
}

/// When a batch is cut, and how much it holds.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) commit_interval: Duration,
    pub(crate) commit_records: usize,
    /// As many as `commit_records`, but for a while after something was refused for its size: what it is shows in a small batch.
    pub(crate) batch_records: usize,
    pub(crate) commit_bytes: usize,
    /// How long a revocation waits for the end of the batch in flight.
    pub(crate) revoke: Duration,
}

/// What a consumer thread is made of.
pub(crate) struct Parts<M> {
    pub(crate) positions: Positions,
    pub(crate) states: Option<States>,
    pub(crate) transactions: Box<dyn TransactionPort<M>>,
    pub(crate) work: UnboundedSender<Vec<Work>>,
    pub(crate) outcomes: mpsc::Receiver<(Slot, Outcome)>,
    pub(crate) begun: Begun,
    pub(crate) status: Arc<Status>,
    pub(crate) clock: Clock,
    /// Who this process is to the brokers.
    pub(crate) user: User,
}

impl<M: GroupMembership> ConsumerState<M> {
    pub(crate) fn new(intake: &Intake, protocol: Protocol, parts: Parts<M>) -> Self {
        let budget =
            Budget { records: intake.budget_records, bytes: intake.budget_bytes, partition_records: intake.partition_records };
        let limits = Limits {
            commit_interval: intake.commit_interval,
            commit_records: intake.commit_records,
            batch_records: intake.commit_records,
            commit_bytes: intake.commit_bytes,
            revoke: intake.revoke,
        };
        Self {
            role_name: intake.name,
            role: intake.role.clone(),
            topics: intake.topics.clone(),
            partitions: Assignment::new(budget),
            positions: parts.positions,
            states: parts.states,
            transactions: parts.transactions,
            work: Some(parts.work),
            dispatch: Dispatch::new(intake.places, parts.begun),
            fresh: 0,
            outcomes: parts.outcomes,
            writing: Writing::Nothing,
            member: None,
            idle: Idle::default(),
            place: Place::of(protocol),
            refusals: Refusals::new(intake.refusal_stop.is_some()),
            refusal_stop: intake.refusal_stop,
            fetches: Fetches::default(),
            rights: Rights::of(parts.user),
            status: parts.status,
            last_cut: parts.clock.now().instant,
            clock: parts.clock,
            figures: Throttle::default(),
            limits,
            intake_stopped: false,
            closing: false,
            session_over: false,
            failure: None,
            tally: Tally::default(),
        }
    }

    /// Whether nothing is held and nothing is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_in_transaction() && self.partitions.records() == 0 && self.starting() == 0
    }

    /// Whether nothing that a stop can finish is left: what waits for its time is left to the next owner.
    pub(crate) fn is_drained(&self) -> bool {
        let delayed: usize = self.partitions.iter().map(|(_, assigned)| assigned.each.delayed.held()).sum();
        !self.is_in_transaction() && self.partitions.ready() == 0 && self.partitions.pending() == delayed
    }

    pub(crate) fn is_in_transaction(&self) -> bool {
        matches!(self.writing, Writing::InTransaction { .. })
    }

    /// Partitions whose position, or whose state, is not known yet.
    pub(crate) fn starting(&self) -> usize {
        self.partitions.iter().filter(|(_, assigned)| !assigned.each.has_started()).count()
    }

    /// Fences whoever used this process's transactional id before, without waiting for that.
    pub(crate) fn fence(&mut self) -> Result<(), Error> {
        self.transactions.fence()
    }

    /// Says what it means that the consumer cannot go on. One whose session was over is fenced by its own next tries to join, when the
    /// brokers take them up later than it makes them (K13).
    pub(crate) fn gone(&self, code: RDKafkaErrorCode, reason: String) -> Error {
        match code {
            RDKafkaErrorCode::FencedInstanceId if self.session_over => Error::SessionOver(reason),
            _ if is_fenced(code) => Error::Fenced(reason),
            _ => Error::Consume(KafkaError::MessageConsumptionFatal(code)),
        }
    }

    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Takes up a record and hands it out when its time has come. True when something is to be paused before any more is read.
    pub(crate) fn take_up(&mut self, record: Record) -> Result<bool, Error> {
        if self.intake_stopped || self.refusals.stopped() {
            return Ok(false);
        }
        if let Some(wait) = self.role.due(&record) {
            self.partitions.let_go(&record);
            let due = self.clock.now().instant + wait;
            if let Some(assigned) = self.partitions.get_mut(&Partition::of(&record)) {
                assigned.each.delayed.pause_until(due, record.offset);
            }
            return Ok(true);
        }
        let slot = match self.partitions.charge(&record, self.role.extra_bytes(&record)) {
            Ok(Some(slot)) => slot,
            Ok(None) => return Ok(false),
            Err(regressed) => {
                self.doubt(&record, &regressed);
                return Ok(false);
            }
        };
        self.tally.read += 1;
        if self.states.is_some() {
            self.apply(slot, record)?;
        } else {
            self.queue(slot, record);
        }
        Ok(self.partitions.is_over_budget(self.dispatch.orphaned()))
    }

    /// Has the state of a record's partition take it.
    fn apply(&mut self, slot: Slot, record: Record) -> Result<(), Error> {
        let partition = slot.partition();
        let stated = self.partitions.get_mut(partition).and_then(|assigned| assigned.each.state.as_mut());
        let stated = stated.ok_or_else(|| Error::Inconsistent(format!("a record of {partition}, which is not restored")))?;
        let Applied { outputs, counted, refused } = stated.apply(record)?;
        self.done(slot, outputs, counted, refused)
    }

    /// Lets a record wait for its turn to be evaluated.
    pub(crate) fn queue(&mut self, slot: Slot, record: Record) {
        if let Some(assigned) = self.partitions.get_mut(slot.partition()) {
            assigned.each.lane.queue(slot, record);
        }
        self.fresh += 1;
        if self.fresh >= CHUNK {
            self.hand_out();
        }
    }

    /// Hands out the records whose turn it is, in chunks.
    pub(crate) fn hand_out(&mut self) {
        self.fresh = 0;
        let Some(work) = &self.work else { return };
        let lanes = self.partitions.iter_mut().map(|(_, assigned)| &mut assigned.each.lane);
        let mut next = self.dispatch.next(lanes).into_iter().peekable();
        while next.peek().is_some() {
            let chunk = next.by_ref().take(CHUNK).map(|(slot, record)| Work { slot, record }).collect();
            // The receiver is gone only when the role has ended, which requests a stop.
            let _ = work.send(chunk);
        }
    }

    /// Leaves everything that is held to the next owner, and hands out nothing more.
    pub(crate) fn leave(&mut self) -> Tally {
        self.work = None;
        let partitions: Vec<Partition> = self.partitions.partitions().cloned().collect();
        self.tally.left += self.partitions.revoke(&partitions) as u64;
        self.tally
    }

    /// Whether so much waits to be evaluated that nothing needs to be read for now.
    pub(crate) fn has_enough(&self) -> bool {
        self.dispatch.has_enough()
    }

    /// Whether no broker has answered the consumer for so long, although one did before.
    pub(crate) fn is_unanswered(&self, patience: Duration) -> bool {
        self.fetches.is_silent(patience, self.clock.now().instant)
    }

    /// Takes what the library's statistics say.
    pub(crate) fn observe(&mut self, statistics: &[u8]) {
        let paused = self.paused();
        self.fetches.note(statistics, self.partitions.partitions(), &paused, self.clock.now().instant);
    }

    /// Notes an error in the place of a record.
    pub(crate) fn not_read(&mut self, error: &KafkaError) {
        crate::kafka::base::log::reading(error);
        self.rights.note(error, self.clock.now().instant);
    }

    /// Notes what a record came to.
    pub(crate) fn done(&mut self, slot: Slot, outputs: Vec<Output>, counted: Counted, refused: bool) -> Result<(), Error> {
        self.tally.refused += u64::from(refused);
        if self.partitions.complete(slot, outputs, counted)? && self.refusals.note(refused) {
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
}
