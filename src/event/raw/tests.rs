use super::attributes::MAX_NAME;
use super::*;
use base64::Engine;
use proptest::prelude::*;

const MESSAGE_BYTES: &[u8] = b"From: a@example.com\r\n\r\nhello\r\n";
const LIMIT: usize = 1000;

fn record(headers: &[(&str, &[u8])], value: &[u8]) -> Record {
    Record {
        topic: "mail.raw".into(),
        partition: 2,
        offset: 17,
        timestamp: Some(Stamp::of_broker("2026-03-01T12:00:00Z".parse().unwrap())),
        key: None,
        value: Some(value.to_vec()),
        headers: Some(headers.iter().map(|(name, value)| (*name, Some(*value))).collect()),
    }
}

/// Returns a time one day after the record's timestamp.
fn now() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn envelope(headers: &[(&str, &[u8])]) -> Envelope {
    Raw::decode(&record(headers, MESSAGE_BYTES), LIMIT, now()).unwrap().envelope
}

fn refusal(headers: &[(&str, &[u8])], value: &[u8]) -> Option<&'static str> {
    Raw::decode(&record(headers, value), LIMIT, now()).err().map(|refusal| refusal.code())
}

fn structured(json: &str) -> Record {
    record(&[("content-type", b"application/cloudevents+json; charset=utf-8")], json.as_bytes())
}

fn inline<'a>(raw: &'a Raw<'_>) -> &'a [u8] {
    match &raw.body {
        Body::Inline(message) => message,
        Body::Reference(reference) => panic!("a reference to {}", reference.location),
    }
}

#[test]
fn a_bare_message_is_accepted_with_an_unknown_envelope() {
    let record = record(&[], MESSAGE_BYTES);
    let raw = Raw::decode(&record, LIMIT, now()).unwrap();
    assert_eq!(inline(&raw), MESSAGE_BYTES);
    assert_eq!(raw.id, "mail.raw-2-17");
    assert_eq!(raw.envelope, Envelope { arrival: record.timestamp.map(|stamp| stamp.time), ..Envelope::default() });
    assert_eq!(raw.attributes().get("ce_id"), Some(&b"mail.raw-2-17"[..]));
    assert_eq!(raw.attributes().get("ce_type"), Some(RECEIVED.as_bytes()));
}

#[test]
fn mail_from_empty_or_brackets_is_null_absent_is_unknown() {
    assert_eq!(envelope(&[]).mail_from, MailFrom::Unknown);
    for null in [&b""[..], b"<>", b" <> "] {
        assert_eq!(envelope(&[("ce_mailfrom", null)]).mail_from, MailFrom::Null);
    }
    for path in [&b"a@example.com"[..], b"<a@example.com>"] {
        assert_eq!(envelope(&[("ce_mailfrom", path)]).mail_from, MailFrom::Path("a@example.com".into()));
    }
    let mut with_null = record(&[], MESSAGE_BYTES);
    with_null.headers.as_mut().unwrap().push("ce_mailfrom", None);
    assert_eq!(Raw::decode(&with_null, LIMIT, now()).unwrap().envelope.mail_from, MailFrom::Unknown);
}

#[test]
fn recipients_are_a_json_array_or_one_bare_path() {
    let cases: [(&[u8], &[&str]); 5] = [
        (br#"["a@x.example","<b@y.example>"]"#, &["a@x.example", "b@y.example"]),
        (b"<a@x.example>", &["a@x.example"]),
        (b"a@x.example", &["a@x.example"]),
        (b"[not json", &["[not json"]),
        (b"", &[]),
    ];
    for (value, expected) in cases {
        assert_eq!(envelope(&[("ce_rcptto", value)]).rcpt_to, expected, "{}", String::from_utf8_lossy(value));
    }
}

#[test]
fn what_the_sender_said_is_accepted_whatever_its_octets() {
    let envelope = envelope(&[("ce_helo", b"\xff\0\r\n"), ("ce_mailfrom", b"\xfe@\x01"), ("ce_rcptto", b"\x80")]);
    assert_eq!(envelope.helo.as_deref(), Some("\u{fffd}\0\r\n"));
    assert_eq!(envelope.mail_from, MailFrom::Path("\u{fffd}@\u{1}".into()));
    assert_eq!(envelope.rcpt_to, ["\u{fffd}"]);
}

#[test]
fn an_empty_helo_is_known_and_no_name() {
    assert_eq!(envelope(&[("ce_helo", b"")]).helo.as_deref(), Some(""), "the sender cannot make it unknown");
    assert_eq!(envelope(&[]).helo, None);
}

#[test]
fn authenticated_is_true_or_a_user_name() {
    for (value, submission) in [
        (&b"true"[..], Submission::Authenticated),
        (b"alice", Submission::Authenticated),
        (b"", Submission::External),
        (b"false", Submission::External),
        (b"FALSE", Submission::External),
        (b"0", Submission::External),
    ] {
        assert_eq!(envelope(&[("ce_authenticated", value)]).submission, submission);
    }
    assert_eq!(envelope(&[]).submission, Submission::External);
}

#[test]
fn client_addresses_are_canonical_a2() {
    assert_eq!(envelope(&[("ce_clientip", b"::ffff:192.0.2.1")]).client_ip, "192.0.2.1".parse().ok());
    assert_eq!(envelope(&[("ce_clientip", b"2001:db8::1")]).client_ip, "2001:db8::1".parse().ok());
}

#[test]
fn arrival_is_ce_time_unless_it_lies_ten_minutes_behind_the_broker() {
    let cases = [
        (Some("2026-03-01T11:00:00Z"), "2026-03-01T11:00:00Z", false),
        (Some("2026-03-01T12:10:00Z"), "2026-03-01T12:10:00Z", false),
        (Some("2026-03-01T12:10:00.001Z"), "2026-03-01T12:00:00Z", true),
        (Some("2026-03-01T13:30:00+02:00"), "2026-03-01T11:30:00Z", false),
        (None, "2026-03-01T12:00:00Z", false),
    ];
    for (said, expected, corrected) in cases {
        let headers: Vec<(&str, &[u8])> = said.iter().map(|time| ("ce_time", time.as_bytes())).collect();
        let record = record(&headers, MESSAGE_BYTES);
        let raw = Raw::decode(&record, LIMIT, now()).unwrap();
        assert_eq!((raw.envelope.arrival, raw.arrival_corrected), (expected.parse().ok(), corrected), "{said:?}");
    }
}

#[test]
fn a_producers_timestamp_corrects_nothing_and_is_the_arrival_only_where_it_is_credible() {
    let seconds_for_milliseconds = "1970-01-21T12:36:00Z";
    for (said, stamp, expected, corrected) in [
        (Some("2026-03-02T11:00:00Z"), seconds_for_milliseconds, "2026-03-02T11:00:00Z", false),
        (None, seconds_for_milliseconds, "2026-03-02T12:00:00Z", true),
        (None, "2026-03-02T11:59:00Z", "2026-03-02T11:59:00Z", false),
        (None, "2026-02-23T12:00:00Z", "2026-02-23T12:00:00Z", false),
        (None, "2026-02-23T11:59:59Z", "2026-03-02T12:00:00Z", true),
        (None, "2026-03-02T12:10:00Z", "2026-03-02T12:00:00Z", false),
        (None, "2026-03-02T12:10:01Z", "2026-03-02T12:00:00Z", true),
    ] {
        let headers: Vec<(&str, &[u8])> = said.iter().map(|time| ("ce_time", time.as_bytes())).collect();
        let stamp = Some(Stamp::of_producer(stamp.parse().unwrap()));
        let record = Record { timestamp: stamp, ..record(&headers, MESSAGE_BYTES) };
        let raw = Raw::decode(&record, LIMIT, now()).unwrap();
        assert_eq!((raw.envelope.arrival, raw.arrival_corrected), (expected.parse().ok(), corrected), "{said:?} {stamp:?}");
    }
}

#[test]
fn scan_results_are_copied_in_ses_words() {
    let envelope = envelope(&[("ce_spamverdict", b"pass"), ("ce_virusverdict", b"probably")]);
    assert_eq!((envelope.spam_verdict.as_deref(), envelope.virus_verdict), (Some("PASS"), None));
}

#[test]
fn refused_is_what_the_producer_did_wrong_and_nothing_else() {
    let many: Vec<(&str, &[u8])> = vec![("x", b"y"); MAX_HEADERS + 1];
    let accents = "é".repeat(32);
    let cases: &[(&[(&str, &[u8])], &[u8], Option<&str>)] = &[
        (&[("content-type", b"message/rfc822")], MESSAGE_BYTES, None),
        (&[("Content-Type", b"Message/RFC822; x=y")], MESSAGE_BYTES, None),
        (&[("content-type", b"text/plain")], MESSAGE_BYTES, Some("content_type")),
        (&[("content-type", b"application/cloudevents-batch+json")], b"[]", Some("content_type")),
        (&[("ce_type", b"org.example.mail"), ("ce_specversion", b"1.0")], MESSAGE_BYTES, None),
        (&[("ce_type", RECEIVED.as_bytes())], MESSAGE_BYTES, None),
        (&[("ce_type", b"verdmarc.verdict.v1")], MESSAGE_BYTES, Some("event_type")),
        (&[("ce_type", b"\xff")], MESSAGE_BYTES, Some("attribute_type")),
        (&[("ce_specversion", b"0.3")], MESSAGE_BYTES, Some("attribute_specversion")),
        (&[("ce_id", b"")], MESSAGE_BYTES, Some("attribute_id")),
        (&[("ce_id", b"a\nb")], MESSAGE_BYTES, Some("attribute_id")),
        (&[("ce_id", &[b'x'; MAX_NAME + 1])], MESSAGE_BYTES, Some("attribute_id")),
        (&[("ce_time", b"yesterday")], MESSAGE_BYTES, Some("attribute_time")),
        (&[("ce_clientip", b"mail.example")], MESSAGE_BYTES, Some("attribute_clientip")),
        (&[("ce_clientip", b"")], MESSAGE_BYTES, Some("attribute_clientip")),
        (&[("ce_id", b"1"), ("ce_id", b"2")], MESSAGE_BYTES, Some("duplicate_attribute")),
        (&[("ce_dataref", b"s3://bucket/key")], b"", None),
        (&[("ce_dataref", b"s3://bucket/key")], MESSAGE_BYTES, Some("claim_check_value")),
        (&[("ce_dataref", b"https://bucket/key")], b"", Some("claim_check_reference")),
        (&[("ce_dataref", b"s3://bucket/../key")], b"", Some("claim_check_reference")),
        (&[("ce_dataref", b"")], b"", Some("claim_check_reference")),
        (&[("ce_dataref", b"\xff")], b"", Some("claim_check_reference")),
        (&[("ce_dataref", b"s3://b/k"), ("ce_datasha256", &[b'0'; 63])], b"", Some("attribute_datasha256")),
        (&[("ce_dataref", b"s3://b/k"), ("ce_datasha256", &[b'g'; 64])], b"", Some("attribute_datasha256")),
        (&[("ce_dataref", b"s3://b/k"), ("ce_datasha256", accents.as_bytes())], b"", Some("attribute_datasha256")),
        (&[], b"", Some("empty_value")),
        (&[], &[b'x'; LIMIT + 1], Some("too_large")),
        (&[], &[b'x'; LIMIT], None),
        (&many, MESSAGE_BYTES, Some("too_many_headers")),
        (&[("x-other", &[0xff; 100])], MESSAGE_BYTES, None),
    ];
    for (headers, value, expected) in cases {
        assert_eq!(refusal(headers, value), *expected, "{:?}", headers.first());
    }
    let tombstone = Record { value: None, ..record(&[], b"") };
    assert_eq!(Raw::decode(&tombstone, LIMIT, now()).unwrap_err().code(), "null_value");
    let unreadable = Record { headers: None, ..record(&[], MESSAGE_BYTES) };
    assert_eq!(Raw::decode(&unreadable, LIMIT, now()).unwrap_err().code(), "headers_unreadable");
}

#[test]
fn structured_mode_carries_base64_or_text_and_the_same_attributes() {
    let base64 = base64::engine::general_purpose::STANDARD.encode(b"\xff\0 bytes");
    let record = structured(&format!(
        r#"{{"specversion":"1.0","id":"m-1","type":"x","source":"/mx","clientip":"192.0.2.9","helo":"mx.example",
            "mailfrom":"<a@example.com>","rcptto":["b@y.example"],"authenticated":false,"spamverdict":null,
            "traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","data_base64":"{base64}"}}"#
    ));
    let raw = Raw::decode(&record, LIMIT, now()).unwrap();
    assert_eq!(inline(&raw), b"\xff\0 bytes");
    assert_eq!(raw.id, "m-1");
    assert_eq!(raw.envelope.client_ip, "192.0.2.9".parse().ok());
    assert_eq!(raw.envelope.mail_from, MailFrom::Path("a@example.com".into()));
    assert_eq!(raw.envelope.rcpt_to, ["b@y.example"]);
    assert_eq!(raw.envelope.submission, Submission::External);
    assert!(raw.trace.parent.is_some());
    assert_eq!(raw.attributes().get("ce_rcptto"), Some(&br#"["b@y.example"]"#[..]));
    assert_eq!(raw.attributes().get("ce_spamverdict"), None);

    let text = structured(r#"{"id":"m-2","authenticated":true,"data":"From: \u00e9@x\r\n\r\n"}"#);
    let raw = Raw::decode(&text, LIMIT, now()).unwrap();
    assert_eq!(inline(&raw), "From: é@x\r\n\r\n".as_bytes());
    assert_eq!(raw.envelope.submission, Submission::Authenticated);
}

#[test]
fn broken_structured_events_are_refused_by_reason() {
    let large = "A".repeat(LIMIT * 2);
    let large = format!(r#"{{"data_base64":"{large}"}}"#);
    let cases = [
        ("", "empty_value"),
        ("{", "structured"),
        ("[]", "structured"),
        ("{} x", "structured"),
        (r#"{"data":{"a":1}}"#, "structured"),
        (r#"{"data":"x","data_base64":"eA=="}"#, "structured"),
        (r#"{"data":"x","x":{"y":1}}"#, "structured"),
        (r#"{"data":"x","id":"1","id":"2"}"#, "duplicate_attribute"),
        (r#"{"data":"x","data":"y"}"#, "duplicate_attribute"),
        (r#"{"data_base64":"%%%"}"#, "base64"),
        (r#"{"data_base64":""}"#, "empty_value"),
        (r#"{"id":"1"}"#, "empty_value"),
        (r#"{"data":"x","datacontenttype":"text/html"}"#, "content_type"),
        (r#"{"dataref":"s3://b/k","data":"x"}"#, "claim_check_value"),
        (r#"{"dataref":"s3://b/k","data":""}"#, "claim_check_value"),
        (r#"{"dataref":"s3://b/k","data_base64":"eA=="}"#, "claim_check_value"),
        (r#"{"dataref":"s3://b"}"#, "claim_check_reference"),
        (r#"{"dataref":"s3://b/k","datasha256":"00"}"#, "attribute_datasha256"),
        (r#"{"data":"x","time":"never"}"#, "attribute_time"),
        (large.as_str(), "too_large"),
    ];
    for (json, expected) in cases {
        let record = structured(json);
        assert_eq!(Raw::decode(&record, LIMIT, now()).err().map(|refusal| refusal.code()), Some(expected), "{json:.60}");
    }
}

#[test]
fn a_reference_stands_for_the_message_in_both_modes() {
    let digits = "0123456789abcdefABCDEF".repeat(3);
    let digits = &digits[..64];
    let headers: &[(&str, &[u8])] =
        &[("ce_id", b"m-1"), ("CE_DataRef", b"S3://mail/in/m%201"), ("ce_datasha256", digits.as_bytes()), ("ce_x", b"y")];
    let null = Record { value: None, ..record(headers, b"") };
    let event = format!(r#"{{"id":"m-1","dataref":"S3://mail/in/m%201","datasha256":"{digits}","x":"y","data":null}}"#);
    for record in [record(headers, b""), null, structured(&event)] {
        assert!(Raw::may_refer(&record));
        let raw = Raw::decode(&record, LIMIT, now()).unwrap();
        let Body::Reference(reference) = &raw.body else { panic!("the message itself") };
        assert_eq!(reference.location.to_string(), "s3://mail/in/m%201");
        assert_eq!(reference.sha256.map(|digest| (digest[0], digest[8], digest[31])), Some((0x01, 0xab, 0xcd)));
        let attributes = raw.attributes();
        let names: Vec<_> = attributes.iter().map(|(name, _)| name).collect();
        assert!(names.contains(&"ce_x") && !names.iter().any(|name| name.contains("data")), "{names:?}");
        assert_eq!(raw.id, "m-1");
    }
}

proptest! {
    #[test]
    fn any_headers_and_value_give_a_message_or_a_refusal(
        headers in prop::collection::vec(
            (
                prop_oneof![
                    "ce_(id|type|time|clientip|helo|mailfrom|rcptto|authenticated|specversion|dataref|datasha256)",
                    Just("content-type".to_owned()),
                    ".{0,12}",
                ],
                prop::option::of(prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..40),
                    Just(b"application/cloudevents+json".to_vec()),
                    Just(b"message/rfc822".to_vec()),
                    Just(b"1.0".to_vec()),
                ]),
            ),
            0..8,
        ),
        value in prop::option::of(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            r#"\{"(data|data_base64|id|helo|rcptto)":("[a-zA-Z=]{0,8}"|[0-9]{1,3}|\["a"\]|null|true|\{\})\}"#.prop_map(String::into_bytes),
        ]),
    ) {
        let mut record = record(&[], b"");
        record.headers = Some(headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect());
        record.value = value;
        if let Ok(raw) = Raw::decode(&record, LIMIT, now()) {
            if let Body::Inline(message) = &raw.body {
                prop_assert!(!message.is_empty() && message.len() <= LIMIT);
            }
            prop_assert!(!raw.id.is_empty() && raw.id.len() <= MAX_NAME);
        }
    }
}

#[test]
fn a_copy_stands_for_the_record_that_first_held_the_message() {
    let origin: &[(&str, &[u8])] = &[
        ("verdmarc-origin-topic", b"mail.raw"),
        ("verdmarc-origin-partition", b"7"),
        ("verdmarc-origin-offset", b"99"),
        ("verdmarc-origin-timestamp", b"2026-02-01T08:00:00Z"),
        ("verdmarc-origin-clock", b"broker"),
        ("verdmarc-attempt", b"3"),
    ];
    let record = Record { topic: "mail.retries.2".into(), ..record(origin, MESSAGE_BYTES) };
    let raw = Raw::decode(&record, LIMIT, now()).unwrap();
    assert_eq!((raw.id.as_str(), raw.lineage.input.attempt), ("mail.raw-7-99", 3));
    assert_eq!(raw.envelope.arrival, "2026-02-01T08:00:00Z".parse().ok(), "it arrived when the first record did");
    let half = &origin[..2];
    assert_eq!(refusal(half, MESSAGE_BYTES), Some("lineage"));
}
