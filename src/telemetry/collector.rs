//! How the collector is reached: exporters of the three signals, over HTTP or gRPC.

use crate::config::{Export, OtlpProtocol};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use reqwest::blocking::Client;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "grpc")]
mod grpc;

/// Why nothing can be exported as the settings ask.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file of the settings cannot be read.
    #[error("telemetry.{setting}: cannot read {}: {reason}", path.display())]
    File {
        /// The setting that names it.
        setting: String,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// A file of the settings does not hold what it should.
    #[error("telemetry.{setting}: {} {wrong}", path.display())]
    Content {
        /// The setting that names it.
        setting: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// The library refuses the settings.
    #[error("telemetry: {0}")]
    Refused(String),
}

fn refused(error: impl std::fmt::Display) -> ExportError {
    ExportError::Refused(error.to_string())
}

fn read(setting: &str, path: &Path) -> Result<Vec<u8>, ExportError> {
    std::fs::read(path).map_err(|reason| ExportError::File { setting: setting.to_owned(), path: path.to_owned(), reason })
}

/// Header fields of the settings, those from files too.
fn headers(export: &Export) -> Result<HeaderMap, ExportError> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str| {
        let name = HeaderName::try_from(name).map_err(refused)?;
        let mut value = HeaderValue::try_from(value).map_err(|_| refused(format!("the value of header field {name}")))?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok::<(), ExportError>(())
    };
    for (name, value) in &export.headers.0 {
        add(name, value)?;
    }
    for (name, path) in &export.header_files {
        let setting = format!("header_files.{name}");
        let wrong = |wrong| ExportError::Content { setting: setting.clone(), path: path.clone(), wrong };
        let value = String::from_utf8(read(&setting, path)?).map_err(|_| wrong("is no text"))?;
        add(name, value.trim_end_matches(['\r', '\n'])).map_err(|_| wrong("holds what no header field may have"))?;
    }
    Ok(headers)
}

/// A client that waits on the thread that exports, and sends the header fields of the settings and no others: the library would have
/// those of the environment win.
#[derive(Debug)]
struct Waiting {
    client: Client,
    headers: HeaderMap,
}

impl Waiting {
    fn new(export: &Export) -> Result<Self, ExportError> {
        let client = Client::builder()
            .timeout(export.timeout)
            // Secrets stay with whom they were meant for.
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
    /// Must not be called on a thread of an asynchronous runtime.
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

    /// What must live as long as something is exported.
    pub(super) fn runtime(self) -> Option<tokio::runtime::Runtime> {
        match self.transport {
            Transport::Http(_) => None,
            #[cfg(feature = "grpc")]
            Transport::Grpc(calls) => Some(calls.into_runtime()),
        }
    }
}
