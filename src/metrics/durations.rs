//! Records the distributions of a few durations. Nothing is recorded until [`start`] is called.

use super::table::{self, Kind, Metric};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use std::sync::OnceLock;
use std::time::Duration;

/// Bounds of the buckets in seconds, from a cached evaluation to the restore of a window.
const BOUNDS: [f64; 16] =
    [0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// A distribution of durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Histogram {
    /// Duration of the evaluation of a message.
    Process,
    /// Time from arrival to commit.
    Latency,
    /// Duration of a DNS question.
    Dns,
    /// Duration of a batch.
    Batch,
    /// Duration of a transaction.
    Transaction,
    /// Duration of a restore.
    Restore,
}

impl Histogram {
    const ALL: [Self; 6] = [Self::Process, Self::Latency, Self::Dns, Self::Batch, Self::Transaction, Self::Restore];

    fn metric(self) -> &'static Metric {
        match self {
            Self::Process => &table::PROCESS_DURATION,
            Self::Latency => &table::MESSAGE_LATENCY,
            Self::Dns => &table::DNS_DURATION,
            Self::Batch => &table::BATCH_DURATION,
            Self::Transaction => &table::TRANSACTION_DURATION,
            Self::Restore => &table::RESTORE_DURATION,
        }
    }
}

/// The instruments of all distributions.
pub struct Durations {
    histograms: [opentelemetry::metrics::Histogram<f64>; 6],
    /// The labels of an evaluation, which never change.
    process: [KeyValue; 2],
}

impl Durations {
    /// Makes the instruments with a meter.
    pub fn of(meter: &Meter) -> Self {
        let histograms = Histogram::ALL.map(|histogram| {
            let Metric { name, help, unit, kind, .. } = *histogram.metric();
            debug_assert_eq!(kind, Kind::Histogram);
            meter.f64_histogram(name).with_description(help).with_unit(unit).with_boundaries(BOUNDS.to_vec()).build()
        });
        let process = [KeyValue::new("messaging.operation.name", "process"), KeyValue::new("messaging.system", "kafka")];
        Self { histograms, process }
    }

    /// Records a duration.
    pub fn record(&self, histogram: Histogram, duration: Duration, labels: &[KeyValue]) {
        let labels = if histogram == Histogram::Process { &self.process } else { labels };
        if let Some(instrument) = self.histograms.get(histogram as usize) {
            instrument.record(duration.as_secs_f64(), labels);
        }
    }
}

static DURATIONS: OnceLock<Durations> = OnceLock::new();

/// Starts recording durations. A second call changes nothing.
pub fn start(meter: &Meter) {
    DURATIONS.get_or_init(|| Durations::of(meter));
}

/// Records a duration, if recording was started.
pub fn record(histogram: Histogram, duration: Duration) {
    if let Some(durations) = DURATIONS.get() {
        durations.record(histogram, duration, &[]);
    }
}

/// Records a duration with labels, if recording was started. It allocates, so it is for events that
/// happen once per batch.
pub fn record_with(histogram: Histogram, duration: Duration, labels: &[(&'static str, &'static str)]) {
    if let Some(durations) = DURATIONS.get() {
        let labels: Vec<KeyValue> = labels.iter().map(|(name, value)| KeyValue::new(*name, *value)).collect();
        durations.record(histogram, duration, &labels);
    }
}
