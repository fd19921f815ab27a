//! Why there is no message.

use crate::event::raw::Refusal;

/// Why there is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfetched {
    /// The producer's contract is broken: a dead letter, and no other try.
    #[error("{0}")]
    Refused(Refusal),
    /// The storage does not answer, or refuses us: the partition pauses, and the same is tried again.
    #[error("{0}")]
    Unavailable(String),
}
