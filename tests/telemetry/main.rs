//! Metrics, spans and log records arrive at a receiver that others wrote; one that is away, slow or back harms nobody.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails, and is a crate of its own"
)]

mod receiver;

use opentelemetry::trace::{Span as _, Tracer as _};
use receiver::{LIMIT, Receiver};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::dispatcher::with_default;
use tracing_subscriber::layer::SubscriberExt as _;
use verdmarc::config::{Config, Source};
use verdmarc::kafka::Status;
use verdmarc::telemetry::{Losses, Telemetry};

/// Where a role logs.
const TARGET: &str = "verdmarc::roles::verdict";

/// Settings that export to `endpoint` several times a second, and besides say `more`.
fn settings(endpoint: &str, more: &[(&str, &str)]) -> Config {
    let mut variables = vec![
        ("VERDMARC_TELEMETRY__ENDPOINT".to_owned(), endpoint.to_owned()),
        ("VERDMARC_TELEMETRY__METRICS_INTERVAL_MS".to_owned(), "200".to_owned()),
        ("VERDMARC_TELEMETRY__TIMEOUT_MS".to_owned(), "1000".to_owned()),
        ("VERDMARC_KAFKA__INSTANCE".to_owned(), "verdict-0".to_owned()),
    ];
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Source { file: None, variables }.load().unwrap()
}

/// Telemetry that measures a role.
fn telemetry(config: &Config) -> Telemetry {
    let telemetry = Telemetry::new(config).unwrap();
    telemetry.measure(Arc::new(vec![("verdict", Arc::new(Status::default()))]));
    telemetry
}

/// Logs these lines with `telemetry`, and everything else that is said meanwhile, whatever its level.
fn logging<T>(telemetry: &Telemetry, work: impl FnOnce() -> T) -> T {
    let subscriber = tracing_subscriber::registry().with(telemetry.log_layer());
    with_default(&tracing::Dispatch::new(subscriber), work)
}

fn span(telemetry: &Telemetry, name: &'static str) {
    telemetry.tracer().expect("traces are exported").start(name).end();
}

/// Waits until `what` is so.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn everything_arrives(receiver: &Receiver, protocol: &str) {
    let config = settings(
        &receiver.endpoint(),
        &[
            ("VERDMARC_TELEMETRY__PROTOCOL", protocol),
            ("VERDMARC_TELEMETRY__HEADERS", "{authorization=Bearer ours}"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        ],
    );
    let telemetry = telemetry(&config);
    span(&telemetry, "process mail.raw");
    logging(
        &telemetry,
        || tracing::warn!(target: TARGET, topic = "mail.raw", partition = 3, offset = 41, reason = "too_large", "refused"),
    );
    let metrics = receiver.wait_for("metrics", |export| export.to_string().contains("verdmarc.records.read"));
    let traces = receiver.wait_for("traces", |_| true);
    let logs = receiver.wait_for("logs", |_| true);
    for export in [&metrics, &traces, &logs] {
        let text = export.to_string();
        for attribute in [
            r#"{"key":"service.name","value":{"stringValue":"verdmarc"}}"#,
            r#"{"key":"service.instance.id","value":{"stringValue":"verdict-0"}}"#,
            r#"{"key":"deployment.environment.name","value":{"stringValue":"test"}}"#,
        ] {
            assert!(text.contains(attribute), "{attribute}: {text}");
        }
        assert_eq!(export["headers"]["authorization"], "Bearer ours");
    }
    let metric = &metrics["export"]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
    let read = metric.as_array().unwrap().iter().find(|metric| metric["name"] == "verdmarc.records.read").unwrap();
    assert_eq!((&read["description"], &read["unit"]), (&"Records that the role has read.".into(), &"{record}".into()));
    let span = &traces["export"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["name"], "process mail.raw");
    let record = &logs["export"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!((&record["body"]["stringValue"], &record["severityText"]), (&"refused".into(), &"WARN".into()));
    for attribute in [r#"{"key":"offset","value":{"intValue":"41"}}"#, r#"{"key":"reason","value":{"stringValue":"too_large"}}"#]
    {
        assert!(record.to_string().contains(attribute), "{record}");
    }
    telemetry.shutdown();
}

#[test]
fn a_metric_a_span_and_a_log_record_arrive_over_http() {
    everything_arrives(&Receiver::start(&[]), "http/protobuf");
}

#[cfg(feature = "grpc")]
#[test]
fn a_metric_a_span_and_a_log_record_arrive_over_grpc() {
    everything_arrives(&Receiver::start(&["--grpc"]), "grpc");
}

#[test]
fn an_end_exports_what_is_left() {
    let receiver = Receiver::start(&[]);
    let telemetry = telemetry(&settings(&receiver.endpoint(), &[("VERDMARC_TELEMETRY__METRICS_INTERVAL_MS", "3600000")]));
    span(&telemetry, "last");
    logging(&telemetry, || tracing::info!(target: TARGET, "last words"));
    telemetry.shutdown();
    let mut missing = vec![("traces", "\"last\""), ("logs", "last words"), ("metrics", "verdmarc.build.info")];
    while !missing.is_empty() {
        // What was taken is printed a little later.
        let export = receiver.next();
        missing.retain(|(signal, what)| export["signal"] != *signal || !export.to_string().contains(what));
    }
}

#[test]
fn records_of_what_exports_are_made_with_are_never_exported() {
    let receiver = Receiver::start(&[]);
    let telemetry = telemetry(&settings(&receiver.endpoint(), &[]));
    logging(&telemetry, || {
        tracing::error!(target: "hyper_util::client", "not ours");
        tracing::error!(target: "reqwest::connect", "not ours");
        tracing::error!(target: "h2::codec", "not ours");
        tracing::error!(target: "rustls::client", "not ours");
        tracing::error!(target: "tonic::transport", "not ours");
        tracing::error!(target: "opentelemetry_sdk", "not ours");
        tracing::error!(target: "verdmarc::telemetry", "not ours");
        tracing::error!(target: "verdmarcish", "not ours");
        tracing::info!(target: TARGET, "ours");
    });
    // It was said last, so all that was said before has come when it has.
    loop {
        let export = receiver.next().to_string();
        assert!(!export.contains("not ours"), "{export}");
        if export.contains("\"ours\"") {
            break;
        }
    }
    telemetry.shutdown();
}

/// More spans and log records than wait in memory, from a loop that must not be held up.
fn flood(telemetry: &Telemetry) {
    logging(telemetry, || {
        for number in 0..5_000 {
            span(telemetry, "flood");
            tracing::info!(target: TARGET, number, "flood");
        }
    });
}

fn of(telemetry: &Telemetry) -> [Arc<Losses>; 3] {
    telemetry.losses().clone()
}

#[test]
fn a_collector_that_is_away_and_comes_back_costs_what_does_not_fit_and_nothing_else() {
    // A port at which nobody listens.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let telemetry = telemetry(&settings(&format!("http://127.0.0.1:{port}"), &[]));
    flood(&telemetry);
    let [metrics, traces, logs] = of(&telemetry);
    wait_until("what does not fit is counted", || traces.dropped() > 0 && logs.dropped() > 0 && metrics.failed() > 0);
    let receiver = Receiver::start(&["--port", &port.to_string()]);
    wait_until("exports work again", || {
        span(&telemetry, "back");
        logging(&telemetry, || tracing::info!(target: TARGET, "back"));
        metrics.exported() > 0 && traces.exported() > 0 && logs.exported() > 0
    });
    receiver.wait_for("traces", |export| export.to_string().contains("\"back\""));
    receiver.wait_for("logs", |export| export.to_string().contains("\"back\""));
    let lost = traces.dropped();
    let shown = receiver.wait_for("metrics", |export| export.to_string().contains("verdmarc.telemetry.dropped"));
    assert!(lost > 0 && shown.to_string().contains("verdmarc.telemetry.exports"));
    telemetry.shutdown();
}

#[test]
fn a_collector_that_answers_too_late_is_given_up_and_the_rest_goes_on() {
    let receiver = Receiver::start(&["--delay", "3"]);
    let telemetry = telemetry(&settings(&receiver.endpoint(), &[]));
    flood(&telemetry);
    let [metrics, traces, logs] = of(&telemetry);
    wait_until("exports fail", || metrics.failed() > 0 && traces.failed() > 0 && logs.failed() > 0);
    flood(&telemetry);
    assert!(traces.dropped() > 0 && logs.dropped() > 0);
    telemetry.shutdown();
}

#[test]
fn an_end_does_not_wait_for_a_collector_that_never_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let telemetry = telemetry(&settings(&endpoint, &[("VERDMARC_TELEMETRY__TIMEOUT_MS", "3600000")]));
    span(&telemetry, "never");
    let begun = Instant::now();
    telemetry.shutdown();
    // Five seconds are promised.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}
