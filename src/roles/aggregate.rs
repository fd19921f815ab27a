//! Runs the aggregate role: counts the failures of mail.failures, and writes reports and the sums
//! of closed windows to mail.reports.
//!
//! ```text
//! record ─► aggregate::read
//!             ├─► State::count ─► (commit) rows in mail.windows ─► (window's end) mail.reports
//!             ├─► State::control
//!             └─► too late, unreadable ─► mail.dead-letters
//! ```
//!
//! State, position and outputs are written in one transaction, so a crash repeats nothing and loses
//! nothing.

use super::report_spans::ReportSpans;
use super::stand_in::stand_in;
use super::start::{blocking, check_group, check_topics};
use crate::aggregate::changelog::Foreign;
use crate::aggregate::{Counts, Intake as Said, Restore, Settings, State, Totals, read};
use crate::config::Config;
use crate::event::dead_letter::{FAILURE_UNREADABLE, TOO_LATE, letter};
use crate::event::headers::Trace;
use crate::event::{DeadLetterReason, Lineage, Output, Record, TopicId, TraceContext};
use crate::kafka::{
    Applied, Error, Group, Intake, PartitionState, Pipeline, Restoring, Role, Stateful, Status, Stop, Tally, existing_topics,
};
use crate::metrics::{Counted, Sample, table};
use crate::telemetry::traces::Traces;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The name of the role, and of its group after the prefix.
pub const NAME: &str = "aggregate";

/// The beginning of the `ce_type` of every version of a failure event.
const FAILURES: &str = "verdmarc.failure.";

/// Runs until `stop` is requested and what was read is committed, or until Kafka fails for good.
///
/// # Errors
/// The client library refuses the settings, Kafka fails with an error that does not pass, or a
/// state does not fit.
pub async fn run(config: &Config, settings: Settings, status: Arc<Status>, traces: Traces, stop: Stop) -> Result<Tally, Error> {
    let failures = config.topics.full(&config.topics.failures);
    let (kafka, until) = (config.kafka.clone(), stop.clone());
    if blocking(move || existing_topics(&kafka, &until, &[])).await?.is_none() {
        return Ok(Tally::default());
    }
    check_topics(config).await?;
    check_group(config, NAME, &failures).await?;
    let meters = measured(&status);
    let dead_letters = config.topics.full(&config.topics.dead_letters).into();
    let role = Aggregator(Arc::new(Shared { settings: Arc::new(settings), dead_letters, meters, traces }));
    let intake = intake(config, failures, role);
    // Nothing is handed out, because records are applied where they are read.
    let (pipeline, _work, _completions) = Pipeline::start(&config.kafka, intake, status, stop)?;
    blocking(|| pipeline.join()).await
}

/// Adds the role's own figures to those of its pipeline.
fn measured(status: &Status) -> Meters {
    let meters = Meters::default();
    let measured = meters.clone();
    status.measure(move || measured.samples());
    meters
}

/// Adds the role's figures to a status before there are any.
pub fn show(status: &Status) {
    status.has_state();
    measured(status);
}

fn intake(config: &Config, failures: String, role: Aggregator) -> Intake {
    let settings = &config.aggregate;
    Intake {
        name: NAME,
        group: Group::alone(config.group(NAME)),
        topics: vec![failures],
        budget_records: settings.budget_records,
        budget_bytes: usize::MAX,
        partition_records: settings.budget_records,
        // Records are applied in the order in which they are read.
        ahead_records: u64::MAX,
        ahead_bytes: u64::MAX,
        commit_interval: Duration::from_millis(settings.commit_interval_ms),
        // A batch holds all that was applied.
        commit_records: usize::MAX,
        commit_bytes: usize::MAX,
        refusal_stop: settings.refusal_stop.then_some("aggregate.refusal_stop"),
        drain: Duration::from_millis(settings.drain_ms),
        revoke: Duration::from_millis(settings.revoke_ms),
        // Failures are counted where they are read.
        places: usize::MAX,
        parked: 0,
        role: Arc::new(role),
    }
}

/// The role, as its pipeline knows it.
struct Aggregator(Arc<Shared>);

impl Role for Aggregator {
    fn stand_in(&self, record: (&str, i32, i64), outputs: &[Output]) -> (Vec<Output>, Counted) {
        stand_in(&self.0.dead_letters, record, outputs)
    }

    fn state(&self) -> Option<Arc<dyn Stateful>> {
        Some(self.0.clone())
    }
}

/// The data that the states of all partitions share.
struct Shared {
    settings: Arc<Settings>,
    dead_letters: Arc<str>,
    meters: Meters,
    traces: Traces,
}

impl Stateful for Shared {
    fn changelog(&self) -> &str {
        &self.settings.targets.windows
    }

    fn restore(&self, partition: i32, partitions: i32) -> Box<dyn Restoring> {
        let restore = Restore::new(self.settings.clone(), partition, partitions);
        let (dead_letters, meters, traces) = (self.dead_letters.clone(), self.meters.clone(), self.traces.clone());
        Box::new(Restored { restore, partition, dead_letters, meters, traces })
    }
}

struct Restored {
    restore: Restore,
    partition: i32,
    dead_letters: Arc<str>,
    meters: Meters,
    traces: Traces,
}

impl Restoring for Restored {
    fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        self.restore.take(key, value).map_err(|Foreign(why)| why)
    }

    fn knows_partitions(&self) -> bool {
        self.restore.knows_partitions()
    }

    fn take_of_first(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        self.restore.take_of_first(key, value).map_err(|Foreign(why)| why)
    }

    fn finish(self: Box<Self>, committed: Option<i64>, input: Option<TopicId>) -> Result<Box<dyn PartitionState>, String> {
        let Self { restore, partition, dead_letters, meters, traces } = *self;
        let state = restore.finish(committed, input).map_err(|error| error.to_string())?;
        let number = meters.note(|measured| {
            measured.started += 1;
            measured.restored += state.restored();
            measured.started
        });
        let spans = ReportSpans::of(traces);
        let counting = Counting { state, partition, dead_letters, meters, number, spans };
        counting.measure();
        Ok(Box::new(counting))
    }
}

/// The state of a partition, to which the pipeline applies records.
struct Counting {
    state: State,
    partition: i32,
    dead_letters: Arc<str>,
    meters: Meters,
    /// The number that distinguishes this state from others of the same partition.
    number: u64,
    spans: ReportSpans,
}

impl Counting {
    fn measure(&self) {
        let now = (self.state.totals(), self.state.counts());
        self.meters.note(|measured| measured.live.insert(self.number, now));
    }

    /// Returns the trace context of a failure. None when it is not sampled, or when traces are off.
    fn sampled(&self, record: &Record) -> Option<TraceContext> {
        let headers = record.headers.as_ref().filter(|_| self.spans.are_on())?;
        Trace::parent_of(headers).filter(TraceContext::is_sampled)
    }

    fn dead_letter(&self, record: Record, code: &str, why: &str) -> Output {
        let (topic, partition, offset) = (record.topic.clone(), record.partition, record.offset);
        tracing::warn!(%topic, partition, offset, reason = code, "a failure event is not counted");
        let lineage = Lineage::itself(&record);
        letter(&self.dead_letters, record, &lineage, (code, why))
    }
}

impl PartitionState for Counting {
    fn apply(&mut self, record: Record) -> Result<Applied, String> {
        self.state.advance(record.offset + 1);
        match read(&record) {
            Ok(Said::Failure(event)) => {
                let taken = record.timestamp.map_or_else(Timestamp::now, |stamp| stamp.time).as_second();
                if self.state.count(&event, taken) {
                    if let Some(context) = self.sampled(&record) {
                        self.state.link(&event, context);
                    }
                    return Ok(Applied::default());
                }
                let why = "it came after aggregate.horizon_s of its window";
                let counted = Counted::dead_letter(DeadLetterReason::TooLate);
                Ok(Applied { outputs: vec![self.dead_letter(record, TOO_LATE, why)], counted, refused: false })
            }
            Ok(Said::Control(control)) => {
                tracing::info!(partition = self.partition, at = control.at, "windows are closed early");
                self.state.control(&control);
                Ok(Applied::default())
            }
            Ok(Said::Unknown(kind)) if kind.starts_with(FAILURES) => {
                Err(format!("{} is a failure of a newer version: update this role before those that write", kind.escape_debug()))
            }
            Ok(Said::Unknown(kind)) => {
                tracing::info!(
                    partition = self.partition,
                    kind,
                    "a record of a type that this version does not know is passed over"
                );
                self.state.note_skipped();
                Ok(Applied::default())
            }
            Err(error) => {
                self.state.note_unreadable();
                let counted = Counted::dead_letter(DeadLetterReason::FailureUnreadable);
                let outputs = vec![self.dead_letter(record, FAILURE_UNREADABLE, &error.to_string())];
                Ok(Applied { outputs, counted, refused: true })
            }
        }
    }

    fn wants_end(&self, now: Timestamp) -> bool {
        self.state.wants_end(now.as_second())
    }

    fn end_of_log(&mut self, end: i64, asked: Timestamp) {
        self.state.end_of_log(end, asked.as_second());
    }

    fn waits_for_position(&self) -> bool {
        self.state.waits_for_position()
    }

    fn freeze(&mut self, position: i64, now: Timestamp) {
        self.state.freeze(position, now.as_second());
    }

    fn is_full(&self) -> bool {
        self.state.is_full()
    }

    fn has_outputs(&self) -> bool {
        self.state.has_outputs()
    }

    fn is_urgent(&self) -> bool {
        self.state.is_urgent()
    }

    fn is_closing(&self) -> bool {
        self.state.is_closing()
    }

    fn cut(&mut self, next: i64, now: Timestamp, with_step: bool) -> Vec<Output> {
        let mut outputs = self.state.cut(next, now, with_step);
        self.spans.begin(&mut outputs, &self.state.take_linked());
        outputs
    }

    fn committed(&mut self) {
        self.spans.committed();
        self.state.committed();
        self.measure();
    }

    fn aborted(&mut self) {
        self.spans.aborted();
        self.state.aborted();
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.meters.note(|measured| {
            measured.live.remove(&self.number);
            measured.retired = measured.retired.plus(&self.state.totals());
        });
    }
}

/// The figures of all partitions for metrics.
#[derive(Debug, Clone, Default)]
struct Meters(Arc<Mutex<Measured>>);

#[derive(Debug, Default)]
struct Measured {
    live: BTreeMap<u64, (Totals, Counts)>,
    started: u64,
    retired: Totals,
    restored: u64,
}

impl Meters {
    fn note<T>(&self, of: impl FnOnce(&mut Measured) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn samples(&self) -> Vec<Sample> {
        self.note(|measured| {
            let totals = measured.live.values().fold(measured.retired, |sum, (totals, _)| sum.plus(totals));
            let sum = |of: fn(&Counts) -> usize| measured.live.values().map(|(_, counts)| of(counts) as u64).sum();
            let next = measured.live.values().filter_map(|(_, counts)| counts.next_close).min();
            vec![
                Sample::new(&table::FAILURES_COUNTED, totals.counted),
                Sample::new(&table::FAILURES_MERGED, totals.merged),
                Sample::new(&table::FAILURES_TOO_LATE, totals.too_late),
                Sample::new(&table::FAILURES_UNREADABLE, totals.unreadable),
                Sample::new(&table::FAILURES_SKIPPED, totals.skipped),
                Sample::new(&table::FAILURES_RESTORED, measured.restored),
                Sample::new(&table::REPORTS, totals.reports),
                Sample::new(&table::MESSAGES_REPORTED, totals.reported),
                Sample::new(&table::MESSAGES_UNADDRESSED, totals.no_reporting_address),
                Sample::new(&table::WINDOWS_CLOSED, totals.windows_closed),
                Sample::new(&table::WINDOWS_LAST_CLOSED, totals.last_closed),
                Sample::new(&table::WINDOWS_NEXT_CLOSE, next.and_then(|next| u64::try_from(next).ok()).unwrap_or(0)),
                Sample::new(&table::PARTITIONS_RESTORED, measured.live.len() as u64),
                Sample::new(&table::WINDOWS_OPEN, sum(|counts| counts.windows)),
                Sample::new(&table::GROUPS_OPEN, sum(|counts| counts.groups)),
                Sample::new(&table::ROWS_OPEN, sum(|counts| counts.rows)),
                Sample::new(&table::STATE_SIZE, sum(|counts| counts.bytes)),
            ]
        })
    }
}
