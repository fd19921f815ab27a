//! Why nothing of a batch is visible.

use crate::kafka::base::error::Error;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Why nothing of a batch is visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Abort {
    pub(crate) reason: String,
    /// The entry that no topic takes.
    pub(crate) oversized: Option<Oversized>,
    /// Whether the reason is ours (a partition was taken away), so that there is no need to wait before trying again.
    pub(crate) wanted: bool,
    /// The same as one of a few words.
    pub(crate) cause: Cause,
    /// Topics that are not the ones that were read.
    pub(crate) others: BTreeSet<Arc<str>>,
}

/// Why a batch was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The group took a partition away.
    PartitionRevoked,
    /// A partition was lost: the session in the group was over.
    PartitionLost,
    /// The process stops, and the commit had not begun.
    Stopping,
    /// A topic is not the one that was read.
    TopicChanged,
    /// Nobody said in time whether the topics are still those that were read.
    TopicUnconfirmed,
    /// A topic does not take one of the records for its size.
    RecordTooLarge,
    /// The brokers refused the membership in the group.
    Membership,
    /// Any other error.
    Error,
}

impl Cause {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::PartitionRevoked,
        Self::PartitionLost,
        Self::Stopping,
        Self::TopicChanged,
        Self::TopicUnconfirmed,
        Self::RecordTooLarge,
        Self::Membership,
        Self::Error,
    ];

    /// Says it in a sentence, where the cause needs no details.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::PartitionRevoked => "the group took a partition away",
            Self::PartitionLost => "a partition was lost: the session in the group was over",
            Self::Stopping => "the process stops",
            Self::TopicChanged => "a topic is not the one that was read",
            Self::TopicUnconfirmed => "no broker said in time whether the topics are those that were read",
            Self::RecordTooLarge => "a topic refuses a record for its size",
            Self::Membership => "the brokers refused the membership in the group",
            Self::Error => "an error",
        }
    }

    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PartitionRevoked => "partition_revoked",
            Self::PartitionLost => "partition_lost",
            Self::Stopping => "stopping",
            Self::TopicChanged => "topic_changed",
            Self::TopicUnconfirmed => "topic_unconfirmed",
            Self::RecordTooLarge => "record_too_large",
            Self::Membership => "membership",
            Self::Error => "error",
        }
    }
}

/// What of a batch no topic takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Oversized {
    /// Something that goes to this topic, or nothing by itself: records are refused in the company in which they travel.
    Somewhere(String),
    /// This entry.
    At(usize),
}

impl Abort {
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), oversized: None, wanted: false, cause: Cause::Error, others: BTreeSet::new() }
    }
}

/// Why a transaction does not commit.
pub(crate) enum TransactionFailure {
    Abort(Abort),
    Fatal(Error),
}
