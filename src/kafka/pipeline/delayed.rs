//! Keeps the delayed records of one partition until they are due. The partition is paused
//! meanwhile.

use crate::event::Record;
use crate::kafka::ledger::slot::Slot;
use std::time::{Duration, Instant};

/// The time between two attempts to seek back to a record.
const SEEK_AGAIN: Duration = Duration::from_millis(200);

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
    due: Instant,
    offset: i64,
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
            self.awaited = Some(Awaited { due, offset });
        }
    }

    /// Returns whether no record is delayed.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.awaited.is_none()
    }

    /// Counts the records that are kept in memory.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes the records that are due at `now`.
    pub(crate) fn take_due(&mut self, now: Instant) -> impl Iterator<Item = (Slot, Record)> {
        self.held.extract_if(.., move |held| held.due <= now).map(|Held { slot, record, .. }| (slot, record))
    }

    /// Returns the offset to read again at `now`; None when no record has to be read again yet.
    pub(crate) fn to_read_again(&self, now: Instant) -> Option<i64> {
        self.awaited.as_ref().filter(|awaited| awaited.due <= now).map(|awaited| awaited.offset)
    }

    /// Notes whether the seek to that offset succeeded. If not, the next attempt follows soon.
    pub(crate) fn sought(&mut self, is_read: bool, now: Instant) {
        match &mut self.awaited {
            Some(awaited) if !is_read => awaited.due = now + SEEK_AGAIN,
            awaited => *awaited = None,
        }
    }
}
