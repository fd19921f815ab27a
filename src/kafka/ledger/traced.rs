//! What a trace of a record is told, from its evaluation to its commit. Most records have none.

use std::sync::Arc;
use std::time::SystemTime;

/// The trace of one record. Dropped before it is told of a commit, the record is left to the next owner of its partition.
pub trait Traced: std::fmt::Debug + Send + Sync {
    /// What the record came to is in a batch, for the first time or again.
    fn batched(&self, at: SystemTime);
    /// Nothing of that batch is visible, for a cause of the transactions' list; it is written again.
    fn aborted(&self, at: SystemTime, cause: &'static str);
    /// The transaction with the batch, of so many records, has committed.
    fn committed(&self, at: SystemTime, records: usize);
}

/// The trace of a record, if it has one.
pub type Trace = Option<Arc<dyn Traced>>;

/// Tells the traces among some; the clock is read only when there is one.
pub(crate) fn tell<'t>(traces: impl IntoIterator<Item = &'t Trace>, what: impl Fn(&dyn Traced, SystemTime)) {
    let mut at = None;
    for trace in traces.into_iter().flatten() {
        what(&**trace, *at.get_or_insert_with(SystemTime::now));
    }
}
