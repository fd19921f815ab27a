//! Counts violations that must never happen: each means that a promise of the ledger
//! is broken somewhere.

use std::sync::atomic::{AtomicU64, Ordering};

/// A violation of a promise of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sentinel {
    /// A position was about to be committed that does not lie above the committed one.
    CommitRegressed,
    /// A position was about to be committed beyond the first record that is not done.
    CommitBeyondFrontier,
    /// An outcome came for an assignment that does not exist yet.
    CompletionFromFutureGeneration,
    /// A record was completed twice, or was completed and never read.
    DuplicateSlot,
    /// Outputs were about to be written without the offset of their record.
    OutputWithoutOffset,
}

const ALL: [Sentinel; 5] = [
    Sentinel::CommitRegressed,
    Sentinel::CommitBeyondFrontier,
    Sentinel::CompletionFromFutureGeneration,
    Sentinel::DuplicateSlot,
    Sentinel::OutputWithoutOffset,
];

static COUNTS: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];

impl Sentinel {
    /// Returns the name of the violation's counter.
    pub fn name(self) -> &'static str {
        match self {
            Self::CommitRegressed => "commit_regressed",
            Self::CommitBeyondFrontier => "commit_beyond_frontier",
            Self::CompletionFromFutureGeneration => "completion_from_future_generation",
            Self::DuplicateSlot => "duplicate_slot",
            Self::OutputWithoutOffset => "output_without_offset",
        }
    }

    /// Counts a violation and logs it.
    pub(crate) fn hit(self) {
        if let Some(count) = COUNTS.get(self as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        tracing::error!(sentinel = self.name(), "sentinel: the ledger contradicts itself");
    }

    /// Returns every counter of this process by name.
    pub fn counts() -> impl Iterator<Item = (&'static str, u64)> {
        ALL.into_iter().zip(&COUNTS).map(|(sentinel, count)| (sentinel.name(), count.load(Ordering::Relaxed)))
    }
}
