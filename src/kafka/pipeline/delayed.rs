//! Records of a partition whose time has not come. The partition is paused meanwhile.

use crate::event::Record;
use crate::kafka::ledger::slot::Slot;
use std::time::{Duration, Instant};

/// Between two tries to have a record read again.
const SEEK_AGAIN: Duration = Duration::from_millis(200);

/// The delayed records of one partition.
#[derive(Debug, Default)]
pub(crate) struct DelayedRecords {
    held: Vec<Held>,
    /// A record that said when it is to be read. It is not kept until then, which may be hours, but read once more.
    awaited: Option<Awaited>,
}

/// A record that is to be tried again soon.
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

    /// Has the record at this offset read again when it is due, and nothing else of the partition before.
    pub(crate) fn pause_until(&mut self, due: Instant, offset: i64) {
        if self.awaited.as_ref().is_none_or(|awaited| offset < awaited.offset) {
            self.awaited = Some(Awaited { due, offset });
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.awaited.is_none()
    }

    /// Records that are kept.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes the records that are due at `now`.
    pub(crate) fn take_due(&mut self, now: Instant) -> impl Iterator<Item = (Slot, Record)> {
        self.held.extract_if(.., move |held| held.due <= now).map(|Held { slot, record, .. }| (slot, record))
    }

    /// The offset that is to be read again at `now`; None when there is none yet.
    pub(crate) fn to_read_again(&self, now: Instant) -> Option<i64> {
        self.awaited.as_ref().filter(|awaited| awaited.due <= now).map(|awaited| awaited.offset)
    }

    /// Notes whether the partition is read from there: if not, that is tried again soon.
    pub(crate) fn sought(&mut self, is_read: bool, now: Instant) {
        match &mut self.awaited {
            Some(awaited) if !is_read => awaited.due = now + SEEK_AGAIN,
            awaited => *awaited = None,
        }
    }
}
