//! Keeps the delayed records of one partition until they are due. The partition is paused while a
//! record must be read again later, and while many are kept.

use crate::event::Record;
use crate::kafka::ledger::slot::Slot;
use std::time::{Duration, Instant};

/// The number of records kept in memory at which the partition pauses. Each of them asks its object
/// store again and again.
const MANY: usize = 32;
/// The time between two attempts to seek back to a record.
const SEEK_AGAIN: Duration = Duration::from_millis(200);
/// The time for which a record is awaited after the first seek. It doubles with each further seek,
/// because a seek makes the library drop a record that it is just fetching.
const PATIENCE: Duration = Duration::from_secs(5);
/// The number of times that this time doubles at most.
const DOUBLINGS: u32 = 6;
/// The number of times that a record which follows the awaited one is read in its place, from which
/// it is doubtful that the log still holds the awaited record.
const MISSES: u32 = 3;

/// The delayed records of one partition.
#[derive(Debug, Default)]
pub(crate) struct DelayedRecords {
    held: Vec<Held>,
    /// The record that gave a time before which it must not be evaluated. It is not kept until
    /// then, which may be hours; it is read once more.
    awaited: Option<Awaited>,
}

/// A record that is evaluated again soon, and is kept in memory until then.
#[derive(Debug)]
struct Held {
    due: Instant,
    slot: Slot,
    record: Record,
}

#[derive(Debug)]
struct Awaited {
    offset: i64,
    /// The number of seeks that the library accepted.
    seeks: u32,
    /// The number of times that a record which follows was read in the place of this one.
    misses: u32,
    step: Step,
}

/// The answer to a record that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may be taken up.
    Admitted,
    /// An earlier record is awaited, and is sought again.
    AnotherAwaited,
    /// An earlier record is awaited, and the log seems not to hold it. It may be another log.
    AnotherMissing,
}

#[derive(Debug)]
enum Step {
    /// The partition is to be paused, and the record is sought at this time.
    Seek { due: Instant },
    /// The library accepted the seek, and the partition is read. That is no proof: the library
    /// drops seeks without a word, for example while a partition has no leader. When the record has
    /// not been read by this time, it is sought again.
    Read { until: Instant },
}

impl DelayedRecords {
    /// Keeps a record until it is due.
    pub(crate) fn retry_at(&mut self, due: Instant, slot: Slot, record: Record) {
        self.held.push(Held { due, slot, record });
    }

    /// Notes that the record at this offset must be read again when it is due, and that nothing
    /// else of the partition may be read before.
    pub(crate) fn pause_until(&mut self, due: Instant, offset: i64) {
        if self.awaited.as_ref().is_none_or(|awaited| offset < awaited.offset) {
            self.awaited = Some(Awaited { offset, seeks: 0, misses: 0, step: Step::Seek { due } });
        }
    }

    /// Returns whether the partition must not be read.
    pub(crate) fn pauses(&self) -> bool {
        self.held.len() >= MANY || matches!(self.awaited, Some(Awaited { step: Step::Seek { .. }, .. }))
    }

    /// Returns whether the record at this offset may be taken up. One that follows the awaited
    /// record may not, because that would pass the awaited one.
    pub(crate) fn admit(&mut self, offset: i64, now: Instant) -> Admission {
        match &mut self.awaited {
            Some(awaited) if offset > awaited.offset => {
                awaited.step = Step::Seek { due: now + SEEK_AGAIN };
                awaited.misses += 1;
                if awaited.misses < MISSES { Admission::AnotherAwaited } else { Admission::AnotherMissing }
            }
            awaited => {
                let _ = awaited.take_if(|awaited| awaited.offset == offset);
                Admission::Admitted
            }
        }
    }

    /// Counts the records that are kept in memory.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes the records that are due at `now`.
    pub(crate) fn take_due(&mut self, now: Instant) -> impl Iterator<Item = (Slot, Record)> {
        self.held.extract_if(.., move |held| held.due <= now).map(|Held { slot, record, .. }| (slot, record))
    }

    /// Returns the offset to seek back to at `now`; None when there is nothing to seek yet.
    pub(crate) fn to_read_again(&self, now: Instant) -> Option<i64> {
        match self.awaited {
            Some(Awaited { offset, step: Step::Seek { due }, .. }) if due <= now => Some(offset),
            _ => None,
        }
    }

    /// Notes whether the library accepted the seek to that offset. If not, the next attempt follows
    /// soon.
    pub(crate) fn sought(&mut self, is_accepted: bool, now: Instant) {
        if let Some(awaited) = &mut self.awaited {
            awaited.seeks += u32::from(is_accepted);
            awaited.step =
                if is_accepted { Step::Read { until: now + awaited.patience() } } else { Step::Seek { due: now + SEEK_AGAIN } };
        }
    }

    /// Returns the offset of a record that a seek has not brought back in time; it is sought again.
    /// While the partition is paused for another reason, the time does not run.
    pub(crate) fn overdue(&mut self, is_paused: bool, now: Instant) -> Option<i64> {
        let awaited = self.awaited.as_mut()?;
        match awaited.step {
            Step::Read { .. } if is_paused => awaited.step = Step::Read { until: now + awaited.patience() },
            Step::Read { until } if until <= now => {
                awaited.step = Step::Seek { due: now };
                return Some(awaited.offset);
            }
            _ => {}
        }
        None
    }
}

impl Awaited {
    fn patience(&self) -> Duration {
        PATIENCE * 2_u32.pow(self.seeks.saturating_sub(1).min(DOUBLINGS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_an_awaited_record_is_not_taken_up_before_it() {
        use Admission::{Admitted, AnotherAwaited, AnotherMissing};
        let now = Instant::now();
        let mut delayed = DelayedRecords::default();
        delayed.pause_until(now, 7);
        delayed.sought(true, now);
        assert!(!delayed.pauses());
        for expected in [AnotherAwaited, AnotherAwaited, AnotherMissing] {
            assert_eq!(delayed.admit(8, now), expected);
            assert!(delayed.pauses(), "it is sought again");
        }
        delayed.sought(true, now);
        // The library reads from further back, and comes to the record.
        assert_eq!(delayed.admit(6, now), Admitted);
        assert!(delayed.awaited.is_some());
        assert_eq!(delayed.admit(7, now), Admitted);
        assert!(delayed.awaited.is_none());
        assert_eq!(delayed.admit(8, now), Admitted);
    }

    #[test]
    fn each_seek_has_twice_the_time_of_the_one_before_and_none_while_the_partition_is_paused() {
        let mut now = Instant::now();
        let mut delayed = DelayedRecords::default();
        delayed.pause_until(now, 7);
        for millis in [5_000, 10_000, 20_000] {
            assert_eq!(delayed.to_read_again(now), Some(7));
            delayed.sought(true, now);
            assert_eq!((delayed.to_read_again(now), delayed.pauses()), (None, false));
            now += Duration::from_secs(1_000);
            assert_eq!(delayed.overdue(true, now), None);
            now += Duration::from_millis(millis - 1);
            assert_eq!(delayed.overdue(false, now), None);
            now += Duration::from_millis(1);
            assert_eq!(delayed.overdue(false, now), Some(7));
            assert!(delayed.pauses());
        }
    }
}
