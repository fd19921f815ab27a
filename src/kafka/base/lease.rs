//! Tells threads that work for an assigned partition when the assignment has ended.

use std::sync::{Arc, Weak};

/// The side of the partition's owner. The lease ends when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Lease(Arc<()>);

/// The side of a thread that works for the owner.
#[derive(Debug, Clone)]
pub(crate) struct LeaseWatch(Weak<()>);

impl Lease {
    pub(crate) fn watch(&self) -> LeaseWatch {
        LeaseWatch(Arc::downgrade(&self.0))
    }
}

impl LeaseWatch {
    /// Returns whether the lease has ended, so that the work is void.
    pub(crate) fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}
