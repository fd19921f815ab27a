//! Shows other threads what a pipeline is doing: its phase, its readiness and its figures.

use super::fetches::{Oldest, PATIENCE};
use super::flow::Flow;
use super::tally::Tally;
use crate::kafka::state::progress::RestoreProgress;
use crate::metrics::{Sample, table};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The state of a pipeline, shared between the consumer thread and its observers.
pub struct Status {
    phase: AtomicU8,
    /// True once the pipeline has joined its group and restored the states of its partitions.
    has_started: AtomicBool,
    /// The last report of the consumer thread; None before the first one, because the thread starts
    /// only when brokers have answered.
    seen: Mutex<Option<Seen>>,
    progress: Arc<RestoreProgress>,
    /// The function that returns the role's own figures.
    measures: OnceLock<Box<dyn Fn() -> Vec<Sample> + Send + Sync>>,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            phase: AtomicU8::new(0),
            has_started: AtomicBool::new(false),
            seen: Mutex::new(None),
            progress: Arc::default(),
            measures: OnceLock::new(),
        }
    }
}

/// The last report of the consumer thread.
struct Seen {
    at: Instant,
    tally: Tally,
    reading: Reading,
    flow: Flow,
}

/// The conditions that decide whether the pipeline can read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// The time at which the member was last seen in its group.
    pub(crate) member: Option<Instant>,
    /// The number of partitions whose position or state is not known yet.
    pub(crate) starting: usize,
    /// True when the brokers refuse a right that the pipeline needs.
    pub(crate) is_refused: bool,
    /// The topic that was fetched longest ago.
    pub(crate) oldest: Oldest,
    /// The number of statistics that could not be read.
    pub(crate) unreadable: u64,
}

impl Reading {
    /// Returns why records cannot be read at `now`; None when they can.
    fn obstacle(&self, now: Instant) -> Option<String> {
        let is_fresh = |at: Option<Instant>| at.is_some_and(|at| now.saturating_duration_since(at) < PATIENCE);
        if self.is_refused {
            return Some("the brokers refuse a right, see the log".to_owned());
        }
        if self.starting > 0 {
            return Some(format!("{} partitions wait for their position or state", self.starting));
        }
        match &self.oldest.topic {
            _ if is_fresh(self.oldest.at) && is_fresh(self.member) => None,
            _ if is_fresh(self.oldest.at) => Some("it is not in its consumer group".to_owned()),
            Some(topic) => Some(format!("{topic} cannot be fetched")),
            None => Some("no broker answers".to_owned()),
        }
    }
}

/// The phase of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has not joined its group yet.
    Joining,
    /// It reads.
    Running,
    /// It finishes the records that it holds.
    Draining,
    /// It is alive and reads nothing, because most records were refused.
    Stopped,
}

impl Status {
    /// Returns the phase.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Joining,
            1 => Phase::Running,
            2 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    pub(crate) fn assigned(&self) {
        // A pipeline that drains or has stopped never returns to an earlier phase.
        let _ = self.phase.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(crate) fn draining(&self) {
        self.phase.fetch_max(2, Ordering::AcqRel);
    }

    pub(crate) fn stopped(&self) {
        self.phase.fetch_max(3, Ordering::AcqRel);
    }

    /// Adds the role's own figures to those of the pipeline. Only the first call counts.
    pub fn measure(&self, samples: impl Fn() -> Vec<Sample> + Send + Sync + 'static) {
        let _ = self.measures.set(Box::new(samples));
    }

    /// Returns every figure of the pipeline and its role at `now`.
    pub fn samples(&self, now: Instant) -> Vec<Sample> {
        let mut samples = match &*self.seen() {
            Some(seen) => [seen.tally.samples(), seen.flow.samples(seen.reading.unreadable)].concat(),
            None => [Tally::default().samples(), Flow::default().samples(0)].concat(),
        };
        samples.push(Sample::new(&table::STOPPED_FOR_REFUSALS, u64::from(self.phase() == Phase::Stopped)));
        samples.push(Sample::new(&table::READY, u64::from(self.not_ready(now).is_none())));
        samples.extend(self.measures.get().into_iter().flat_map(|measures| measures()));
        if let Some((restored, left)) = self.progress.counts() {
            samples.extend([Sample::new(&table::STATE_RESTORED, restored), Sample::new(&table::STATE_TO_RESTORE, left)]);
        }
        samples
    }

    /// Notes that the role keeps state.
    pub fn has_state(&self) {
        self.progress.note_state();
    }

    /// Returns the counters that restores advance.
    pub(crate) fn progress(&self) -> Arc<RestoreProgress> {
        self.progress.clone()
    }

    /// Returns the tally of the pipeline.
    pub fn tally(&self) -> Tally {
        self.seen().as_ref().map(|seen| seen.tally).unwrap_or_default()
    }

    /// Returns how long before `now` the consumer thread last reported. A thread that has not
    /// started waits for brokers, and counts as zero.
    pub fn unmoved(&self, now: Instant) -> Duration {
        self.seen().as_ref().map_or(Duration::ZERO, |seen| now.saturating_duration_since(seen.at))
    }

    /// Returns why the pipeline does not read at `now`; None when it does.
    pub fn not_ready(&self, now: Instant) -> Option<String> {
        match (self.phase(), &*self.seen()) {
            (Phase::Draining, _) => Some("stopping".to_owned()),
            (Phase::Stopped, _) => Some("stopped, because most records were refused".to_owned()),
            (_, None) => Some("it waits for the brokers".to_owned()),
            (Phase::Joining, Some(_)) => Some("it waits to be taken into its consumer group".to_owned()),
            (Phase::Running, Some(seen)) => seen.reading.obstacle(now).map(|why| self.with_progress(why)),
        }
    }

    /// Adds the number of records that are left to restore, if a restore is in progress.
    fn with_progress(&self, why: String) -> String {
        match self.progress.counts() {
            None | Some((_, 0)) => why,
            Some((_, left)) => format!("{why}; about {left} records of the windows topic are left to read"),
        }
    }

    /// Returns why the pipeline has not started at `now`; None once it has joined its group and
    /// restored its states, whatever happened later.
    pub fn not_started(&self, now: Instant) -> Option<String> {
        if self.has_started.load(Ordering::Acquire) { None } else { self.not_ready(now) }
    }

    pub(crate) fn publish(&self, tally: Tally, reading: Reading) {
        if self.phase() == Phase::Running && reading.starting == 0 {
            self.has_started.store(true, Ordering::Release);
        }
        let mut seen = self.seen();
        let flow = seen.take().map(|seen| seen.flow).unwrap_or_default();
        *seen = Some(Seen { at: Instant::now(), tally, reading, flow });
    }

    /// Stores the figures of the last measurement.
    pub(crate) fn flows(&self, flow: Flow) {
        if let Some(seen) = &mut *self.seen() {
            seen.flow = flow;
        }
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(5);

    #[test]
    fn a_role_that_waits_for_brokers_is_live_however_long_and_one_that_hangs_is_not() {
        let status = Status::default();
        assert!(status.unmoved(Instant::now() + 10 * LONG) < LONG);
        status.publish(Tally::default(), Reading::default());
        assert!(status.unmoved(Instant::now()) < LONG);
        assert!(status.unmoved(Instant::now() + LONG) >= LONG);
    }

    #[test]
    fn ready_means_joined_restored_and_fetched_within_half_a_minute() {
        let (status, now) = (Status::default(), Instant::now());
        let why = |status: &Status, seconds| status.not_ready(now + Duration::from_secs(seconds));
        assert_eq!(why(&status, 0).as_deref(), Some("it waits for the brokers"));
        status.publish(Tally::default(), Reading::default());
        assert_eq!(why(&status, 0).as_deref(), Some("it waits to be taken into its consumer group"));
        status.assigned();
        let raw = || Oldest { topic: Some("mail.raw".into()), at: Some(now) };
        let joined = || Reading { member: Some(now), ..Reading::default() };
        for (reading, expected) in [
            (Reading { starting: 2, oldest: raw(), ..joined() }, Some("2 partitions wait for their position or state")),
            (Reading { is_refused: true, oldest: raw(), ..joined() }, Some("the brokers refuse a right, see the log")),
            (Reading { oldest: Oldest { at: None, ..raw() }, ..joined() }, Some("mail.raw cannot be fetched")),
            (joined(), Some("no broker answers")),
            (Reading { member: None, oldest: raw(), ..joined() }, Some("it is not in its consumer group")),
            (Reading { oldest: raw(), ..joined() }, None),
            (Reading { oldest: Oldest { topic: None, at: Some(now) }, ..joined() }, None),
        ] {
            status.publish(Tally::default(), reading);
            assert_eq!(why(&status, 29).as_deref(), expected);
        }
        assert_eq!(why(&status, 30).as_deref(), Some("no broker answers"));
        status.draining();
        assert_eq!(why(&status, 0).as_deref(), Some("stopping"));
    }

    #[test]
    fn a_role_has_started_once_it_has_joined_and_restored_and_that_is_never_taken_back() {
        let (status, now) = (Status::default(), Instant::now());
        let why = |status: &Status| status.not_started(now);
        let oldest = Oldest { topic: None, at: Some(now) };
        let reading = |starting| Reading { starting, member: Some(now), oldest: oldest.clone(), ..Reading::default() };
        status.publish(Tally::default(), reading(0));
        assert_eq!(why(&status).as_deref(), Some("it waits to be taken into its consumer group"));
        status.assigned();
        status.publish(Tally::default(), reading(3));
        status.has_state();
        status.progress().note(10, (0, 700));
        let waits = "3 partitions wait for their position or state; about 700 records of the windows topic are left to read";
        assert_eq!(why(&status).as_deref(), Some(waits));
        status.progress().note(700, (700, 0));
        status.publish(Tally::default(), reading(0));
        assert_eq!(why(&status), None);
        status.publish(Tally::default(), reading(2));
        assert!(status.not_ready(now).is_some() && why(&status).is_none());
    }
}
