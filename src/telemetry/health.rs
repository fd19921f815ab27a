//! What a supervisor may ask over HTTP: `/livez`, `/readyz`, `/metrics`.

use super::connections::Limited;
use crate::kafka::{Phase, Sample, Sentinel, Status};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::collections::BTreeMap;
use std::fmt::Write as _;
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
pub async fn serve(address: SocketAddr, roles: Roles) -> Result<SocketAddr, ListenError> {
    let failed = |reason| ListenError { address, reason };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let at = listener.local_addr().map_err(failed)?;
    let router =
        Router::new().route("/livez", get(live)).route("/readyz", get(ready)).route("/metrics", get(metrics)).with_state(roles);
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

async fn metrics(State(roles): State<Roles>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], exposition(&roles))
}

/// Prometheus' text format.
fn exposition(roles: &Roles) -> String {
    let mut families: BTreeMap<&str, Vec<(&str, Sample)>> = BTreeMap::new();
    for (role, status) in roles.iter() {
        for sample in samples(status) {
            families.entry(sample.name).or_default().push((role, sample));
        }
    }
    let mut text = String::new();
    // Writing to a string cannot fail.
    for samples in families.into_values() {
        let Some((_, Sample { name, help, grows, .. })) = samples.first() else { continue };
        let (kind, suffix) = if *grows { ("counter", "_total") } else { ("gauge", "") };
        let _ = writeln!(text, "# HELP verdmarc_{name}{suffix} {help}\n# TYPE verdmarc_{name}{suffix} {kind}");
        for (role, sample) in &samples {
            let _ = writeln!(text, "verdmarc_{name}{suffix}{{role=\"{role}\"}} {}", sample.value);
        }
    }
    text += "# HELP verdmarc_sentinel_total Contradictions in the bookkeeping of which records are done and committed; anything but 0 is a \
             fault of verdmarc.\n# TYPE verdmarc_sentinel_total counter\n";
    for (name, value) in Sentinel::counts() {
        let _ = writeln!(text, "verdmarc_sentinel_total{{sentinel=\"{name}\"}} {value}");
    }
    text
}

/// What a pipeline did, and what its role measures besides.
fn samples(status: &Status) -> Vec<Sample> {
    let tally = status.tally();
    let mut samples = vec![
        Sample::counter("records_read", "Records that the role has read.", tally.read),
        Sample::counter(
            "records_written",
            "Records that the role has written in transactions that were committed.",
            tally.written,
        ),
        Sample::counter("commits", "Transactions that the role has committed.", tally.commits),
        Sample::counter("batches_taken_back", "Transactions that were aborted; their outputs are written again.", tally.aborted),
        Sample::counter(
            "batches_unconfirmed",
            "Transactions that were aborted because no broker said in time whether their topics are still those that were read.",
            tally.unconfirmed,
        ),
        Sample::counter(
            "partitions_begun_again",
            "Partitions that were begun again because their topic is gone, or was made anew, or its log was cut off.",
            tally.begun_again,
        ),
        Sample::counter(
            "partitions_cut_off",
            "Partitions that were read on from the end of a log of which the brokers had lost records.",
            tally.cut_off,
        ),
        Sample::counter(
            "records_left",
            "Records that were read, not finished, and left to the next owner of their partition.",
            tally.left,
        ),
        Sample::counter("records_refused", "Records that broke the producer's contract and became dead letters.", tally.refused),
        Sample::gauge(
            "stopped_for_refusals",
            "1 while the role reads nothing more because most of its last records were refused, else 0.",
            u64::from(status.phase() == Phase::Stopped),
        ),
        Sample::gauge(
            "ready",
            "1 while the role is ready, that is reads records, else 0.",
            u64::from(status.not_ready(Instant::now()).is_none()),
        ),
    ];
    samples.extend(status.samples());
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_of_a_metric_says_by_itself_what_it_counts() {
        let text = exposition(&Arc::new(vec![("verdict", Arc::default())]));
        let helps: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' ')).map(|(_, help)| help).collect();
        assert!(helps.len() > 10, "{text}");
        for help in &helps {
            assert!(help.split(' ').count() > 4 && !help.starts_with("Of those") && !help.contains(" them."), "{help}");
            assert_eq!(helps.iter().filter(|other| *other == help).count(), 1, "{help}");
        }
        assert!(text.contains("# TYPE verdmarc_stopped_for_refusals gauge\nverdmarc_stopped_for_refusals{role=\"verdict\"} 0\n"));
    }

    #[test]
    fn every_sample_has_its_help_and_type() {
        let text = exposition(&Arc::new(vec![("verdict", Arc::default()), ("aggregate", Arc::default())]));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(text.contains(&format!("# HELP {name} ")) && text.contains(&format!("# TYPE {name} ")), "{line}");
        }
        assert!(text.contains("verdmarc_sentinel_total{sentinel=\"commit_regressed\"} 0\n"), "{text}");
    }
}
