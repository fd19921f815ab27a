//! Records that were handed out and that nobody has begun to evaluate.
//!
//! Reading stops for a moment when there are enough of them. To read on would only fill memory with what caches forget before it is
//! looked at; and when the budget then has the partitions paused, the library drops what it has fetched ahead and fetches it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

/// Records for each core: several milliseconds of work.
const PER_CORE: usize = 64;

/// Counts them.
#[derive(Debug)]
pub(super) struct Backlog {
    count: Arc<AtomicUsize>,
    enough: usize,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Backlog {
    /// For this machine's cores.
    pub(super) fn new() -> Self {
        Self { count: Arc::default(), enough: PER_CORE * available_parallelism().map_or(1, usize::from) }
    }

    /// One more.
    pub(super) fn add(&self) -> Waiting {
        self.count.fetch_add(1, Ordering::Relaxed);
        Waiting(self.count.clone())
    }

    /// Whether there are so many that reading can wait.
    pub(super) fn is_enough(&self) -> bool {
        self.count.load(Ordering::Relaxed) >= self.enough
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_or_dropped_waits_no_more() {
        let backlog = Backlog::new();
        let mut waiting: Vec<_> = (0..backlog.enough).map(|_| backlog.add()).collect();
        assert!(backlog.is_enough());
        waiting.pop();
        assert!(!backlog.is_enough());
    }
}
