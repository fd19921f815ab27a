//! Names partitions, and converts them to and from the lists of the client library.

use super::error::Error;
use crate::event::Record;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Partition {
    pub(crate) topic: Arc<str>,
    pub(crate) number: i32,
}

impl Partition {
    /// Returns the partition that a record was read from.
    pub(crate) fn of(record: &Record) -> Self {
        Self { topic: record.topic.clone(), number: record.partition }
    }
}

impl std::fmt::Display for Partition {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.topic, self.number)
    }
}

/// The number of one assignment of one partition. A later assignment has a higher number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Generation(pub(crate) u64);

pub(crate) fn add(list: &mut TopicPartitionList, partition: &Partition, offset: Offset) -> Result<(), Error> {
    list.add_partition_offset(&partition.topic, partition.number, offset).map_err(Error::Consume)
}

pub(crate) fn list<'p>(partitions: impl Iterator<Item = &'p Partition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&partition.topic, partition.number);
    }
    list
}

pub(crate) fn partitions(list: &TopicPartitionList) -> BTreeSet<Partition> {
    if list.count() == 0 {
        return BTreeSet::new();
    }
    list.elements().iter().map(|element| Partition { topic: element.topic().into(), number: element.partition() }).collect()
}

pub(crate) fn names(partitions: &BTreeSet<Partition>) -> String {
    let names: Vec<String> = partitions.iter().map(|partition| format!("{}/{}", partition.topic, partition.number)).collect();
    names.join(" ")
}
