//! Defines a batch, the orders to the transaction thread, and how a batch ends.

use super::abort::{Abort, Cause};
use crate::event::Output;
use crate::kafka::base::error::Error;
use crate::kafka::client::log_id::Logs;
use crate::kafka::ledger::slot::Done;
use rdkafka::TopicPartitionList;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The content of one transaction.
#[derive(Debug)]
pub(crate) struct Batch<M> {
    pub(crate) entries: Vec<Done>,
    /// The outputs of states, which are written besides the outcomes of records.
    pub(crate) state: Arc<[Output]>,
    /// The next offset to read of every partition in the batch.
    pub(crate) offsets: TopicPartitionList,
    /// The logs that the offsets belong to.
    pub(crate) logs: Logs,
    /// The group membership at the time when the batch was cut.
    pub(crate) membership: M,
    pub(crate) abort: AbortRequest,
}

/// An order to the thread. With the first order the thread fences the last user of
/// the transactional id.
#[derive(Debug)]
pub(crate) enum Order<M> {
    Fence,
    Write(Batch<M>),
}

/// The outcome of a batch.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The records are written and the offsets are committed. The number counts the records.
    Written(u64),
    /// Nothing of the batch is visible.
    Aborted(Abort),
    /// The role cannot continue.
    Failed(Error),
}

impl Ended {
    /// Returns the name of the outcome in metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Written(_) => "committed",
            Self::Aborted(_) => "aborted",
            Self::Failed(_) => "failed",
        }
    }
}

impl<M> Batch<M> {
    /// Returns the indices of the entries that have something to write to a topic.
    pub(crate) fn writing_to(&self, topic: &str) -> Vec<usize> {
        let writes = |entry: &Done| entry.outputs.iter().any(|output| *output.topic == *topic);
        (0..).zip(&self.entries).filter(|(_, entry)| writes(entry)).map(|(index, _)| index).collect()
    }
}

/// The owner's request that a batch end without commit. It has no effect once the commit has begun.
#[derive(Debug, Clone, Default)]
pub(crate) struct AbortRequest(Arc<AtomicU8>);

impl AbortRequest {
    /// Requests the abort. The first cause stays.
    pub(crate) fn request(&self, cause: Cause) {
        // The value is the index of the cause in the list plus one; 0 stands for none.
        let _ = self.0.compare_exchange(0, cause as u8 + 1, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Returns the cause for which the abort was requested; None when it was not requested.
    pub(crate) fn cause(&self) -> Option<Cause> {
        usize::from(self.0.load(Ordering::Acquire)).checked_sub(1).and_then(|place| Cause::ALL.get(place).copied())
    }
}
