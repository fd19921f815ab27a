//! Limits how much is held in memory, and how much of that by one partition.
//!
//! All partitions together stay within the budget. Each of them may hold as much as is free for all
//! (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6 (1998)).
//! So a partition that makes no progress holds at most half of the budget, a second one at most
//! half of the rest, and the other partitions are still read.

use super::Read;

/// Limits on what is held in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// The largest number of records of all partitions together.
    pub(crate) records: usize,
    /// The largest number of bytes of all partitions together.
    pub(crate) bytes: usize,
    /// The largest number of records of one partition.
    pub(crate) partition_records: usize,
    /// The largest number of records of one partition, and of their bytes, that are read from the
    /// first one on that is not written. Those that are written are not held any more, but a
    /// restart reads them again.
    pub(crate) ahead: Read,
}

/// The used parts of the budget, as fractions of its limits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Use {
    pub(crate) records: f64,
    pub(crate) bytes: f64,
}

/// The records and bytes that are held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

/// The divisor of what is free: a paused partition is read again when it holds no more than this
/// part, so that it is not paused again at once. librdkafka drops what it has fetched ahead of a
/// partition when that is paused.
const RESUME: usize = 4;
/// The divisor of the budget: no paused partition is read again while less than this part
/// of the budget is free.
const RESERVE: usize = 64;

impl Budget {
    /// Returns whether all partitions together hold as much as the budget allows, or more.
    pub(crate) fn is_used_up(&self, all: Load) -> bool {
        all.records >= self.records || all.bytes >= self.bytes
    }

    /// Returns whether a partition must pause until its first record is written.
    pub(crate) fn is_too_far(&self, ahead: Read) -> bool {
        ahead.records >= self.ahead.records || ahead.bytes >= self.ahead.bytes
    }

    /// Returns how much of the budget `all` uses.
    #[expect(clippy::cast_precision_loss, reason = "a part is shown with a few digits")]
    pub(crate) fn used(&self, all: Load) -> Use {
        let part = |held: usize, limit: usize| held as f64 / limit as f64;
        Use { records: part(all.records, self.records), bytes: part(all.bytes, self.bytes) }
    }

    /// Returns whether a partition must pause, where it holds `own` and all partitions together
    /// hold `all`. `was` says whether it is paused already. A partition that is `alone`
    /// may hold the whole budget.
    pub(crate) fn is_full(&self, own: Load, all: Load, alone: bool, was: bool) -> bool {
        let is_full = |own: usize, all: usize, limit: usize| {
            let left = limit.saturating_sub(all);
            let free = if alone { limit } else { left };
            if was { own > free / RESUME || left < limit / RESERVE } else { own >= free }
        };
        let has_too_many = if was { own.records > self.partition_records / 2 } else { own.records >= self.partition_records };
        has_too_many || is_full(own.records, all.records, self.records) || is_full(own.bytes, all.bytes, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNLIMITED: Read = Read { records: u64::MAX, bytes: u64::MAX };

    const BUDGET: Budget = Budget { records: 1_000_000, bytes: 1024, partition_records: 100_000, ahead: UNLIMITED };

    /// Returns the bytes that each partition holds when one after the other is
    /// read until it is full.
    fn filled(count: usize) -> Vec<usize> {
        let mut held = vec![0; count];
        for index in 0..count {
            let load = |bytes| Load { records: 0, bytes };
            while !BUDGET.is_full(load(held[index]), load(held.iter().sum()), count == 1, false) {
                held[index] += 1;
            }
        }
        held
    }

    #[test]
    fn a_partition_that_stands_still_leaves_half_of_what_is_free() {
        assert_eq!(filled(1), [1024]);
        assert_eq!(filled(3), [512, 256, 128]);
    }

    #[test]
    fn who_was_full_goes_on_with_much_less_and_while_there_is_a_reserve() {
        let is_full = |own, all| {
            let load = |bytes| Load { records: 0, bytes };
            BUDGET.is_full(load(own), load(all), false, true)
        };
        assert_eq!([is_full(129, 512), is_full(128, 512), is_full(0, 1009), is_full(0, 1008)], [true, false, true, false]);
    }

    #[test]
    fn records_count_as_bytes_do_and_have_a_limit_of_their_own() {
        let budget = Budget { records: 1_000, bytes: usize::MAX, partition_records: 300, ahead: UNLIMITED };
        let is_full = |own, all, was| {
            let load = |records| Load { records, bytes: 0 };
            budget.is_full(load(own), load(all), false, was)
        };
        assert_eq!([is_full(299, 299, false), is_full(300, 300, false), is_full(200, 800, false)], [false, true, true]);
        assert_eq!([is_full(151, 151, true), is_full(150, 150, true)], [true, false]);
        assert!(budget.is_used_up(Load { records: 1_000, bytes: 0 }) && !budget.is_used_up(Load { records: 999, bytes: 0 }));
    }
}
