//! Counts and measures: one table of all metrics, the figures that are counted, and the functions
//! by which others read them.
//!
//! Nothing here depends on Kafka, mail or an exporter. A caller counts with [`Counter::add`] or
//! [`record`], and `telemetry` shows the metrics of the [table](table).

mod counted;
mod counters;
mod durations;
pub mod labels;
mod sample;
mod staged;
pub mod table;

pub use counted::{Counted, Unreported};
pub use counters::{
    CLAIM_CHECKS, Counter, DEAD_LETTERS, DNS_CACHE, DNS_IN_FLIGHT, DNS_QUESTIONS, DNS_WAITING, FAILURES_WRITTEN, Gauge, REASONS,
    RETRIES, TRACES, UNREPORTED, VERDICTS, samples,
};
pub use durations::{Durations, Histogram, record, record_with, start};
pub use sample::{Sample, Value};
pub use staged::Staged;
pub use table::Metric;
