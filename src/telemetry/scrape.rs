//! Shows the metrics at `/metrics`, in the text format of Prometheus.

use super::meters::Figures;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus::{Registry, TextEncoder};
use std::sync::Arc;

/// The registry of the metrics, with the figures that they show.
#[derive(Clone)]
pub struct Scrapes {
    pub(super) registry: Registry,
    pub(super) figures: Arc<Figures>,
}

impl Scrapes {
    /// Returns the metrics as text, at this moment.
    ///
    /// # Errors
    /// The library cannot write the text.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        self.figures.refresh();
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

pub(super) async fn metrics(State(scrapes): State<Scrapes>) -> Response {
    match scrapes.text() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
