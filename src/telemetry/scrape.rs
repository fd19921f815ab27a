//! What `/metrics` shows, in Prometheus' text format.

use super::meters::Figures;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus::{Registry, TextEncoder};
use std::sync::Arc;

/// What is shown, and what has it be of this moment.
#[derive(Clone)]
pub struct Scrapes {
    pub(super) registry: Registry,
    pub(super) figures: Arc<Figures>,
}

impl Scrapes {
    /// The text.
    ///
    /// # Errors
    /// The library cannot write it.
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
