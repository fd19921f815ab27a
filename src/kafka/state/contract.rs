//! Defines what a stateful role does for each partition, and when the pipeline calls it (K7).

use crate::event::{Output, Record, TopicId};
use crate::metrics::Counted;
use jiff::Timestamp;

/// A role that keeps state.
pub trait Stateful: Send + Sync {
    /// Returns the topic of the changelog. It has as many partitions as the input.
    fn changelog(&self) -> &str;
    /// Begins to restore the state of a partition of the input, which has `partitions` partitions.
    fn restore(&self, partition: i32, partitions: i32) -> Box<dyn Restoring>;
}

/// The state of a partition while its changelog is read.
pub trait Restoring: Send {
    /// Takes a record of the changelog.
    ///
    /// # Errors
    /// The reason why the record cannot be read.
    fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String>;
    /// Returns whether the records so far say how many partitions there are.
    /// When they do not, those of partition 0 are read too.
    fn knows_partitions(&self) -> bool;
    /// Takes a record of the changelog's partition 0.
    ///
    /// # Errors
    /// The reason why the record cannot be read.
    fn take_of_first(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), String>;
    /// Returns the state, if it belongs to the position that the group has committed.
    /// `log` is the id of the input, if the brokers report ids.
    ///
    /// # Errors
    /// The reason why the state does not belong to the position, and what to do.
    fn finish(self: Box<Self>, committed: Option<i64>, log: Option<TopicId>) -> Result<Box<dyn PartitionState>, String>;
}

/// The state of one partition. One thread calls all its methods.
pub trait PartitionState: Send {
    /// Applies a record, in offset order. Returns what must be written because
    /// of this record alone.
    ///
    /// # Errors
    /// The reason why the role must stop.
    fn apply(&mut self, record: Record) -> Result<Applied, String>;
    /// Returns whether the state needs to know where the log of the input ends.
    fn wants_end(&self, now: Timestamp) -> bool;
    /// Takes the end of the input's log, open transactions included.
    /// The log ended there at `asked` or later.
    fn end_of_log(&mut self, end: i64, asked: Timestamp);
    /// Returns whether the state waits until everything below the end is applied.
    fn waits_for_position(&self) -> bool;
    /// Does what waited until everything below `position` was applied. Called just before a batch
    /// is cut, never while one is in flight.
    fn freeze(&mut self, position: i64, now: Timestamp);
    /// Returns whether reading should wait until something is written.
    fn is_full(&self) -> bool;
    /// Returns whether there is something to write although nothing was read.
    /// Long work does not count.
    fn has_outputs(&self) -> bool;
    /// Returns whether that should be written before the next commit is due.
    fn is_urgent(&self) -> bool;
    /// Returns whether there is long work to do, a step in each batch.
    fn is_closing(&self) -> bool;
    /// Returns the outputs of a batch that commits the position `next`. They include a step of the
    /// long work when it is the turn of this partition. The batch before has ended.
    fn cut(&mut self, next: i64, now: Timestamp, with_step: bool) -> Vec<Output>;
    /// Notes that the batch is committed.
    fn committed(&mut self);
    /// Notes that the batch is not committed. What it held will be cut again.
    fn aborted(&mut self);
}

/// The outcome of one record alone.
#[derive(Debug, Default)]
pub struct Applied {
    /// The outputs that must be written because of the record.
    pub outputs: Vec<Output>,
    /// The figures that are counted when the outputs are committed.
    pub counted: Counted,
    /// True when the record breaks the producer's contract.
    /// The pipeline stops when most records do.
    pub refused: bool,
}
