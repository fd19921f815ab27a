//! Defines what the consumer thread needs of the client library as a member of a group. The
//! simulation implements it with a model.

use crate::kafka::base::error::Error;
use crate::kafka::base::partition::Partition;
use rdkafka::error::KafkaResult;
use std::collections::BTreeSet;

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
