//! Defines the role that the simulated processes run, without state or with a count of records as
//! its state.

use super::cluster::Cluster;
use crate::event::{Headers, Output, Record};
use crate::kafka::base::error::Error;
use crate::kafka::base::partition::Partition;
use crate::kafka::pipeline::contract::Role;
use crate::kafka::state::contract::{Applied, PartitionState};
use crate::kafka::state::restore::Unrestored;
use crate::metrics::Counted;
use jiff::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A role that answers every record with one output that names the record.
pub(super) struct ModelRole {
    pub(super) is_stateful: bool,
    /// Returns the milliseconds since the simulation began.
    pub(super) clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Reads from a record's value when it is due, in milliseconds.
pub(super) fn due(record: &Record) -> u64 {
    let value = record.value.as_deref().unwrap_or_default();
    u64::from_be_bytes(value[..8].try_into().unwrap())
}

/// Makes the output that answers a record.
pub(super) fn answer((topic, partition, offset): (&str, i32, i64), is_oversized: bool) -> Output {
    let suffix = if is_oversized { "/oversized" } else { "" };
    let value = format!("{topic}/{partition}/{offset}{suffix}").into_bytes();
    Output { topic: "out".into(), partition: None, key: None, value: Some(value), headers: Headers::default() }
}

impl Role for ModelRole {
    fn due(&self, record: &Record) -> Option<Duration> {
        let wait = due(record).checked_sub((self.clock)())?;
        (wait > 0 && !self.is_stateful).then(|| Duration::from_millis(wait))
    }

    fn stand_in(&self, record: (&str, i32, i64), _: &[Output]) -> (Vec<Output>, Counted) {
        (vec![answer(record, false)], Counted::default())
    }
}

/// The number of records of a partition that were applied, which is written as an absolute value.
pub(super) struct Count {
    topic: Arc<str>,
    partition: i32,
    records: u64,
    written: u64,
    /// Refusals among a hundred records.
    refusals: u8,
}

impl Count {
    /// Restores a count from the changelog. The marker must be the group's position.
    pub(super) fn restored(
        cluster: &Mutex<Cluster>,
        partition: &Partition,
        committed: Option<i64>,
        refusals: u8,
    ) -> Result<Box<dyn PartitionState>, Unrestored> {
        let (records, marker) = cluster.lock().unwrap().counts.get(partition).copied().unwrap_or_default();
        if marker != committed.unwrap_or_default() {
            let reason = format!("the marker {marker} is not the position {committed:?} of the group");
            return Err(Unrestored::Misfit(Error::State { partition: partition.number, reason }));
        }
        Ok(Box::new(Self { topic: partition.topic.clone(), partition: partition.number, records, written: records, refusals }))
    }
}

impl PartitionState for Count {
    fn apply(&mut self, record: Record) -> Result<Applied, String> {
        self.records += 1;
        let outputs = vec![answer((&record.topic, record.partition, record.offset), false)];
        // Some prime, so that refusals come among others.
        let refused = record.offset * 37 % 100 < i64::from(self.refusals);
        Ok(Applied { outputs, refused, ..Applied::default() })
    }

    fn wants_end(&self, _: Timestamp) -> bool {
        false
    }

    fn end_of_log(&mut self, _: i64, _: Timestamp) {}

    fn waits_for_position(&self) -> bool {
        false
    }

    fn freeze(&mut self, _: i64, _: Timestamp) {}

    fn is_full(&self) -> bool {
        self.records > self.written + 20
    }

    fn has_outputs(&self) -> bool {
        false
    }

    fn is_urgent(&self) -> bool {
        self.is_full()
    }

    fn is_closing(&self) -> bool {
        false
    }

    fn cut(&mut self, next: i64, _: Timestamp, _: bool) -> Vec<Output> {
        let key = format!("{}/{}/{next}", self.topic, self.partition).into_bytes();
        let value = self.records.to_be_bytes().to_vec();
        vec![Output { topic: "state".into(), partition: None, key: Some(key), value: Some(value), headers: Headers::default() }]
    }

    fn committed(&mut self) {
        self.written = self.records;
    }

    fn aborted(&mut self) {}
}
