//! Why nothing of a batch is visible.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Why nothing of a batch is visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kafka) struct Abort {
    pub(in crate::kafka) reason: String,
    /// The entry that no topic takes.
    pub(in crate::kafka) oversized: Option<Oversized>,
    /// Whether the reason is ours (a partition was taken away), so that there is no need to wait before trying again.
    pub(in crate::kafka) wanted: bool,
    /// The same as one of a few words.
    pub(in crate::kafka) cause: Cause,
    /// Topics that are not the ones that were read.
    pub(in crate::kafka) others: BTreeSet<Arc<str>>,
}

/// Why a batch was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kafka) enum Cause {
    /// A partition was taken away.
    PartitionRevoked,
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
    pub(in crate::kafka) const ALL: [Self; 6] =
        [Self::PartitionRevoked, Self::TopicChanged, Self::TopicUnconfirmed, Self::RecordTooLarge, Self::Membership, Self::Error];

    /// The word for it.
    pub(in crate::kafka) fn name(self) -> &'static str {
        match self {
            Self::PartitionRevoked => "partition_revoked",
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
pub(in crate::kafka) enum Oversized {
    /// Something that goes to this topic, or nothing by itself: records are refused in the company in which they travel.
    Somewhere(String),
    /// This entry.
    At(usize),
}

impl Abort {
    pub(super) fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), oversized: None, wanted: false, cause: Cause::Error, others: BTreeSet::new() }
    }
}
