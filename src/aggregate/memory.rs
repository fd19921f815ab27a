//! Measures how much memory the rows of a process take, and decides which partitions must give some
//! up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The memory that all partitions of a process hold.
#[derive(Debug)]
pub struct Memory {
    limit: usize,
    bytes: AtomicUsize,
    partitions: AtomicUsize,
}

impl Memory {
    /// Returns a measure that starts at zero, with a limit of this number of bytes.
    pub fn of(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, bytes: AtomicUsize::new(0), partitions: AtomicUsize::new(0) })
    }
}

/// The memory that one partition holds.
#[derive(Debug)]
pub(super) struct Held {
    bytes: usize,
    /// Largest number of bytes for this partition alone.
    limit: usize,
    memory: Arc<Memory>,
}

/// A degree of memory use, in quarters of the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Large groups collapse further rows.
    Pressed = 2,
    /// Windows close early.
    Full = 4,
    /// Reading pauses.
    Overfull = 5,
}

impl Held {
    /// Returns the measure of a partition that holds nothing, with a limit of this number of bytes.
    pub(super) fn new(limit: usize, memory: &Arc<Memory>) -> Self {
        memory.partitions.fetch_add(1, Ordering::Relaxed);
        Self { bytes: 0, limit, memory: memory.clone() }
    }

    /// Returns the bytes that this partition holds.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Notes that something takes `after` bytes which took `before` bytes until now.
    pub(super) fn change(&mut self, before: usize, after: usize) {
        self.set((self.bytes + after).saturating_sub(before));
    }

    fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.memory.bytes.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.memory.bytes.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// Returns whether this partition is beyond a level. It is when it exceeds its own limit, or
    /// when all partitions together exceed theirs and this one holds more than its share. When all
    /// together exceed theirs, this is true for at least one partition.
    pub(super) fn is_beyond(&self, level: Level) -> bool {
        let at = |limit: usize| (limit / 4).saturating_mul(level as usize);
        let Memory { limit, bytes, partitions } = &*self.memory;
        let share = limit / partitions.load(Ordering::Relaxed).max(1);
        self.bytes > at(self.limit) || bytes.load(Ordering::Relaxed) > at(*limit) && self.bytes > at(share)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
        self.memory.partitions.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_gives_up_at_its_own_limit_and_above_its_share_of_that_of_the_process() {
        let memory = Memory::of(1_200);
        let mut held: Vec<Held> = (0..3).map(|_| Held::new(1_000, &memory)).collect();
        let levels = |held: &Held| [Level::Pressed, Level::Full, Level::Overfull].map(|level| held.is_beyond(level));
        held[0].change(0, 501);
        assert_eq!(levels(&held[0]), [true, false, false], "half of its own limit");
        held[1].change(0, 201);
        assert_eq!(levels(&held[1]), [true, false, false], "half of its share, and all hold more than half");
        assert_eq!(levels(&held[2]), [false; 3]);
        held[0].change(0, 499);
        assert_eq!(levels(&held[0]), [true, true, false], "all hold 1 201, its share is 400");
        assert_eq!(levels(&held[1]), [true, false, false]);
        held[1].change(0, 300);
        assert_eq!(levels(&held[1]), [true, true, true], "all hold 1 501, and a quarter more than its share is 500");
        held.remove(0);
        assert_eq!(levels(&held[0]), [true, false, false], "what is given up is free");
    }

    #[test]
    fn whenever_all_together_hold_too_much_somebody_gives_up() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..1_000 {
            let memory = Memory::of(rng.usize(16..100_000));
            let mut held: Vec<Held> = (0..rng.usize(1..20)).map(|_| Held::new(usize::MAX, &memory)).collect();
            for held in &mut held {
                held.change(0, rng.usize(0..20_000));
            }
            let all: usize = held.iter().map(Held::bytes).sum();
            assert!(all <= memory.limit || held.iter().any(|held| held.is_beyond(Level::Full)), "{held:?}");
        }
    }
}
