//! The error type of fetching a message.

use crate::event::raw::Refusal;

/// The reason why a message could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfetched {
    /// The producer broke its contract: the record becomes a dead letter, without another attempt.
    #[error("{0}")]
    Refused(Refusal),
    /// The storage does not answer or denies access: the partition pauses, and the same record is
    /// tried again.
    #[error("{0}")]
    Unavailable(String),
}
