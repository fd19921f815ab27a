//! How far the states of all partitions are restored, for whoever asks from another thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts over all partitions.
#[derive(Debug, Default)]
pub(crate) struct RestoreProgress {
    has_state: AtomicBool,
    /// Records of changelogs that were read.
    restored: AtomicU64,
    /// Records that are left of the states that are being restored, about.
    to_restore: AtomicU64,
}

impl RestoreProgress {
    /// Notes that the role keeps state.
    pub(crate) fn note_state(&self) {
        self.has_state.store(true, Ordering::Relaxed);
    }

    /// Notes that so many more records of a changelog were read, and that of one of its partitions so many were left and now are.
    pub(crate) fn note(&self, records: u64, (before, now): (u64, u64)) {
        self.restored.fetch_add(records, Ordering::Relaxed);
        // Nothing is taken away that was not added before, so that the sum never falls below zero.
        self.to_restore.fetch_add(now, Ordering::Relaxed);
        self.to_restore.fetch_sub(before, Ordering::Relaxed);
    }

    /// Records read, and records left; None for a role without state.
    pub(crate) fn counts(&self) -> Option<(u64, u64)> {
        let is_stateful = self.has_state.load(Ordering::Relaxed);
        is_stateful.then(|| (self.restored.load(Ordering::Relaxed), self.to_restore.load(Ordering::Relaxed)))
    }
}
