//! Keeps the state of the consumer thread between two polls, and takes up single records and their
//! outcomes.
//!
//! `turn` holds the work that the thread does between two polls, `writing` cuts and settles
//! batches, and `rebalance` accepts partitions and gives them up.

use super::contract::{Completion, Intake, Role, Work};
use super::delayed::Admission;
use super::dispatch::{Begun, Dispatch};
use super::fetches::Fetches;
use super::handling::Handling;
use super::idle::Idle;
use super::place::GroupPlace;
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
use crate::kafka::ledger::Read;
use crate::kafka::ledger::assignment::Assignment;
use crate::kafka::ledger::budget::Budget;
use crate::kafka::ledger::cut::Cut;
use crate::kafka::ledger::slot::Slot;
use crate::kafka::state::contract::Applied;
use crate::kafka::state::states::States;
use crate::kafka::transaction::batch::AbortRequest;
use crate::kafka::transaction::port::{GroupMembership, TransactionPort};
use crate::metrics::Counted;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::ffi::CString;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// The largest number of records that are handed out in one chunk.
const CHUNK: usize = 8;

/// The largest number of characters of a partition's set. Brokers accept 4 096 characters of
/// metadata by default, the id of the topic included. A state is written as it is below a position,
/// so its batches have no sets.
const SET: usize = 3_500;

/// The state of the consumer thread, without the consumer itself. `M` is a membership of its group.
pub(crate) struct ConsumerState<M> {
    pub(crate) role_name: &'static str,
    pub(crate) role: Arc<dyn Role>,
    /// The topics that the pipeline reads.
    pub(crate) topics: Vec<String>,
    /// The partitions that the group has assigned to this member, with everything that is kept of
    /// each.
    pub(crate) partitions: Assignment<Handling>,
    pub(crate) positions: Positions,
    /// The driver of the states of a stateful role; None for a role without state. A stateful role
    /// applies its records at once, on this thread, and no record is handed out.
    pub(crate) states: Option<States>,
    pub(crate) transactions: Box<dyn TransactionPort<M>>,
    /// The channel to the tasks that evaluate records; None once nothing more is handed out, so
    /// that those tasks can end.
    work: Option<UnboundedSender<Vec<Work>>>,
    pub(crate) dispatch: Dispatch,
    /// Records that were queued since records were last handed out. Handing out several at a time
    /// wakes the evaluating tasks once for all of them.
    fresh: usize,
    pub(crate) outcomes: mpsc::Receiver<(Slot, Completion)>,
    pub(crate) writing: Writing,
    /// The member id under which the partitions that are held were assigned.
    pub(crate) member: Option<CString>,
    pub(crate) idle: Idle,
    pub(crate) place: GroupPlace,
    pub(crate) refusals: Refusals,
    /// The name of the setting that turns the stop for refusals off.
    refusal_stop: Option<&'static str>,
    pub(crate) fetches: Fetches,
    pub(crate) rights: Rights,
    pub(crate) status: Arc<Status>,
    pub(crate) clock: Clock,
    pub(crate) last_cut: Instant,
    /// Limits how often the figures for monitoring are published.
    pub(crate) figures: Throttle,
    pub(crate) limits: Limits,
    pub(crate) intake_stopped: bool,
    pub(crate) closing: bool,
    /// True when the session in the group ended by the clock of this process, and no new one has
    /// begun.
    pub(crate) session_over: bool,
    pub(crate) failure: Option<Error>,
    pub(crate) tally: Tally,
}

/// The stage that the writing of batches has reached.
#[derive(Debug)]
pub(crate) enum Writing {
    /// No batch is in flight, and the next one may be cut.
    Nothing,
    /// The transaction thread is writing this batch.
    InTransaction { cut: Cut, abort: AbortRequest },
    /// The last batch failed; its records are cut again at this time.
    BackingOff { until: Instant },
}

/// Limits on when a batch is cut, and on how much it holds.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) commit_interval: Duration,
    pub(crate) commit_records: usize,
    /// The largest number of records in the next batch. It equals `commit_records`, except for a
    /// while after a topic has refused something for its size: a small batch shows which record
    /// that is.
    pub(crate) batch_records: usize,
    pub(crate) commit_bytes: usize,
    /// The largest number of characters of a partition's set; 0 once the brokers have refused a
    /// position for the size of its set.
    pub(crate) set: usize,
    /// The time for which a revocation waits for the end of the batch in flight.
    pub(crate) revoke: Duration,
}

/// The parts that [`ConsumerState::new`] assembles.
pub(crate) struct Parts<M> {
    pub(crate) positions: Positions,
    pub(crate) states: Option<States>,
    pub(crate) transactions: Box<dyn TransactionPort<M>>,
    pub(crate) work: UnboundedSender<Vec<Work>>,
    pub(crate) outcomes: mpsc::Receiver<(Slot, Completion)>,
    pub(crate) begun: Begun,
    pub(crate) status: Arc<Status>,
    pub(crate) clock: Clock,
    /// The user that the brokers know this process as.
    pub(crate) user: User,
}

impl<M: GroupMembership> ConsumerState<M> {
    pub(crate) fn new(intake: &Intake, protocol: Protocol, parts: Parts<M>) -> Self {
        let budget = Budget {
            records: intake.budget_records,
            bytes: intake.budget_bytes,
            partition_records: intake.partition_records,
            ahead: Read { records: intake.ahead_records, bytes: intake.ahead_bytes },
        };
        let limits = Limits {
            commit_interval: intake.commit_interval,
            commit_records: intake.commit_records,
            batch_records: intake.commit_records,
            commit_bytes: intake.commit_bytes,
            set: if parts.states.is_some() { 0 } else { SET },
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
            dispatch: Dispatch::new(intake.places, intake.parked, parts.begun),
            fresh: 0,
            outcomes: parts.outcomes,
            writing: Writing::Nothing,
            member: None,
            idle: Idle::default(),
            place: GroupPlace::of(protocol),
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

    /// Returns whether no record is held, no partition is starting and no transaction is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_in_transaction() && self.partitions.records() == 0 && self.starting() == 0
    }

    /// Returns whether a stop has finished all that it can finish. Delayed records are left to the
    /// next owner of their partition.
    pub(crate) fn is_drained(&self) -> bool {
        let delayed: usize = self.partitions.iter().map(|(_, assigned)| assigned.each.delayed.held()).sum();
        !self.is_in_transaction() && self.partitions.ready() == 0 && self.partitions.pending() == delayed
    }

    pub(crate) fn is_in_transaction(&self) -> bool {
        matches!(self.writing, Writing::InTransaction { .. })
    }

    /// Counts the partitions whose position or state is not known yet.
    pub(crate) fn starting(&self) -> usize {
        self.partitions.iter().filter(|(_, assigned)| !assigned.each.has_started()).count()
    }

    /// Fences earlier users of this process's transactional id, without waiting for the result.
    pub(crate) fn fence(&mut self) -> Result<(), Error> {
        self.transactions.fence()
    }

    /// Returns the error for a consumer that cannot continue. After the end of its session, a fence
    /// is not the work of another process: the consumer's own attempts to join fence it when the
    /// brokers process them later than it makes them (K13).
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

    /// Takes up a record, and hands it out when it is due. Returns true when partitions must be
    /// paused before any more is read.
    pub(crate) fn take_up(&mut self, record: Record) -> Result<bool, Error> {
        if self.intake_stopped || self.refusals.stopped() {
            return Ok(false);
        }
        if !self.has_come(&record) {
            return Ok(true);
        }
        let slot = match self.partitions.charge(&record, self.role.extra_bytes(&record)) {
            Ok(Some(slot)) => slot,
            Ok(None) => return Ok(false),
            Err(regressed) => {
                self.doubt(&record, &regressed.to_string());
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

    /// Returns whether the time of a record has come, and nothing of its partition must be read
    /// before it. Otherwise the partition is read again from the record that is awaited.
    fn has_come(&mut self, record: &Record) -> bool {
        let partition = Partition::of(record);
        let Some(assigned) = self.partitions.get_mut(&partition) else { return true };
        let now = self.clock.now().instant;
        match assigned.each.delayed.admit(record.offset, now) {
            Admission::Admitted => {}
            Admission::AnotherAwaited => return false,
            Admission::AnotherMissing => {
                self.doubt(record, "a record that was to be read again is missing");
                return false;
            }
        }
        if assigned.is_written(record.offset) {
            return true;
        }
        let Some(wait) = self.role.due(record) else { return true };
        assigned.each.delayed.pause_until(now + wait, record.offset);
        self.partitions.let_go(record);
        false
    }

    /// Applies a record to the state of its partition.
    fn apply(&mut self, slot: Slot, record: Record) -> Result<(), Error> {
        let partition = slot.partition();
        let stated = self.partitions.get_mut(partition).and_then(|assigned| assigned.each.state.as_mut());
        let stated = stated.ok_or_else(|| Error::Inconsistent(format!("a record of {partition}, which is not restored")))?;
        let Applied { outputs, counted, refused } = stated.apply(record)?;
        self.done(slot, outputs, counted, refused)
    }

    /// Queues a record until it is its turn to be evaluated.
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
        let mut next = self.dispatch.next(lanes, self.clock.now().instant).into_iter().peekable();
        while next.peek().is_some() {
            let chunk = next.by_ref().take(CHUNK).map(|(slot, record)| Work { slot, record }).collect();
            // The receiver is gone only when the role has ended, which requests a stop.
            let _ = work.send(chunk);
        }
    }

    /// Leaves everything that is held to the next owner, and hands out nothing more. Returns the
    /// final tally.
    pub(crate) fn leave(&mut self) -> Tally {
        self.work = None;
        let partitions: Vec<Partition> = self.partitions.partitions().cloned().collect();
        self.tally.left += self.partitions.revoke(&partitions) as u64;
        self.tally
    }

    /// Returns whether so many records wait to be evaluated that nothing needs to be read for now.
    pub(crate) fn has_enough(&self) -> bool {
        self.dispatch.has_enough()
    }

    /// Returns whether a broker has answered the consumer before, but none for `patience`.
    pub(crate) fn is_unanswered(&self, patience: Duration) -> bool {
        self.fetches.is_silent(patience, self.clock.now().instant)
    }

    /// Reads the library's statistics.
    pub(crate) fn observe(&mut self, statistics: &[u8]) {
        let paused = self.paused();
        self.fetches.note(statistics, self.partitions.partitions(), &paused, self.clock.now().instant);
    }

    /// Notes an error that the library returned in the place of a record.
    pub(crate) fn not_read(&mut self, error: &KafkaError) {
        crate::kafka::base::log::reading(error);
        self.rights.note(error, self.clock.now().instant);
    }

    /// Notes the outcome of a record.
    pub(crate) fn done(&mut self, slot: Slot, outputs: Vec<Output>, counted: Counted, refused: bool) -> Result<(), Error> {
        self.tally.refused += u64::from(refused);
        if self.partitions.complete(slot, outputs, counted)? && self.refusals.note(refused) {
            self.stop_for_refusals();
        }
        Ok(())
    }

    /// Stops the role because most records are refused, and logs that. The producer that writes
    /// them is broken, and its records must not be drained into dead letters. The process stays
    /// alive, because a restart would only drain some more of them. What was read is still
    /// finished, so that the dead letters tell the reasons.
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
