//! One consumer thread: poll, dispatch, collect what is done, write it, commit it.
//!
//! The thread owns the consumer. Polling never stops, also while reading is paused: rebalances, heartbeats and log lines
//! need it. Work goes to whoever evaluates, in any order; outcomes come back through [`Completions`].

pub use super::assignment::Slot;
use super::assignment::{Assignment, Budget};
use super::consumer::{Context, Desk};
use super::error::Error;
use super::{Producer, client, headers};
use crate::config::Kafka;
use crate::event::{Output, Record};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What is read, and how much of it is held.
#[derive(Debug, Clone)]
pub struct Intake {
    /// The consumer group.
    pub group: String,
    /// The topics read.
    pub topics: Vec<String>,
    /// Records held, from reading to commit, above which reading pauses.
    pub budget_records: usize,
    /// Bytes held, from reading to commit, above which reading pauses.
    pub budget_bytes: usize,
    /// Records held of one partition, above which it pauses.
    pub partition_records: usize,
    /// Time between two commits.
    pub commit_interval: Duration,
    /// Records in one commit at most.
    pub commit_records: usize,
    /// How long a stop waits for work that was handed out.
    pub drain: Duration,
    /// How long a revoked partition waits for work that was handed out.
    pub revoke: Duration,
}

/// A record to evaluate. Its slot must go into [`Completions::complete`], whatever comes of it.
#[derive(Debug)]
pub struct Work {
    /// Where the outcome goes.
    pub slot: Slot,
    /// The record.
    pub record: Record,
}

/// Takes outcomes from any thread.
#[derive(Debug, Clone)]
pub struct Completions(mpsc::Sender<(Slot, Vec<Output>)>);

impl Completions {
    /// Notes what a record came to; no outputs mean that it is done without any.
    pub fn complete(&self, slot: Slot, outputs: Vec<Output>) {
        // The receiver is gone only when the consumer thread has ended, and then nothing waits for the outcome.
        let _ = self.0.send((slot, outputs));
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
    /// Batches taken back and written again.
    pub aborted: u64,
    /// Records left to their next owner.
    pub left: u64,
}

/// A running pipeline.
#[derive(Debug)]
pub struct Pipeline {
    thread: JoinHandle<Result<Tally, Error>>,
}

impl Pipeline {
    /// Starts the consumer thread. The receiver ends when no more work comes.
    ///
    /// # Errors
    /// Settings that the client library refuses.
    pub fn start(kafka: &Kafka, intake: Intake, stop: Stop) -> Result<(Self, UnboundedReceiver<Work>, Completions), Error> {
        let (work, receiver) = unbounded_channel();
        let (outcomes, collected) = mpsc::channel();
        let budget =
            Budget { records: intake.budget_records, bytes: intake.budget_bytes, partition_records: intake.partition_records };
        let desk = Desk::new(Assignment::new(budget), Producer::new(kafka)?, collected, &intake);
        let consumer: BaseConsumer<Context> =
            client::consumer(kafka, &intake.group).create_with_context(Context::new(desk)).map_err(Error::Client)?;
        let thread = std::thread::Builder::new()
            .name("consumer".to_owned())
            .spawn(move || Owner { consumer, work, intake, stop, topic: None }.run())
            .map_err(|error| Error::Inconsistent(format!("cannot start the consumer thread: {error}")))?;
        Ok((Self { thread }, receiver, Completions(outcomes)))
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// Why it ended other than by a stop.
    pub fn join(self) -> Result<Tally, Error> {
        self.thread.join().unwrap_or_else(|_| Err(Error::Inconsistent("the consumer thread panicked".to_owned())))
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

struct Owner {
    consumer: BaseConsumer<Context>,
    work: UnboundedSender<Work>,
    intake: Intake,
    stop: Stop,
    /// The last topic's name, so that records of one topic share it.
    topic: Option<Arc<str>>,
}

/// Records taken from the library before looking at anything else.
const POLLS_PER_TURN: usize = 500;
const IDLE: Duration = Duration::from_millis(50);
const BUSY: Duration = Duration::from_millis(2);

impl Owner {
    fn run(mut self) -> Result<Tally, Error> {
        let topics: Vec<&str> = self.intake.topics.iter().map(String::as_str).collect();
        self.consumer.subscribe(&topics).map_err(|reason| Error::Subscribe { topics: self.intake.topics.join(", "), reason })?;
        let ended = self.read().and_then(|()| self.drain());
        let context = self.consumer.context().clone();
        context.desk().close();
        // Leaves the group; the revocation that this brings runs on this thread.
        drop(self.consumer);
        let mut desk = context.desk();
        ended.and_then(|()| desk.take_failure().map_or(Ok(()), Err)).map(|()| desk.tally())
    }

    fn read(&mut self) -> Result<(), Error> {
        while !self.stop.is_requested() {
            let mut patience = if self.consumer.context().desk().is_idle() { IDLE } else { BUSY };
            for _ in 0..POLLS_PER_TURN {
                if !self.poll(patience)? {
                    break;
                }
                patience = Duration::ZERO;
            }
            self.turn()?;
        }
        Ok(())
    }

    /// After a stop: nothing new, but what was handed out is awaited, written and committed.
    fn drain(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + self.intake.drain;
        self.consumer.context().desk().stop_intake(&self.consumer);
        loop {
            self.poll(BUSY)?;
            self.turn()?;
            if self.consumer.context().desk().is_idle() || Instant::now() >= deadline {
                return Ok(());
            }
        }
    }

    fn turn(&mut self) -> Result<(), Error> {
        let mut desk = self.consumer.context().desk();
        if let Some(failure) = desk.take_failure() {
            return Err(failure);
        }
        if let Some((code, reason)) = self.consumer.client().fatal_error() {
            tracing::error!(%reason, "the consumer cannot go on");
            return Err(Error::Consume(KafkaError::MessageConsumptionFatal(code)));
        }
        desk.turn(&self.consumer)
    }

    /// Serves one event; false when there was none to serve, or none that matters.
    fn poll(&mut self, patience: Duration) -> Result<bool, Error> {
        let message = match self.consumer.poll(patience) {
            None => return Ok(false),
            Some(Ok(message)) => message,
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(Error::Consume(error)),
            Some(Err(error)) => {
                tracing::warn!(%error, "reading");
                return Ok(true);
            }
        };
        let topic = match &self.topic {
            Some(topic) if **topic == *message.topic() => topic.clone(),
            _ => self.topic.insert(message.topic().into()).clone(),
        };
        let record = headers::record(topic, &message);
        drop(message);
        if let Some(slot) = self.consumer.context().desk().charge(&record)? {
            // The receiver is gone only when the role has ended, which requests a stop.
            let _ = self.work.send(Work { slot, record });
        }
        Ok(true)
    }
}
