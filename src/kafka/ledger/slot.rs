//! The place that a record has from its reading to its commit, and what it came to.

use super::traced::Trace;
use crate::event::Output;
use crate::kafka::base::partition::{Generation, Partition};
use crate::metrics::Counted;
use std::sync::Arc;

/// The place that a record's outcome goes to.
#[derive(Debug)]
pub struct Slot {
    pub(super) partition: Partition,
    pub(super) generation: Generation,
    pub(super) offset: i64,
    /// Bytes that it counts for until it is done.
    pub(super) weight: usize,
    /// Those of them that are for outputs larger than the record, which it has only while it is evaluated.
    pub(super) extra: usize,
    pub(super) trace: Trace,
}

impl std::fmt::Display for Slot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.partition, self.offset)
    }
}

impl Slot {
    pub(crate) fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Has the record's way to its commit traced from now on.
    #[must_use]
    pub fn traced(self, trace: Trace) -> Self {
        Self { trace, ..self }
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    pub(crate) fn weight(&self) -> usize {
        self.weight
    }
}

/// What one record came to.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) outputs: Arc<[Output]>,
    pub(crate) offset: i64,
    /// The outputs stand in for others that no topic took.
    pub(crate) stands_in: bool,
    /// What is counted when they are committed.
    pub(crate) counted: Counted,
    pub(crate) trace: Trace,
    pub(super) weight: usize,
}

impl Done {
    pub(super) fn new(offset: i64, outputs: Vec<Output>, counted: Counted, stands_in: bool, trace: Trace) -> Self {
        // The library copies what it sends, so that what is on its way is held twice.
        let weight = outputs.iter().map(Output::weight).sum::<usize>() * 2;
        Self { outputs: outputs.into(), offset, stands_in, counted, trace, weight }
    }
}
