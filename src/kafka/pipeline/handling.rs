//! How the pipeline handles one assigned partition.

use super::delayed::DelayedRecords;
use super::dispatch::Lane;
use crate::kafka::state::states::{HoldsState, Stated};

/// How far an assigned partition is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is asked where it starts.
    #[default]
    AskingPosition,
    /// Its state is restored.
    Restoring,
    /// It is read.
    Reading,
    /// It is read as far as the library goes, and left alone for now.
    Paused,
}

/// What is kept of one assigned partition, from its assignment to its revocation.
#[derive(Default)]
pub(crate) struct Handling {
    pub(crate) phase: Phase,
    pub(crate) lane: Lane,
    pub(crate) delayed: DelayedRecords,
    /// The state of a stateful role; None for others, and as long as it is not restored.
    pub(crate) state: Option<Stated>,
    /// Its log may not be the one that it was, or others may have had it meanwhile: it is begun again between two batches.
    pub(crate) is_doubtful: bool,
}

impl Handling {
    /// Whether the library was given the partition.
    pub(crate) fn has_started(&self) -> bool {
        matches!(self.phase, Phase::Reading | Phase::Paused)
    }

    /// Whether its role has it wait, or its delayed records do.
    pub(crate) fn waits(&self) -> bool {
        !self.delayed.is_empty() || self.state.as_ref().is_some_and(Stated::is_full)
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
