//! The values of the changelog's records.

use crate::aggregate::id::{Id, ReportOrder};
use crate::aggregate::row::Canonical;
use crate::event::TopicId;
use crate::report::Limits;
use serde::{Deserialize, Serialize};

/// A row and the number of messages that were counted in it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::aggregate) struct RowValue<'a> {
    pub(in crate::aggregate) group: Id,
    #[serde(borrow)]
    pub(in crate::aggregate) row: Canonical<'a>,
    pub(in crate::aggregate) count: u64,
}

/// The facts about a window that its groups do not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aggregate) struct WindowValue {
    /// The generation that new rows belong to.
    pub(in crate::aggregate) generation: u32,
    /// When the last closing began, in Unix seconds.
    pub(in crate::aggregate) closed: i64,
    /// The progress of the closing under way, if there is one.
    pub(in crate::aggregate) closing: Option<Progress>,
}

/// The progress of a closing. It stands in the changelog from the moment that the window is frozen,
/// so that the closing continues with the same parts after a restart (promise 8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aggregate) struct Progress {
    pub(in crate::aggregate) generation: u32,
    /// Everything below this offset was counted before the window was frozen.
    pub(in crate::aggregate) cut: i64,
    /// The largest size of a part. It is fixed for the whole closing, because it decides where
    /// parts end.
    pub(in crate::aggregate) limits: Limits,
    /// When the closing began, in Unix seconds.
    pub(in crate::aggregate) began: i64,
    /// True when nothing is counted for this window after this closing.
    pub(in crate::aggregate) last: bool,
    /// The group that is being divided into parts, the number of its next part, and the last row
    /// that is done.
    pub(in crate::aggregate) within: Option<(Id, u32, ReportOrder)>,
    pub(in crate::aggregate) sums: Sums,
}

/// The sums of what a closing has reported so far.
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

    /// Returns the value of the window in the changelog, during the closing or after it.
    pub(in crate::aggregate) fn window_value(&self, done: bool) -> WindowValue {
        let closing = (!done).then(|| self.clone());
        WindowValue { generation: self.generation + 1, closed: self.began, closing }
    }
}

/// The position up to which a partition is counted, with facts that the position depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The offset of the next record to read. It equals the group's committed position.
    pub next: i64,
    /// Number of partitions of mail.failures.
    pub partitions: i32,
    /// Windows that end at or before this second are over.
    pub over: i64,
    /// The id of mail.failures; `None` when the brokers do not tell it, or in a marker of a version
    /// that did not ask for it.
    pub input: Option<TopicId>,
}
