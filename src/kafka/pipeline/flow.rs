//! Holds the figures that show how much a pipeline holds, how far it is behind, and how fast its
//! brokers answer.

use crate::kafka::ledger::budget::Use;
use crate::metrics::{Sample, table};
use jiff::Timestamp;
use std::time::Duration;

/// The time between two measurements.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// The figures of the last measurement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flow {
    /// The number of offsets between the committed positions and the ends of the logs.
    pub(crate) lag: u64,
    /// The timestamp of the oldest record that was read and is not committed.
    pub(crate) oldest: Option<Timestamp>,
    /// The number of partitions that wait for their position or state, that are read, and that are
    /// paused.
    pub(crate) partitions: [usize; 3],
    /// The number of records held that are pending, and that are done.
    pub(crate) records: [usize; 2],
    pub(crate) budget: Use,
    pub(crate) brokers: Brokers,
}

/// Figures of the consumer's connections.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Brokers {
    /// The number of connections that are up, connecting, and down.
    pub(crate) connections: [u64; 3],
    /// The median of the last round-trip times, their 99th percentile, and their maximum, each at
    /// the slowest broker; in microseconds.
    pub(crate) latency: [i64; 3],
}

impl Flow {
    pub(crate) fn samples(&self, unreadable: u64) -> Vec<Sample> {
        let age = |oldest: Timestamp| Duration::try_from(Timestamp::now().duration_since(oldest)).unwrap_or_default();
        let mut samples = vec![
            Sample::new(&table::LAG, self.lag),
            Sample::real(&table::OLDEST_AGE, self.oldest.map_or(0.0, |oldest| age(oldest).as_secs_f64())),
            Sample::real(&table::BUDGET_USE, self.budget.records).with("of", "records"),
            Sample::real(&table::BUDGET_USE, self.budget.bytes).with("of", "bytes"),
            Sample::new(&table::STATISTICS_UNREADABLE, unreadable),
        ];
        for (state, partitions) in ["starting", "reading", "paused"].into_iter().zip(self.partitions) {
            samples.push(Sample::new(&table::PARTITIONS, partitions as u64).with("state", state));
        }
        for (state, records) in ["pending", "done"].into_iter().zip(self.records) {
            samples.push(Sample::new(&table::RECORDS_HELD, records as u64).with("state", state));
        }
        for (state, connections) in ["up", "connecting", "down"].into_iter().zip(self.brokers.connections) {
            samples.push(Sample::new(&table::BROKER_CONNECTIONS, connections).with("state", state));
        }
        for (statistic, microseconds) in ["p50", "p99", "max"].into_iter().zip(self.brokers.latency) {
            let latency = Duration::from_micros(u64::try_from(microseconds).unwrap_or(0));
            samples.push(Sample::real(&table::BROKER_LATENCY, latency.as_secs_f64()).with("statistic", statistic));
        }
        samples
    }
}
