//! What a role and its pipeline say to each other: what is read, what is handed out, and what comes back.

pub use crate::kafka::ledger::slot::Slot;

use super::dispatch::Begun;
use crate::event::{Output, Record};
use crate::kafka::client::group::Group;
use crate::kafka::state::contract::Stateful;
use crate::metrics::Counted;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// What is read, and how much of it is held.
#[derive(Clone)]
pub struct Intake {
    /// The role's name, as metrics show it.
    pub name: &'static str,
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
    /// The role itself.
    pub role: Arc<dyn Role>,
}

/// What a role knows of its records, and a pipeline does not.
pub trait Role: Send + Sync {
    /// How long a record must wait before it is handed out; its partition waits with it. None for at once.
    fn due(&self, _record: &Record) -> Option<Duration> {
        None
    }
    /// How many bytes a record's outputs may have beyond its own size, because it refers to a message that lies elsewhere.
    fn extra_bytes(&self, _record: &Record) -> usize {
        0
    }
    /// Makes the outputs that stand in for those of a record (topic, partition, offset) that no topic takes, and what is counted of
    /// them. They must be small.
    fn stand_in(&self, record: (&str, i32, i64), outputs: &[Output]) -> (Vec<Output>, Counted);
    /// The role's state; None when it keeps none and has records handed out.
    fn state(&self) -> Option<Arc<dyn Stateful>> {
        None
    }
}

/// A record to evaluate. It goes through [`Completions::begin`] when that begins.
#[derive(Debug)]
pub struct Work {
    pub(crate) slot: Slot,
    pub(crate) record: Record,
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
pub struct Completions {
    outcomes: mpsc::Sender<(Slot, Outcome)>,
    begun: Begun,
}

impl Completions {
    pub(crate) fn new(outcomes: mpsc::Sender<(Slot, Outcome)>, begun: Begun) -> Self {
        Self { outcomes, begun }
    }

    /// Begins an evaluation. The slot must go into [`Self::complete`], whatever comes of the record.
    pub fn begin(&self, work: Work) -> (Slot, Record) {
        self.begun.note();
        (work.slot, work.record)
    }

    /// Notes what a record came to.
    pub fn complete(&self, slot: Slot, outcome: Outcome) {
        // The receiver is gone only when the consumer thread has ended, and then nothing waits for the outcome.
        let _ = self.outcomes.send((slot, outcome));
    }
}
