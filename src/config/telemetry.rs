//! The table `[telemetry]`: settings of the export to an OpenTelemetry collector.

mod environment;
mod values;

pub use values::{Headers, OtlpProtocol, Ratio, ResourceAttributes, TraceParent};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Metrics, traces and logs for an OpenTelemetry collector, by OTLP. Nothing is exported until
/// there is an endpoint. Settings that are not set here are taken from the `OTEL_` variables that
/// docs/telemetry.md lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// URL at which the collector takes OTLP: `http://collector:4318`, or `http://collector:4317`
    /// for gRPC. With HTTP, `/v1/metrics` and the like are appended.
    /// Default `OTEL_EXPORTER_OTLP_ENDPOINT`; without either nothing is exported.
    #[schemars(example = "http://collector:4318")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// `http/protobuf`, or `grpc` where this is compiled in, as in release images.
    /// Default `http/protobuf`.
    #[schemars(example = "http/protobuf")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<OtlpProtocol>,
    /// Header fields of each request, by name. Their values are never shown. Default none.
    #[schemars(example = serde_json::json!({"x-tenant": "mail"}))]
    pub headers: Headers,
    /// Header fields whose value is the content of a file, without the line end, for secrets.
    /// Default none.
    #[schemars(example = serde_json::json!({"authorization": "/run/secrets/otlp"}))]
    pub header_files: BTreeMap<String, PathBuf>,
    /// PEM file with the certificates of the authorities that may have signed the collector's.
    /// Default those of the system.
    #[schemars(example = "/etc/verdmarc/collector-ca.pem")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Milliseconds that an export may take, including all its retries. Default 10 000.
    #[schemars(example = 10_000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Whether metrics are exported. Default true.
    #[schemars(example = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<bool>,
    /// Whether traces are exported. Default true.
    #[schemars(example = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces: Option<bool>,
    /// Whether log lines are exported, beside standard error. Default true.
    #[schemars(example = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<bool>,
    /// Milliseconds between two exports of the metrics. Default 60 000.
    #[schemars(example = 60_000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_interval_ms: Option<u64>,
    /// Fraction of the messages that are traced, from 0 to 1, among those whose record does not
    /// decide it by its `traceparent`. Default 0.01.
    pub trace_ratio: Ratio,
    /// Largest number of traces that begin in a second, whatever asked for them. Default 100.
    pub traces_per_second: u32,
    /// Whether the `traceparent` of a record decides if it is traced: `respect`, or `ignore` where
    /// producers are not trusted with that. Default `respect`.
    pub trace_parent: TraceParent,
    /// Attributes of the resource besides `service.name`, `service.version` and
    /// `service.instance.id`, or instead of them. Default none.
    #[schemars(example = serde_json::json!({"deployment.environment.name": "production"}))]
    pub resource: ResourceAttributes,
    /// Warnings about `OTEL_` variables that are set and not heeded, each with the reason.
    #[serde(skip)]
    pub(super) unheeded: Vec<String>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: None,
            headers: Headers::default(),
            header_files: BTreeMap::new(),
            ca_file: None,
            timeout_ms: None,
            metrics: None,
            traces: None,
            logs: None,
            metrics_interval_ms: None,
            trace_ratio: Ratio::default(),
            traces_per_second: 100,
            trace_parent: TraceParent::Respect,
            resource: ResourceAttributes::default(),
            unheeded: Vec::new(),
        }
    }
}

/// Default of `timeout_ms`, in milliseconds.
const TIMEOUT_MS: u64 = 10_000;
/// Default of `metrics_interval_ms`, in milliseconds.
const METRICS_INTERVAL_MS: u64 = 60_000;

/// The settings of the export with their defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The URL of the collector.
    pub endpoint: String,
    /// The protocol to use with the collector.
    pub protocol: OtlpProtocol,
    /// Header fields of each request.
    pub headers: Headers,
    /// Files with values of further header fields.
    pub header_files: BTreeMap<String, PathBuf>,
    /// PEM file with the certificates of authorities.
    pub ca_file: Option<PathBuf>,
    /// Longest time of an export, including all its retries.
    pub timeout: Duration,
    /// True when metrics are exported.
    pub metrics: bool,
    /// True when traces are exported.
    pub traces: bool,
    /// True when log lines are exported.
    pub logs: bool,
    /// Time between two exports of the metrics.
    pub metrics_interval: Duration,
}

impl Telemetry {
    /// Returns the settings of the export; `None` when there is no endpoint.
    pub fn export(&self) -> Option<Export> {
        Some(Export {
            endpoint: self.endpoint.clone()?,
            protocol: self.protocol.unwrap_or_default(),
            headers: self.headers.clone(),
            header_files: self.header_files.clone(),
            ca_file: self.ca_file.clone(),
            timeout: Duration::from_millis(self.timeout_ms.unwrap_or(TIMEOUT_MS)),
            metrics: self.metrics.unwrap_or(true),
            traces: self.traces.unwrap_or(true),
            logs: self.logs.unwrap_or(true),
            metrics_interval: Duration::from_millis(self.metrics_interval_ms.unwrap_or(METRICS_INTERVAL_MS)),
        })
    }

    pub(super) fn validate(&self, problems: &mut Vec<String>) {
        if let Some(endpoint) = &self.endpoint
            && let Err(wrong) = values::check_endpoint(endpoint)
        {
            problems.push(format!("telemetry.endpoint {wrong}, say http://collector:4318"));
        }
        if self.protocol == Some(OtlpProtocol::Grpc) && !cfg!(feature = "grpc") {
            problems.push("telemetry.protocol: gRPC is not compiled in (feature `grpc`): use http/protobuf".to_owned());
        }
        for name in self.headers.0.keys().chain(self.header_files.keys()) {
            if !values::is_header_name(name) {
                problems.push(format!("telemetry.headers: `{}` is no name of a header field", name.escape_debug()));
            }
        }
        for (name, value) in &self.headers.0 {
            if self.header_files.keys().any(|other| other.eq_ignore_ascii_case(name)) {
                problems.push(format!("telemetry.header_files: `{name}` stands in telemetry.headers too: remove one"));
            }
            if !values::is_header_value(value) {
                problems.push(format!("telemetry.headers: the value of `{name}` has characters that no header field may have"));
            }
        }
        for (key, value) in [("timeout_ms", self.timeout_ms), ("metrics_interval_ms", self.metrics_interval_ms)] {
            if value == Some(0) {
                problems.push(format!("telemetry.{key} must be at least 1"));
            }
        }
    }

    /// Returns warnings about variables that are not heeded.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> {
        self.unheeded.iter().cloned()
    }
}
