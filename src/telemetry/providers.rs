//! The OpenTelemetry SDK of the process: one resource, and the providers of meters, spans and log
//! records.

use super::collector::{Collector, ExportError};
use super::exporter::{Bounded, Counted};
use super::losses::{Losses, Signal};
use super::scrape::Scrapes;
use super::semconv;
use super::statuses::Roles;
use crate::config::{Config, Kafka, ResourceAttributes};
use crate::kafka::Instance;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{BatchConfigBuilder as LogBatches, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchConfigBuilder as SpanBatches, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider};
use prometheus::Registry;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::runtime::Runtime;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// Name of the service and of the instrumentation scope.
const NAME: &str = "verdmarc";
/// Longest time that the end of the process waits for the last export.
const LAST_EXPORT: Duration = Duration::from_secs(5);
/// Size of the SDK's queue. It is larger than the number that [`Losses::admit`] lets in, so that
/// the SDK drops nothing.
const QUEUE: usize = super::losses::QUEUE + 1;
/// Largest number of spans, or of log records, in one export.
const BATCH: usize = 512;
/// Longest time that the first item of an export waits for others.
const WAIT: Duration = Duration::from_secs(2);

/// The providers of metrics, traces and logs of this process.
#[derive(Debug)]
pub struct Telemetry {
    meters: SdkMeterProvider,
    registry: Registry,
    spans: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
    losses: [Arc<Losses>; 3],
    runtime: Option<Runtime>,
}

/// Returns the attributes that tell this process from others.
fn resource(kafka: &Kafka, set: &ResourceAttributes) -> Resource {
    let ours = [
        KeyValue::new(semconv::SERVICE_NAME, NAME),
        KeyValue::new(semconv::SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
        KeyValue::new(semconv::SERVICE_INSTANCE_ID, Instance::of(kafka).name),
    ];
    let set = set.0.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    // The detectors of the SDK read the environment, which the settings have already taken into
    // account.
    Resource::builder_empty().with_schema_url(ours, semconv::SCHEMA_URL).with_attributes(set).build()
}

impl Telemetry {
    /// Makes the providers that the settings ask for. Must not be called on a thread of an
    /// asynchronous runtime.
    ///
    /// # Errors
    /// A file of the settings cannot be read, or the library refuses the settings.
    pub fn new(config: &Config) -> Result<Self, ExportError> {
        let resource = resource(&config.kafka, &config.telemetry.resource);
        let losses = [Signal::Metrics, Signal::Traces, Signal::Logs].map(|signal| Arc::new(Losses::of(signal)));
        let registry = Registry::new();
        let scrapes = opentelemetry_prometheus::exporter().with_registry(registry.clone()).scope_info_enabled(false);
        let scrapes = scrapes.without_target_info().build().map_err(|error| ExportError::Refused(error.to_string()))?;
        let mut meters = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(scrapes);
        let (mut spans, mut logs, mut runtime) = (None, None, None);
        if let Some(export) = config.telemetry.export() {
            let collector = Collector::new(&export)?;
            let [of_metrics, of_spans, of_logs] = &losses;
            if export.metrics {
                let exporter = Counted { exporter: collector.metrics()?, losses: of_metrics.clone() };
                meters = meters.with_reader(PeriodicReader::builder(exporter).with_interval(export.metrics_interval).build());
            }
            if export.traces {
                spans = Some(span_provider(&collector, resource.clone(), of_spans)?);
            }
            if export.logs {
                logs = Some(log_provider(&collector, resource, of_logs)?);
            }
            runtime = collector.runtime();
        }
        Ok(Self { meters: meters.build(), registry, spans, logs, losses, runtime })
    }

    /// Returns a meter, which makes instruments.
    pub fn meter(&self) -> Meter {
        self.meters.meter_with_scope(scope())
    }

    /// Returns a tracer; `None` when no traces are exported. Every span that is begun is exported,
    /// so the caller must choose.
    pub fn tracer(&self) -> Option<SdkTracer> {
        self.spans.as_ref().map(|spans| spans.tracer_with_scope(scope()))
    }

    /// Exports the figures of these roles and of the process, and lets `/metrics` show them.
    pub fn measure(&self, roles: Roles) -> Scrapes {
        Scrapes { registry: self.registry.clone(), figures: super::meters::register(&self.meter(), roles, self.losses.clone()) }
    }

    /// Returns the numbers of what became of each signal.
    pub fn losses(&self) -> &[Arc<Losses>; 3] {
        &self.losses
    }

    /// Returns a layer that exports log records of verdmarc and of the client library; `None` when
    /// no logs are exported. Log records of the libraries that export are left out, because each
    /// export would cause the next one.
    pub fn log_layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        let logs = self.logs.as_ref()?;
        Some(OpenTelemetryTracingBridge::new(logs).with_filter(filter_fn(|metadata| is_exported(metadata.target()))))
    }

    /// Exports what is left and ends. This takes some seconds at most, whatever the collector does.
    /// Must not be called on a thread of an asynchronous runtime.
    pub fn shutdown(self) {
        let (sender, ended) = mpsc::channel();
        let end = move || {
            // The exporters count and log failures.
            let _ = self.spans.map(|spans| spans.shutdown_with_timeout(LAST_EXPORT));
            let _ = self.logs.map(|logs| logs.shutdown_with_timeout(LAST_EXPORT));
            let _ = self.meters.shutdown_with_timeout(LAST_EXPORT);
            if let Some(runtime) = self.runtime {
                runtime.shutdown_background();
            }
            // An error means that nobody waits any longer.
            let _ = sender.send(());
        };
        let started = std::thread::Builder::new().name("last-export".to_owned()).spawn(end);
        if started.is_ok() && ended.recv_timeout(LAST_EXPORT).is_err() {
            tracing::warn!("the last export of telemetry did not end within {} s and is given up", LAST_EXPORT.as_secs());
        }
    }
}

/// Returns whether a log record with this target may be exported.
fn is_exported(target: &str) -> bool {
    let is_below = |module: &str| target.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    // Records about exports belong on standard error only. A collector that was away would get them
    // when it is back, and their readers there could do nothing about them.
    let is_of_exports = is_below("verdmarc::telemetry");
    !is_of_exports && (["verdmarc", "librdkafka", "rdkafka"].into_iter().any(is_below) || target.starts_with("hickory"))
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(NAME).with_version(env!("CARGO_PKG_VERSION")).with_schema_url(semconv::SCHEMA_URL).build()
}

fn span_provider(collector: &Collector, resource: Resource, losses: &Arc<Losses>) -> Result<SdkTracerProvider, ExportError> {
    let batches =
        SpanBatches::default().with_max_queue_size(QUEUE).with_max_export_batch_size(BATCH).with_scheduled_delay(WAIT).build();
    let exporter = Counted { exporter: collector.spans()?, losses: losses.clone() };
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    let processor = Bounded { processor, losses: losses.clone() };
    Ok(SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(Sampler::AlwaysOn)
        .with_max_links_per_span(128)
        .with_max_attributes_per_span(64)
        .with_max_events_per_span(64)
        .with_span_processor(processor)
        .build())
}

fn log_provider(collector: &Collector, resource: Resource, losses: &Arc<Losses>) -> Result<SdkLoggerProvider, ExportError> {
    let batches =
        LogBatches::default().with_max_queue_size(QUEUE).with_max_export_batch_size(BATCH).with_scheduled_delay(WAIT).build();
    let exporter = Counted { exporter: collector.logs()?, losses: losses.clone() };
    let processor = BatchLogProcessor::builder(exporter).with_batch_config(batches).build();
    let processor = Bounded { processor, losses: losses.clone() };
    Ok(SdkLoggerProvider::builder().with_resource(resource).with_log_processor(processor).build())
}
