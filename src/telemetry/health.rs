//! What a supervisor may ask over HTTP: `/livez`, `/readyz`, `/metrics`.

use crate::kafka::{Phase, Sentinel, Status};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The address cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at health.listen {address}: {reason}")]
pub struct ListenError {
    address: SocketAddr,
    reason: std::io::Error,
}

/// A consumer thread that has not looked around for this long will not do so again.
const STUCK: Duration = Duration::from_mins(5);

/// Answers at `address` until the runtime ends; returns where, which matters for port 0.
///
/// # Errors
/// The address is taken or not ours.
pub async fn serve(address: SocketAddr, status: Arc<Status>) -> Result<SocketAddr, ListenError> {
    let failed = |reason| ListenError { address, reason };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let at = listener.local_addr().map_err(failed)?;
    let router =
        Router::new().route("/livez", get(live)).route("/readyz", get(ready)).route("/metrics", get(metrics)).with_state(status);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the health endpoint ended");
        }
    });
    tracing::info!(%at, "health endpoint");
    Ok(at)
}

async fn live(State(status): State<Arc<Status>>) -> impl IntoResponse {
    if status.idle_for() < STUCK { (StatusCode::OK, "live\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "stuck\n") }
}

async fn ready(State(status): State<Arc<Status>>) -> impl IntoResponse {
    match status.phase() {
        Phase::Running => (StatusCode::OK, "ready\n"),
        Phase::Joining => (StatusCode::SERVICE_UNAVAILABLE, "not ready: no partition yet\n"),
        Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "not ready: stopping\n"),
        Phase::Stopped => (StatusCode::SERVICE_UNAVAILABLE, "not ready: stopped, because most records were refused\n"),
    }
}

async fn metrics(State(status): State<Arc<Status>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], exposition(&status))
}

/// Prometheus' text format.
fn exposition(status: &Status) -> String {
    let tally = status.tally();
    let counters = [
        ("records_read", "Records read from mail.raw and the topics for retries.", tally.read),
        ("records_written", "Records written and committed.", tally.written),
        ("commits", "Transactions committed.", tally.commits),
        ("batches_taken_back", "Transactions aborted, whose outputs are written again.", tally.aborted),
        ("records_left", "Records read and left to the next owner of their partition.", tally.left),
        ("records_refused", "Records that broke the producer's contract.", tally.refused),
    ];
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (name, help, value) in counters {
        let _ = write!(
            text,
            "# HELP verdmarc_{name}_total {help}\n# TYPE verdmarc_{name}_total counter\nverdmarc_{name}_total {value}\n"
        );
    }
    text += "# HELP verdmarc_sentinel_total Violations of the ledger; must stay 0.\n# TYPE verdmarc_sentinel_total counter\n";
    for (name, value) in Sentinel::counts() {
        let _ = writeln!(text, "verdmarc_sentinel_total{{sentinel=\"{name}\"}} {value}");
    }
    let ready = u8::from(status.phase() == Phase::Running);
    let _ =
        write!(text, "# HELP verdmarc_ready Whether records are read.\n# TYPE verdmarc_ready gauge\nverdmarc_ready {ready}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_has_its_help_and_type() {
        let text = exposition(&Status::default());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(text.contains(&format!("# HELP {name} ")) && text.contains(&format!("# TYPE {name} ")), "{line}");
        }
        assert!(text.contains("verdmarc_sentinel_total{sentinel=\"commit_regressed\"} 0\n"), "{text}");
    }
}
