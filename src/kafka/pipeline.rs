//! One consumer thread: poll, dispatch, collect what is done, have it written and committed.
//!
//! The thread owns the consumer. Polling never stops, also while reading is paused: rebalances, heartbeats and log lines
//! need it. Work goes to whoever evaluates, in any order; outcomes come back through [`Completions`].

pub use super::assignment::Slot;
use super::backlog::Waiting;
use super::consumer::{Context, Desk};
use super::coverage::Coverage;
use super::error::{Error, is_occupied, of_client};
use super::group::Group;
use super::instance::Instance;
use super::membership::Membership;
use super::rebootstrap::{Rebootstrap, SILENCE};
use super::start::Starts;
use super::state::{Stateful, States};
use super::status::Status;
use super::transaction::{Cause, Transactions};
use super::{client, failpoint, headers};
use crate::config::{Kafka, Protocol};
use crate::event::{Output, Record};
use crate::metrics::{Counted, Sample, table};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Message};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What is read, and how much of it is held.
#[derive(Clone)]
pub struct Intake {
    /// The role's name, as metrics show it.
    pub role: &'static str,
    /// The consumer group.
    pub group: Group,
    /// The topics read.
    pub topics: Vec<String>,
    /// Records held, from reading to commit, above which reading pauses.
    pub budget_records: usize,
    /// Bytes held, from reading to commit, above which reading pauses.
    pub budget_bytes: usize,
    /// Records held of one partition, above which it pauses.
    pub partition_records: usize,
    /// Records handed out at once.
    pub places: usize,
    /// Time between two commits.
    pub commit_interval: Duration,
    /// Records in one commit at most; when so many are done it does not wait for the interval.
    pub commit_records: usize,
    /// Bytes held by one commit, about.
    pub commit_bytes: usize,
    /// The setting that turns the stop for refusals off; none when it is off.
    pub refusal_stop: Option<&'static str>,
    /// How long a stop waits for work that was handed out.
    pub drain: Duration,
    /// How long a revoked partition waits for the end of the transaction that holds it.
    pub revoke: Duration,
    /// What the role knows of its records.
    pub handlers: Handlers,
    /// The role's state; none when it keeps none and has records handed out.
    pub state: Option<Arc<dyn Stateful>>,
}

/// Makes the outputs that stand in for those that no topic takes, and what is counted of them, from the record's topic, partition and offset.
pub type Oversized = dyn Fn(&str, i32, i64, &[Output]) -> (Vec<Output>, Counted) + Send + Sync;

/// What a role knows of its records and a pipeline does not.
#[derive(Clone)]
pub struct Handlers {
    /// How long a record must wait before it is handed out; none for at once. Its partition waits with it.
    pub due: Arc<dyn Fn(&Record) -> Option<Duration> + Send + Sync>,
    /// How many bytes a record's outputs may have beyond its own size, because it refers to a message that lies elsewhere.
    pub refers_to: Arc<dyn Fn(&Record) -> usize + Send + Sync>,
    /// Stands in for outputs that no topic takes. What it makes must be small.
    pub oversized: Arc<Oversized>,
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handlers")
    }
}

/// A record to evaluate.
#[derive(Debug)]
pub struct Work {
    pub(super) slot: Slot,
    pub(super) record: Record,
    /// Counts as waiting until it is begun.
    pub(super) waiting: Waiting,
}

impl Work {
    /// Begins. The slot must go into [`Completions::complete`], whatever comes of the record.
    pub fn begin(self) -> (Slot, Record) {
        drop(self.waiting);
        (self.slot, self.record)
    }
}

/// What a record came to.
#[derive(Debug)]
pub enum Outcome {
    /// These outputs; none mean that it is done without any. The rest is counted when they are committed.
    Done(Vec<Output>, Counted),
    /// The same, because it breaks the producer's contract. When most records do, the pipeline reads nothing more.
    Refused(Vec<Output>, Counted),
    /// Nothing yet: it is to be handed out again after `wait`. Its partition reads nothing new until then.
    Later {
        /// The record.
        record: Record,
        /// How long to wait.
        wait: Duration,
    },
    /// Nobody knows: the code that was to say it panicked. The pipeline ends, so that the record is neither lost nor holds its
    /// partition for ever.
    Panicked,
}

/// Takes outcomes from any thread.
#[derive(Debug, Clone)]
pub struct Completions(mpsc::Sender<(Slot, Outcome)>);

impl Completions {
    /// Notes what a record came to.
    pub fn complete(&self, slot: Slot, outcome: Outcome) {
        // The receiver is gone only when the consumer thread has ended, and then nothing waits for the outcome.
        let _ = self.0.send((slot, outcome));
    }
}

/// Asks a pipeline to finish what it holds and end.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn request(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was asked.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What a pipeline did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records read.
    pub read: u64,
    /// Records written.
    pub written: u64,
    /// Commits.
    pub commits: u64,
    /// Transactions that were aborted, by the cause; their batches are written again.
    pub aborts: [u64; Cause::ALL.len()],
    /// Transactions that failed and ended the role.
    pub failed: u64,
    /// Partitions that were begun again because their topic is gone, or another.
    pub begun_again: u64,
    /// Partitions that were read on from the end of a log that had been cut off.
    pub cut_off: u64,
    /// Records left to their next owner.
    pub left: u64,
    /// Records that broke the producer's contract.
    pub refused: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;

    /// What two pipelines did together.
    fn add(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            written: self.written + other.written,
            commits: self.commits + other.commits,
            aborts: std::array::from_fn(|cause| self.aborts[cause] + other.aborts[cause]),
            failed: self.failed + other.failed,
            begun_again: self.begun_again + other.begun_again,
            cut_off: self.cut_off + other.cut_off,
            left: self.left + other.left,
            refused: self.refused + other.refused,
        }
    }
}

impl Tally {
    /// Its figures.
    pub(super) fn samples(&self) -> Vec<Sample> {
        let mut samples = vec![
            Sample::new(&table::RECORDS_READ, self.read),
            Sample::new(&table::RECORDS_WRITTEN, self.written),
            Sample::new(&table::RECORDS_REFUSED, self.refused),
            Sample::new(&table::RECORDS_LEFT, self.left),
            Sample::new(&table::PARTITIONS_BEGUN_AGAIN, self.begun_again),
            Sample::new(&table::PARTITIONS_CUT_OFF, self.cut_off),
        ];
        let outcomes = [("committed", self.commits), ("aborted", self.aborts.iter().sum()), ("failed", self.failed)];
        for (outcome, transactions) in outcomes {
            samples.push(Sample::new(&table::TRANSACTIONS, transactions).with("outcome", outcome));
        }
        for (cause, aborts) in Cause::ALL.into_iter().zip(self.aborts) {
            samples.push(Sample::new(&table::TRANSACTION_ABORTS, aborts).with("reason", cause.name()));
        }
        samples
    }
}

/// A running pipeline.
#[derive(Debug)]
pub struct Pipeline {
    thread: JoinHandle<()>,
    ended: mpsc::Receiver<Result<Tally, Error>>,
}

/// Longest time for leaving the group and freeing the clients, whatever the library is waiting for.
const CLOSE: Duration = Duration::from_secs(10);

impl Pipeline {
    /// Starts the consumer thread and the transaction thread. Work comes by the few; the receiver ends when no more comes.
    ///
    /// # Errors
    /// Settings that the client library refuses.
    pub fn start(
        kafka: &Kafka,
        intake: Intake,
        status: Arc<Status>,
        stop: Stop,
    ) -> Result<(Self, UnboundedReceiver<Vec<Work>>, Completions), Error> {
        failpoint::arm();
        let instance = Instance::of(kafka);
        if let Some(warning) = instance.warning() {
            super::log::warn_once(warning);
        }
        let (work, receiver) = unbounded_channel();
        let (outcomes, collected) = mpsc::channel();
        let starts = Starts::new(kafka, &intake.group)?;
        let group = intake.group.id.clone();
        let id = format!("{group}.{}", instance.name);
        let transactions = Transactions::start(kafka, (&id, intake.role), starts.ids(), intake.revoke)?;
        let states = intake.state.clone().map(|role| States::new(kafka, role, status.clone())).transpose()?;
        let mut desk = Desk::new((starts, states), transactions, (work, collected), (&intake, kafka.protocol), status);
        // A static member waits until the group has taken it in: its twin would be fenced, and go on holding the place.
        if !client::is_static(kafka, &instance) {
            desk.fence()?;
        }
        let member = if intake.state.is_some() { client::counting } else { client::consumer };
        let config = member(kafka, &group, &instance)?;
        let member = Member { topics: intake.topics.clone(), rebootstrap: Rebootstrap::of(&config), config };
        let consumer = member.consumer(Context::new(desk))?;
        let coverage = match (kafka.protocol, client::is_static(kafka, &instance)) {
            (Protocol::Classic, true) => Some(Coverage::watch(Arc::downgrade(&consumer), kafka, &group, &intake.topics)?),
            // A dynamic member that restarts is a new member; with the other protocol the brokers assign step by step themselves.
            _ => None,
        };
        let (sender, ended) = mpsc::sync_channel(1);
        let owner = Owner {
            consumer,
            member,
            occupied: None,
            session_timeout: Duration::from_millis(kafka.session_timeout_ms),
            drain: intake.drain,
            stop,
            topic: None,
            _coverage: coverage,
        };
        let thread = std::thread::Builder::new()
            .name("consumer".to_owned())
            .spawn(move || owner.run(&sender))
            .map_err(|error| Error::Inconsistent(format!("cannot start the consumer thread: {error}")))?;
        Ok((Self { thread, ended }, receiver, Completions(outcomes)))
    }

    /// Waits for the end. Leaving the group is waited for too, but not for ever.
    ///
    /// # Errors
    /// Why it ended other than by a stop.
    pub fn join(self) -> Result<Tally, Error> {
        let ended = self.ended.recv().unwrap_or_else(|_| Err(Error::Inconsistent("the consumer thread panicked".to_owned())));
        let deadline = Instant::now() + CLOSE;
        while !self.thread.is_finished() {
            if Instant::now() >= deadline {
                tracing::warn!("leaving the group takes too long and is left to the brokers; everything is committed or aborted");
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        ended
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// What makes a member of the group.
struct Member {
    config: ClientConfig,
    topics: Vec<String>,
    rebootstrap: Rebootstrap,
}

impl Member {
    fn consumer(&self, context: Context) -> Result<Arc<BaseConsumer<Context>>, Error> {
        let consumer: BaseConsumer<Context> = self.config.create_with_context(context).map_err(of_client)?;
        #[cfg(feature = "failpoints")]
        Membership::remember(&consumer);
        Ok(Arc::new(consumer))
    }

    fn subscribe(&self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(|reason| Error::Subscribe { topics: self.topics.join(", "), reason })
    }
}

struct Owner {
    consumer: Arc<BaseConsumer<Context>>,
    member: Member,
    /// Since when the group has not let us in because a member of our name is in it.
    occupied: Option<Instant>,
    session_timeout: Duration,
    drain: Duration,
    stop: Stop,
    /// The last topic's name, so that records of one topic share it.
    topic: Option<Arc<str>>,
    _coverage: Option<Coverage>,
}

/// Records taken from the library before looking at anything else.
const POLLS_PER_TURN: usize = 500;
const IDLE: Duration = Duration::from_millis(50);
const BUSY: Duration = Duration::from_millis(2);
/// While enough waits to be evaluated: how long to look away, and how long the library may wait for a poll. It calls back and notices
/// that we live only in polls.
const NAP: Duration = Duration::from_millis(1);
const UNPOLLED: Duration = Duration::from_millis(50);
/// Between two tries to join a group in which a member has our name, and for how long beyond the session time-out.
const JOIN_AGAIN: Duration = Duration::from_secs(1);
const OCCUPIED: Duration = Duration::from_secs(10);

impl Owner {
    fn run(mut self, ended: &mpsc::SyncSender<Result<Tally, Error>>) {
        let went = self.member.subscribe(&self.consumer).and_then(|()| self.read()).and_then(|()| self.drain());
        let context = self.consumer.context().clone();
        if !context.desk().close(CLOSE) {
            tracing::warn!("the open transaction is left to the brokers, which end it when its time is over");
        }
        // What is left in the ledgers is left to the next owner. The role waits for us from here on, and not for ever.
        let tally = context.desk().leave();
        let failure = context.desk().take_failure();
        let result = match went.and_then(|()| failure.map_or(Ok(()), Err)) {
            // Nothing of it is visible, so all of it is left to the next owner, as a stop may.
            Err(error @ (Error::Expired { .. } | Error::SessionOver(_))) if self.stop.is_requested() => {
                tracing::warn!(%error, "what was not committed is left to the next owner");
                Ok(())
            }
            result => result,
        };
        // The receiver waits for it.
        let _ = ended.send(result.map(|()| tally));
        failpoint::reached("before-leaving");
        // Leaves the group, on this thread. It may hang when brokers are away; nobody waits for that.
        drop(self.consumer);
    }

    fn read(&mut self) -> Result<(), Error> {
        let mut polled = Instant::now();
        while !self.stop.is_requested() {
            if self.consumer.context().desk().has_enough() && polled.elapsed() < UNPOLLED {
                std::thread::sleep(NAP);
            } else {
                self.take_in()?;
                polled = Instant::now();
            }
            match self.occupied() {
                Some(reason) => self.join_again(reason)?,
                None => self.turn()?,
            }
        }
        Ok(())
    }

    /// What the brokers say when a member of our name holds our place in the group.
    fn occupied(&mut self) -> Option<String> {
        if self.occupied.is_some() && Membership::of(&self.consumer).is_some_and(|membership| membership.is_let_in()) {
            self.occupied = None;
        }
        self.consumer.client().fatal_error().filter(|(code, _)| is_occupied(*code)).map(|(_, reason)| reason)
    }

    /// Puts a new consumer in the place of one that the group has not let in. A member that died is in it until its session is over;
    /// one that lives stays, so this ends too.
    fn join_again(&mut self, reason: String) -> Result<(), Error> {
        let since = *self.occupied.get_or_insert_with(|| {
            tracing::warn!(reason, "a member of this name is in the group: waiting until its session is over");
            Instant::now()
        });
        if since.elapsed() > self.session_timeout + OCCUPIED {
            return Err(Error::Occupied { waited: since.elapsed(), reason });
        }
        let next = Instant::now() + JOIN_AGAIN;
        while Instant::now() < next && !self.stop.is_requested() {
            // What it still reads has no place any more.
            let _ = self.consumer.poll(IDLE);
        }
        let context = self.consumer.context().clone();
        context.desk().lose_all();
        self.consumer = self.member.consumer(context.as_ref().clone())?;
        self.member.subscribe(&self.consumer)
    }

    /// Serves events until there is none, or enough was read.
    fn take_in(&mut self) -> Result<(), Error> {
        let mut patience = if self.consumer.context().desk().is_idle() { IDLE } else { BUSY };
        for _ in 0..POLLS_PER_TURN {
            if !self.poll(patience)? {
                break;
            }
            patience = Duration::ZERO;
        }
        Ok(())
    }

    /// After a stop: nothing new, but what was handed out is awaited, written and committed.
    fn drain(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + self.drain;
        self.consumer.context().desk().stop_intake(&self.consumer);
        loop {
            self.poll(BUSY)?;
            if self.occupied().is_some() {
                return Ok(());
            }
            self.turn()?;
            if self.consumer.context().desk().is_drained() || Instant::now() >= deadline {
                return Ok(());
            }
        }
    }

    fn turn(&mut self) -> Result<(), Error> {
        let mut desk = self.consumer.context().desk();
        if let Some(failure) = desk.take_failure() {
            return Err(failure);
        }
        if let Some((code, reason)) = self.consumer.client().fatal_error().filter(|(code, _)| !is_occupied(*code)) {
            return Err(desk.gone(code, reason));
        }
        if desk.is_unanswered(SILENCE) {
            self.member.rebootstrap.unanswered(self.consumer.client());
        }
        desk.turn(&self.consumer)
    }

    /// Serves one event; false when there was none to serve, or nothing more is to be read for now.
    fn poll(&mut self, patience: Duration) -> Result<bool, Error> {
        let message = match self.consumer.poll(patience) {
            None => return Ok(false),
            Some(Ok(message)) => message,
            Some(Err(KafkaError::MessageConsumptionFatal(code))) if is_occupied(code) => return Ok(false),
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                return Err(self.consumer.context().desk().gone(code, "the consumer cannot go on".to_owned()));
            }
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                return Err(Error::Gone(error.to_string()));
            }
            Some(Err(error)) => {
                self.consumer.context().desk().not_read(&error);
                return Ok(true);
            }
        };
        let topic = match &self.topic {
            Some(topic) if **topic == *message.topic() => topic.clone(),
            _ => self.topic.insert(message.topic().into()).clone(),
        };
        let record = headers::record(topic, &message);
        drop(message);
        let mut desk = self.consumer.context().desk();
        let must_pause = desk.take_up(record)?;
        Ok(!must_pause && !desk.has_enough())
    }
}
