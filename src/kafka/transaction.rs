//! One batch, one transaction: the thread that writes outputs together with the offsets that they answer.
//!
//! ```text
//! begin ─► produce ─► every delivery acknowledged ─► offsets, under the membership of the cut ─► commit ─► Written
//!    any error that asks for it, or a request of the owner ─────────────────────────► abort ─► Aborted
//!    an error that is neither retriable nor abortable, or a commit whose outcome is unknown ─► Failed
//! ```
//!
//! All calls block, so they have a thread of their own. What is not classified by the library is fatal. A commit that timed out
//! is resumed by the same call, never aborted: only the brokers know how it ended.

use super::assignment::Done;
use super::error::{Error, is_fenced};
use super::failpoint::{self, Mutant};
use super::log_id::{Confirmation, Confirmed, LogIds, Logs};
use super::membership::Membership;
use super::producer::{Batch as Deliveries, Progress, Sending};
use super::rebootstrap::SILENCE;
use super::watch::{self, Beats, Watch};
use crate::config::Kafka;
use crate::event::Output;
use crate::metrics::{Histogram, record_with};
use rdkafka::TopicPartitionList;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

mod abort;
mod session;

pub(super) use abort::{Abort, Cause, Oversized};
pub(super) use session::{BACK_OFF, CALL, MARGIN};
use session::{Retry, Session};

/// What goes into one transaction.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) entries: Vec<Done>,
    /// What states want written beside what records came to.
    pub(super) state: Arc<[Output]>,
    /// The next offset to read of every partition that the entries are of.
    pub(super) offsets: TopicPartitionList,
    /// The logs that these are offsets of.
    pub(super) logs: Logs,
    /// The membership when the batch was cut.
    pub(super) membership: Membership,
}

/// What the thread is to do. With the first order it fences whoever used the id before.
#[derive(Debug)]
enum Order {
    Fence,
    Write(Batch),
}

/// How a batch ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Its records are written, so many, and its offsets committed.
    Written(u64),
    /// Nothing of it is visible.
    Aborted(Abort),
    /// The role cannot go on.
    Failed(Error),
}

impl Outcome {
    /// The word for it.
    fn name(&self) -> &'static str {
        match self {
            Self::Written(_) => "committed",
            Self::Aborted(_) => "aborted",
            Self::Failed(_) => "failed",
        }
    }
}

impl Batch {
    /// The places of the entries that have something to write to a topic.
    fn writing_to(&self, topic: &str) -> Vec<usize> {
        let writes = |entry: &Done| entry.outputs.iter().any(|output| *output.topic == *topic);
        (0..).zip(&self.entries).filter(|(_, entry)| writes(entry)).map(|(index, _)| index).collect()
    }
}

/// The owner's side of the thread.
#[derive(Debug)]
pub(super) struct Transactions {
    orders: Option<SyncSender<Order>>,
    started: bool,
    outcomes: Receiver<Outcome>,
    abort: Arc<AtomicBool>,
    closing: Arc<AtomicBool>,
    watch: Watch,
    thread: Option<JoinHandle<()>>,
}

/// Careful attempts before a batch is given back.
const CAREFUL: usize = 5;
/// Entries with something to write that are written one after the other at most: within a transaction's time.
pub(super) const CAREFUL_ENTRIES: usize = 64;
/// Beyond the library's own time-out, how long a delivery report is waited for.
const REPORT: Duration = Duration::from_secs(10);
/// Longest time that an abort waits for a first answer to what was written.
const ANSWER: Duration = Duration::from_secs(1);
/// Time between two looks at whether all is delivered.
const LOOK: Duration = Duration::from_millis(1);
/// Time between two looks at whether a batch is to be ended while the topics are asked for.
const CONFIRM: Duration = Duration::from_millis(20);

impl Transactions {
    /// Starts the thread, under a transactional id and for a role. An abort that is asked for may take as long as `revoke`.
    pub(super) fn start(
        kafka: &Kafka,
        (transactional_id, role): (&str, &'static str),
        ids: LogIds,
        revoke: Duration,
    ) -> Result<Self, Error> {
        // One batch at a time: the next is cut when this one has ended.
        let (orders, receiver) = sync_channel(1);
        let (sender, outcomes) = sync_channel(1);
        let (abort, closing) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let beats = Beats::default();
        let worker = Worker {
            role,
            session: Session::new(kafka, transactional_id, beats.clone(), closing.clone())?,
            ids,
            report_patience: Duration::from_millis(kafka.delivery_timeout_ms) + REPORT,
            // The abort itself must end within that time too.
            answer_patience: ANSWER.min(revoke / 2),
            abort: abort.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("transactions".to_owned())
            .spawn(move || worker.run(&receiver, &sender))
            .map_err(|error| Error::Inconsistent(format!("cannot start the transaction thread: {error}")))?;
        let watch = Watch::new(beats, Instant::now());
        Ok(Self { orders: Some(orders), started: false, outcomes, abort, closing, watch, thread: Some(thread) })
    }

    /// Fences whoever used the id before, without waiting for that.
    pub(super) fn fence(&mut self) -> Result<(), Error> {
        if self.started { Ok(()) } else { self.order(Order::Fence) }
    }

    /// Hands a batch over. The one before must have ended.
    pub(super) fn submit(&mut self, batch: Batch) -> Result<(), Error> {
        self.abort.store(false, Ordering::Release);
        self.order(Order::Write(batch))
    }

    fn order(&mut self, order: Order) -> Result<(), Error> {
        self.started = true;
        let gone = || Error::Inconsistent("the transaction thread has ended".to_owned());
        self.orders.as_ref().ok_or_else(gone)?.send(order).map_err(|_| gone())
    }

    /// Asks for an end without commit, if the commit has not begun.
    pub(super) fn request_abort(&self) {
        self.abort.store(true, Ordering::Release);
    }

    /// How the batch ended, when that is known within `patience`.
    pub(super) fn outcome(&mut self, patience: Duration) -> Option<Outcome> {
        match self.outcomes.recv_timeout(patience) {
            Ok(outcome) => Some(outcome),
            Err(RecvTimeoutError::Timeout) if self.watch.is_stuck(Instant::now()) => {
                let stuck = format!("a call of the client library has not returned for {} s", watch::LIMIT.as_secs());
                Some(Outcome::Failed(Error::AmbiguousCommit(stuck)))
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                Some(Outcome::Failed(Error::Inconsistent("the transaction thread has ended".to_owned())))
            }
        }
    }

    /// Why the thread cannot write anything, when it has nothing in hand and that is known.
    pub(super) fn failure(&self) -> Option<Error> {
        match self.outcomes.try_recv() {
            Ok(Outcome::Failed(error)) => Some(error),
            _ => None,
        }
    }

    /// Ends the thread when it has nothing in hand; false when it did not end in time.
    pub(super) fn close(&mut self, patience: Duration) -> bool {
        self.closing.store(true, Ordering::Release);
        self.orders = None;
        if self.watch.is_stuck(Instant::now()) {
            return false;
        }
        let deadline = Instant::now() + patience;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.thread.take().is_none_or(|thread| thread.join().is_ok())
    }
}

/// Why a transaction does not commit.
enum Trouble {
    Abort(Abort),
    Fatal(Error),
}

struct Worker {
    role: &'static str,
    session: Session,
    ids: LogIds,
    report_patience: Duration,
    /// How long an abort waits for a first answer.
    answer_patience: Duration,
    abort: Arc<AtomicBool>,
}

/// How carefully records are handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// All at once.
    Together,
    /// Each acknowledged before the next, so that it shows which one is refused.
    OneByOne,
}

/// How long the library's line about a refused topic may take to come after the failure.
const LINE: Duration = Duration::from_millis(300);

/// Names the topic that may not be written, which the failure of the transaction as a whole does not.
fn naming(outcome: Outcome) -> Outcome {
    let waits = match &outcome {
        Outcome::Failed(Error::Transaction(_)) => LINE,
        Outcome::Aborted(abort) if !abort.wanted => Duration::ZERO,
        _ => return outcome,
    };
    let until = Instant::now() + waits;
    loop {
        if let Some(topic) = super::log::refused_topic() {
            let reason = KafkaError::MessageProduction(RDKafkaErrorCode::TopicAuthorizationFailed);
            return Outcome::Failed(Error::Produce { topic, reason });
        }
        if Instant::now() >= until {
            return outcome;
        }
        std::thread::sleep(LOOK);
    }
}

impl Worker {
    fn run(mut self, orders: &Receiver<Order>, outcomes: &SyncSender<Outcome>) {
        let Ok(first) = orders.recv() else { return };
        if let Err(error) = self.session.initialise() {
            // Said at once, whether or not there is anything to write. The owner is gone only when nobody wants to know.
            let _ = outcomes.send(Outcome::Failed(error));
            while orders.recv().is_ok() {}
            return;
        }
        for order in std::iter::once(first).chain(orders) {
            let Order::Write(batch) = order else { continue };
            let begun = Instant::now();
            let outcome = naming(self.transact(&batch));
            let labels = [("role", self.role), ("outcome", outcome.name())];
            record_with(Histogram::Transaction, begun.elapsed(), &labels);
            if outcomes.send(self.explained(outcome)).is_err() {
                return;
            }
        }
    }

    /// Says whose right is missing, where one is.
    fn explained(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Failed(error) => Outcome::Failed(self.session.producer().explained(error)),
            outcome => outcome,
        }
    }

    fn transact(&mut self, batch: &Batch) -> Outcome {
        let mut tried = self.attempt(batch, Pace::Together);
        if let Err(Trouble::Abort(Abort { oversized: Some(Oversized::Somewhere(topic)), .. })) = &tried {
            let suspects = batch.writing_to(topic);
            // A larger batch comes back smaller, unless there is state, which it holds all of.
            if (1..=CAREFUL_ENTRIES).contains(&suspects.len()) {
                tried = self.carefully(|worker| worker.attempt(batch, Pace::OneByOne));
            } else if !batch.state.is_empty() {
                tried = self.search(batch, &suspects).and(tried);
            }
        }
        match tried {
            Ok(written) => Outcome::Written(written),
            Err(Trouble::Fatal(error)) => Outcome::Failed(error),
            Err(Trouble::Abort(abort)) => match self.session.roll_back() {
                Ok(()) => Outcome::Aborted(abort),
                Err(error) => Outcome::Failed(error),
            },
        }
    }

    /// Makes an attempt after one of which something was refused for its size. The first one usually fails, because the library has
    /// its producer's epoch raised before it goes on.
    fn carefully(&mut self, attempt: impl Fn(&mut Self) -> Result<u64, Trouble>) -> Result<u64, Trouble> {
        let mut left = CAREFUL;
        loop {
            self.session.roll_back().map_err(Trouble::Fatal)?;
            left -= 1;
            match attempt(self) {
                Err(Trouble::Abort(abort)) if left > 0 && abort.oversized.is_none() && !abort.wanted => {}
                tried => return tried,
            }
        }
    }

    /// Looks for the entry that no topic takes among more than one transaction can hold one after the other. Fails when it is found;
    /// nothing of this is ever committed.
    fn search(&mut self, batch: &Batch, suspects: &[usize]) -> Result<u64, Trouble> {
        for some in suspects.chunks(CAREFUL_ENTRIES) {
            self.carefully(|worker| worker.probe(batch, some))?;
        }
        Ok(0)
    }

    /// Writes some entries one by one.
    fn probe(&mut self, batch: &Batch, some: &[usize]) -> Result<u64, Trouble> {
        self.session.begin().map_err(Trouble::Fatal)?;
        let mut deliveries = Deliveries::default();
        let probed = self.probe_each(batch, some, &mut deliveries);
        self.known_before_abort(&deliveries, probed)
    }

    fn probe_each(&self, batch: &Batch, some: &[usize], deliveries: &mut Deliveries) -> Result<u64, Trouble> {
        for (index, entry) in some.iter().filter_map(|index| Some((*index, batch.entries.get(*index)?))) {
            for output in entry.outputs.iter() {
                self.hand_over(deliveries, output, Some(index))?;
                self.delivered(deliveries, Pace::OneByOne, Some(index))?;
            }
        }
        Ok(0)
    }

    /// Before an abort waits for a first answer to a record, within limits: an abort that comes before the coordinator has seen the
    /// first partition of the transaction is refused, and the producer cannot go on (kafka.md 1.13).
    fn known_before_abort(&self, deliveries: &Deliveries, tried: Result<u64, Trouble>) -> Result<u64, Trouble> {
        if matches!(tried, Err(Trouble::Abort(_))) {
            let deadline = Instant::now() + self.answer_patience;
            while !deliveries.is_known() && Instant::now() < deadline {
                self.session.beat();
                std::thread::sleep(LOOK);
            }
        }
        tried
    }

    fn attempt(&mut self, batch: &Batch, pace: Pace) -> Result<u64, Trouble> {
        self.session.begin().map_err(Trouble::Fatal)?;
        failpoint::reached("before-produce");
        let asked = batch.logs.ask(&self.ids);
        let mut deliveries = Deliveries::default();
        let produced = self.produce(batch, pace, &mut deliveries);
        let written = self.known_before_abort(&deliveries, produced)?;
        failpoint::reached("after-produce");
        self.heed()?;
        self.confirm(&asked)?;
        if !Mutant::NoOffsets.is_on() {
            self.send_offsets(batch)?;
        }
        failpoint::reached("after-offsets");
        self.heed()?;
        self.session.commit()?;
        failpoint::reached("after-commit");
        Ok(written)
    }

    /// Waits for the word that the topics are still those that were read. Without it nothing is committed.
    fn confirm(&self, asked: &Confirmation) -> Result<(), Trouble> {
        if Mutant::UnconfirmedLog.is_on() {
            return Ok(());
        }
        loop {
            self.session.beat();
            let abort = match asked.wait(CONFIRM) {
                Confirmed::Yes => return Ok(()),
                Confirmed::NotYet => {
                    self.heed()?;
                    continue;
                }
                Confirmed::No(others) => {
                    let names: Vec<&str> = others.iter().map(|topic| &**topic).collect();
                    let reason = format!("{} is not the topic that was read: it was deleted, or made anew", names.join(", "));
                    Abort { wanted: true, cause: Cause::TopicChanged, others, ..Abort::because(reason) }
                }
                Confirmed::Unanswered => Abort {
                    cause: Cause::TopicUnconfirmed,
                    ..Abort::because("no broker said in time whether the topics are those that were read")
                },
            };
            return Err(Trouble::Abort(abort));
        }
    }

    /// Ends the attempt when the owner asked for it.
    fn heed(&self) -> Result<(), Trouble> {
        if self.abort.load(Ordering::Acquire) && !Mutant::RefreshedMembership.is_on() {
            return Err(Trouble::Abort(Abort {
                wanted: true,
                cause: Cause::PartitionRevoked,
                ..Abort::because("a partition was taken away")
            }));
        }
        Ok(())
    }

    fn produce(&self, batch: &Batch, pace: Pace, deliveries: &mut Deliveries) -> Result<u64, Trouble> {
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

    /// Hands a record of an entry over, or of a state, as soon as there is room.
    fn hand_over(&self, deliveries: &mut Deliveries, output: &Output, entry: Option<usize>) -> Result<(), Trouble> {
        loop {
            self.session.beat();
            match self.session.producer().hand_over(deliveries, output) {
                Sending::Taken => return self.heed(),
                Sending::Full => std::thread::sleep(Duration::from_millis(1)),
                Sending::Refused(error) if is_of_transaction(&error) => {
                    // An earlier record of the batch was refused, and its delivery report says why.
                    self.delivered(deliveries, Pace::Together, None)?;
                    return Err(self.refused(error, None));
                }
                Sending::Refused(error) => return Err(self.refused(error, entry)),
            }
            self.heed()?;
        }
    }

    /// Waits for every delivery report. The library should end each record after `message.timeout.ms`.
    fn delivered(&self, deliveries: &Deliveries, pace: Pace, entry: Option<usize>) -> Result<(), Trouble> {
        let started = Instant::now();
        loop {
            self.session.beat();
            match deliveries.progress() {
                Progress::Delivered => return Ok(()),
                Progress::Open if started.elapsed() > self.report_patience => {
                    return Err(Trouble::Abort(Abort::because("delivery reports do not come")));
                }
                Progress::Open => {
                    if started.elapsed() > SILENCE {
                        self.session.producer().unanswered();
                    }
                    if failpoint::pretends("taken-away") {
                        self.abort.store(true, Ordering::Release);
                    }
                    self.heed()?;
                    match pace {
                        // A flush has the library poll without a pause while records wait behind an unanswered request of their
                        // partition, which takes a tenth of all CPU. So they are left to `linger.ms`.
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

    /// What a record that was not taken means, of this entry if that is known: too large and passing errors abort, others end the role.
    fn refused(&self, error: Error, entry: Option<usize>) -> Trouble {
        if let Some((code, text)) = self.session.producer().fatal_error() {
            return self.session.trouble(code, text);
        }
        match &error {
            Error::Produce { topic, reason } => match reason.rdkafka_error_code() {
                Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                    let oversized = entry.map_or_else(|| Oversized::Somewhere(topic.clone()), Oversized::At);
                    Trouble::Abort(Abort {
                        oversized: Some(oversized),
                        cause: Cause::RecordTooLarge,
                        ..Abort::because(error.to_string())
                    })
                }
                Some(code) if is_fenced(code) => self.session.trouble(code, error.to_string()),
                _ if is_of_transaction(&error) => Trouble::Abort(Abort::because(error.to_string())),
                _ if super::error::is_passing(reason) => Trouble::Abort(Abort::because(error.to_string())),
                _ => Trouble::Fatal(error),
            },
            _ => Trouble::Fatal(error),
        }
    }

    fn send_offsets(&self, batch: &Batch) -> Result<(), Trouble> {
        let membership = &batch.membership;
        #[cfg(feature = "failpoints")]
        let refreshed = Mutant::RefreshedMembership.is_on().then(Membership::refreshed).flatten();
        #[cfg(feature = "failpoints")]
        let membership = refreshed.as_ref().unwrap_or(membership);
        let mut retry = Retry::of("sending offsets");
        loop {
            let error = match self.session.call(|producer| membership.send_offsets(producer, &batch.offsets, CALL)) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if error.abortable && !error.fatal {
                let refused = format!("generation {} was refused: {error}", membership.generation());
                return Err(Trouble::Abort(Abort { cause: Cause::Membership, ..Abort::because(refused) }));
            }
            if error.fatal || !error.retriable {
                return Err(self.session.trouble(error.code, error.to_string()));
            }
            self.heed()?;
            if retry.since.elapsed() > self.session.patience() {
                return Err(Trouble::Abort(Abort::because(error.to_string())));
            }
            retry.wait(&error);
        }
    }
}

/// Whether a record was not taken because the transaction has an error already, which an abort ends.
fn is_of_transaction(error: &Error) -> bool {
    matches!(error, Error::Produce { reason, .. } if reason.rdkafka_error_code() == Some(RDKafkaErrorCode::State))
}
