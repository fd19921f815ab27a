//! Carries the request to stop to the pipelines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A request that a pipeline finish what it holds and end.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Requests the stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Returns whether the stop was requested.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
