//! Defines what the consumer thread needs of the client library: a member of a group, and
//! transactions. The simulation implements both with models.

use crate::kafka::base::error::Error;
use crate::kafka::base::partition::Partition;
use crate::kafka::transaction::batch::{Batch, Ended};
use rdkafka::error::KafkaResult;
use std::collections::BTreeSet;
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

/// The consumer as a member of its group. No call blocks.
pub(crate) trait GroupConsumer<M> {
    /// Takes the membership of this moment; None while the consumer is not in its group.
    fn membership(&self) -> Option<M>;
    /// Returns whether the group assigns and revokes partitions one by one.
    fn is_cooperative(&self) -> bool;
    /// Returns whether the partitions that are being revoked are lost already.
    fn is_assignment_lost(&self) -> bool;
    /// Returns whether the consumer cannot continue.
    fn has_failed(&self) -> bool;
    /// Starts to read partitions, each from its offset, or from the beginning of its log where the
    /// offset is None.
    fn assign(&self, partitions: &[(Partition, Option<i64>)]) -> Result<(), Error>;
    /// Stops reading partitions.
    fn unassign(&self, partitions: &BTreeSet<Partition>) -> Result<(), Error>;
    /// Pauses partitions until they are resumed. The library keeps a pause even after a new
    /// assignment.
    fn pause(&self, partitions: &BTreeSet<Partition>) -> KafkaResult<()>;
    /// Resumes paused partitions.
    fn resume(&self, partitions: &BTreeSet<Partition>) -> KafkaResult<()>;
    /// Makes this offset the next one to read of a partition.
    fn seek(&self, partition: &Partition, offset: i64) -> KafkaResult<()>;
    /// Returns the next offset to read of each partition whose position is known. It lies past all
    /// records that were handed out, and past the control records that follow.
    fn positions(&self) -> Vec<(Partition, i64)>;
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
