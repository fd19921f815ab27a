//! What a supervisor may ask over HTTP: `/livez`, `/readyz`, `/metrics`.

use super::connections::Limited;
use super::scrape::{Scrapes, metrics};
use crate::kafka::Status;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// The address cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at health.listen {address}: {reason}")]
pub struct ListenError {
    address: SocketAddr,
    /// Why.
    pub reason: std::io::Error,
}

/// What each role of the process does, by its name.
pub type Roles = Arc<Vec<(&'static str, Arc<Status>)>>;

/// A consumer thread that has not looked around for this long will not do so again.
const STUCK: Duration = Duration::from_mins(5);

/// Connections at once; more wait until one ends.
const CONNECTIONS: usize = 64;
/// How long one lasts, whoever it is of: one that says nothing must not keep out those who ask.
const LIFETIME: Duration = Duration::from_secs(10);

/// Answers at `address` until the runtime ends; returns where, which matters for port 0.
///
/// # Errors
/// The address is taken or not ours.
pub async fn serve(address: SocketAddr, roles: Roles, scrapes: Scrapes) -> Result<SocketAddr, ListenError> {
    let failed = |reason| ListenError { address, reason };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let at = listener.local_addr().map_err(failed)?;
    let router = Router::new().route("/livez", get(live)).route("/readyz", get(ready)).with_state(roles);
    let router = router.merge(Router::new().route("/metrics", get(metrics)).with_state(scrapes));
    let listener = Limited::new(listener, CONNECTIONS, LIFETIME);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the health endpoint ended");
        }
    });
    tracing::info!(%at, "health endpoint");
    Ok(at)
}

async fn live(State(roles): State<Roles>) -> impl IntoResponse {
    match roles.iter().find(|(_, status)| status.is_stuck(STUCK, Instant::now())) {
        None => (StatusCode::OK, "live\n".to_owned()),
        Some((role, _)) => (StatusCode::SERVICE_UNAVAILABLE, format!("stuck: {role}\n")),
    }
}

async fn ready(State(roles): State<Roles>) -> impl IntoResponse {
    let waits = roles.iter().find_map(|(role, status)| Some((role, status.not_ready(Instant::now())?)));
    match waits {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some((role, why)) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {role}: {why}\n")),
    }
}
