//! Restores states from their changelogs, several at once, on threads of their own.
//!
//! The order of the steps keeps the promise (K7). The committed position of the group is known
//! first, so no transaction holds it any more.
//! Only then this module asks for the end of the changelog, with a client that sees open
//! transactions. A client that does not see aborted records reads everything below that end.
//! Whatever an earlier owner may still commit is below that end, or the brokers refuse it.

use super::contract::{PartitionState, Stateful};
use super::progress::RestoreProgress;
use crate::config::Kafka;
use crate::event::TopicId;
use crate::kafka::base::error::Error;
use crate::kafka::base::lease::LeaseWatch;
use crate::kafka::base::log;
use crate::kafka::base::partition::{Generation, Partition};
use crate::kafka::client::background::Background;
use crate::kafka::client::connection::{Right, is_denied};
use crate::kafka::client::context::LoggingContext;
use crate::kafka::client::lookup::{self, UncommittedEnds};
use crate::kafka::client::settings;
use crate::kafka::transaction::retry::MARGIN;
use crate::metrics::{Histogram, record};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A partition whose state must be restored.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) partition: Partition,
    pub(crate) generation: Generation,
    /// The position that the group has committed.
    pub(crate) committed: Option<i64>,
    /// The id of the partition's topic, if the brokers report ids.
    pub(crate) log: Option<TopicId>,
    pub(crate) lease: LeaseWatch,
}

type Restored = Result<Box<dyn PartitionState>, Unrestored>;

/// The reason for which a partition has no state.
#[derive(Debug)]
pub(crate) enum Unrestored {
    /// The state does not belong to the position that the group had when it was asked.
    Misfit(Error),
    /// The state cannot be read.
    Failed(Error),
}

/// The threads that restore states. A job whose lease is over has no answer.
pub(crate) type Restores = Background<Job, (Job, Restored)>;

/// The time between two log lines about a restore that takes long.
const REPORT: Duration = Duration::from_secs(5);
/// The number of partitions that are restored at once.
const AT_ONCE: usize = 8;
/// The longest wait for the end of a log.
const END: Duration = Duration::from_secs(5);
/// The longest wait for one record.
const POLL: Duration = Duration::from_millis(100);
/// The time between two tries of a request that was not answered.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Starts the threads that restore states.
pub(crate) fn restores(kafka: &Kafka, role: Arc<dyn Stateful>, progress: Arc<RestoreProgress>) -> Result<Restores, Error> {
    progress.note_state();
    let worker = Worker {
        reader: LoggingContext::consumer(&settings::plain_reader(kafka)?)?,
        kafka: kafka.clone(),
        uncommitted: UncommittedEnds::new(kafka)?,
        stall: Duration::from_millis(kafka.transaction_timeout_ms) + MARGIN,
        role,
        progress,
    };
    Background::shared("restore", AT_ONCE, move |job| worker.answer(job))
}

struct Worker {
    reader: BaseConsumer<LoggingContext>,
    kafka: Kafka,
    uncommitted: UncommittedEnds,
    /// The time after which a restore without progress fails: a transaction may
    /// be open for so long.
    stall: Duration,
    role: Arc<dyn Stateful>,
    progress: Arc<RestoreProgress>,
}

/// The reason for which a restore ended without a state.
enum Ended {
    /// The partition is not assigned to this process any more.
    Unwanted,
    Unrestored(Unrestored),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Unrestored(Unrestored::Failed(error))
    }
}

impl Job {
    /// Returns an error when the partition is not assigned to this process any more.
    fn is_wanted(&self) -> Result<(), Ended> {
        if self.lease.is_over() { Err(Ended::Unwanted) } else { Ok(()) }
    }
}

impl Worker {
    fn answer(&self, job: Job) -> Option<(Job, Restored)> {
        let state = match self.restore(&job) {
            Ok(state) => Ok(state),
            Err(Ended::Unwanted) => return None,
            Err(Ended::Unrestored(why)) => Err(why),
        };
        Some((job, state))
    }

    fn restore(&self, job: &Job) -> Result<Box<dyn PartitionState>, Ended> {
        let (number, begun) = (job.partition.number, Instant::now());
        let partitions = self.partitions(job)?;
        let mut state = self.role.restore(number, partitions);
        self.read(job, number, &mut |key, value| state.take(key, value))?;
        if number != 0 && !state.knows_partitions() {
            self.read(job, 0, &mut |key, value| state.take_of_first(key, value))?;
        }
        let misfit = |reason| Ended::Unrestored(Unrestored::Misfit(Error::State { partition: number, reason }));
        let state = state.finish(job.committed, job.log).map_err(misfit)?;
        record(Histogram::Restore, begun.elapsed());
        Ok(state)
    }

    /// Returns the number of partitions of the input, which the changelog must have too.
    fn partitions(&self, job: &Job) -> Result<i32, Ended> {
        let count = |topic: &str| lookup::partitions(&self.reader, topic);
        let topic = self.role.changelog();
        // While topics grow, one has grown before the other.
        self.answered(job, || {
            let (input, changelog) = (count(&job.partition.topic)?, count(topic)?);
            if input == changelog {
                return Ok(input);
            }
            let reason = format!(
                "{} has {input} partitions and {topic} has {changelog}; they must have as many: `verdmarc topics grow`",
                job.partition.topic
            );
            Err(Error::State { partition: job.partition.number, reason })
        })
    }

    /// Asks until there is an answer, for as long as a transaction may be open.
    fn answered<T>(&self, job: &Job, mut ask: impl FnMut() -> Result<T, Error>) -> Result<T, Ended> {
        let since = Instant::now();
        loop {
            job.is_wanted()?;
            match ask() {
                Ok(answer) => return Ok(answer),
                Err(error) if since.elapsed() > self.stall => return Err(error.into()),
                Err(_) => std::thread::sleep(BACK_OFF),
            }
        }
    }

    /// Returns the oldest offset of a partition of the changelog, and its end.
    fn log(&self, job: &Job, number: i32) -> Result<(i64, i64), Ended> {
        let topic = self.role.changelog();
        self.answered(job, || self.uncommitted.log(topic, number, END))
    }

    /// Reads a partition of the changelog to its end.
    fn read(
        &self,
        job: &Job,
        number: i32,
        take: &mut dyn FnMut(&[u8], Option<&[u8]>) -> Result<(), String>,
    ) -> Result<(), Ended> {
        let topic = self.role.changelog();
        let (first, target) = self.log(job, number)?;
        if first >= target {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        // The offset is given as a number: a client that has to find the beginning before it knows
        // the partition's leader waits half a second.
        list.add_partition_offset(topic, number, Offset::Offset(first)).map_err(Error::Consume)?;
        // The client is new: one that has read this partition before would still know its position,
        // which may be beyond the end already.
        let reader = settings::changelog_reader(&self.kafka, AT_ONCE).and_then(|config| LoggingContext::consumer(&config))?;
        reader.assign(&list).map_err(Error::Consume)?;
        self.read_to(job, &Log { reader, topic, number, first, target }, take)
    }

    /// Returns the oldest offset, which is the position as long as nothing was read.
    /// All records may have been deleted since it was first asked for.
    fn oldest(&self, log: &Log<'_>) -> i64 {
        lookup::log(&self.reader, log.topic, log.number, POLL * 10).map_or(log.first, |(oldest, _)| oldest)
    }

    fn read_to(
        &self,
        job: &Job,
        log: &Log<'_>,
        take: &mut dyn FnMut(&[u8], Option<&[u8]>) -> Result<(), String>,
    ) -> Result<(), Ended> {
        let Log { topic, number, first, target, .. } = *log;
        let (begun, mut reported, mut moved) = (Instant::now(), Instant::now(), Instant::now());
        let (mut records, mut at) = (0_u64, first);
        let mut progress = Progress::new(&self.progress);
        loop {
            match log.reader.poll(POLL) {
                Some(Ok(message)) => {
                    records += 1;
                    if message.offset() < target {
                        take(message.key().unwrap_or_default(), message.payload())
                            .map_err(|reason| Error::State { partition: number, reason })?;
                    }
                    if !records.is_multiple_of(1_000) && message.offset() + 1 < target {
                        continue;
                    }
                }
                Some(Err(error)) => match error.rdkafka_error_code().filter(|code| is_denied(*code)) {
                    Some(code) => return Err(log.reader.context().connection.denied(topic, Right::Read, code).into()),
                    None => log::reading(&error),
                },
                None => {}
            }
            job.is_wanted()?;
            let position = log.position().unwrap_or_else(|| self.oldest(log));
            if position > at {
                (at, moved) = (position, Instant::now());
            }
            progress.note(records, target - at);
            if at >= target {
                tracing::info!(partition = number, records, took_ms = begun.elapsed().as_millis() as u64, "state restored");
                return Ok(());
            }
            if reported.elapsed() > REPORT {
                reported = Instant::now();
                tracing::info!(partition = number, records, at, target, "restoring the state");
            }
            if moved.elapsed() > self.stall {
                let reason = format!(
                    "restoring does not go on at offset {at} of {target} in {topic}: a transaction is open there, or its brokers are away"
                );
                return Err(Error::State { partition: number, reason }.into());
            }
        }
    }
}

/// A partition of the changelog that is read from `first` to `target`.
struct Log<'t> {
    reader: BaseConsumer<LoggingContext>,
    topic: &'t str,
    number: i32,
    first: i64,
    target: i64,
}

impl Log<'_> {
    /// Returns the next offset that would be read, past any transaction markers.
    /// None before something was read.
    fn position(&self) -> Option<i64> {
        let positions = self.reader.position().ok()?;
        match positions.find_partition(self.topic, self.number)?.offset() {
            Offset::Offset(position) => Some(position),
            _ => None,
        }
    }
}

/// The progress of one partition's restore, as a part of the figures over all.
struct Progress<'s> {
    all: &'s RestoreProgress,
    records: u64,
    left: u64,
}

impl<'s> Progress<'s> {
    fn new(all: &'s RestoreProgress) -> Self {
        Self { all, records: 0, left: 0 }
    }

    /// Notes that `records` records were read in all, and that about `left` are left.
    fn note(&mut self, records: u64, left: i64) {
        let left = u64::try_from(left).unwrap_or(0);
        self.all.note(records - self.records, (self.left, left));
        (self.records, self.left) = (records, left);
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.all.note(0, (self.left, 0));
    }
}
