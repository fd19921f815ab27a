//! Dead letters listed, shown and put back.

use crate::broker::{Found, within};
use crate::operator::{self, Desk, header};
use crate::{ANSWER, LIMIT};
use rdkafka::producer::{BaseRecord, Producer as _};
use std::io::{BufRead, BufReader};
use std::time::Duration;
use verdmarc::event::redrive::RecordId;

/// Attempt, origin's offset and value of records.
fn copies(found: &[Found]) -> Vec<(String, String, Option<String>)> {
    let text = |value: &Option<Vec<u8>>| value.as_ref().map(|value| String::from_utf8(value.clone()).unwrap());
    let mut copies: Vec<_> = found
        .iter()
        .map(|record| (header(record, "verdmarc-attempt"), header(record, "verdmarc-origin-offset"), text(&record.value)))
        .collect();
    copies.sort();
    copies
}

#[test]
fn redrive_acts_when_told_to_and_once() {
    within(LIMIT, || {
        let desk = Desk::new("redrive.");
        desk.topics(&[("mail.raw", &[]), ("mail.dead-letters", &[])]);
        let (raw, dead) = ("redrive.mail.raw", "redrive.mail.dead-letters");
        desk.refuse(&[
            ("base64", raw, 5, 1, Some("five")),
            ("base64", raw, 6, 3, Some("six")),
            ("null_value", raw, 7, 1, None),
            ("content_type", raw, 8, 1, Some("<p>")),
            ("too_late", "redrive.mail.failures", 9, 1, Some("{}")),
        ]);
        let before = (desk.broker.end_offsets(raw), desk.broker.end_offsets(dead));
        let dry = desk.run(&["dead-letters", "redrive"]);
        assert_eq!(
            (dry.code, dry.count("would be put back\n"), dry.count("refused again: the record has no value")),
            (1, 3, 1),
            "{dry}"
        );
        assert_eq!(
            (dry.count("its origin is redrive.mail.failures"), dry.count("4 would be put back, 0 were before, 1 cannot be")),
            (1, 1),
            "{dry}"
        );
        assert_eq!((desk.broker.end_offsets(raw), desk.broker.end_offsets(dead)), before, "a dry run writes nothing");

        let only = ["dead-letters", "redrive", "--reason", "base64", "--reason", "null_value", "--yes"];
        let done = desk.run(&only);
        assert_eq!((done.code, done.count("3 put back, 0 were before, 0 cannot be.")), (0, 1), "{done}");
        let back = desk.broker.read_committed(raw);
        let expected = [("2", "5", Some("five")), ("2", "7", None), ("4", "6", Some("six"))];
        let expected = expected.map(|(attempt, offset, value)| (attempt.to_owned(), offset.to_owned(), value.map(str::to_owned)));
        assert_eq!(copies(&back), expected);
        for record in &back {
            assert_eq!(header(record, "verdmarc-origin-topic"), raw);
            assert_eq!(
                header(record, "ce_id"),
                format!("id-{}", header(record, "verdmarc-origin-offset")),
                "foreign headers stay"
            );
            assert_eq!(record.key.as_deref(), Some(format!("key-{}", header(record, "verdmarc-origin-offset")).as_bytes()));
            assert!(!record.headers.iter().any(|(name, _)| name == "verdmarc-reason"), "{record:?}");
        }

        let second = desk.run(&only);
        assert_eq!((second.code, second.count("0 put back, 3 were before, 0 cannot be.")), (0, 1), "{second}");
        assert_eq!(desk.broker.read_committed(raw).len(), 3);
        let once_more = desk.run(&["dead-letters", "redrive", "--reason", "null_value", "--again", "--yes"]);
        assert_eq!((once_more.code, once_more.count("1 put back")), (0, 1), "{once_more}");
        assert_eq!(desk.broker.read_committed(raw).len(), 4);
    });
}

#[test]
fn letters_are_listed_and_shown() {
    within(LIMIT, || {
        let desk = Desk::new("list.");
        desk.topics(&[("mail.raw", &[]), ("mail.dead-letters", &[])]);
        let raw = "list.mail.raw";
        desk.refuse(&[("base64", raw, 5, 1, Some("five\u{1b}[31m\nline")), ("empty_value", raw, 6, 1, Some(""))]);
        assert_eq!(desk.run(&["dead-letters", "redrive", "--reason", "base64", "--yes"]).code, 0);
        let list = desk.run(&["dead-letters", "list", "--json"]);
        let letters: Vec<serde_json::Value> = list.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let said = |letter: &serde_json::Value| (letter["reason"].clone(), letter["size"].clone(), letter["redriven"].clone());
        assert_eq!(
            letters.iter().map(said).collect::<Vec<_>>(),
            [("base64".into(), 14.into(), 1.into()), ("empty_value".into(), 0.into(), 0.into())]
        );
        assert_eq!(letters[0]["origin"], serde_json::json!({"topic": raw, "partition": 0, "offset": 5}));

        let counts = desk.run(&["dead-letters", "list", "--count-by", "reason", "--json"]);
        let sum: u64 = counts
            .out
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["count"].as_u64().unwrap())
            .sum();
        assert_eq!((counts.code, sum), (0, list.out.lines().count() as u64), "{counts}");
        assert!(desk.run(&["dead-letters", "list", "--count-by", "reason"]).out.contains("  base64\n"));
        let table = desk.run(&["dead-letters", "list", "--limit", "1"]);
        assert_eq!(
            (table.out.lines().count(), table.count("empty_value"), table.err.contains("1 older")),
            (2, 1, true),
            "{table}"
        );
        assert_eq!(desk.run(&["dead-letters", "list", "--until", "2020-01-01T00:00:00Z"]).out.lines().count(), 1);
        assert_eq!(desk.run(&["dead-letters", "list", "--since", "2020-01-01T00:00:00Z"]).out.lines().count(), 3);
        assert_eq!(desk.run(&["dead-letters", "list", "--since", "2999-01-01T00:00:00Z"]).out.lines().count(), 1);

        let place = format!("{}/{}", letters[0]["partition"], letters[0]["offset"]);
        let shown = desk.run(&["dead-letters", "show", &place]);
        assert!(shown.out.contains("verdmarc-reason: base64") && shown.out.contains("  five\\u{1b}[31m\n  line"), "{shown}");
        assert_eq!(desk.run(&["dead-letters", "show", &place, "--raw"]).out, "five\u{1b}[31m\nline");
        assert_eq!(desk.run(&["dead-letters", "show", "0/999"]).code, 2);
        assert_eq!(desk.run(&["dead-letters", "show", "0-999"]).code, 2);
    });
}

#[test]
fn a_redrive_that_was_killed_leaves_nothing_half_done() {
    within(LIMIT, || {
        let desk = Desk::new("killed.");
        desk.topics(&[("mail.raw", &[]), ("mail.dead-letters", &[])]);
        let (raw, dead) = ("killed.mail.raw", "killed.mail.dead-letters");
        let letters: Vec<_> = (0..2_500).map(|offset| ("base64", raw, offset, 1, Some("v"))).collect();
        desk.refuse(&letters);

        // What a redrive leaves that was killed before its commit: a copy and a mark in an open transaction.
        let dying = desk.transactional("killed.verdmarc-redrive");
        dying.begin_transaction().unwrap();
        dying.send(BaseRecord::to(raw).key("k").payload("half")).unwrap();
        operator::mark(&dying, dead, RecordId { partition: 0, offset: 0 });
        dying.flush(ANSWER).unwrap();

        // A real one, killed when the first of its transactions is through. It cannot get to its end, because nobody reads what it
        // says: that is more than a pipe holds.
        let mut child = desk.command(&["dead-letters", "redrive", "--yes"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().contains("put back"));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(dying.commit_transaction(ANSWER).is_err(), "it was fenced");

        // List waits for what the killed one left open, until the brokers end it.
        let redriven = || desk.run(&["dead-letters", "list", "--json"]).count("\"redriven\":1");
        let count = redriven();
        assert!((500..2_500).contains(&count), "{count}");
        assert_eq!(desk.broker.read_committed(raw).len(), count, "a letter is marked if and only if its copy is visible");

        let rest = desk.run(&["dead-letters", "redrive", "--yes"]);
        assert_eq!((rest.code, rest.count(&format!("{} put back, {count} were before", 2_500 - count))), (0, 1), "{}", rest.err);
        let mut origins: Vec<String> =
            desk.broker.read_committed(raw).iter().map(|record| header(record, "verdmarc-origin-offset")).collect();
        origins.sort();
        origins.dedup();
        assert_eq!((origins.len(), desk.broker.read_committed(raw).len(), redriven()), (2_500, 2_500, 2_500));
    });
}

#[test]
fn a_mark_that_is_just_being_committed_is_waited_for() {
    within(LIMIT, || {
        let desk = Desk::new("waits.");
        desk.topics(&[("mail.raw", &[]), ("mail.dead-letters", &[])]);
        let (raw, dead) = ("waits.mail.raw", "waits.mail.dead-letters");
        desk.refuse(&[("base64", raw, 5, 1, Some("five"))]);
        // A reader of committed records sees the end of the topic before this, and the letter unmarked.
        let other = desk.transactional("waits.other");
        other.begin_transaction().unwrap();
        operator::mark(&other, dead, RecordId { partition: 0, offset: 0 });
        other.flush(ANSWER).unwrap();
        let child = desk.command(&["dead-letters", "redrive", "--yes"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(2));
        other.commit_transaction(ANSWER).unwrap();
        let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        assert!(out.contains("0 put back, 1 were before"), "{out}");
        assert_eq!(desk.broker.read_committed(raw), []);
    });
}

#[test]
fn a_letter_without_message_sends_its_record_again() {
    within(LIMIT, || {
        let desk = Desk::new("original.");
        desk.topics(&[("mail.raw", &[]), ("mail.dead-letters", &[])]);
        let raw = "original.mail.raw";
        desk.write(raw, 0, "zero");
        desk.write(raw, 0, "one");
        desk.refuse(&[("output_too_large", raw, 1, 2, None), ("output_too_large", raw, 99, 1, None)]);
        let done = desk.run(&["dead-letters", "redrive", "--yes"]);
        assert_eq!(
            (done.code, done.count("1 put back, 0 were before, 1 cannot be"), done.count("not in the raw topic any more")),
            (1, 1, 1),
            "{done}"
        );
        let back: Vec<Found> =
            desk.broker.read_committed(raw).into_iter().filter(|found| !header(found, "verdmarc-attempt").is_empty()).collect();
        assert_eq!(copies(&back), [("3".to_owned(), "1".to_owned(), Some("one".to_owned()))]);
    });
}

#[test]
fn a_redrive_says_which_records_will_be_refused_again_and_a_claim_check_has_a_value_elsewhere() {
    within(LIMIT, || {
        let desk = Desk::new("predicts.");
        desk.topics(&[("mail.raw", &[]), ("mail.dead-letters", &[])]);
        desk.refuse_with(&[
            ("claim_check_missing", &[("ce_dataref", "s3://mail/in/1.eml")], None),
            ("claim_check_prefix", &[("ce_dataref", "s3://mail/out/1.eml")], None),
            ("attribute_clientip", &[("ce_clientip", "192.0.2.1:25")], Some("From: a@ex.test\r\n\r\n")),
            ("too_large", &[], Some("From: a@ex.test\r\n\r\n")),
        ]);
        let allowed = [("VERDMARC_CLAIM_CHECK__PREFIXES", "[\"s3://mail/in/\"]")];
        let dry = desk.run_with(&allowed, &["dead-letters", "redrive"]);
        assert_eq!((dry.code, dry.count("would be put back\n"), dry.count("and refused again: ")), (0, 2, 2), "{dry}");
        assert_eq!(
            (dry.count("outside the prefixes that claim_check.prefixes allows"), dry.count("`clientip` cannot be read")),
            (1, 1),
            "{dry}"
        );
        assert_eq!(dry.count("2 of them will be refused again"), 1, "{dry}");
    });
}
