//! The values of the changelog's records.

use crate::aggregate::id::{Id, Place};
use crate::aggregate::row::Canonical;
use crate::event::TopicId;
use crate::report::Limits;
use serde::{Deserialize, Serialize};

/// A row and how often it was counted.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::aggregate) struct RowValue<'a> {
    pub(in crate::aggregate) group: Id,
    #[serde(borrow)]
    pub(in crate::aggregate) row: Canonical<'a>,
    pub(in crate::aggregate) count: u64,
}

/// What is known of a window beyond its groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aggregate) struct WindowValue {
    /// The generation that new rows belong to.
    pub(in crate::aggregate) generation: u32,
    /// When the last closing began.
    pub(in crate::aggregate) closed: i64,
    /// The closing under way.
    pub(in crate::aggregate) closing: Option<Progress>,
}

/// How far a closing is. It stands in the changelog from the moment that the window is frozen, so that a restart goes on with the
/// same parts (promise 8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aggregate) struct Progress {
    pub(in crate::aggregate) generation: u32,
    /// Everything below this offset was counted before.
    pub(in crate::aggregate) cut: i64,
    /// What a part may measure; fixed, because it decides where parts end.
    pub(in crate::aggregate) limits: Limits,
    /// When it began.
    pub(in crate::aggregate) began: i64,
    /// Nothing is counted for this window after it.
    pub(in crate::aggregate) last: bool,
    /// The group that is divided, the next part's number, and the last row that is done.
    pub(in crate::aggregate) within: Option<(Id, u32, Place)>,
    pub(in crate::aggregate) sums: Sums,
}

/// What came of a closing so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aggregate) struct Sums {
    pub(in crate::aggregate) reports: u64,
    pub(in crate::aggregate) rows: u64,
    /// Messages in reports.
    pub(in crate::aggregate) messages: u64,
    pub(in crate::aggregate) no_reporting_address: u64,
}

impl Progress {
    pub(in crate::aggregate) fn begin(generation: u32, cut: i64, limits: Limits, began: i64, last: bool) -> Self {
        Self { generation, cut, limits, began, last, within: None, sums: Sums::default() }
    }

    /// What the changelog says of the window.
    pub(in crate::aggregate) fn window_value(&self, done: bool) -> WindowValue {
        let closing = (!done).then(|| self.clone());
        WindowValue { generation: self.generation + 1, closed: self.began, closing }
    }
}

/// How far a partition is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The next record to read; equals the group's committed position.
    pub next: i64,
    /// Partitions of mail.failures.
    pub partitions: i32,
    /// Windows that end at or before this second are over.
    pub over: i64,
    /// The id of mail.failures; none when the brokers do not say it, or in a marker of a version that did not ask.
    pub input: Option<TopicId>,
}
