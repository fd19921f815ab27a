//! Collects the content of one batch: done records of partitions, and the positions to commit with
//! them.

use super::BatchNumber;
use super::slot::Done;
use super::traced::Trace;
use crate::kafka::base::partition::{Generation, Partition};
use crate::kafka::client::committed::Commit;
use crate::kafka::client::log_id::Logs;
use std::collections::BTreeSet;

/// The content of one batch, from all partitions.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    pub(crate) outputs: Vec<Done>,
    pub(crate) positions: Vec<Position>,
    /// The positions of partitions of which nothing was read since the last batch.
    /// Such a partition is idle, or its state has something to write.
    pub(crate) unread: Vec<Unread>,
}

/// A position that is committed although nothing of its partition was read.
#[derive(Debug, Clone)]
pub(crate) struct Unread {
    pub(crate) partition: Partition,
    pub(crate) generation: Generation,
    pub(crate) commit: Commit,
}

/// The position of one partition once the cut is written.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub(crate) partition: Partition,
    pub(crate) generation: Generation,
    pub(super) batch: BatchNumber,
    pub(crate) commit: Commit,
    /// One past the index of the partition's last entry in [`Cut::outputs`].
    pub(super) end: usize,
}

impl Cut {
    /// Returns the traces of the records.
    pub(crate) fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.outputs.iter().map(|done| &done.trace)
    }

    /// Returns the position whose partition the entry at `index` belongs to; None when
    /// there is no such entry.
    pub(crate) fn position_of(&self, index: usize) -> Option<&Position> {
        self.positions.iter().find(|position| index < position.end)
    }

    /// Returns whether the cut commits a position of any of `partitions`.
    pub(crate) fn touches(&self, partitions: &BTreeSet<Partition>) -> bool {
        self.commits().any(|(partition, _)| partitions.contains(partition))
    }

    /// Returns what is committed of every partition in the cut.
    pub(crate) fn commits(&self) -> impl Iterator<Item = (&Partition, &Commit)> {
        let read = self.positions.iter().map(|position| (&position.partition, &position.commit));
        read.chain(self.unread.iter().map(|unread| (&unread.partition, &unread.commit)))
    }

    /// Returns the logs that the positions belong to.
    pub(crate) fn logs(&self) -> Logs {
        let mut logs = Logs::default();
        for (partition, commit) in self.commits() {
            if let Some(log) = commit.position.log {
                logs.note(&partition.topic, log);
            }
        }
        logs
    }
}
