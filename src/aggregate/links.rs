//! Keeps the traces of the failures in a report, so that the trace of the report can link to those
//! of its messages.
//!
//! Traces are kept in memory only. A restored group has lost the traces of its failures, and says
//! how many failures that may concern.

use crate::event::TraceContext;

/// Largest number of traces that are kept of a group.
pub const MAX_LINKS: usize = 100;

/// The traces of a group's failures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    contexts: Vec<TraceContext>,
    sampled: u64,
    restored: u64,
}

impl Links {
    /// Returns the links of a group that was restored with this number of failures.
    pub(super) fn restored_with(failures: u64) -> Self {
        Self { restored: failures, ..Self::default() }
    }

    /// Returns links with these traces, for a group that was restored with this number of failures.
    #[cfg(test)]
    pub(crate) fn of(contexts: impl IntoIterator<Item = TraceContext>, restored: u64) -> Self {
        let mut links = Self::restored_with(restored);
        contexts.into_iter().for_each(|context| links.add(context));
        links
    }

    /// Notes the trace of a sampled failure.
    pub(super) fn add(&mut self, context: TraceContext) {
        self.sampled += 1;
        if self.contexts.len() < MAX_LINKS {
            self.contexts.push(context);
        }
    }

    /// Returns the traces of the first sampled failures, [`MAX_LINKS`] at most.
    pub fn contexts(&self) -> &[TraceContext] {
        &self.contexts
    }

    /// Returns how many failures were sampled since the group was begun or restored.
    pub fn sampled(&self) -> u64 {
        self.sampled
    }

    /// Returns how many failures the group was restored with. Whether these were sampled is
    /// unknown.
    pub fn restored(&self) -> u64 {
        self.restored
    }

    /// Returns the estimated bytes in memory beyond the struct itself.
    pub(super) fn bytes(&self) -> usize {
        self.contexts.capacity() * size_of::<TraceContext>()
    }
}

/// A report among the outputs of a transaction, with the traces of its failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The index of the report among the outputs.
    pub output: usize,
    /// The traces of the failures in its group. All parts of a divided report have the same traces.
    pub links: Links,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_keeps_a_hundred_traces_and_counts_them_all() {
        let mut links = Links::restored_with(7);
        for number in 0..250_u8 {
            links.add(TraceContext { trace_id: [number; 16], span_id: [1; 8], flags: 1 });
        }
        assert_eq!((links.contexts().len(), links.sampled(), links.restored()), (100, 250, 7));
        assert_eq!(links.contexts().last().map(|context| context.trace_id[0]), Some(99), "the first ones are kept");
        assert!(links.bytes() >= 2_500);
    }
}
