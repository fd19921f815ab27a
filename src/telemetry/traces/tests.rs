//! Checks the structure of spans, as an exporter sees them.

use super::*;
use crate::config::TraceParent;
use crate::dns::{Answer, Outcome, QueryName, Question, Record as DnsRecord, RecordType, Resolver, Unanswered};
use crate::event::{Record, TraceContext};
use crate::kafka::Traced;
use crate::telemetry::semconv;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use opentelemetry::trace::{SpanId, SpanKind, Status, TracerProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// An exporter that keeps the spans.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exported(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Exported {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Exported {
    /// Returns traces that are exported here, with this share of those that have no parent.
    pub(crate) fn traces(&self, ratio: f64) -> Traces {
        Traces::of(self.provider().tracer("test"), Sampling { parent: TraceParent::Respect, ratio, per_second: 1_000 })
    }

    fn provider(&self) -> SdkTracerProvider {
        SdkTracerProvider::builder().with_simple_exporter(self.clone()).build()
    }

    /// Takes the spans that have ended so far.
    pub(crate) fn take(&self) -> Vec<SpanData> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

pub(crate) fn attribute(span: &SpanData, name: &str) -> Option<String> {
    span.attributes.iter().find(|attribute| attribute.key.as_str() == name).map(|attribute| attribute.value.to_string())
}

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn parent() -> Trace {
    Trace::new(Some(PARENT.as_bytes()), Some(b"vendor=1"))
}

fn record() -> Record {
    Record {
        topic: "mail.raw".into(),
        partition: 3,
        offset: 41,
        timestamp: None,
        key: None,
        value: Some(b"hello".to_vec()),
        headers: None,
    }
}

fn input() -> Input {
    Input { topic: "mail.raw".into(), partition: 3, offset: 41, attempt: 1 }
}

fn begin(traces: &Traces, trace: &Trace, attempt: u32) -> Option<Arc<MessageSpan>> {
    let received = Received { record: &record(), group: "verdmarc-verdict", attempt, at: later(0) };
    traces.message(&received, trace, &input())
}

/// Returns a time of the test, so many seconds after its beginning.
fn later(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000 + seconds)
}

fn named<'s>(spans: &'s [SpanData], name: &str) -> Vec<&'s SpanData> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn only<'s>(spans: &'s [SpanData], name: &str) -> &'s SpanData {
    let named = named(spans, name);
    assert_eq!(named.len(), 1, "{name} among {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    named[0]
}

/// A resolver that answers by the beginning of the name: from memory, with a time-out, never, or
/// with a record.
struct Answers;

impl Resolver for Answers {
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>> {
        question.name.as_str().starts_with("known").then(|| Arc::new(Answer::new(Outcome::NxDomain)))
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        let outcome = match question.name.as_str() {
            name if name.starts_with("never") => return futures::future::pending().boxed(),
            name if name.starts_with("vain") => Outcome::TempError(Unanswered::Timeout),
            _ => Outcome::of(vec![DnsRecord::Mx(10, "mx".into())]),
        };
        futures::future::ready(Arc::new(Answer::new(outcome))).boxed()
    }
}

fn ask(resolver: &dyn Resolver, name: &str, rtype: RecordType) {
    let question = Question::new(QueryName::new(name).unwrap(), rtype);
    if resolver.at_hand(&question).is_none() {
        let _ = resolver.resolve(&question).now_or_never();
    }
}

#[test]
fn a_message_is_one_span_with_its_parts_below_and_ends_with_its_commit() {
    let exported = Exported::default();
    let span = begin(&exported.traces(0.0), &parent(), 2).unwrap();
    span.fetched(later(0));
    let evaluating = span.evaluating();
    ask(&evaluating.asking(&Answers), "local-part.some.where.example.org", RecordType::Mx);
    drop(evaluating);
    span.ends(Ending::Judged { status: "FAIL", policy: Some("reject") });
    span.batched(later(100_000_000));
    assert!(named(&exported.0.lock().unwrap(), "process mail.raw").is_empty(), "it waits for its commit");
    span.committed(later(100_000_005), 7);
    let context = span.context();
    drop(span);

    let spans = exported.take();
    assert_eq!(spans.len(), 6);
    let parent = parent().context().unwrap();
    let process = only(&spans, "process mail.raw");
    assert_eq!((process.span_kind.clone(), process.status.clone()), (SpanKind::Consumer, Status::Unset));
    assert_eq!(process.parent_span_id.to_bytes(), parent.span_id);
    assert!(process.parent_span_is_remote);
    assert_eq!((process.start_time, process.end_time), (later(0), later(100_000_005)));
    assert_eq!(process.span_context.trace_state().header(), "vendor=1");
    assert_eq!(context.span_id, process.span_context.span_id().to_bytes());
    assert!(context.is_sampled());
    let expected = [
        ("messaging.system", "kafka"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.name", "mail.raw"),
        ("messaging.destination.partition.id", "3"),
        ("messaging.consumer.group.name", "verdmarc-verdict"),
        ("messaging.kafka.offset", "41"),
        ("messaging.message.body.size", "5"),
        ("verdmarc.attempt", "2"),
        ("verdmarc.outcome", "judged"),
        ("verdmarc.dmarc.status", "FAIL"),
        ("verdmarc.dmarc.policy", "reject"),
    ];
    for (name, value) in expected {
        assert_eq!(attribute(process, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(process.attributes.len(), expected.len());
    let below = process.span_context.span_id();
    for name in ["fetch object", "evaluate", "batch", "commit"] {
        assert_eq!(only(&spans, name).parent_span_id, below, "{name}");
    }
    let evaluate = only(&spans, "evaluate");
    assert_eq!(attribute(evaluate, names::DNS_QUESTIONS).as_deref(), Some("1"));
    assert_eq!(only(&spans, "dns").parent_span_id, evaluate.span_context.span_id());
    let (batch, commit) = (only(&spans, "batch"), only(&spans, "commit"));
    assert_eq!((batch.end_time, commit.start_time), (later(100_000_000), later(100_000_000)));
    assert_eq!(attribute(commit, semconv::MESSAGING_BATCH_MESSAGE_COUNT).as_deref(), Some("7"));
    for span in &spans {
        assert_eq!(span.span_context.trace_id().to_bytes(), parent.trace_id, "{}", span.name);
    }
}

#[test]
fn an_abort_is_an_event_of_the_message_and_the_next_transaction_goes_on() {
    let exported = Exported::default();
    let span = begin(&exported.traces(1.0), &Trace::default(), 1).unwrap();
    span.ends(Ending::Judged { status: "PASS", policy: None });
    span.batched(later(1));
    span.aborted(later(2), "membership");
    assert!(named(&exported.0.lock().unwrap(), "process mail.raw").is_empty());
    span.batched(later(3));
    span.committed(later(4), 1);
    let spans = exported.take();
    let process = only(&spans, "process mail.raw");
    let [abort] = &process.events.events[..] else { panic!("{:?}", process.events) };
    assert_eq!((abort.name.as_ref(), abort.timestamp), ("aborted", later(2)));
    assert_eq!(abort.attributes, [opentelemetry::KeyValue::new("error.type", "membership")]);
    assert_eq!(process.end_time, later(4));
    let times = |name| named(&spans, name).iter().map(|span| (span.end_time, span.status.clone())).collect::<Vec<_>>();
    assert_eq!(times("batch"), [(later(1), Status::Unset), (later(3), Status::Unset)]);
    assert_eq!(times("commit"), [(later(2), Status::error("aborted")), (later(4), Status::Unset)]);
    assert!(process.parent_span_id == SpanId::INVALID, "it begins its trace");
}

#[test]
fn a_span_that_is_dropped_before_its_commit_says_that_the_message_is_left() {
    let exported = Exported::default();
    let traces = exported.traces(1.0);
    let end = |what: &dyn Fn(&MessageSpan)| {
        what(&begin(&traces, &Trace::default(), 1).unwrap());
        let spans = exported.take();
        let process = only(&spans, "process mail.raw");
        let events = process.events.iter().map(|event| event.name.to_string()).collect::<Vec<_>>();
        (events, attribute(process, names::OUTCOME), attribute(process, semconv::ERROR_TYPE))
    };
    let left = vec!["left to the next owner".to_owned()];
    assert_eq!(end(&|_| ()), (left.clone(), None, None));
    assert_eq!(end(&|span| span.ends(Ending::Retried)), (left.clone(), Some("retried".into()), None));
    assert_eq!(
        end(&|span| span.ends(Ending::Refused("empty_value"))),
        (left, Some("refused".into()), Some("empty_value".into()))
    );
    assert_eq!(end(&|span| span.ends(Ending::PutOff)), (vec![], Some("put_off".into()), None));
}

#[test]
fn questions_are_spans_unless_they_are_answered_from_memory_and_tell_the_registered_domain_only() {
    let exported = Exported::default();
    let span = begin(&exported.traces(1.0), &Trace::default(), 1).unwrap();
    let evaluating = span.evaluating();
    {
        let asking = evaluating.asking(&Answers);
        ask(&asking, "known.example.org", RecordType::Txt);
        ask(&asking, "secret-user.a.example.org", RecordType::A);
        ask(&asking, "vain.example.co.uk", RecordType::Txt);
        ask(&asking, "never.example.net", RecordType::Ptr);
    }
    let spans = exported.take();
    let told =
        |span: &SpanData| [names::DNS_DOMAIN, names::DNS_TYPE, names::DNS_OUTCOME].map(|name| attribute(span, name).unwrap());
    let told: Vec<_> = named(&spans, "dns").into_iter().map(told).collect();
    let expected = [["example.org", "A", "records"], ["example.co.uk", "TXT", "timeout"], ["example.net", "PTR", "deadline"]];
    assert_eq!(told, expected.map(|told| told.map(str::to_owned)));
    let asking = evaluating.asking(&Answers);
    for _ in 0..50 {
        ask(&asking, "more.example.org", RecordType::Txt);
    }
    drop(asking);
    drop(evaluating);
    let spans = exported.take();
    assert_eq!(named(&spans, "dns").len(), 29, "of 53 questions 32 have a span");
    assert_eq!(attribute(only(&spans, "evaluate"), names::DNS_QUESTIONS).as_deref(), Some("53"));
}

#[test]
fn nothing_is_traced_that_is_not_sampled_and_nothing_after_the_end() {
    let exported = Exported::default();
    let traces = exported.traces(0.0);
    let unsampled = Trace::new(Some(PARENT.replace("-01", "-00").as_bytes()), None);
    assert!(begin(&traces, &unsampled, 1).is_none());
    assert!(begin(&traces, &Trace::default(), 1).is_none());
    assert!(begin(&Traces::default(), &parent(), 1).is_none());
    let provider = exported.provider();
    let traces = Traces::of(provider.tracer("test"), Sampling { parent: TraceParent::Respect, ratio: 1.0, per_second: 1_000 });
    provider.shutdown().unwrap();
    assert!(begin(&traces, &parent(), 1).is_none(), "a record must not name a span that nobody will see");
    let links = Links::default();
    let report = Report { topic: "mail.reports", partition: 0, id: "r", domain: "example.org", messages: 1 };
    assert!(traces.report(&report, &links).is_none());
    assert!(exported.take().is_empty());
}

#[test]
fn a_report_links_a_hundred_messages_and_says_how_many_there_were() {
    let exported = Exported::default();
    let traces = exported.traces(0.0);
    let context = |number: u8| TraceContext { trace_id: [number; 16], span_id: [number; 8], flags: 1 };
    let links = Links::of((1..=250).map(context), 9);
    let report = Report { topic: "mail.reports", partition: 4, id: "r-1", domain: "example.org", messages: 1_000 };
    let mut span = traces.report(&report, &links).unwrap();
    let own = span.context();
    span.aborted();
    assert!(exported.0.lock().unwrap().is_empty());
    span.committed();
    let spans = exported.take();
    let span = only(&spans, "send mail.reports");
    assert_eq!(own.span_id, span.span_context.span_id().to_bytes());
    assert_eq!((span.span_kind.clone(), span.links.len(), span.links.dropped_count), (SpanKind::Producer, 100, 0));
    let linked: Vec<_> =
        span.links.iter().map(|link| (link.span_context.trace_id().to_bytes()[0], link.span_context.is_sampled())).collect();
    assert_eq!(linked, (1..=100).map(|number| (number, true)).collect::<Vec<_>>());
    assert_eq!(span.events.iter().map(|event| event.name.as_ref()).collect::<Vec<_>>(), ["aborted"]);
    for (name, value) in [
        ("messaging.destination.name", "mail.reports"),
        ("messaging.destination.partition.id", "4"),
        ("messaging.message.id", "r-1"),
        ("messaging.operation.type", "send"),
        ("verdmarc.report.domain", "example.org"),
        ("verdmarc.report.messages", "1000"),
        ("verdmarc.report.sampled_failures", "250"),
        ("verdmarc.report.restored_failures", "9"),
    ] {
        assert_eq!(attribute(span, name).as_deref(), Some(value), "{name}");
    }
    drop(traces.report(&report, &links).unwrap());
    let spans = exported.take();
    let left = only(&spans, "send mail.reports").events.iter().map(|event| event.name.to_string()).collect::<Vec<_>>();
    assert_eq!(left, ["left to the next owner"]);
}
