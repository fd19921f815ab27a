//! Holds the place of a record from its reading until it is done, and its outcome
//! until that is committed.

use super::traced::Trace;
use crate::event::Output;
use crate::kafka::base::partition::{Generation, Partition};
use crate::metrics::Counted;
use std::sync::Arc;

/// The place in the ledger that the outcome of a record goes to.
#[derive(Debug)]
pub struct Slot {
    pub(super) partition: Partition,
    pub(super) generation: Generation,
    pub(super) offset: i64,
    /// The bytes that the record counts for until it is done.
    pub(super) weight: usize,
    /// The bytes of `weight` that are for outputs larger than the record. A delayed record does not
    /// count for them, because it has such outputs only while it is evaluated.
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

    /// Attaches a trace, which is told what happens to the record until its commit.
    #[must_use]
    pub fn traced(self, trace: Trace) -> Self {
        Self { trace, ..self }
    }

    pub(crate) fn offset(&self) -> i64 {
        self.offset
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    pub(crate) fn weight(&self) -> usize {
        self.weight
    }
}

/// The outcome of one record.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) outputs: Arc<[Output]>,
    pub(crate) offset: i64,
    /// True when the outputs stand in for others that no topic accepts.
    pub(crate) stands_in: bool,
    /// The figures that are counted when the outputs are committed.
    pub(crate) counted: Counted,
    pub(crate) trace: Trace,
    /// The bytes that the outputs count for.
    pub(super) weight: usize,
}

impl Done {
    pub(super) fn new(offset: i64, outputs: Vec<Output>, counted: Counted, stands_in: bool, trace: Trace) -> Self {
        // librdkafka copies what it sends, so outputs in flight are held twice.
        let weight = outputs.iter().map(Output::weight).sum::<usize>() * 2;
        Self { outputs: outputs.into(), offset, stands_in, counted, trace, weight }
    }
}
