//! Exports over gRPC on a runtime of its own, so that a role that keeps its threads busy does not
//! delay exports, nor exports the role.

use super::error::{ExportError, refused};
use super::headers::{headers, read};
use crate::config::Export;
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig};
use opentelemetry_otlp::{LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithTonicConfig};
use tokio::runtime::{Builder, Runtime};

/// The settings of gRPC calls, with the runtime that makes them.
pub(super) struct Calls {
    runtime: Runtime,
    fields: MetadataMap,
    tls: Option<ClientTlsConfig>,
}

impl Calls {
    pub(super) fn new(export: &Export) -> Result<Self, ExportError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("otlp").enable_all().build().map_err(refused)?;
        let tls = export.endpoint.starts_with("https").then(ClientTlsConfig::new);
        let tls = match (&export.ca_file, tls) {
            (Some(path), Some(tls)) => Some(tls.ca_certificate(Certificate::from_pem(read("ca_file", path)?))),
            (None, tls) => tls.map(ClientTlsConfig::with_native_roots),
            (Some(_), None) => None,
        };
        Ok(Self { runtime, fields: MetadataMap::from_headers(headers(export)?), tls })
    }

    /// Calls `make` within the runtime, because connections belong to the runtime in which they are
    /// made.
    pub(super) fn enter<T>(&self, make: impl FnOnce() -> T) -> T {
        let _guard = self.runtime.enter();
        make()
    }

    pub(super) fn into_runtime(self) -> Runtime {
        self.runtime
    }

    fn settled<B: WithTonicConfig + WithExportConfig>(&self, builder: B, export: &Export) -> B {
        let fields = self.fields.clone();
        // Calls carry the fields of the settings and no others, because the library would let those
        // of the environment take precedence.
        let builder = builder
            .with_protocol(Protocol::Grpc)
            .with_endpoint(export.endpoint.clone())
            .with_timeout(export.timeout)
            .with_interceptor(move |mut call: tonic::Request<()>| {
                *call.metadata_mut() = fields.clone();
                Ok(call)
            });
        match &self.tls {
            Some(tls) => builder.with_tls_config(tls.clone()),
            None => builder,
        }
    }

    pub(super) fn metrics(&self, export: &Export) -> Result<MetricExporter, ExportError> {
        self.settled(MetricExporter::builder().with_tonic(), export).build().map_err(refused)
    }

    pub(super) fn spans(&self, export: &Export) -> Result<SpanExporter, ExportError> {
        self.settled(SpanExporter::builder().with_tonic(), export).build().map_err(refused)
    }

    pub(super) fn logs(&self, export: &Export) -> Result<LogExporter, ExportError> {
        self.settled(LogExporter::builder().with_tonic(), export).build().map_err(refused)
    }
}
