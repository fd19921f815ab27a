//! What a pipeline is doing, for whoever asks from another thread.

use super::fetches::{Oldest, PATIENCE};
use super::flow::Flow;
use super::pipeline::Tally;
use crate::metrics::{Sample, table};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Shared between the consumer thread and those who want to know.
pub struct Status {
    phase: AtomicU8,
    /// None until the consumer thread has looked around for the first time: it waits for brokers before it is there.
    seen: Mutex<Option<Seen>>,
    /// Records of changelogs read, and how many are left of the state that is being restored.
    restored: AtomicU64,
    to_restore: AtomicU64,
    has_state: AtomicBool,
    /// What the role measures besides.
    measures: OnceLock<Box<dyn Fn() -> Vec<Sample> + Send + Sync>>,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            phase: AtomicU8::new(0),
            seen: Mutex::new(None),
            restored: AtomicU64::new(0),
            to_restore: AtomicU64::new(0),
            has_state: AtomicBool::new(false),
            measures: OnceLock::new(),
        }
    }
}

/// What the consumer thread found when it last looked around.
struct Seen {
    at: Instant,
    tally: Tally,
    reading: Reading,
    flow: Flow,
}

/// How reading stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    /// Partitions whose position, or whose state, is not known yet.
    pub(super) starting: usize,
    /// The brokers refuse a right that it needs.
    pub(super) is_refused: bool,
    /// What was fetched longest ago.
    pub(super) oldest: Oldest,
    /// Statistics that could not be read.
    pub(super) unreadable: u64,
}

impl Reading {
    /// Why records would not be read now.
    fn obstacle(&self, now: Instant) -> Option<String> {
        if self.is_refused {
            return Some("the brokers refuse a right, see the log".to_owned());
        }
        if self.starting > 0 {
            return Some(format!("{} partitions wait for their position or state", self.starting));
        }
        let is_fresh = self.oldest.at.is_some_and(|at| now.saturating_duration_since(at) < PATIENCE);
        match &self.oldest.topic {
            _ if is_fresh => None,
            Some(topic) => Some(format!("{topic} cannot be fetched")),
            None => Some("no broker answers".to_owned()),
        }
    }
}

/// What a pipeline is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has no partition yet.
    Joining,
    /// It reads.
    Running,
    /// It finishes what it holds.
    Draining,
    /// It is alive and reads nothing, because most of what came was refused.
    Stopped,
}

impl Status {
    /// The phase.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Joining,
            1 => Phase::Running,
            2 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    pub(super) fn assigned(&self) {
        // Neither a stop nor a drain ever ends in another phase.
        let _ = self.phase.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(super) fn draining(&self) {
        self.phase.fetch_max(2, Ordering::AcqRel);
    }

    pub(super) fn stopped(&self) {
        self.phase.fetch_max(3, Ordering::AcqRel);
    }

    /// Has these figures shown beside the pipeline's own; said once.
    pub fn measure(&self, samples: impl Fn() -> Vec<Sample> + Send + Sync + 'static) {
        let _ = self.measures.set(Box::new(samples));
    }

    /// Every figure of the pipeline and its role at `now`.
    pub fn samples(&self, now: Instant) -> Vec<Sample> {
        let mut samples = match &*self.seen() {
            Some(seen) => [seen.tally.samples(), seen.flow.samples(seen.reading.unreadable)].concat(),
            None => [Tally::default().samples(), Flow::default().samples(0)].concat(),
        };
        samples.push(Sample::new(&table::STOPPED_FOR_REFUSALS, u64::from(self.phase() == Phase::Stopped)));
        samples.push(Sample::new(&table::READY, u64::from(self.not_ready(now).is_none())));
        samples.extend(self.measures.get().into_iter().flat_map(|measures| measures()));
        if self.has_state.load(Ordering::Relaxed) {
            samples.extend([
                Sample::new(&table::STATE_RESTORED, self.restored.load(Ordering::Relaxed)),
                Sample::new(&table::STATE_TO_RESTORE, self.to_restore.load(Ordering::Relaxed)),
            ]);
        }
        samples
    }

    /// Notes that the role keeps state.
    pub fn has_state(&self) {
        self.has_state.store(true, Ordering::Relaxed);
    }

    /// Notes that so many more records of a changelog were read, and that of one of its partitions so many were left and now are.
    pub(super) fn restored(&self, records: u64, (before, now): (u64, u64)) {
        self.restored.fetch_add(records, Ordering::Relaxed);
        // Nothing is taken away that was not added before, so that the sum never falls below zero.
        self.to_restore.fetch_add(now, Ordering::Relaxed);
        self.to_restore.fetch_sub(before, Ordering::Relaxed);
    }

    /// What the pipeline did so far.
    pub fn tally(&self) -> Tally {
        self.seen().as_ref().map(|seen| seen.tally).unwrap_or_default()
    }

    /// Whether the consumer thread has not looked around for so long at `now`. One that is not there yet waits for brokers.
    pub fn is_stuck(&self, patience: Duration, now: Instant) -> bool {
        self.seen().as_ref().is_some_and(|seen| now.saturating_duration_since(seen.at) >= patience)
    }

    /// Why it does not read at `now`; none when it does.
    pub fn not_ready(&self, now: Instant) -> Option<String> {
        match self.phase() {
            Phase::Joining => Some("no partition yet".to_owned()),
            Phase::Draining => Some("stopping".to_owned()),
            Phase::Stopped => Some("stopped, because most records were refused".to_owned()),
            Phase::Running => match &*self.seen() {
                Some(seen) => seen.reading.obstacle(now),
                None => Some("no partition yet".to_owned()),
            },
        }
    }

    pub(super) fn publish(&self, tally: Tally, reading: Reading) {
        let mut seen = self.seen();
        let flow = seen.take().map(|seen| seen.flow).unwrap_or_default();
        *seen = Some(Seen { at: Instant::now(), tally, reading, flow });
    }

    /// Notes how much is held and how far it is behind.
    pub(super) fn flows(&self, flow: Flow) {
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
        assert!(!status.is_stuck(LONG, Instant::now() + 10 * LONG));
        status.publish(Tally::default(), Reading::default());
        assert!(!status.is_stuck(LONG, Instant::now()));
        assert!(status.is_stuck(LONG, Instant::now() + LONG));
    }

    #[test]
    fn ready_means_joined_restored_and_fetched_within_half_a_minute() {
        let (status, now) = (Status::default(), Instant::now());
        let why = |status: &Status, seconds| status.not_ready(now + Duration::from_secs(seconds));
        assert_eq!(why(&status, 0).as_deref(), Some("no partition yet"));
        status.assigned();
        let raw = || Oldest { topic: Some("mail.raw".into()), at: Some(now) };
        for (reading, expected) in [
            (Reading { starting: 2, oldest: raw(), ..Reading::default() }, Some("2 partitions wait for their position or state")),
            (Reading { is_refused: true, oldest: raw(), ..Reading::default() }, Some("the brokers refuse a right, see the log")),
            (Reading { oldest: Oldest { at: None, ..raw() }, ..Reading::default() }, Some("mail.raw cannot be fetched")),
            (Reading::default(), Some("no broker answers")),
            (Reading { oldest: raw(), ..Reading::default() }, None),
            (Reading { oldest: Oldest { topic: None, at: Some(now) }, ..Reading::default() }, None),
        ] {
            status.publish(Tally::default(), reading);
            assert_eq!(why(&status, 29).as_deref(), expected);
        }
        assert_eq!(why(&status, 30).as_deref(), Some("no broker answers"));
        status.draining();
        assert_eq!(why(&status, 0).as_deref(), Some("stopping"));
    }
}
