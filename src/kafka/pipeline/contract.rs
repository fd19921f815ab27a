//! Defines the interface between a role and its pipeline: settings, records to evaluate, and
//! outcomes.

pub use crate::kafka::ledger::slot::Slot;

use super::dispatch::Begun;
use crate::event::{Output, Record};
use crate::kafka::client::group::Group;
use crate::kafka::state::contract::Stateful;
use crate::metrics::Counted;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Settings of a pipeline: which topics it reads for which role, and how much it may hold.
#[derive(Clone)]
pub struct Intake {
    /// The role's name in metrics.
    pub name: &'static str,
    /// The consumer group.
    pub group: Group,
    /// The topics to read.
    pub topics: Vec<String>,
    /// The number of records held, from reading to commit, above which reading pauses.
    pub budget_records: usize,
    /// The number of bytes held, from reading to commit, above which reading pauses.
    pub budget_bytes: usize,
    /// The number of records held of one partition, above which that partition pauses.
    pub partition_records: usize,
    /// The number of records of one partition, from the first one on that is not written, above
    /// which that partition pauses. A restart reads them again.
    pub ahead_records: u64,
    /// The number of their bytes above which that partition pauses.
    pub ahead_bytes: u64,
    /// The largest number of records that are evaluated at the same time.
    pub places: usize,
    /// The largest number of records whose evaluation takes long and which have left their places
    /// to others.
    pub parked: usize,
    /// The time between two commits.
    pub commit_interval: Duration,
    /// The largest number of records in one commit; when as many are done, the commit does not wait
    /// for the interval.
    pub commit_records: usize,
    /// The approximate number of bytes that one commit holds.
    pub commit_bytes: usize,
    /// The name of the setting that turns the stop for refusals off; None when the stop is off.
    pub refusal_stop: Option<&'static str>,
    /// The time for which a stop waits for records that were handed out.
    pub drain: Duration,
    /// The time for which a revoked partition waits for the end of the transaction that holds its
    /// records.
    pub revoke: Duration,
    /// The role itself.
    pub role: Arc<dyn Role>,
}

/// The questions about records that a pipeline cannot answer without its role.
pub trait Role: Send + Sync {
    /// Returns how long a record must wait before it is handed out, and its partition with it. None
    /// means that the record is due at once.
    fn due(&self, _record: &Record) -> Option<Duration> {
        None
    }
    /// Returns how many bytes a record's outputs may have beyond its own size, because the record
    /// refers to a message that is stored elsewhere.
    fn extra_bytes(&self, _record: &Record) -> usize {
        0
    }
    /// Makes the outputs that replace those of a record (topic, partition, offset) when a topic
    /// refuses them for their size, and the counts that belong to them. The replacements must be
    /// small.
    fn stand_in(&self, record: (&str, i32, i64), outputs: &[Output]) -> (Vec<Output>, Counted);
    /// Returns the role's state; None when the role keeps no state and its records are handed out.
    fn state(&self) -> Option<Arc<dyn Stateful>> {
        None
    }
}

/// A record to evaluate. [`Completions::begin`] takes it when its evaluation begins.
#[derive(Debug)]
pub struct Work {
    pub(crate) slot: Slot,
    pub(crate) record: Record,
}

/// The outcome of a record.
#[derive(Debug)]
pub enum Completion {
    /// The record is done with these outputs, possibly none. The counts are added when the outputs
    /// are committed.
    Done(Vec<Output>, Counted),
    /// The record is done with these outputs, and breaks the producer's contract. When most records
    /// do, the pipeline stops reading.
    Refused(Vec<Output>, Counted),
    /// The record has no outcome yet and must be handed out again after `wait`. Its partition reads
    /// nothing new until then.
    Later {
        /// The record.
        record: Record,
        /// The time to wait.
        wait: Duration,
    },
    /// The outcome is unknown, because the code that produces it panicked. The pipeline ends, so
    /// that the record neither is lost nor holds its partition for ever.
    Panicked,
}

/// Accepts outcomes from any thread.
#[derive(Debug, Clone)]
pub struct Completions {
    outcomes: mpsc::Sender<(Slot, Completion)>,
    begun: Begun,
}

impl Completions {
    pub(crate) fn new(outcomes: mpsc::Sender<(Slot, Completion)>, begun: Begun) -> Self {
        Self { outcomes, begun }
    }

    /// Begins an evaluation. The caller must pass the slot to [`Self::complete`], whatever the
    /// outcome.
    pub fn begin(&self, work: Work) -> (Slot, Record) {
        self.begun.note();
        (work.slot, work.record)
    }

    /// Notes the outcome of a record.
    pub fn complete(&self, slot: Slot, outcome: Completion) {
        // The receiver is gone only when the consumer thread has ended, and then nothing waits for
        // the outcome.
        let _ = self.outcomes.send((slot, outcome));
    }
}
