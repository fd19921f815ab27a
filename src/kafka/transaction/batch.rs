//! A batch, what the transaction thread is told to do with it, and how it ended.

use super::abort::{Abort, Cause};
use crate::event::Output;
use crate::kafka::base::error::Error;
use crate::kafka::client::log_id::Logs;
use crate::kafka::ledger::slot::Done;
use rdkafka::TopicPartitionList;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What goes into one transaction.
#[derive(Debug)]
pub(crate) struct Batch<M> {
    pub(crate) entries: Vec<Done>,
    /// What states want written beside what records came to.
    pub(crate) state: Arc<[Output]>,
    /// The next offset to read of every partition that the entries are of.
    pub(crate) offsets: TopicPartitionList,
    /// The logs that these are offsets of.
    pub(crate) logs: Logs,
    /// The membership when the batch was cut.
    pub(crate) membership: M,
    pub(crate) abort: AbortRequest,
}

/// What the thread is to do. With the first order it fences whoever used the id before.
#[derive(Debug)]
pub(crate) enum Order<M> {
    Fence,
    Write(Batch<M>),
}

/// How a batch ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Its records are written, so many, and its offsets committed.
    Written(u64),
    /// Nothing of it is visible.
    Aborted(Abort),
    /// The role cannot go on.
    Failed(Error),
}

impl Ended {
    /// The word for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Written(_) => "committed",
            Self::Aborted(_) => "aborted",
            Self::Failed(_) => "failed",
        }
    }
}

impl<M> Batch<M> {
    /// The places of the entries that have something to write to a topic.
    pub(crate) fn writing_to(&self, topic: &str) -> Vec<usize> {
        let writes = |entry: &Done| entry.outputs.iter().any(|output| *output.topic == *topic);
        (0..).zip(&self.entries).filter(|(_, entry)| writes(entry)).map(|(index, _)| index).collect()
    }
}

/// The owner's request that a batch ends without commit. It has no effect once the commit has begun.
#[derive(Debug, Clone, Default)]
pub(crate) struct AbortRequest(Arc<AtomicU8>);

impl AbortRequest {
    /// Asks for it; the first cause stays.
    pub(crate) fn request(&self, cause: Cause) {
        // The place of the cause in the list, behind 0 for none.
        let _ = self.0.compare_exchange(0, cause as u8 + 1, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Why it was asked for; None when it was not.
    pub(crate) fn cause(&self) -> Option<Cause> {
        usize::from(self.0.load(Ordering::Acquire)).checked_sub(1).and_then(|place| Cause::ALL.get(place).copied())
    }
}
