//! What a pipeline is doing, for whoever asks from another thread.

use super::pipeline::Tally;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shared between the consumer thread and those who want to know.
#[derive(Debug)]
pub struct Status {
    phase: AtomicU8,
    seen: Mutex<(Instant, Tally)>,
}

impl Default for Status {
    fn default() -> Self {
        Self { phase: AtomicU8::new(0), seen: Mutex::new((Instant::now(), Tally::default())) }
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
