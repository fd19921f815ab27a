//! What the consumer thread asks of the client library: a member of a group, and transactions. The simulation has models of both.

use crate::kafka::base::error::Error;
use crate::kafka::base::partition::Partition;
use crate::kafka::transaction::batch::{Batch, Ended};
use rdkafka::error::KafkaResult;
use std::collections::BTreeSet;
use std::ffi::CStr;
use std::time::Duration;

/// A member's place in its group at one moment, as the brokers check it when offsets are committed.
pub(crate) trait GroupMembership {
    /// The member's id.
    fn member(&self) -> &CStr;
    /// Whether the group has let the member in: before that it has an id and no generation.
    fn is_let_in(&self) -> bool;
}

/// The consumer as a member of its group. All calls return at once.
pub(crate) trait GroupConsumer<M> {
    /// Takes the membership of this moment; None while the consumer is not in its group.
    fn membership(&self) -> Option<M>;
    /// Whether partitions come and go one by one.
    fn is_cooperative(&self) -> bool;
    /// Whether the partitions that are revoked are lost already.
    fn is_assignment_lost(&self) -> bool;
    /// Whether the consumer cannot go on.
    fn has_failed(&self) -> bool;
    /// Has partitions read, each from its offset, or from the beginning of its log where there is none.
    fn assign(&self, partitions: &[(Partition, Option<i64>)]) -> Result<(), Error>;
    /// Has partitions no longer read.
    fn unassign(&self, partitions: &BTreeSet<Partition>) -> Result<(), Error>;
    /// Has partitions left alone, until they are resumed: the library keeps a pause over assignments.
    fn pause(&self, partitions: &BTreeSet<Partition>) -> KafkaResult<()>;
    /// Has partitions that were paused read again.
    fn resume(&self, partitions: &BTreeSet<Partition>) -> KafkaResult<()>;
    /// Has a partition read from this offset next.
    fn seek(&self, partition: &Partition, offset: i64) -> KafkaResult<()>;
    /// The next offset that would be read of each partition, as far as it is known: behind all that was handed out, and behind the
    /// control records that follow.
    fn positions(&self) -> Vec<(Partition, i64)>;
}

/// The transaction thread, seen from the consumer thread.
pub(crate) trait TransactionPort<M>: Send {
    /// Fences whoever used the transactional id before, without waiting for that.
    fn fence(&mut self) -> Result<(), Error>;
    /// Hands a batch over. The one before must have ended.
    fn submit(&mut self, batch: Batch<M>) -> Result<(), Error>;
    /// How the batch ended; None when that is not known within `patience`.
    fn outcome(&mut self, patience: Duration) -> Option<Ended>;
    /// Why nothing can be written, when there is nothing in hand; None when all is well.
    fn failure(&self) -> Option<Error>;
    /// Ends when nothing is in hand; false when that did not come about in time.
    fn close(&mut self, patience: Duration) -> bool;
}
