//! What is measured: one table of all metrics, the figures that are counted, and where others read them.
//!
//! Nothing here knows Kafka, mail or an exporter: whoever counts calls [`Counter::add`] or [`Duration::record`], and `telemetry` shows
//! what the [table](table) lists.

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
