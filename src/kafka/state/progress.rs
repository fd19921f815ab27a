//! Counts how far the states of all partitions are restored, for readers on other threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The figures over all partitions.
#[derive(Debug, Default)]
pub(crate) struct RestoreProgress {
    has_state: AtomicBool,
    /// The number of records of changelogs that were read.
    restored: AtomicU64,
    /// The approximate number of records that are left of the states that are being restored.
    to_restore: AtomicU64,
}

impl RestoreProgress {
    /// Notes that the role keeps state.
    pub(crate) fn note_state(&self) {
        self.has_state.store(true, Ordering::Relaxed);
    }

    /// Notes that `records` more records of a changelog were read. Of one of its partitions
    /// `before` records were left, and `now` are left after that.
    pub(crate) fn note(&self, records: u64, (before, now): (u64, u64)) {
        self.restored.fetch_add(records, Ordering::Relaxed);
        // What is left is added first. Nothing is subtracted that was not added before, so that the
        // sum never falls below zero.
        self.to_restore.fetch_add(now, Ordering::Relaxed);
        self.to_restore.fetch_sub(before, Ordering::Relaxed);
    }

    /// Returns the records that were read and those that are left; None for a role without state.
    pub(crate) fn counts(&self) -> Option<(u64, u64)> {
        let is_stateful = self.has_state.load(Ordering::Relaxed);
        is_stateful.then(|| (self.restored.load(Ordering::Relaxed), self.to_restore.load(Ordering::Relaxed)))
    }
}
