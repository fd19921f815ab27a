//! Registers an instrument for every metric of the table, which reads its figures where they are
//! counted.

use super::losses::{Losses, Signal};
use super::process;
use super::statuses::Roles;
use crate::kafka::Sentinel;
use crate::metrics::table::{self, Kind, Metric};
use crate::metrics::{self, Sample, Value};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time for which figures stay valid, so that instruments that are read one after the other show
/// the same moment.
const FRESH: Duration = Duration::from_millis(200);

/// The figures of one moment, for all instruments together.
pub(super) struct Figures {
    roles: Roles,
    losses: [Arc<Losses>; 3],
    started: Instant,
    taken: Mutex<Option<(Instant, BTreeMap<&'static str, Vec<Sample>>)>>,
}

impl Figures {
    fn new(roles: Roles, losses: [Arc<Losses>; 3]) -> Self {
        Self { roles, losses, started: Instant::now(), taken: Mutex::new(None) }
    }

    /// Forgets the figures, so that the next instrument that is read shows the present moment.
    pub(super) fn refresh(&self) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Calls `observe` with every figure of a metric.
    fn of(&self, metric: &Metric, mut observe: impl FnMut(Value, &[KeyValue])) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, figures) = match taken.take_if(|(at, _)| at.elapsed() < FRESH) {
            Some(fresh) => taken.insert(fresh),
            None => taken.insert((Instant::now(), self.take())),
        };
        for sample in figures.get(metric.name).into_iter().flatten() {
            let labels: Vec<KeyValue> = sample.labels.iter().map(|(name, value)| KeyValue::new(*name, *value)).collect();
            observe(sample.value, &labels);
        }
    }

    fn take(&self) -> BTreeMap<&'static str, Vec<Sample>> {
        let mut figures: BTreeMap<&'static str, Vec<Sample>> = BTreeMap::new();
        let mut add = |sample: Sample| figures.entry(sample.metric).or_default().push(sample);
        for (role, status) in self.roles.iter() {
            status.samples(Instant::now()).into_iter().map(|sample| sample.with("role", role)).for_each(&mut add);
        }
        metrics::samples().into_iter().for_each(&mut add);
        for (sentinel, count) in Sentinel::counts() {
            add(Sample::new(&table::SENTINEL, count).with("sentinel", sentinel));
        }
        for losses in &self.losses {
            let signal = losses.signal();
            let exports = |count, outcome| {
                Sample::new(&table::TELEMETRY_EXPORTS, count).with("signal", signal.name()).with("outcome", outcome)
            };
            add(exports(losses.exported(), "exported"));
            add(exports(losses.failed(), "failed"));
            if signal != Signal::Metrics {
                add(Sample::new(&table::TELEMETRY_DROPPED, losses.dropped()).with("signal", signal.name()));
            }
        }
        add(Sample::new(&table::BUILD_INFO, 1).with("version", env!("CARGO_PKG_VERSION")));
        add(Sample::real(&table::UPTIME, self.started.elapsed().as_secs_f64()));
        process::samples().into_iter().for_each(&mut add);
        figures
    }
}

fn whole(value: Value) -> u64 {
    match value {
        Value::Whole(value) => value,
        // A metric that is whole in the table has whole samples.
        Value::Real(_) => 0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure with a fraction is about a second or a byte")]
fn real(value: Value) -> f64 {
    match value {
        Value::Whole(value) => value as f64,
        Value::Real(value) => value,
    }
}

/// Registers an instrument for every metric.
pub(super) fn register(meter: &Meter, roles: Roles, losses: [Arc<Losses>; 3]) -> Arc<Figures> {
    let figures = Arc::new(Figures::new(roles, losses));
    for metric in table::ALL {
        let (name, help, unit) = (metric.name, metric.help, metric.unit);
        let source = figures.clone();
        let wholes = move |observer: &dyn AsyncInstrument<u64>| {
            source.of(metric, |value, labels| observer.observe(whole(value), labels));
        };
        let source = figures.clone();
        let reals = move |observer: &dyn AsyncInstrument<f64>| {
            source.of(metric, |value, labels| observer.observe(real(value), labels));
        };
        match metric.kind {
            Kind::Counter => {
                meter.u64_observable_counter(name).with_description(help).with_unit(unit).with_callback(wholes).build();
            }
            Kind::CounterF => {
                meter.f64_observable_counter(name).with_description(help).with_unit(unit).with_callback(reals).build();
            }
            Kind::Gauge => {
                meter.u64_observable_gauge(name).with_description(help).with_unit(unit).with_callback(wholes).build();
            }
            Kind::GaugeF => {
                meter.f64_observable_gauge(name).with_description(help).with_unit(unit).with_callback(reals).build();
            }
            // Histograms are recorded where they are measured.
            Kind::Histogram => {}
        }
    }
    metrics::start(meter);
    figures
}
