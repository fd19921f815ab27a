//! Defines what the consumer thread needs of transactions: the thread that makes them, and the
//! membership that they are sent under. The simulation implements both with models.

use super::batch::{Batch, Ended};
use crate::kafka::base::error::Error;
use std::ffi::CStr;
use std::time::Duration;

/// A member's place in its group at one moment, as the brokers check it when offsets are committed.
pub(crate) trait GroupMembership {
    /// Returns the member's id.
    fn member(&self) -> &CStr;
    /// Returns whether the group has let the member in. Before that the member has an id and no
    /// generation.
    fn is_let_in(&self) -> bool;
}

/// The transaction thread, as the consumer thread sees it.
pub(crate) trait TransactionPort<M>: Send {
    /// Fences earlier users of the transactional id, without waiting for the result.
    fn fence(&mut self) -> Result<(), Error>;
    /// Hands a batch over. The batch before must have ended.
    fn submit(&mut self, batch: Batch<M>) -> Result<(), Error>;
    /// Returns how the batch ended; None when that is not known within `patience`.
    fn outcome(&mut self, patience: Duration) -> Option<Ended>;
    /// Returns why nothing can be written while no batch is in hand; None when all is well.
    fn failure(&self) -> Option<Error>;
    /// Ends the thread once it has no batch in hand. Returns false when it has not ended within
    /// `patience`.
    fn close(&mut self, patience: Duration) -> bool;
}
