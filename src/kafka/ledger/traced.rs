//! Tells the trace of a record what happens to the record, from its evaluation to its commit.
//! Most records have none.

use std::sync::Arc;
use std::time::SystemTime;

/// The trace of one record. When it is dropped before it was told of a commit, the record is left
/// to the next owner of its partition.
pub trait Traced: std::fmt::Debug + Send + Sync {
    /// Notes that the outcome of the record is in a batch, for the first time or again.
    fn batched(&self, at: SystemTime);
    /// Notes that the batch was aborted, so that nothing of it is visible.
    /// `cause` names one of the fixed causes of an abort. The outcome will be written again.
    fn aborted(&self, at: SystemTime, cause: &'static str);
    /// Notes that the transaction with the batch, which holds `records` records, has committed.
    fn committed(&self, at: SystemTime, records: usize);
}

/// The trace of a record, if it has one.
pub type Trace = Option<Arc<dyn Traced>>;

/// Calls `what` with each trace and the time. The clock is read only when there is a trace.
pub(crate) fn tell<'t>(traces: impl IntoIterator<Item = &'t Trace>, what: impl Fn(&dyn Traced, SystemTime)) {
    let mut at = None;
    for trace in traces.into_iter().flatten() {
        what(&**trace, *at.get_or_insert_with(SystemTime::now));
    }
}
