//! Whether an assignment of a partition lasts, for threads that work for it.

use std::sync::{Arc, Weak};

/// The holder's side. The lease ends when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Lease(Arc<()>);

/// The side of a thread that works for the holder.
#[derive(Debug, Clone)]
pub(crate) struct LeaseWatch(Weak<()>);

impl Lease {
    pub(crate) fn watch(&self) -> LeaseWatch {
        LeaseWatch(Arc::downgrade(&self.0))
    }
}

impl LeaseWatch {
    /// Whether the work is void.
    pub(crate) fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}
