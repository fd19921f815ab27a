//! Names the causes for which a batch is aborted, so that nothing of it is visible.

use crate::kafka::base::error::Error;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The reason for an abort. Nothing of the batch is visible then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Abort {
    /// The reason in words, with details.
    pub(crate) reason: String,
    /// The entry that no topic accepts for its size.
    pub(crate) oversized: Option<Oversized>,
    /// True when this process wanted the abort, for example because a partition was revoked.
    /// Then there is no need to wait before the batch is written again.
    pub(crate) wanted: bool,
    /// The reason as one of the fixed causes.
    pub(crate) cause: Cause,
    /// The topics that are not the ones that were read.
    pub(crate) others: BTreeSet<Arc<str>>,
}

/// The cause of an abort, for log lines, metrics and traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The group revoked a partition.
    PartitionRevoked,
    /// A partition was lost, because the session in the group was over.
    PartitionLost,
    /// The process stops, and the commit had not begun.
    Stopping,
    /// A topic is not the one that was read.
    TopicChanged,
    /// No broker said in time whether the topics are still those that were read.
    TopicUnconfirmed,
    /// A topic does not accept one of the records for its size.
    RecordTooLarge,
    /// The brokers refused the membership in the group.
    Membership,
    /// The brokers refused the set that was to be committed with a position, for its size.
    SetRefused,
    /// Any other error.
    Error,
}

impl Cause {
    /// All causes, each at the index that is its number.
    pub(crate) const ALL: [Self; 9] = [
        Self::PartitionRevoked,
        Self::PartitionLost,
        Self::Stopping,
        Self::TopicChanged,
        Self::TopicUnconfirmed,
        Self::RecordTooLarge,
        Self::Membership,
        Self::SetRefused,
        Self::Error,
    ];

    /// Returns a sentence about the cause, for aborts that need no details.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::PartitionRevoked => "the group took a partition away",
            Self::PartitionLost => "a partition was lost: the session in the group was over",
            Self::Stopping => "the process stops",
            Self::TopicChanged => "a topic is not the one that was read",
            Self::TopicUnconfirmed => "no broker said in time whether the topics are those that were read",
            Self::RecordTooLarge => "a topic refuses a record for its size",
            Self::Membership => "the brokers refused the membership in the group",
            Self::SetRefused => "the brokers refused a position for the size of its metadata",
            Self::Error => "an error",
        }
    }

    /// Returns the name of the cause.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PartitionRevoked => "partition_revoked",
            Self::PartitionLost => "partition_lost",
            Self::Stopping => "stopping",
            Self::TopicChanged => "topic_changed",
            Self::TopicUnconfirmed => "topic_unconfirmed",
            Self::RecordTooLarge => "record_too_large",
            Self::Membership => "membership",
            Self::SetRefused => "set_refused",
            Self::Error => "error",
        }
    }
}

/// The part of a batch that no topic accepts for its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Oversized {
    /// A record for this topic, or no single one: the brokers refuse records together with those
    /// that were sent with them, so that it is not known which one is too large.
    Somewhere(String),
    /// The entry with this index.
    At(usize),
}

impl Abort {
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), oversized: None, wanted: false, cause: Cause::Error, others: BTreeSet::new() }
    }
}

/// The reason for which a transaction does not commit.
pub(crate) enum TransactionFailure {
    Abort(Abort),
    Fatal(Error),
}
