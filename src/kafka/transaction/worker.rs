//! Runs the transaction thread, which writes each batch in one transaction with its offsets.

use super::abort::{Abort, Cause, Oversized, TransactionFailure};
use super::batch::{AbortRequest, Batch, Ended, Order};
use super::delivery::{InFlight, Progress, Sending};
use super::membership::Membership;
use super::refused_topic::naming;
use super::retry::{CALL, Retry};
use super::session::Session;
use crate::event::Output;
use crate::kafka::base::error::{Error, is_fenced, is_passing};
use crate::kafka::client::log_id::{Confirmation, Confirmed, LogIds};
use crate::kafka::client::rebootstrap::SILENCE;
use crate::kafka::testing::failpoint;
use crate::metrics::{Histogram, record_with};
use rdkafka::error::RDKafkaErrorCode;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

/// The number of careful attempts before a batch is given back.
const CAREFUL: usize = 5;
/// The largest number of entries that are written one after the other, so that they fit into
/// the time of a transaction.
pub(crate) const CAREFUL_ENTRIES: usize = 64;
/// The time beyond librdkafka's own time-out in which a delivery report is still awaited.
const REPORT: Duration = Duration::from_secs(10);
/// The longest time that an abort waits for a first answer to the records that were sent.
const ANSWER: Duration = Duration::from_secs(1);
/// The time between two looks at whether all records are delivered.
const LOOK: Duration = Duration::from_millis(1);
/// The time between two looks at whether the batch must be aborted, while the topics are confirmed.
const CONFIRM: Duration = Duration::from_millis(20);

/// The side of [`super::Transactions`] that runs on the thread.
pub(crate) struct Worker {
    role: &'static str,
    session: Session,
    ids: LogIds,
    /// The longest wait for delivery reports.
    report_patience: Duration,
    /// The longest wait of an abort for a first answer.
    answer_patience: Duration,
    /// The owner's request to abort the batch that is being written.
    abort: AbortRequest,
}

/// The pace at which records are handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// All records at once.
    Together,
    /// Each record after the one before it was acknowledged, which shows which one is refused.
    OneByOne,
}

impl Worker {
    /// Makes the worker of a session. librdkafka ends a delivery after `delivery_timeout`; an abort
    /// that is asked for may take as long as `revoke`.
    pub(crate) fn new(
        role: &'static str,
        session: Session,
        ids: LogIds,
        (delivery_timeout, revoke): (Duration, Duration),
    ) -> Self {
        let report_patience = delivery_timeout + REPORT;
        // The abort itself must end within `revoke` too.
        let answer_patience = ANSWER.min(revoke / 2);
        Self { role, session, ids, report_patience, answer_patience, abort: AbortRequest::default() }
    }

    pub(crate) fn run(mut self, orders: &Receiver<Order<Membership>>, outcomes: &SyncSender<Ended>) {
        let Ok(first) = orders.recv() else { return };
        if let Err(error) = self.session.initialise() {
            // The error is sent at once, whether or not there is a batch to write.
            // The owner is gone only when nobody needs the error.
            let _ = outcomes.send(Ended::Failed(error));
            while orders.recv().is_ok() {}
            return;
        }
        for order in std::iter::once(first).chain(orders) {
            let Order::Write(batch) = order else { continue };
            let begun = Instant::now();
            self.abort = batch.abort.clone();
            let outcome = naming(self.transact(&batch));
            let labels = [("role", self.role), ("outcome", outcome.name())];
            record_with(Histogram::Transaction, begun.elapsed(), &labels);
            if outcomes.send(self.explained(outcome)).is_err() {
                return;
            }
        }
    }

    /// Explains a failure whose cause is known, such as a missing right.
    fn explained(&self, outcome: Ended) -> Ended {
        match outcome {
            Ended::Failed(error) => Ended::Failed(self.session.producer().explained(error)),
            outcome => outcome,
        }
    }

    fn transact(&mut self, batch: &Batch<Membership>) -> Ended {
        let mut tried = self.attempt(batch, Pace::Together);
        if let Err(TransactionFailure::Abort(Abort { oversized: Some(Oversized::Somewhere(topic)), .. })) = &tried {
            let suspects = batch.writing_to(topic);
            // A larger batch is cut again as a smaller one, unless it has state: then it always
            // holds all of the state's outputs.
            if (1..=CAREFUL_ENTRIES).contains(&suspects.len()) {
                tried = self.carefully(|worker| worker.attempt(batch, Pace::OneByOne));
            } else if !batch.state.is_empty() {
                tried = self.search(batch, &suspects).and(tried);
            }
        }
        match tried {
            Ok(written) => Ended::Written(written),
            Err(TransactionFailure::Fatal(error)) => Ended::Failed(error),
            Err(TransactionFailure::Abort(abort)) => match self.session.abort() {
                Ok(()) => Ended::Aborted(abort),
                Err(error) => Ended::Failed(error),
            },
        }
    }

    /// Makes attempts after one in which a record was refused for its size.
    /// The first of them usually fails, because librdkafka asks the brokers to raise its producer's
    /// epoch before it continues.
    fn carefully(&mut self, attempt: impl Fn(&mut Self) -> Result<u64, TransactionFailure>) -> Result<u64, TransactionFailure> {
        let mut left = CAREFUL;
        loop {
            self.session.abort().map_err(TransactionFailure::Fatal)?;
            left -= 1;
            match attempt(self) {
                Err(TransactionFailure::Abort(abort)) if left > 0 && abort.oversized.is_none() && !abort.wanted => {}
                tried => return tried,
            }
        }
    }

    /// Looks for the entry that no topic accepts where there are more entries than one transaction
    /// can hold one after the other. Returns a failure that names the entry when it is found,
    /// otherwise 0. Nothing of this is ever committed.
    fn search(&mut self, batch: &Batch<Membership>, suspects: &[usize]) -> Result<u64, TransactionFailure> {
        for some in suspects.chunks(CAREFUL_ENTRIES) {
            self.carefully(|worker| worker.probe(batch, some))?;
        }
        Ok(0)
    }

    /// Writes some entries one by one, in a transaction that is never committed.
    fn probe(&mut self, batch: &Batch<Membership>, some: &[usize]) -> Result<u64, TransactionFailure> {
        self.session.begin().map_err(TransactionFailure::Fatal)?;
        let mut deliveries = InFlight::default();
        let probed = self.probe_each(batch, some, &mut deliveries);
        self.known_before_abort(&deliveries, probed)
    }

    fn probe_each(
        &self,
        batch: &Batch<Membership>,
        some: &[usize],
        deliveries: &mut InFlight,
    ) -> Result<u64, TransactionFailure> {
        for (index, entry) in some.iter().filter_map(|index| Some((*index, batch.entries.get(*index)?))) {
            for output in entry.outputs.iter() {
                self.hand_over(deliveries, output, Some(index))?;
                self.delivered(deliveries, Pace::OneByOne, Some(index))?;
            }
        }
        Ok(0)
    }

    /// Waits for a first answer to a record before an abort, for a limited time.
    /// An abort that comes before the coordinator has seen the first partition of the transaction
    /// is refused, and the producer cannot continue (K13).
    fn known_before_abort(
        &self,
        deliveries: &InFlight,
        tried: Result<u64, TransactionFailure>,
    ) -> Result<u64, TransactionFailure> {
        if matches!(tried, Err(TransactionFailure::Abort(_))) {
            let deadline = Instant::now() + self.answer_patience;
            while !deliveries.is_known() && Instant::now() < deadline {
                self.session.beat();
                std::thread::sleep(LOOK);
            }
        }
        tried
    }

    fn attempt(&mut self, batch: &Batch<Membership>, pace: Pace) -> Result<u64, TransactionFailure> {
        self.session.begin().map_err(TransactionFailure::Fatal)?;
        failpoint::reached("before-produce");
        let asked = batch.logs.ask(&self.ids);
        let mut deliveries = InFlight::default();
        let produced = self.produce(batch, pace, &mut deliveries);
        let written = self.known_before_abort(&deliveries, produced)?;
        failpoint::reached("after-produce");
        self.check_abort_requested()?;
        self.confirm(&asked)?;
        self.send_offsets(batch)?;
        failpoint::reached("after-offsets");
        self.check_abort_requested()?;
        self.session.commit()?;
        failpoint::reached("after-commit");
        Ok(written)
    }

    /// Ends the attempt when the owner asked for an abort.
    fn check_abort_requested(&self) -> Result<(), TransactionFailure> {
        match self.abort.cause() {
            Some(cause) => {
                let wanted = Abort { wanted: true, cause, ..Abort::because(cause.sentence()) };
                Err(TransactionFailure::Abort(wanted))
            }
            None => Ok(()),
        }
    }

    /// Waits until the brokers confirm that the topics are still those that were read.
    /// Without that nothing is committed.
    fn confirm(&self, asked: &Confirmation) -> Result<(), TransactionFailure> {
        loop {
            self.session.beat();
            let abort = match asked.wait(CONFIRM) {
                Confirmed::Yes => return Ok(()),
                Confirmed::NotYet => {
                    self.check_abort_requested()?;
                    continue;
                }
                Confirmed::No(others) => {
                    let names: Vec<&str> = others.iter().map(|topic| &**topic).collect();
                    let reason = format!("{} is not the topic that was read: it was deleted, or made anew", names.join(", "));
                    Abort { wanted: true, cause: Cause::TopicChanged, others, ..Abort::because(reason) }
                }
                Confirmed::Unanswered => {
                    Abort { cause: Cause::TopicUnconfirmed, ..Abort::because(Cause::TopicUnconfirmed.sentence()) }
                }
            };
            return Err(TransactionFailure::Abort(abort));
        }
    }

    fn produce(&self, batch: &Batch<Membership>, pace: Pace, deliveries: &mut InFlight) -> Result<u64, TransactionFailure> {
        let mut written = 0;
        for (index, entry) in batch.entries.iter().enumerate() {
            for output in entry.outputs.iter() {
                self.hand_over(deliveries, output, Some(index))?;
                written += 1;
                if pace == Pace::OneByOne {
                    self.delivered(deliveries, pace, Some(index))?;
                }
            }
        }
        for output in batch.state.iter() {
            self.hand_over(deliveries, output, None)?;
            written += 1;
        }
        self.delivered(deliveries, pace, None)?;
        Ok(written)
    }

    /// Hands over a record of an entry, or of a state when `entry` is None,
    /// as soon as there is room.
    fn hand_over(&self, deliveries: &mut InFlight, output: &Output, entry: Option<usize>) -> Result<(), TransactionFailure> {
        loop {
            self.session.beat();
            match self.session.producer().hand_over(deliveries, output) {
                Sending::Taken => return self.check_abort_requested(),
                Sending::Full => std::thread::sleep(Duration::from_millis(1)),
                Sending::Refused(error) if is_of_transaction(&error) => {
                    // An earlier record of the batch was refused, and its delivery report says why.
                    self.delivered(deliveries, Pace::Together, None)?;
                    return Err(self.refused(error, None));
                }
                Sending::Refused(error) => return Err(self.refused(error, entry)),
            }
            self.check_abort_requested()?;
        }
    }

    /// Waits for every delivery report. librdkafka should end each record after
    /// `message.timeout.ms`.
    fn delivered(&self, deliveries: &InFlight, pace: Pace, entry: Option<usize>) -> Result<(), TransactionFailure> {
        let started = Instant::now();
        loop {
            self.session.beat();
            match deliveries.progress() {
                Progress::Delivered => return Ok(()),
                Progress::Open if started.elapsed() > self.report_patience => {
                    return Err(TransactionFailure::Abort(Abort::because("delivery reports do not come")));
                }
                Progress::Open => {
                    if started.elapsed() > SILENCE {
                        self.session.producer().unanswered();
                    }
                    if failpoint::pretends("taken-away") {
                        self.abort.request(Cause::PartitionRevoked);
                    }
                    self.check_abort_requested()?;
                    match pace {
                        // During a flush librdkafka polls without a pause while records wait behind
                        // an unanswered request of their partition, which takes a tenth of all CPU.
                        // So the records are left to `linger.ms`.
                        Pace::Together => std::thread::sleep(LOOK),
                        Pace::OneByOne => {
                            self.session.producer().flush(Duration::from_millis(20));
                        }
                    }
                }
                Progress::Failed(error) | Progress::Refused(error) => return Err(self.refused(error, entry)),
            }
        }
    }

    /// Returns the failure for a record that was not accepted, of this entry if that is known.
    /// A record that is too large and an error that may pass abort the transaction;
    /// other errors end the role.
    fn refused(&self, error: Error, entry: Option<usize>) -> TransactionFailure {
        if let Some((code, text)) = self.session.producer().fatal_error() {
            return self.session.failed(code, text);
        }
        match &error {
            Error::Produce { topic, reason } => match reason.rdkafka_error_code() {
                Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                    let oversized = entry.map_or_else(|| Oversized::Somewhere(topic.clone()), Oversized::At);
                    TransactionFailure::Abort(Abort {
                        oversized: Some(oversized),
                        cause: Cause::RecordTooLarge,
                        ..Abort::because(error.to_string())
                    })
                }
                Some(code) if is_fenced(code) => self.session.failed(code, error.to_string()),
                _ if is_of_transaction(&error) => TransactionFailure::Abort(Abort::because(error.to_string())),
                _ if is_passing(reason) => TransactionFailure::Abort(Abort::because(error.to_string())),
                _ => TransactionFailure::Fatal(error),
            },
            _ => TransactionFailure::Fatal(error),
        }
    }

    fn send_offsets(&self, batch: &Batch<Membership>) -> Result<(), TransactionFailure> {
        let membership = &batch.membership;
        let mut retry = Retry::of("sending offsets");
        loop {
            let error = match self.session.call(|producer| membership.send_offsets(producer, &batch.offsets, CALL)) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if is_of_metadata(error.code) && !error.fatal {
                return Err(TransactionFailure::Abort(Abort { cause: Cause::SetRefused, ..Abort::because(error.to_string()) }));
            }
            if error.abortable && !error.fatal {
                let refused = format!("generation {} was refused: {error}", membership.generation());
                return Err(TransactionFailure::Abort(Abort { cause: Cause::Membership, ..Abort::because(refused) }));
            }
            if error.fatal || !error.retriable {
                return Err(self.session.failed(error.code, error.to_string()));
            }
            self.check_abort_requested()?;
            if retry.since.elapsed() > self.session.patience() {
                return Err(TransactionFailure::Abort(Abort::because(error.to_string())));
            }
            retry.wait(&error);
        }
    }
}

/// Returns whether the brokers refused a position for the size of its metadata.
fn is_of_metadata(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::OffsetMetadataTooLarge | RDKafkaErrorCode::InvalidCommitOffsetSize)
}

/// Returns whether a record was refused because the transaction already has an error,
/// which an abort ends.
fn is_of_transaction(error: &Error) -> bool {
    matches!(error, Error::Produce { reason, .. } if reason.rdkafka_error_code() == Some(RDKafkaErrorCode::State))
}
