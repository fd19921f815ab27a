//! One trace from a record to its report, as a receiver of OTLP that others wrote has it.

use crate::broker::{Found, beside_others, eventually, send, shared};
use crate::fleet::Fleet;
use crate::receiver::Receiver;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use serde_json::Value;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(4);
const ZONE: &str = r#"{"_dmarc.bank.example": [["TXT", "v=DMARC1; p=reject; rua=mailto:d@bank.example"]]}"#;
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const PREFIX: &str = "traces-";

fn header(record: &Found, name: &str) -> String {
    let value = record.headers.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.clone());
    String::from_utf8(value.unwrap_or_default()).unwrap()
}

/// An id as protobuf's JSON has it, as `traceparent` has it.
fn id(span: &Value, name: &str) -> String {
    use base64::Engine as _;
    let text = span[name].as_str().unwrap_or_else(|| panic!("{name}: {span}"));
    let octets = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    octets.iter().fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
}

fn attribute<'s>(span: &'s Value, name: &str) -> &'s Value {
    let found = span["attributes"].as_array().unwrap().iter().find(|attribute| attribute["key"] == name);
    &found.unwrap_or_else(|| panic!("{name}: {span}"))["value"]
}

/// The first span of this name that comes, and those that came with and before it.
fn span(receiver: &Receiver, name: &str) -> Value {
    let named = |export: &Value| {
        let scopes = export["export"]["resourceSpans"].as_array().into_iter().flatten();
        let scopes = scopes.flat_map(|resource| resource["scopeSpans"].as_array().into_iter().flatten());
        let mut spans = scopes.flat_map(|scope| scope["spans"].as_array().into_iter().flatten());
        spans.find(|span| span["name"] == name).cloned()
    };
    let export = receiver.wait_for("traces", |export| named(export).is_some());
    named(&export).unwrap()
}

fn produce(fields: &[(&str, &str)]) {
    let producer: ThreadedProducer<DefaultProducerContext> = shared().config().create().unwrap();
    let headers =
        fields.iter().fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(*value) }));
    let topic = format!("{PREFIX}mail.raw");
    let message = "From: a@bank.example\r\nSubject: x\r\n\r\nhello\r\n";
    send(&producer, BaseRecord::<str, str>::to(&topic).key("k").payload(message).headers(headers));
    producer.flush(Duration::from_mins(1)).unwrap();
}

#[test]
fn the_trace_of_a_record_goes_on_in_its_verdict_and_failure_and_the_report_links_to_it() {
    beside_others(LIMIT, || {
        let receiver = Receiver::start(&[]);
        let topic = |name: &str| format!("{PREFIX}{name}");
        let topics =
            ["mail.raw", "mail.verdicts", "mail.failures", "mail.windows", "mail.reports", "mail.dead-letters"].map(topic);
        shared().create_topics(&topics.each_ref().map(|name| (name.as_str(), 1, &[][..])));
        let mut fleet = Fleet::new(&shared().bootstrap(), PREFIX, ZONE);
        fleet.roles("verdict,aggregate");
        for (name, value) in [
            ("RECEIVER__ORGANIZATION", "Receiver"),
            ("RECEIVER__CONTACT", "dmarc@recv.example"),
            ("AGGREGATE__WINDOW_S", "5"),
            ("AGGREGATE__ALLOW_SHORT_WINDOWS", "true"),
            ("AGGREGATE__GRACE_S", "1"),
            ("TELEMETRY__ENDPOINT", &receiver.endpoint()),
            ("TELEMETRY__METRICS", "false"),
            ("TELEMETRY__LOGS", "false"),
            // Only what its producer asks for is traced.
            ("TELEMETRY__TRACE_RATIO", "0"),
        ] {
            fleet.set(name, value);
        }
        let process = fleet.start("one", &[]);
        let envelope = [("ce_clientip", "203.0.113.5"), ("ce_helo", "evil.example"), ("ce_mailfrom", "x@evil.example")];
        produce(&envelope);
        let traceparent = format!("00-{TRACE}-{PARENT}-01");
        produce(&[&envelope[..], &[("traceparent", traceparent.as_str()), ("tracestate", "vendor=1")]].concat());

        let processed = span(&receiver, "process traces-mail.raw");
        assert_eq!((id(&processed, "traceId").as_str(), id(&processed, "parentSpanId").as_str()), (TRACE, PARENT));
        assert_eq!(attribute(&processed, "messaging.kafka.offset")["intValue"], "1");
        assert_eq!(attribute(&processed, "messaging.consumer.group.name")["stringValue"], "traces-verdmarc-verdict");
        let ours = format!("00-{TRACE}-{}-01", id(&processed, "spanId"));
        let all = |name: &str| {
            eventually("both messages", || {
                let found = shared().read_committed(&topic(name));
                (found.len() == 2).then(|| {
                    found.iter().map(|record| [header(record, "traceparent"), header(record, "tracestate")]).collect::<Vec<_>>()
                })
            })
        };
        let expected = [[String::new(), String::new()], [ours.clone(), "vendor=1".to_owned()]];
        assert_eq!(all("mail.verdicts"), expected);
        assert_eq!(all("mail.failures"), expected);

        let sent = span(&receiver, "send traces-mail.reports");
        let links = sent["links"].as_array().unwrap();
        let linked: Vec<_> = links.iter().map(|link| format!("00-{}-{}-01", id(link, "traceId"), id(link, "spanId"))).collect();
        assert_eq!(linked, [ours]);
        assert_eq!(attribute(&sent, "verdmarc.report.sampled_failures")["intValue"], "1");
        let reports = shared().read_committed(&topic("mail.reports"));
        let named = format!("00-{}-{}-01", id(&sent, "traceId"), id(&sent, "spanId"));
        assert!(reports.iter().any(|report| header(report, "traceparent") == named), "{reports:?}");
        assert_eq!(process.stop().0, Some(0));
    });
}
