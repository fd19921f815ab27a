//! What a pipeline is doing, for whoever asks from another thread.

use std::sync::atomic::{AtomicU8, Ordering};

/// Shared between the consumer thread and those who want to know.
#[derive(Debug, Default)]
pub struct Status(AtomicU8);

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
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Joining,
            1 => Phase::Running,
            2 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    pub(super) fn assigned(&self) {
        // Neither a stop nor a drain is ever taken back.
        let _ = self.0.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(super) fn draining(&self) {
        self.0.fetch_max(2, Ordering::AcqRel);
    }

    pub(super) fn stopped(&self) {
        self.0.fetch_max(3, Ordering::AcqRel);
    }
}
