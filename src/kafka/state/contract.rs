//! What a role with state does for each partition, and what its pipeline does with it (K7).

use crate::event::{Output, Record, TopicId};
use crate::metrics::Counted;
use jiff::Timestamp;

/// A role with state.
pub trait Stateful: Send + Sync {
    /// The topic of the changelog. It has as many partitions as the input.
    fn changelog(&self) -> &str;
    /// Begins to restore a partition, of so many.
    fn restore(&self, partition: i32, partitions: i32) -> Box<dyn Restoring>;
}

/// The state of a partition while its changelog is read.
pub trait Restoring: Send {
    /// Takes a record of the changelog.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String>;
    /// Whether the records so far say how many partitions there are. When they do not, those of partition 0 are asked.
    fn knows_partitions(&self) -> bool;
    /// Takes a record of the changelog's partition 0.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn take_of_first(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String>;
    /// The state, when it belongs to the position that the group has committed in the input with this id, if the brokers say ids.
    ///
    /// # Errors
    /// Why it does not, and what to do.
    fn finish(self: Box<Self>, committed: Option<i64>, log: Option<TopicId>) -> Result<Box<dyn PartitionState>, String>;
}

/// The state of one partition. All its methods are called by one thread.
pub trait PartitionState: Send {
    /// Applies a record, in offset order; what is to be written because of it alone.
    ///
    /// # Errors
    /// Why the role must not go on.
    fn apply(&mut self, record: Record) -> Result<Applied, String>;
    /// Whether it wants to know where the input's log ends.
    fn wants_end(&self, now: Timestamp) -> bool;
    /// The input's log ended here, open transactions included, when that was asked at `asked` or later.
    fn end_of_log(&mut self, end: i64, asked: Timestamp);
    /// Whether it waits until everything below the end is applied.
    fn waits_for_position(&self) -> bool;
    /// Everything below `position` is applied. Called just before a batch is cut, never while one is under way.
    fn freeze(&mut self, position: i64, now: Timestamp);
    /// Whether reading should wait until something is written.
    fn is_full(&self) -> bool;
    /// Whether there is something to write although nothing was read, long work apart.
    fn has_outputs(&self) -> bool;
    /// Whether that should not wait for the next commit's time.
    fn is_urgent(&self) -> bool;
    /// Whether there is long work to do, a step in each batch.
    fn is_closing(&self) -> bool;
    /// What a batch writes that commits the position `next`, with a step of the long work when it is this partition's turn. The batch
    /// before has ended.
    fn cut(&mut self, next: i64, now: Timestamp, with_step: bool) -> Vec<Output>;
    /// The batch is committed.
    fn committed(&mut self);
    /// The batch is not: what it held is cut again.
    fn aborted(&mut self);
}

/// What a record came to by itself.
#[derive(Debug, Default)]
pub struct Applied {
    /// What is to be written because of it.
    pub outputs: Vec<Output>,
    /// What is counted when that is committed.
    pub counted: Counted,
    /// It breaks the producer's contract. When most records do, the pipeline stops.
    pub refused: bool,
}
