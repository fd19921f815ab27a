//! Runs the verdict role: reads mail.raw, and writes verdicts, failures, annotated messages and
//! dead letters.
//!
//! ```text
//! record ─► Raw::decode ─► ClaimChecks::message
//!             ├─► evaluate ─► outputs ─► mail.verdicts, mail.failures, mail.annotated
//!             └─► Refusal ─────────────► mail.dead-letters
//! ```
//!
//! Retries come back through topics and a consumer group of their own, in a second pipeline beside
//! that of mail.raw.
//!
//! The role keeps no state. The outputs of a record are written before its offset is committed, so
//! a crash repeats work and loses none.

pub use super::groups::{LANE, NAME, lane, reader};

use super::judge::{Judge, Judged};
use super::retry::Retries;
use super::stand_in::stand_in;
use super::start::{blocking, check_group, check_topics};
use crate::claim_check::ClaimChecks;
use crate::config::{Config, Kafka};
use crate::dns::Resolver;
use crate::event::raw::Raw;
use crate::event::{Output, Record};
use crate::kafka::{
    Completion, Completions, Error, Group, Intake, Pipeline, Role, Slot, Status, Stop, Tally, Traced, Work, existing_topics,
};
use crate::metrics::Counted;
use crate::telemetry::traces::Traces;
use futures::FutureExt as _;
use jiff::Timestamp;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// The divisor for the retry lane's part of places and budget: the lane gets one part in five, and
/// mail.raw the rest. Records in the lane wait for DNS that failed before, and must not hold up
/// fresh mail.
const LANE_PART: usize = 5;

/// Runs until `stop` is requested and what was read is written, or until Kafka fails for good.
///
/// # Errors
/// The client library refuses the settings, or Kafka fails with an error that does not pass.
pub async fn run(
    config: &Config,
    resolver: Arc<dyn Resolver>,
    claims: ClaimChecks,
    statuses: Statuses,
    traces: Traces,
    stop: Stop,
) -> Result<Tally, Error> {
    let (retries, raw) = (Retries::new(config), config.topics.full(&config.topics.raw));
    let Some(topics) = present(config, &retries, &stop).await? else { return Ok(Tally::default()) };
    check_topics(config).await?;
    check_group(config, NAME, &raw).await?;
    let judge = Arc::new(Judge::new(config, resolver, claims, retries.clone(), traces));
    let source = Source { kafka: config.kafka.clone(), judge, stop };
    let fresh = source.read(intake(config, Share::Raw { lane: retries.is_on() }, vec![raw], &retries), statuses.raw);
    if !retries.is_on() {
        return fresh.await;
    }
    let again = source.read(intake(config, Share::Lane, topics, &retries), statuses.lane);
    let (fresh, again) = futures::future::join(fresh, again).await;
    Ok(fresh? + again?)
}

/// The statuses of the role's pipelines.
#[derive(Clone, Default)]
pub struct Statuses {
    /// The status of the pipeline that reads mail.raw.
    pub raw: Arc<Status>,
    /// The status of the pipeline that reads retries, if it runs.
    pub lane: Arc<Status>,
}

/// The data that the role's pipelines share.
struct Source {
    kafka: Kafka,
    judge: Arc<Judge>,
    stop: Stop,
}

impl Source {
    /// Evaluates the records of one pipeline until it ends, whatever the reason, and then stops the
    /// other pipeline too.
    async fn read(&self, intake: Intake, status: Arc<Status>) -> Result<Tally, Error> {
        let ended = self.judge_intake(intake, status).await;
        self.stop.request();
        ended
    }

    async fn judge_intake(&self, intake: Intake, status: Arc<Status>) -> Result<Tally, Error> {
        let (pipeline, mut work, completions) = Pipeline::start(&self.kafka, intake, status, self.stop.clone())?;
        while let Some(chunk) = work.recv().await {
            if pipeline.is_finished() {
                break;
            }
            tokio::spawn(judge_all(self.judge.clone(), chunk, completions.clone()));
        }
        blocking(|| pipeline.join()).await
    }
}

/// Evaluates messages one after the other, as long as none has to wait for an answer. A message
/// that has to wait continues in a task of its own.
async fn judge_all(judge: Arc<Judge>, chunk: Vec<Work>, completions: Completions) {
    for work in chunk {
        let (slot, record) = completions.begin(work);
        let judge = judge.clone();
        let judging = AssertUnwindSafe(async move { judge.judge(record).await }).catch_unwind();
        let mut judging = Box::pin(judging.map(|judged| judged.unwrap_or((Completion::Panicked, None))));
        let completed = |completions: &Completions, slot: Slot, (outcome, span): Judged| {
            completions.complete(slot.traced(span.map(|span| span as Arc<dyn Traced>)), outcome);
        };
        match futures::poll!(&mut judging) {
            Poll::Ready(judged) => completed(&completions, slot, judged),
            Poll::Pending => {
                let completions = completions.clone();
                tokio::spawn(async move { completed(&completions, slot, judging.await) });
            }
        }
    }
}

/// Returns the retry topics that exist. None when a stop was requested before the brokers answered.
async fn present(config: &Config, retries: &Retries, stop: &Stop) -> Result<Option<Vec<String>>, Error> {
    let wanted: Vec<String> = retries.read().map(str::to_owned).collect();
    let (kafka, stop) = (config.kafka.clone(), stop.clone());
    let Some(found) = blocking(move || existing_topics(&kafka, &stop, &wanted)).await? else { return Ok(None) };
    if let Some(topic) = retries.written().find(|topic| !found.iter().any(|found| found == topic)) {
        return Err(Error::Topic {
            topic: topic.to_owned(),
            reason: "verdict.retries needs it: `verdmarc topics create`".to_owned(),
        });
    }
    Ok(Some(found))
}

/// The part of places and budget that a pipeline has.
#[derive(Debug, Clone, Copy)]
enum Share {
    /// The part of mail.raw: everything, or the rest beside a retry lane.
    Raw { lane: bool },
    /// The part of the retry lane.
    Lane,
}

impl Share {
    /// Returns this part of `all`. The part of the lane is at least one.
    fn of(self, all: usize) -> usize {
        match self {
            Self::Raw { lane: false } => all,
            Self::Raw { lane: true } => all - all / LANE_PART,
            Self::Lane => (all / LANE_PART).max(1),
        }
    }
}

fn intake(config: &Config, share: Share, topics: Vec<String>, retries: &Retries) -> Intake {
    let (settings, retries) = (&config.verdict, retries.clone());
    Intake {
        name: match share {
            Share::Raw { .. } => NAME,
            Share::Lane => LANE,
        },
        group: match share {
            Share::Raw { .. } => Group::alone(config.group(NAME)),
            Share::Lane => lane(config),
        },
        topics,
        budget_records: share.of(settings.budget_records),
        budget_bytes: share.of(settings.budget_bytes),
        partition_records: settings.partition_records,
        ahead_records: settings.ahead_records,
        ahead_bytes: settings.ahead_bytes,
        places: share.of(settings.concurrency),
        parked: share.of(settings.parked),
        commit_interval: Duration::from_millis(settings.commit_interval_ms),
        commit_records: settings.commit_records,
        refusal_stop: settings.refusal_stop.then_some("verdict.refusal_stop"),
        drain: Duration::from_millis(settings.drain_ms),
        revoke: Duration::from_millis(settings.revoke_ms),
        commit_bytes: settings.commit_bytes,
        role: Arc::new(Verdict {
            retries,
            annotated_bytes: if settings.annotated { 2 * config.evaluation().limits.message_bytes } else { 0 },
            dead_letters: config.topics.full(&config.topics.dead_letters).into(),
        }),
    }
}

/// The role, as its pipelines know it.
struct Verdict {
    retries: Retries,
    /// The bytes that the annotated message of a record that refers to an object may take, in this
    /// process and in the library's copy. Its size is known only after the fetch, when it is too
    /// late to refuse it. The budget for fetched objects is a separate one.
    annotated_bytes: usize,
    dead_letters: Arc<str>,
}

impl Role for Verdict {
    fn due(&self, record: &Record) -> Option<Duration> {
        self.retries.wait(record, Timestamp::now())
    }

    fn extra_bytes(&self, record: &Record) -> usize {
        if self.annotated_bytes > 0 && Raw::may_refer(record) { self.annotated_bytes } else { 0 }
    }

    fn stand_in(&self, record: (&str, i32, i64), outputs: &[Output]) -> (Vec<Output>, Counted) {
        stand_in(&self.dead_letters, record, outputs)
    }
}
