//! Defines the pipeline's own part of an assigned partition: its phase, its queues and its state.

use super::delayed::DelayedRecords;
use super::dispatch::Lane;
use crate::kafka::state::states::{HoldsState, Stated};

/// The phase of an assigned partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The position at which reading starts was asked for.
    #[default]
    AskingPosition,
    /// The state is being restored.
    Restoring,
    /// The library reads the partition.
    Reading,
    /// The library was given the partition, and was asked to pause it.
    Paused,
}

/// The pipeline's data of one assigned partition, from its assignment to its revocation.
#[derive(Default)]
pub(crate) struct Handling {
    pub(crate) phase: Phase,
    pub(crate) lane: Lane,
    pub(crate) delayed: DelayedRecords,
    /// The state of a stateful role; None for other roles, and until the state is restored.
    pub(crate) state: Option<Stated>,
    /// True when the log may be another one than before, or when another member may have had the
    /// partition meanwhile. The partition is then begun again between two batches.
    pub(crate) is_doubtful: bool,
}

impl Handling {
    /// Returns whether the library was given the partition.
    pub(crate) fn has_started(&self) -> bool {
        matches!(self.phase, Phase::Reading | Phase::Paused)
    }

    /// Returns whether reading must wait, because the partition has delayed records or because its
    /// state is full.
    pub(crate) fn waits(&self) -> bool {
        self.delayed.pauses() || self.state.as_ref().is_some_and(Stated::is_full)
    }
}

impl HoldsState for Handling {
    fn stated(&self) -> Option<&Stated> {
        self.state.as_ref()
    }

    fn stated_mut(&mut self) -> Option<&mut Stated> {
        self.state.as_mut()
    }
}
