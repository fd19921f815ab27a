//! Answers supervisors and monitoring over HTTP: `/livez`, `/readyz`, `/startupz`, `/metrics`.

pub use super::statuses::Roles;

use super::connections::Limited;
use super::scrape::{Scrapes, metrics};
use crate::kafka::Status;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// The error for an address that the process cannot listen at.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at health.listen {address}: {reason}")]
pub struct ListenError {
    address: SocketAddr,
    /// The error of the operating system.
    pub reason: std::io::Error,
}

/// Time without movement after which a consumer thread counts as stuck: it will not move again.
const STUCK: Duration = Duration::from_mins(5);

/// Largest number of connections at once; further ones wait until one ends.
const CONNECTIONS: usize = 64;
/// Longest time of any connection: a silent one must not keep out other clients.
const LIFETIME: Duration = Duration::from_secs(10);

/// Answers at `address` until the runtime ends. Returns the address that it listens at, which
/// matters for port 0.
///
/// # Errors
/// The address is in use or does not belong to this machine.
pub async fn serve(address: SocketAddr, roles: Roles, scrapes: Scrapes) -> Result<SocketAddr, ListenError> {
    let failed = |reason| ListenError { address, reason };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let at = listener.local_addr().map_err(failed)?;
    let probes = Router::new().route("/livez", get(live)).route("/readyz", get(ready)).route("/startupz", get(started));
    let router = probes.with_state(roles).merge(Router::new().route("/metrics", get(metrics)).with_state(scrapes));
    let listener = Limited::new(listener, CONNECTIONS, LIFETIME);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the health endpoint ended");
        }
    });
    tracing::info!(%at, "health endpoint");
    Ok(at)
}

/// Answers whether every consumer thread moves. The state of the brokers does not matter for that.
async fn live(State(roles): State<Roles>) -> impl IntoResponse {
    let unmoved = |status: &Status| {
        let unmoved = status.unmoved(Instant::now());
        (unmoved >= STUCK).then(|| format!("its consumer thread has not moved for {} s", unmoved.as_secs()))
    };
    answer(&roles, "live", unmoved)
}

/// Answers whether every role has joined its group, has restored its states, and can fetch the
/// partitions that it reads.
async fn ready(State(roles): State<Roles>) -> impl IntoResponse {
    answer(&roles, "ready", |status| status.not_ready(Instant::now()))
}

/// Answers whether every role has joined its group and restored its states for the first time.
async fn started(State(roles): State<Roles>) -> impl IntoResponse {
    answer(&roles, "started", |status| status.not_started(Instant::now()))
}

/// Returns the answer to a probe: that all is well, or each role for which it is not, with what the
/// role waits for.
fn answer(roles: &Roles, well: &str, waits: impl Fn(&Status) -> Option<String>) -> (StatusCode, String) {
    let waiting = roles.iter().filter_map(|(role, status)| Some(format!("not {well}: {role}: {}\n", waits(status)?)));
    let waiting: String = waiting.collect();
    if waiting.is_empty() { (StatusCode::OK, format!("{well}\n")) } else { (StatusCode::SERVICE_UNAVAILABLE, waiting) }
}
