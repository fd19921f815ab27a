//! What a pipeline is doing, for whoever asks from another thread.

use super::pipeline::Tally;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Shared between the consumer thread and those who want to know.
pub struct Status {
    phase: AtomicU8,
    seen: Mutex<(Instant, Tally)>,
    /// Records of changelogs read, and how many are left of the state that is being restored.
    restored: AtomicU64,
    to_restore: AtomicU64,
    /// What the role measures besides.
    measures: OnceLock<Box<dyn Fn() -> Vec<Sample> + Send + Sync>>,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            phase: AtomicU8::new(0),
            seen: Mutex::new((Instant::now(), Tally::default())),
            restored: AtomicU64::new(0),
            to_restore: AtomicU64::new(0),
            measures: OnceLock::new(),
        }
    }
}

/// One figure of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Its name, without prefix and suffix.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// Whether it only ever grows.
    pub grows: bool,
    /// The figure.
    pub value: u64,
}

impl Sample {
    /// A sum since the process started.
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, grows: true, value }
    }

    /// What there is now.
    pub fn gauge(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, grows: false, value }
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
        // Neither a stop nor a drain is ever taken back.
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

    /// The role's own figures, and how far its states are restored.
    pub fn samples(&self) -> Vec<Sample> {
        let Some(measures) = self.measures.get() else { return Vec::new() };
        let mut samples = measures();
        samples.extend([
            Sample::counter("state_records_restored", "Records of the changelog read.", self.restored.load(Ordering::Relaxed)),
            Sample::gauge(
                "state_records_to_restore",
                "Records of the changelog, about, that are still to be read of the partitions that are being restored.",
                self.to_restore.load(Ordering::Relaxed),
            ),
        ]);
        samples
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
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// How long ago the consumer thread last looked around.
    pub fn idle_for(&self) -> Duration {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).0.elapsed()
    }

    pub(super) fn publish(&self, tally: Tally) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), tally);
    }
}
