//! The whole way through Kafka, over the broker inside the process: records in, verdicts, failures, annotated messages and dead
//! letters out. That broker models no transactions and keeps no positions of them: those are tested on Apache Kafka.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails, and its modules serve several binaries"
)]

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use verdmarc::claim_check::ClaimChecks;
use verdmarc::config::{Config, TraceParent};
use verdmarc::dns::{Resolver, Zone};
use verdmarc::event::{FailureEvent, Headers, Output, Record, TraceContext, VerdictEvent};
use verdmarc::kafka::embedded::Embedded;
use verdmarc::kafka::{Producer, Reader, Start, Stop, Tally};
use verdmarc::roles;
use verdmarc::telemetry::sampling::Sampling;
use verdmarc::telemetry::traces::Traces;

const ZONE: &str = r#"{
    "_dmarc.bank.example": [["TXT", "v=DMARC1; p=reject; rua=mailto:d@bank.example"]],
    "bank.example": [["TXT", "v=spf1 ip4:192.0.2.10 -all"]],
    "plain.example": [["A", "192.0.2.1"]]
}"#;
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const PATIENCE: Duration = Duration::from_secs(20);

fn config() -> Config {
    let mut config = Config::default();
    let mut names: Vec<String> = config.topics.all_retries().take(1).collect();
    names.extend(config.topics.named().map(|(_, name)| name.to_owned()));
    config.kafka.brokers = Embedded::start(&names).unwrap().brokers;
    // The embedded broker lets the next member of a group wait for nearly a session after the last one left.
    (config.kafka.session_timeout_ms, config.kafka.heartbeat_interval_ms) = (3_000, 500);
    config.kafka.check_topics = false;
    config.receiver.domain = "mx.recv.example".parse().ok();
    config.verdict.annotated = true;
    config
}

/// The role on a runtime of its own, until it is stopped.
struct Role {
    stop: Stop,
    runtime: tokio::runtime::Runtime,
    task: tokio::task::JoinHandle<Result<Tally, verdmarc::kafka::Error>>,
}

impl Role {
    fn start(config: &Config, resolver: Arc<dyn Resolver>) -> Self {
        Self::traced(config, resolver, Traces::default())
    }

    fn traced(config: &Config, resolver: Arc<dyn Resolver>, traces: Traces) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, config) = (Stop::default(), config.clone());
        let asked = stop.clone();
        let claims = ClaimChecks::new(&config.claim_check, config.evaluation.limits.message_bytes).unwrap();
        let task = runtime.spawn(async move {
            roles::verdict::run(&config, resolver, claims, roles::verdict::Statuses::default(), traces, asked).await
        });
        Self { stop, runtime, task }
    }

    fn stop(self) -> Tally {
        self.stop.request();
        self.runtime.block_on(self.task).unwrap().unwrap()
    }
}

fn zone() -> Arc<dyn Resolver> {
    Arc::new(Zone::from_json_str(ZONE).unwrap())
}

fn message(from: &str, subject: &str) -> Vec<u8> {
    format!("From: {from}\r\nTo: b@recv.example\r\nSubject: {subject}\r\n\r\nhello\r\n").into_bytes()
}

fn record(key: &str, value: Vec<u8>, headers: &[(&str, &str)]) -> Output {
    let headers = headers.iter().fold(Headers::default(), |headers, (name, value)| headers.with(name, value));
    Output { topic: "mail.raw".into(), partition: None, key: Some(key.into()), value: Some(value), headers }
}

fn direct(key: &str) -> Output {
    let envelope =
        [("ce_id", key), ("ce_clientip", "192.0.2.10"), ("ce_helo", "bank.example"), ("ce_mailfrom", "a@bank.example")];
    record(key, message("a@bank.example", key), &envelope)
}

fn spoof(key: &str) -> Output {
    let envelope = [
        ("ce_id", key),
        ("ce_clientip", "203.0.113.5"),
        ("ce_helo", "evil.example"),
        ("ce_mailfrom", "x@evil.example"),
        ("ce_customer", "c-17"),
        ("traceparent", TRACE),
    ];
    record(key, message("a@bank.example", key), &envelope)
}

/// Records of all topics until `enough` of each is there.
fn read(config: &Config, enough: &[(&str, usize)]) -> BTreeMap<String, Vec<Record>> {
    let topics: Vec<&str> = enough.iter().map(|(topic, _)| *topic).collect();
    let reader = Reader::new(&config.kafka, &topics, Start::Beginning).unwrap();
    let mut found: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    let deadline = Instant::now() + PATIENCE;
    while enough.iter().any(|(topic, count)| found.get(*topic).map_or(0, Vec::len) < *count) {
        assert!(Instant::now() < deadline, "{enough:?} did not come: {:?}", counts(&found));
        if let Some(record) = reader.next(Duration::from_millis(50)).unwrap() {
            found.entry(record.topic.to_string()).or_default().push(record);
        }
    }
    // What comes beyond it would be a record too many.
    while let Some(record) = reader.next(Duration::from_millis(200)).unwrap() {
        found.entry(record.topic.to_string()).or_default().push(record);
    }
    found
}

fn counts(found: &BTreeMap<String, Vec<Record>>) -> Vec<(String, usize)> {
    found.iter().map(|(topic, records)| (topic.clone(), records.len())).collect()
}

fn text<'r>(record: &'r Record, name: &str) -> &'r str {
    std::str::from_utf8(record.headers.as_ref().unwrap().get(name).unwrap_or_default()).unwrap()
}

#[test]
fn every_record_gives_one_verdict_or_one_dead_letter() {
    let config = config();
    let role = Role::start(&config, zone());
    let raw = [
        direct("direct"),
        spoof("spoof"),
        record("bare", message("a@plain.example", "bare"), &[]),
        record("empty", Vec::new(), &[]),
        record("html", b"<p>".to_vec(), &[("content-type", "text/html")]),
    ];
    Producer::new(&config.kafka).unwrap().write_all(&raw, PATIENCE).unwrap();
    let found = read(&config, &[("mail.verdicts", 3), ("mail.failures", 1), ("mail.annotated", 3), ("mail.dead-letters", 2)]);
    assert_eq!(
        counts(&found),
        [("mail.annotated", 3), ("mail.dead-letters", 2), ("mail.failures", 1), ("mail.verdicts", 3)]
            .map(|(topic, count)| (topic.to_owned(), count))
    );

    let by_key = |topic: &str, key: &str| {
        found[topic]
            .iter()
            .find(|record| record.key.as_deref() == Some(key.as_bytes()))
            .unwrap_or_else(|| panic!("{topic}: {key}"))
    };
    let verdict =
        |key: &str| -> VerdictEvent { serde_json::from_slice(by_key("mail.verdicts", key).value.as_ref().unwrap()).unwrap() };
    let direct = verdict("direct");
    assert_eq!(direct.receipt.dmarc_verdict.status.as_str(), "PASS");
    assert_eq!(direct.mail.message_id, "direct");
    let spoof = verdict("spoof");
    assert_eq!((spoof.receipt.dmarc_verdict.status.as_str(), spoof.receipt.dmarc_policy.unwrap().as_str()), ("FAIL", "reject"));
    let input = spoof.input.clone().unwrap();
    assert_eq!((input.topic.as_str(), input.attempt), ("mail.raw", 1));
    let bare = verdict("bare");
    assert_eq!(
        bare.mail.message_id,
        format!("mail.raw-{}-{}", bare.input.as_ref().unwrap().partition, bare.input.as_ref().unwrap().offset)
    );

    let event = by_key("mail.verdicts", "spoof");
    assert_eq!(text(event, "ce_type"), "verdmarc.verdict.v1");
    assert_eq!(text(event, "ce_id"), format!("mail.raw-{}-{}", input.partition, input.offset));
    assert_eq!(text(event, "ce_source"), "/verdmarc/mx.recv.example");
    assert_eq!((text(event, "ce_specversion"), text(event, "content-type")), ("1.0", "application/json"));
    assert_eq!(text(event, "traceparent"), TRACE);

    let failure = by_key("mail.failures", "bank.example");
    assert_eq!(text(failure, "ce_type"), "verdmarc.failure.v1");
    let failure: FailureEvent = serde_json::from_slice(failure.value.as_ref().unwrap()).unwrap();
    assert_eq!(failure.input, input);

    let annotated = by_key("mail.annotated", "spoof");
    let lines = String::from_utf8(annotated.value.clone().unwrap()).unwrap();
    assert!(lines.contains("Authentication-Results: mx.recv.example") && lines.ends_with("\r\n\r\nhello\r\n"), "{lines}");
    assert_eq!((text(annotated, "ce_customer"), text(annotated, "content-type")), ("c-17", "message/rfc822"));

    let refused = by_key("mail.dead-letters", "html");
    assert_eq!(refused.value.as_deref(), Some(&b"<p>"[..]));
    assert_eq!((text(refused, "verdmarc-reason"), text(refused, "verdmarc-origin-topic")), ("content_type", "mail.raw"));
    assert_eq!(text(by_key("mail.dead-letters", "empty"), "verdmarc-reason"), "empty_value");

    let tally = role.stop();
    assert_eq!((tally.read, tally.written, tally.left), (5, 9, 0));
}

/// Keeps the spans that end.
#[derive(Debug, Clone, Default)]
struct Exported(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Exported {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Exported {
    fn traces(&self) -> Traces {
        let provider = SdkTracerProvider::builder().with_simple_exporter(self.clone()).build();
        Traces::of(provider.tracer("test"), Sampling { parent: TraceParent::Respect, ratio: 0.0, per_second: 100 })
    }

    /// The spans that have ended, by what makes their names.
    fn named(&self, name: &str) -> Vec<SpanData> {
        self.0.lock().unwrap().iter().filter(|span| span.name == name).cloned().collect()
    }
}

fn context(record: &Record) -> TraceContext {
    TraceContext::parse(text(record, "traceparent")).unwrap()
}

#[test]
fn what_is_written_because_of_a_sampled_message_belongs_to_its_trace_and_names_its_span() {
    let (config, exported) = (config(), Exported::default());
    let role = Role::traced(&config, zone(), exported.traces());
    let mut unsampled = spoof("unsampled");
    let others: Headers = unsampled.headers.iter().filter(|(name, _)| *name != "traceparent").collect();
    unsampled.headers = others.with("traceparent", TRACE.replace("-01", "-00"));
    let mut sampled = spoof("sampled");
    sampled.headers.push("tracestate", Some(b"vendor=1"));
    Producer::new(&config.kafka).unwrap().write_all(&[sampled, unsampled, direct("none")], PATIENCE).unwrap();
    let found = read(&config, &[("mail.verdicts", 3), ("mail.failures", 2), ("mail.annotated", 3)]);
    role.stop();

    let [process] = &exported.named("process mail.raw")[..] else { panic!("{exported:?}") };
    let parent = TraceContext::parse(TRACE).unwrap();
    assert_eq!(process.span_context.trace_id().to_bytes(), parent.trace_id);
    assert_eq!(process.parent_span_id.to_bytes(), parent.span_id);
    for name in ["evaluate", "batch", "commit"] {
        let [part] = &exported.named(name)[..] else { panic!("{name}: {exported:?}") };
        assert_eq!(part.parent_span_id, process.span_context.span_id(), "{name}");
        assert!(process.start_time <= part.start_time && part.end_time <= process.end_time, "{name}");
    }
    let keyed =
        |topic: &str, key: &str| found[topic].iter().find(|record| record.key.as_deref() == Some(key.as_bytes())).unwrap();
    let ours = TraceContext { span_id: process.span_context.span_id().to_bytes(), ..parent };
    for record in [keyed("mail.verdicts", "sampled"), keyed("mail.annotated", "sampled")] {
        assert_eq!((context(record), text(record, "tracestate")), (ours, "vendor=1"));
    }
    let flags =
        |sampled: bool| found["mail.failures"].iter().filter(move |record| context(record).is_sampled() == sampled).map(context);
    assert_eq!(flags(true).collect::<Vec<_>>(), [ours]);
    assert_eq!(flags(false).collect::<Vec<_>>(), [TraceContext { flags: 0, ..parent }], "it passes as it came");
    assert_eq!(text(keyed("mail.verdicts", "none"), "traceparent"), "");
}

#[test]
fn a_message_keeps_its_trace_through_the_retry_lane() {
    let (mut config, exported) = (config(), Exported::default());
    (config.verdict.retries, config.verdict.retry_delays_s) = (true, vec![1]);
    let flaky = Zone::from_json_str(r#"{"_dmarc.bank.example": [["SERVFAIL", "TXT"]]}"#).unwrap();
    let role = Role::traced(&config, Arc::new(flaky), exported.traces());
    Producer::new(&config.kafka).unwrap().write_all(&[spoof("flaky")], PATIENCE).unwrap();
    let found = read(&config, &[("mail.verdicts", 1)]);
    role.stop();
    let [first] = &exported.named("process mail.raw")[..] else { panic!("{exported:?}") };
    let [second] = &exported.named("process mail.retries.1")[..] else { panic!("{exported:?}") };
    assert_eq!(second.parent_span_id, first.span_context.span_id());
    assert_eq!(second.span_context.trace_id(), first.span_context.trace_id());
    let verdict = context(&found["mail.verdicts"][0]);
    assert_eq!(verdict.span_id, second.span_context.span_id().to_bytes());
}
