//! The traces of the failures in a report, so that its own trace can lead to their messages.
//!
//! They live in memory only: a restored group has lost those of its failures, and says how many failures that may concern.

use crate::event::TraceContext;

/// Most traces that are kept of a group.
pub const MAX_LINKS: usize = 100;

/// The traces of a group's failures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    contexts: Vec<TraceContext>,
    sampled: u64,
    restored: u64,
}

impl Links {
    /// The links of a group that was restored with so many failures.
    pub(super) fn restored_with(failures: u64) -> Self {
        Self { restored: failures, ..Self::default() }
    }

    /// The links of such failures, in a group that was restored with so many.
    #[cfg(test)]
    pub(crate) fn of(contexts: impl IntoIterator<Item = TraceContext>, restored: u64) -> Self {
        let mut links = Self::restored_with(restored);
        contexts.into_iter().for_each(|context| links.add(context));
        links
    }

    /// Notes the trace of a failure that is sampled.
    pub(super) fn add(&mut self, context: TraceContext) {
        self.sampled += 1;
        if self.contexts.len() < MAX_LINKS {
            self.contexts.push(context);
        }
    }

    /// The traces of the first sampled failures, [`MAX_LINKS`] at most.
    pub fn contexts(&self) -> &[TraceContext] {
        &self.contexts
    }

    /// How many failures were sampled since the group was begun or restored.
    pub fn sampled(&self) -> u64 {
        self.sampled
    }

    /// How many failures the group was restored with: whether they were sampled is not known any more.
    pub fn restored(&self) -> u64 {
        self.restored
    }

    /// Bytes in memory beyond the struct itself, about.
    pub(super) fn bytes(&self) -> usize {
        self.contexts.capacity() * size_of::<TraceContext>()
    }
}

/// A report among the outputs of a cut, and the traces of its failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The place of the report among the outputs.
    pub output: usize,
    /// The traces of the failures of its group. All parts of a divided report have the same.
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
