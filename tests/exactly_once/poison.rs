//! Records that break the producer's contract, and mail that is made to hurt.

use crate::broker::{beside_others, eventually, shared};
use crate::stream::{Kind, Raw, Stream, status};
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(2);
/// More than a role has read by the time it stops.
const FLOOD: usize = 30_000;
const MESSAGE: &[u8] = b"From: a@bank.example\r\n\r\nhello\r\n";

fn poison(key: &str, value: Option<&[u8]>, headers: &[(&'static str, &[u8])]) -> Raw {
    let headers = headers.iter().map(|(name, value)| (*name, value.to_vec())).collect();
    Raw { key: key.to_owned(), value: value.map(<[u8]>::to_vec), headers }
}

#[test]
fn each_breach_of_the_contract_is_one_dead_letter_and_the_partition_goes_on() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "poison-", 1);
        let fleet = stream.fleet();
        let structured: &[(&str, &[u8])] = &[("content-type", b"application/cloudevents+json")];
        let huge = vec![b'x'; 50 << 20];
        let many: Vec<(&str, &[u8])> = (0..10_000).map(|_| ("x", &b"y"[..])).collect();
        let cases = [
            ("empty_value", poison("empty", Some(b""), &[])),
            ("null_value", poison("null", None, &[])),
            ("too_large", poison("huge", Some(&huge), &[])),
            ("base64", poison("base64", Some(br#"{"specversion":"1.0","data_base64":"***"}"#), structured)),
            ("structured", poison("json", Some(b"{"), structured)),
            ("content_type", poison("html", Some(MESSAGE), &[("content-type", b"text/html")])),
            ("attribute_specversion", poison("version", Some(MESSAGE), &[("ce_specversion", b"2.0")])),
            ("attribute_id", poison("id", Some(MESSAGE), &[("ce_id", b"\xff")])),
            ("attribute_type", poison("type", Some(MESSAGE), &[("ce_type", b"\x01")])),
            ("attribute_time", poison("time", Some(MESSAGE), &[("ce_time", b"yesterday")])),
            ("attribute_clientip", poison("ip", Some(MESSAGE), &[("ce_clientip", b"10.0.0")])),
            ("too_many_headers", poison("headers", Some(MESSAGE), &many)),
            ("lineage", poison("lineage", Some(MESSAGE), &[("verdmarc-origin-topic", b"x")])),
        ];
        let odd: &[(&str, &[u8])] = &[("ce_helo", b"\xff\0\r\n"), ("ce_mailfrom", b"\x80<>\n"), ("ce_rcptto", b"[\xfe")];
        let (reasons, refused): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let good = [poison("odd", Some(MESSAGE), odd), Raw::of(Kind::Fail, "behind".to_owned())];
        let process = fleet.start("a", &[]);
        stream.produce(refused.into_iter().chain(good));
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let outcome = stream.assert_exactly_once(&fleet);
        let found: Vec<_> = outcome.refused.values().flatten().map(String::as_str).collect();
        assert_eq!(found, reasons);
        assert_eq!(outcome.verdicts.len(), 2);
    });
}

#[test]
fn a_header_whose_name_is_no_text_makes_a_dead_letter_and_prints_no_panic() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "names-", 1);
        let fleet = stream.fleet();
        let process = fleet.start("a", &[]);
        stream.produce([poison("names", Some(MESSAGE), &[(not_utf8(), b"x")]), Raw::of(Kind::Pass, "behind".to_owned())]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let outcome = stream.outcome();
        assert_eq!(outcome.refused.values().flatten().collect::<Vec<_>>(), ["headers_unreadable"]);
        assert_eq!(outcome.verdicts.len(), 1);
        assert_eq!(fleet.logged("panicked"), Vec::<String>::new());
    });
}

/// A header's name as no producer in Rust would write it.
#[allow(unsafe_code, reason = "the binding takes names as text and hands their octets to the library, which takes any")]
fn not_utf8() -> &'static str {
    // SAFETY: nothing reads it as text, it is copied octet by octet into a string of C.
    unsafe { std::str::from_utf8_unchecked(std::hint::black_box(b"\xff\xfe")) }
}

#[test]
fn a_header_that_is_not_read_is_warned_about_once() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "unread-", 1);
        let fleet = stream.fleet();
        let process = fleet.start("a", &[]);
        stream.produce(
            (0..20).map(|_| poison("m", Some(MESSAGE), &[("x", b"y"), ("ce_client_ip", b"192.0.2.1"), ("ce-id", b"1")])),
        );
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let said = fleet.logged("a header that is not read");
        assert!(said.len() == 1 && said[0].contains("\"ce_client_ip\""), "{said:?}");
    });
}

#[test]
fn a_producer_that_only_writes_poison_stops_the_role_no_restart_drains_the_topic_and_one_setting_goes_on() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "flood-", 2);
        let fleet = stream.fleet();
        stream.produce((0..FLOOD).map(|number| Raw::of(Kind::Refused, format!("m{number}"))));
        let mut before = 0;
        for _ in 1..=3 {
            let mut process = fleet.start("a", &[("VERDMARC_HEALTH__LISTEN", "127.0.0.1:0")]);
            process.wait_for("stopped: more than 50 of the last 100 records");
            assert!(process.has_logged("verdict.refusal_stop = false"));
            assert_eq!(process.ask("/livez"), "live\n");
            assert_eq!(process.ask("/readyz"), "not ready: verdict: stopped, because most records were refused\n");
            assert!(process.ask("/metrics").contains("verdmarc_sentinel_total{sentinel=\"commit_regressed\"} 0"));
            let metrics = process.ask("/metrics");
            assert!(metrics.contains("verdmarc_stopped_for_refusals{role=\"verdict\"} 1\n"), "{metrics}");
            let read =
                metrics.lines().find_map(|line| line.strip_prefix("verdmarc_records_read_total{role=\"verdict\"} ")).unwrap();
            let read: usize = read.parse().unwrap();
            assert!((51..FLOOD / 5).contains(&read), "{read} records read before the stop");
            eventually("dead letters of what was read", || (stream.outcome().refused.len() == before + read).then_some(()));
            before += read;
            assert_eq!(process.ended(), None, "it stays alive");
            let (code, _) = process.stop();
            assert_eq!(code, Some(0));
        }
        stream.assert_nothing_open();
        let process = fleet.start("a", &[("VERDMARC_VERDICT__REFUSAL_STOP", "false")]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        assert_eq!(stream.assert_exactly_once(&fleet).refused.len(), FLOOD);
    });
}

#[test]
fn a_verdict_says_its_status_in_headers_and_on_fail_the_policy() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "headers-", 1);
        let fleet = stream.fleet();
        let process = fleet.start("a", &[]);
        stream.produce([Kind::Pass, Kind::Fail, Kind::Gray, Kind::Undecided].map(|kind| Raw::of(kind, format!("{kind:?}"))));
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let said: Vec<_> = shared()
            .read_committed(&stream.topic("mail.verdicts"))
            .iter()
            .map(|verdict| {
                let header = |name: &str| {
                    let found = verdict.headers.iter().find(|(known, _)| known == name);
                    found.map(|(_, value)| String::from_utf8(value.clone().unwrap()).unwrap()).unwrap_or_default()
                };
                [header("ce_dmarcverdict"), header("ce_dmarcpolicy")]
            })
            .collect();
        assert_eq!(said, [["PASS", ""], ["FAIL", "reject"], ["GRAY", ""], ["PROCESSING_FAILED", ""]]);
    });
}

#[test]
fn a_panicking_evaluation_is_a_verdict_and_no_loop() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "panic-", 1);
        let fleet = stream.fleet();
        let process = fleet.start("a", &[("FAILPOINTS", "evaluate=3*return(panic)->off")]);
        stream.produce((0..10).map(|number| Raw::of(Kind::Pass, format!("m{number}"))));
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let outcome = stream.assert_exactly_once(&fleet);
        let verdicts: Vec<_> = outcome.verdicts.values().flatten().collect();
        let undecided = verdicts.iter().filter(|verdict| status(verdict) == "PROCESSING_FAILED");
        assert_eq!((verdicts.len(), undecided.count(), outcome.refused.len()), (10, 3, 0));
    });
}

/// Where no verdict can be given any more: such a record must not hold its partition without anybody noticing.
#[test]
fn a_panic_outside_of_the_evaluation_ends_the_role_and_loses_nothing() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "outside-", 1);
        let fleet = stream.fleet();
        let mut process = fleet.start("a", &[("FAILPOINTS", "decode=3*off->1*return(panic)->off")]);
        stream.produce((0..20).map(|number| Raw::of(Kind::Pass, format!("m{number}"))));
        assert_eq!(process.exit_code(), Some(5));
        assert!(process.has_logged("outside-mail.raw/0/"), "which record");
        let process = fleet.start("a", &[]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let outcome = stream.assert_exactly_once(&fleet);
        assert!(outcome.verdicts.values().flatten().all(|verdict| status(verdict) == "PASS"));
    });
}

/// The worst case for every output at once: the brokers take what comes of it.
#[test]
fn p4_the_worst_mail_gives_a_verdict_that_every_topic_takes() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "worst-", 1);
        let mut fleet = stream.fleet();
        fleet.set("VERDICT__ANNOTATED", "true");
        shared().create_topics(&[(&stream.topic("mail.annotated"), 1, &[("max.message.bytes", "59768832")])]);
        let long = "x".repeat(900);
        let mut header = String::from("From: a@bank.example\r\n");
        for number in 0..200 {
            header += &format!("DKIM-Signature: v=1; a=rsa-sha256; d={number}.evil.example; s=s; h=from; bh=AA==; b={long}\r\n");
            header += &format!("Authentication-Results: mx.recv.example; dmarc=pass reason=\"\\\"{long}\"\r\n");
            header += &format!("X-{number}: \u{1}{long}\u{7f}\u{80}\"\\\r\n");
        }
        let small = format!("{header}\r\nhello\r\n");
        let large = format!("{header}\r\n{}", "0123456789abcdef\r\n".repeat((39 << 20) / 18));
        let envelope = |key: &str, message: &str| {
            let quotes = "\"\u{1}\\".repeat(8_000);
            let headers: Vec<(&'static str, Vec<u8>)> = vec![
                ("ce_clientip", b"203.0.113.5".to_vec()),
                ("ce_helo", quotes.clone().into_bytes()),
                ("ce_mailfrom", quotes.clone().into_bytes()),
                ("ce_rcptto", serde_json::to_vec(&vec!["\u{1}@x.example"; 9_000]).unwrap()),
            ];
            Raw { key: key.to_owned(), value: Some(message.as_bytes().to_vec()), headers }
        };
        let process = fleet.start("a", &[]);
        stream.produce([envelope("small", &small), envelope("large", &large), Raw::of(Kind::Pass, "behind".to_owned())]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let outcome = stream.assert_exactly_once(&fleet);
        let words: Vec<_> = outcome.verdicts.values().flatten().map(status).collect();
        assert_eq!(words, ["FAIL", "FAIL", "PASS"]);
        assert_eq!(shared().read_committed(&stream.topic("mail.annotated")).len(), 3);
        let largest = shared()
            .read_committed(&stream.topic("mail.verdicts"))
            .iter()
            .map(|record| record.value.as_ref().unwrap().len())
            .max();
        assert!(largest.unwrap() < 1 << 20, "a verdict of {largest:?} bytes");
    });
}

#[test]
fn an_output_that_no_topic_takes_is_replaced_by_a_dead_letter_and_the_partition_goes_on() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "oversized-", 1);
        let mut fleet = stream.fleet();
        fleet.set("VERDICT__ANNOTATED", "true");
        shared().create_topics(&[(&stream.topic("mail.annotated"), 1, &[("max.message.bytes", "20000")])]);
        // Compression makes nothing of it.
        let mut rng = fastrand::Rng::with_seed(1);
        let body: String = (0..40_000).map(|_| rng.alphanumeric()).collect();
        let message = format!("From: a@bank.example\r\n\r\n{body}");
        let large =
            poison("large", Some(message.as_bytes()), &[("ce_clientip", b"198.51.100.10"), ("ce_mailfrom", b"a@bank.example")]);
        // So many behind it that some are still being handed over when it is refused.
        let behind = (0..4_000).map(|number| Raw::of(Kind::Pass, format!("behind{number}")));
        stream.produce([Raw::of(Kind::Pass, "before".to_owned()), large].into_iter().chain(behind));
        let process = fleet.start("a", &[("VERDMARC_VERDICT__COMMIT_INTERVAL_MS", "2000")]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let outcome = stream.assert_exactly_once(&fleet);
        assert_eq!(outcome.refused.get(&(0, 1)), Some(&vec!["output_too_large".to_owned()]));
        assert_eq!(outcome.verdicts.len(), 4_001);
        eventually("nothing else", || (shared().read_committed(&stream.topic("mail.annotated")).len() == 4_001).then_some(()));
    });
}
