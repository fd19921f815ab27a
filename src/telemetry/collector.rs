//! Connects to the collector: makes the exporters of the three signals, over HTTP or gRPC.

mod error;
#[cfg(feature = "grpc")]
mod grpc;
mod headers;

pub use error::ExportError;

use crate::config::{Export, OtlpProtocol};
use error::refused;
use headers::{headers, read};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use reqwest::blocking::Client;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, USER_AGENT};
use std::sync::Arc;

/// An HTTP client that blocks the thread that exports. It sends the header fields of the settings
/// and no others, because the library would let those of the environment take precedence.
#[derive(Debug)]
struct Waiting {
    client: Client,
    headers: HeaderMap,
}

impl Waiting {
    fn new(export: &Export) -> Result<Self, ExportError> {
        let client = Client::builder()
            .timeout(export.timeout)
            // Secrets must not follow a redirect to another server.
            .redirect(reqwest::redirect::Policy::none());
        let client = match &export.ca_file {
            None => client,
            Some(path) => {
                let wrong = |wrong| ExportError::Content { setting: "ca_file".to_owned(), path: path.clone(), wrong };
                let certificates = reqwest::Certificate::from_pem_bundle(&read("ca_file", path)?)
                    .ok()
                    .filter(|certificates| !certificates.is_empty())
                    .ok_or_else(|| wrong("holds no certificates in PEM"))?;
                client.tls_certs_only(certificates)
            }
        };
        Ok(Self { client: client.build().map_err(refused)?, headers: headers(export)? })
    }
}

#[async_trait::async_trait]
impl HttpClient for Waiting {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let of_library = std::mem::take(request.headers_mut());
        let kept = [CONTENT_TYPE, CONTENT_ENCODING, USER_AGENT];
        let kept = kept.into_iter().filter_map(|name| Some((name.clone(), of_library.get(name)?.clone())));
        *request.headers_mut() = kept.chain(self.headers.iter().map(|(name, value)| (name.clone(), value.clone()))).collect();
        self.client.send_bytes(request).await
    }
}

/// Makes exporters that share a connection.
pub(super) struct Collector {
    export: Export,
    transport: Transport,
}

enum Transport {
    Http(Arc<Waiting>),
    #[cfg(feature = "grpc")]
    Grpc(Box<grpc::Calls>),
}

impl Collector {
    /// Prepares the connection. Must not be called on a thread of an asynchronous runtime.
    pub(super) fn new(export: &Export) -> Result<Self, ExportError> {
        let transport = match export.protocol {
            OtlpProtocol::Http => Transport::Http(Arc::new(Waiting::new(export)?)),
            #[cfg(feature = "grpc")]
            OtlpProtocol::Grpc => Transport::Grpc(Box::new(grpc::Calls::new(export)?)),
            #[cfg(not(feature = "grpc"))]
            OtlpProtocol::Grpc => return Err(refused("gRPC is not compiled in")),
        };
        Ok(Self { export: export.clone(), transport })
    }

    fn path(&self, signal: &str) -> String {
        format!("{}/v1/{signal}", self.export.endpoint.trim_end_matches('/'))
    }

    pub(super) fn metrics(&self) -> Result<MetricExporter, ExportError> {
        match &self.transport {
            Transport::Http(client) => MetricExporter::builder()
                .with_http()
                .with_shared_http_client(client.clone())
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(self.path("metrics"))
                .with_timeout(self.export.timeout)
                .build()
                .map_err(refused),
            #[cfg(feature = "grpc")]
            Transport::Grpc(calls) => calls.enter(|| calls.metrics(&self.export)),
        }
    }

    pub(super) fn spans(&self) -> Result<SpanExporter, ExportError> {
        match &self.transport {
            Transport::Http(client) => SpanExporter::builder()
                .with_http()
                .with_shared_http_client(client.clone())
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(self.path("traces"))
                .with_timeout(self.export.timeout)
                .build()
                .map_err(refused),
            #[cfg(feature = "grpc")]
            Transport::Grpc(calls) => calls.enter(|| calls.spans(&self.export)),
        }
    }

    pub(super) fn logs(&self) -> Result<LogExporter, ExportError> {
        match &self.transport {
            Transport::Http(client) => LogExporter::builder()
                .with_http()
                .with_shared_http_client(client.clone())
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(self.path("logs"))
                .with_timeout(self.export.timeout)
                .build()
                .map_err(refused),
            #[cfg(feature = "grpc")]
            Transport::Grpc(calls) => calls.enter(|| calls.logs(&self.export)),
        }
    }

    /// Returns the runtime that must live as long as something is exported, if there is one.
    pub(super) fn runtime(self) -> Option<tokio::runtime::Runtime> {
        match self.transport {
            Transport::Http(_) => None,
            #[cfg(feature = "grpc")]
            Transport::Grpc(calls) => Some(calls.into_runtime()),
        }
    }
}
