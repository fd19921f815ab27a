//! What goes into one batch: the done prefixes of partitions, and the positions that are committed with them.

use super::slot::Done;
use super::traced::Trace;
use crate::event::TopicId;
use crate::kafka::base::partition::{Generation, Partition};
use crate::kafka::client::committed::Committed;
use crate::kafka::client::log_id::Logs;
use std::collections::BTreeSet;

/// What a cut of all partitions gave.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    pub(crate) outputs: Vec<Done>,
    pub(crate) positions: Vec<Position>,
    /// Positions of partitions of which nothing was read since: they are idle, or their states have something to write.
    pub(crate) unread: Vec<Unread>,
}

/// A position that is committed although nothing of its partition was read.
#[derive(Debug, Clone)]
pub(crate) struct Unread {
    pub(crate) partition: Partition,
    pub(crate) generation: Generation,
    pub(crate) committed: Committed,
}

/// How far one partition is done once the cut is written.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub(crate) partition: Partition,
    pub(crate) generation: Generation,
    pub(crate) next: i64,
    /// The log that it is a position of.
    pub(super) log: Option<TopicId>,
    /// One past the last of the cut's outputs that are of this partition.
    pub(super) end: usize,
}

impl Cut {
    /// The traces of its records.
    pub(crate) fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.outputs.iter().map(|done| &done.trace)
    }

    /// The partition that an output of the cut is of.
    pub(crate) fn position_of(&self, index: usize) -> Option<&Position> {
        self.positions.iter().find(|position| index < position.end)
    }

    /// Whether it holds records of any of `partitions`.
    pub(crate) fn touches(&self, partitions: &BTreeSet<Partition>) -> bool {
        self.next().any(|(partition, _)| partitions.contains(partition))
    }

    /// The next offset to read of every partition that it touches.
    pub(crate) fn next(&self) -> impl Iterator<Item = (&Partition, Committed)> {
        let committed = |position: &Position| Committed { next: position.next, log: position.log };
        let read = self.positions.iter().map(move |position| (&position.partition, committed(position)));
        read.chain(self.unread.iter().map(|unread| (&unread.partition, unread.committed)))
    }

    /// The logs that these are positions of.
    pub(crate) fn logs(&self) -> Logs {
        let mut logs = Logs::default();
        for (partition, committed) in self.next() {
            if let Some(log) = committed.log {
                logs.note(&partition.topic, log);
            }
        }
        logs
    }
}
