//! What operators do, on a real broker and with the real binary: topics made, checked and grown; dead letters put back and
//! records skipped.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails, and its modules serve several binaries"
)]

#[path = "support/broker/mod.rs"]
mod broker;
#[path = "support/operator.rs"]
mod operator;

use broker::{Found, eventually, within};
use operator::{Desk, header};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, Producer as _};
use std::io::{BufRead, BufReader};
use std::time::Duration;
use verdmarc::event::redrive::Place;

const LIMIT: Duration = Duration::from_secs(80);
const ANSWER: Duration = Duration::from_secs(20);
const ONE_BROKER: [&str; 4] = ["--replication-factor", "1", "--min-insync-replicas", "1"];

#[test]
fn what_create_makes_is_what_check_wants() {
    within(LIMIT, || {
        let desk = Desk::new("create.");
        let nothing = desk.run(&["topics", "check"]);
        assert_eq!(
            (nothing.code, nothing.count("it does not exist: verdmarc topics create --partitions 12")),
            (1, 4),
            "{nothing}"
        );

        let dry = desk.run(&["topics", "create", "--dry-run", "--partitions", "3"]);
        assert_eq!((dry.code, dry.count("would be made with 3 partitions")), (0, 10), "{dry}");
        let refused = desk.run(&["topics", "create", "--partitions", "3"]);
        assert_eq!((refused.code, refused.count("fewer brokers than replicas")), (1, 10), "{refused}");
        assert_eq!(desk.run(&["topics", "create", "--min-insync-replicas", "4"]).code, 2);

        let create = [&["topics", "create", "--partitions", "3"][..], &ONE_BROKER].concat();
        let made = desk.run(&create);
        assert_eq!((made.code, made.count("made with 3 partitions")), (0, 10), "{made}");
        let fine = desk.run(&["topics", "check"]);
        // A single broker is worth a warning for each topic in use, and no error.
        assert_eq!((fine.code, fine.count("error"), fine.count("the loss of one broker")), (0, 0, 4), "{fine}");
        assert!(fine.out.contains("create.mail.raw") && fine.out.contains("56 MiB") && fine.out.contains("7.0 d"), "{fine}");
        let again = desk.run(&create);
        assert_eq!((again.code, again.count("is there with 3 partitions, left alone")), (0, 10), "{again}");
    });
}

#[test]
fn check_finds_what_is_wrong_with_topics() {
    within(LIMIT, || {
        let desk = Desk::new("check.");
        let one = ("min.insync.replicas", "1");
        let large = ("max.message.bytes", "59768832");
        desk.topics(&[
            (
                "mail.raw",
                &[one, ("message.timestamp.type", "LogAppendTime"), ("retention.ms", "-1"), ("max.message.bytes", "58720256")],
            ),
            ("mail.verdicts", &[one, ("cleanup.policy", "compact"), ("retention.ms", "1209600000")]),
            ("mail.annotated", &[one, ("max.message.bytes", "58720256")]),
            ("mail.retries.1", &[one, large, ("retention.ms", "60000")]),
            ("mail.retries.2", &[one, large, ("retention.ms", "605400000")]),
            ("mail.retries.3", &[("min.insync.replicas", "2"), large, ("retention.ms", "608400000")]),
            ("mail.dead-letters", &[one, large, ("retention.ms", "1000000")]),
        ]);
        let uses = [
            ("VERDMARC_VERDICT__ANNOTATED", "true"),
            ("VERDMARC_VERDICT__RETRIES", "true"),
            ("VERDMARC_RECEIVER__DOMAIN", "mx.example"),
        ];
        let found = desk.run_with(&uses, &["topics", "check"]);
        let brokers = &desk.broker.bootstrap();
        let set = |topic: &str, setting: &str| {
            format!(
                "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name check.{topic} --add-config {setting}"
            )
        };
        let expected = [
            "error: check.mail.failures: it does not exist: verdmarc topics create --partitions 2 --replication-factor 1 --min-insync-replicas 1".to_owned(),
            format!("error: check.mail.verdicts: cleanup.policy is compact, it must be delete: {}", set("mail.verdicts", "cleanup.policy=delete")),
            format!("error: check.mail.annotated: it takes records of 58720256 bytes, it must take 59768832: {}", set("mail.annotated", "max.message.bytes=59768832")),
            format!("error: check.mail.retries.1: records are removed after 60 s, before their delay of 60 s is over: {}", set("mail.retries.1", "retention.ms=604860000")),
            format!("error: check.mail.retries.3: min.insync.replicas is 2 and there are 1 replicas, nothing can be written: {}", set("mail.retries.3", "min.insync.replicas=1")),
            format!("warning: check.mail.raw: records are kept for ever, but the position of a group that is idle for 604800 s is forgotten, and then read again: {}", set("mail.raw", "retention.ms=604800000")),
            format!("warning: check.mail.dead-letters: records are removed after 1000 s, planned are 2592000 s: {}", set("mail.dead-letters", "retention.ms=2592000000")),
        ];
        let lines: Vec<&str> = found.out.lines().filter(|line| !line.contains("the loss of one broker")).collect();
        for line in &expected {
            assert!(lines.contains(&line.as_str()), "{line}\nis not in\n{found}");
        }
        assert_eq!((found.code, lines.len()), (1, expected.len()), "{found}");
        assert_eq!(desk.run(&["topics", "check"]).count("mail.annotated"), 0, "without the setting it is not used");
    });
}

#[test]
fn topics_grow_and_never_shrink() {
    within(LIMIT, || {
        let desk = Desk::new("grow.");
        desk.topics(&[("mail.raw", &[]), ("mail.verdicts", &[])]);
        let partitions = || desk.broker.end_offsets("grow.mail.raw").len();
        let dry = desk.run(&["topics", "grow", "--partitions", "5"]);
        assert_eq!(
            (dry.code, dry.count("would grow from 2 to 5"), dry.count("Nothing was changed"), partitions()),
            (0, 2, 1, 2),
            "{dry}"
        );
        let grown = desk.run(&["topics", "grow", "--partitions", "5", "--yes"]);
        assert_eq!((grown.code, grown.count("grown from 2 to 5"), grown.count("is not there")), (0, 2, 8), "{grown}");
        eventually("five partitions", || (partitions() == 5).then_some(()));
        let smaller = desk.run(&["topics", "grow", "--partitions", "3", "--yes"]);
        assert_eq!((smaller.code, smaller.count("has 5 partitions, left alone"), partitions()), (0, 2, 5), "{smaller}");
    });
}

#[test]
fn resources_for_strimzi_are_yaml_and_name_every_topic() {
    let printed = Desk::offline("P_").run(&["topics", "print", "--cluster", "main", "--partitions", "6"]);
    assert_eq!(printed.code, 0, "{printed}");
    let resources: Vec<serde_json::Value> = serde_saphyr::from_multiple(&printed.out).unwrap();
    let names: Vec<&str> = resources.iter().map(|resource| resource["spec"]["topicName"].as_str().unwrap()).collect();
    let expected =
        ["raw", "verdicts", "annotated", "failures", "windows", "reports", "retries.1", "retries.2", "retries.3", "dead-letters"];
    assert_eq!(names, expected.map(|name| format!("P_mail.{name}")));
    for resource in &resources {
        assert_eq!(
            (resource["apiVersion"].as_str(), resource["kind"].as_str()),
            (Some("kafka.strimzi.io/v1beta2"), Some("KafkaTopic"))
        );
        assert_eq!(resource["metadata"]["labels"]["strimzi.io/cluster"], "main");
        let name = resource["metadata"]["name"].as_str().unwrap();
        assert!(name.starts_with("p-mail.") && !name.contains('_'), "{name}");
        assert_eq!((resource["spec"]["partitions"].as_i64(), resource["spec"]["replicas"].as_i64()), (Some(6), Some(3)));
        let config = &resource["spec"]["config"];
        let is_state = resource["spec"]["topicName"] == "P_mail.windows";
        assert_eq!(config["cleanup.policy"], if is_state { "compact" } else { "delete" });
        assert!(is_state || config["retention.ms"].as_i64().unwrap() >= 604_800_000);
    }
}

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
        operator::mark(&dying, dead, Place { partition: 0, offset: 0 });
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
        operator::mark(&other, dead, Place { partition: 0, offset: 0 });
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
fn skip_passes_over_the_next_record_of_an_empty_group_and_no_other() {
    within(LIMIT, || {
        let desk = Desk::new("skip.");
        desk.topics(&[("mail.raw", &[]), ("mail.dead-letters", &[])]);
        let (raw, dead, group) = ("skip.mail.raw", "skip.mail.dead-letters", "skip.verdmarc-verdict");
        for value in ["zero", "one", "two"] {
            desk.write(raw, 0, value);
        }
        let skip =
            |offset: i64, more: &[&str]| desk.run(&[&["dead-letters", "skip", &format!("{raw}/0/{offset}")], more].concat());

        let member: BaseConsumer =
            desk.broker.config().set("group.id", group).set("enable.auto.commit", "false").create().unwrap();
        member.subscribe(&[raw]).unwrap();
        eventually("the member to be in", || {
            let _ = member.poll(Duration::from_millis(50));
            (member.assignment().unwrap().count() > 0).then_some(())
        });
        let busy = skip(0, &["--yes"]);
        assert_eq!(
            (busy.code, busy.err.contains("has members"), busy.err.contains("stop every process")),
            (1, true, true),
            "{busy}"
        );
        drop(member);

        // Nothing is committed yet, so the group stands at the oldest record.
        let wrong = skip(1, &["--yes"]);
        assert_eq!((wrong.code, wrong.err.contains("skip.mail.raw/0/0 is; name that one")), (1, true), "{wrong}");
        let dry = skip(0, &[]);
        assert_eq!((dry.code, dry.count("Nothing was changed")), (0, 1), "{dry}");
        assert_eq!((desk.broker.committed(group, raw), desk.broker.read_committed(dead).len()), (vec![None, None], 0));

        let done = skip(0, &["--yes"]);
        assert_eq!((done.code, done.count("is a dead letter now")), (0, 1), "{done}");
        assert_eq!(desk.broker.committed(group, raw), [Some(1), None]);
        let text = desk.broker.committed_texts(group, raw, 1).remove(0);
        assert!(text.starts_with("verdmarc/1 ") && text.len() == "verdmarc/1 ".len() + 22, "the log's id goes with it: {text}");
        let letters = desk.broker.read_committed(dead);
        assert_eq!(
            (letters.len(), letters[0].text(), header(&letters[0], "verdmarc-reason").as_str()),
            (1, "zero", "skipped_by_operator")
        );
        assert_eq!(
            (header(&letters[0], "verdmarc-origin-offset"), header(&letters[0], "verdmarc-attempt")),
            ("0".into(), "1".into())
        );
        assert_eq!(skip(0, &["--yes"]).code, 1, "once");
        assert_eq!(skip(1, &["--yes"]).code, 0);

        // Between position and record there may be what nobody reads: an aborted transaction with its end.
        desk.abort(raw, 0);
        assert_eq!(skip(2, &["--yes"]).code, 0);
        let end = skip(3, &["--yes"]);
        assert_eq!((end.code, end.err.contains("to its end")), (1, true), "{end}");
        desk.write(raw, 0, "behind");
        let behind = skip(3, &[]);
        assert!(behind.code == 1 && behind.err.contains("skip.mail.raw/0/5 is"), "{behind}");
        assert_eq!(skip(5, &["--yes"]).code, 0);
        assert_eq!(desk.broker.committed(group, raw), [Some(6), None]);

        let other = desk.run(&["dead-letters", "skip", "skip.mail.dead-letters/0/0", "--yes"]);
        assert_eq!((other.code, other.err.contains("does not read")), (1, true), "{other}");
        assert_eq!(desk.run(&["dead-letters", "skip", &format!("{raw}/7/0")]).code, 4);
    });
}

/// A position of the group that read retries before there was one for them counts until that has its own.
#[test]
fn skip_of_a_retry_acts_for_the_group_that_reads_retries() {
    within(LIMIT, || {
        let desk = Desk::new("skipretry.");
        desk.topics(&[("mail.raw", &[]), ("mail.retries.1", &[]), ("mail.dead-letters", &[])]);
        let (retries, raw_group, group) =
            ("skipretry.mail.retries.1", "skipretry.verdmarc-verdict", "skipretry.verdmarc-verdict-retries");
        for value in ["zero", "one", "two"] {
            desk.write(retries, 0, value);
        }
        desk.broker.commit_with_text(raw_group, retries, (0, 1), "");
        let skip = |offset: i64| desk.run(&["dead-letters", "skip", &format!("{retries}/0/{offset}"), "--yes"]);
        let read = skip(0);
        assert!(read.code == 1 && read.err.contains("skipretry.mail.retries.1/0/1 is"), "{read}");
        let done = skip(1);
        assert_eq!((done.code, done.count(group)), (0, 1), "{done}");
        assert_eq!(desk.broker.committed(group, retries), [Some(2), None]);
        assert_eq!(desk.broker.committed(raw_group, retries), [Some(1), None]);
        assert_eq!(skip(2).code, 0);
        assert_eq!(desk.broker.committed(group, retries), [Some(3), None]);
    });
}

#[test]
fn skip_does_the_same_in_a_group_whose_partitions_the_brokers_assign() {
    within(LIMIT, || {
        let desk = Desk::new("skip848.");
        desk.topics(&[("mail.raw", &[]), ("mail.dead-letters", &[])]);
        let (raw, dead, group) = ("skip848.mail.raw", "skip848.mail.dead-letters", "skip848.verdmarc-verdict");
        desk.write(raw, 0, "zero");
        let skip = || {
            let settings = [("VERDMARC_KAFKA__PROTOCOL", "consumer")];
            desk.run_with(&settings, &["dead-letters", "skip", &format!("{raw}/0/0"), "--yes"])
        };
        let mut config = desk.broker.config();
        config.set("group.id", group).set("group.protocol", "consumer").set("enable.auto.commit", "false");
        let member: BaseConsumer = config.create().unwrap();
        member.subscribe(&[raw]).unwrap();
        let assigned = || member.assignment().unwrap().count();
        eventually("the member to be in", || {
            let _ = member.poll(Duration::from_millis(50));
            (assigned() == 2).then_some(())
        });
        // The brokers do not say who is in such a group; whoever joins it is given a share.
        let busy = std::thread::scope(|scope| {
            let command = scope.spawn(skip);
            while !command.is_finished() {
                let _ = member.poll(Duration::from_millis(50));
            }
            command.join().unwrap()
        });
        assert_eq!((busy.code, busy.err.contains("has members")), (1, true), "{busy}");
        assert_eq!((desk.broker.committed(group, raw), desk.broker.read_committed(dead).len()), (vec![None, None], 0));
        drop(member);

        let done = skip();
        assert_eq!((done.code, done.count("is a dead letter now")), (0, 1), "{done}");
        assert_eq!(desk.broker.committed(group, raw), [Some(1), None]);
        assert_eq!(desk.broker.read_committed(dead).len(), 1);
        assert_eq!(skip().code, 1, "once");
    });
}

#[test]
fn skip_waits_for_what_a_killed_process_left_open() {
    within(LIMIT, || {
        let desk = Desk::new("open.");
        desk.topics(&[("mail.raw", &[]), ("mail.dead-letters", &[])]);
        let (raw, group) = ("open.mail.raw", "open.verdmarc-verdict");
        desk.write(raw, 0, "zero");
        desk.write(raw, 0, "one");
        let dying = desk.transactional("open.dying");
        dying.begin_transaction().unwrap();
        let mut offsets = rdkafka::TopicPartitionList::new();
        offsets.add_partition_offset(raw, 0, rdkafka::Offset::Offset(1)).unwrap();
        let outsider: BaseConsumer = desk.broker.config().set("group.id", group).create().unwrap();
        dying.send_offsets_to_transaction(&offsets, &outsider.group_metadata().unwrap(), ANSWER).unwrap();
        let child = desk.command(&["dead-letters", "skip", "open.mail.raw/0/1", "--yes"]).spawn().unwrap();
        // Longer than one answer about positions takes.
        std::thread::sleep(Duration::from_secs(11));
        dying.commit_transaction(ANSWER).unwrap();
        assert!(child.wait_with_output().unwrap().status.success());
        assert_eq!(desk.broker.committed(group, raw), [Some(2), None]);
    });
}

#[test]
fn a_broker_that_tells_no_settings_gives_warnings() {
    let mut config = verdmarc::config::Config::default();
    let names = config.topics.named().map(|(_, name)| name.to_owned());
    config.kafka.brokers = verdmarc::kafka::embedded::Embedded::start(&names).unwrap().brokers;
    let report = verdmarc::kafka::topics::check(&config, &verdmarc::roles::verdict::lane(&config)).unwrap();
    assert_eq!(report.errors, []);
    assert_eq!(report.warnings.len(), 4, "{:?}", report.warnings);
}

#[test]
fn a_topic_that_is_missing_is_named_with_the_command_that_makes_it() {
    within(LIMIT, || {
        let desk = Desk::new("missing.");
        let message = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(message.path(), "From: a@ex.test\r\n\r\n").unwrap();
        for (topic, arguments) in [
            ("verdicts", &["tail", "verdicts"][..]),
            ("reports", &["reports", "list"]),
            ("windows", &["windows", "list"]),
            ("failures", &["windows", "close"]),
            ("failures", &["aggregate", "repair"]),
            ("dead-letters", &["dead-letters", "list"]),
            ("dead-letters", &["dead-letters", "redrive", "--yes"]),
            ("raw", &["dead-letters", "skip", "missing.mail.raw/0/1"]),
            ("raw", &["send", message.path().to_str().unwrap()]),
        ] {
            let ran = desk.run(arguments);
            let said = format!("error: topic missing.mail.{topic} does not exist: `verdmarc topics create` makes it\n");
            assert_eq!((ran.code, ran.out.as_str(), ran.err.contains(&said)), (4, "", true), "{arguments:?}: {ran}");
        }
        let check = desk.run(&["topics", "check"]);
        assert_eq!((check.code, check.count("--replication-factor 1 --min-insync-replicas 1")), (1, 4), "{check}");
    });
}

#[test]
fn a_right_that_is_missing_is_named_with_its_user() {
    within(LIMIT, || {
        let broker = broker::Broker::start(broker::Options { tls_sasl: true, settings: broker::Options::ACLS });
        broker.create_topics(&[("mail.raw", 1, &[]), ("mail.verdicts", 1, &[])]);
        let (secret, message) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
        std::fs::write(message.path(), "From: a@ex.test\r\n\r\n").unwrap();
        let run = |password: &str, arguments: &[&str]| {
            std::fs::write(secret.path(), password).unwrap();
            let mut command = operator::command("", arguments);
            for (name, value) in [
                ("BROKERS", broker.sasl_bootstrap().as_str()),
                ("PROPERTIES__SECURITY_PROTOCOL", "SASL_SSL"),
                ("PROPERTIES__SASL_MECHANISM", "SCRAM-SHA-512"),
                ("PROPERTIES__SSL_CA_LOCATION", broker.ca_pem().to_str().unwrap()),
                ("PROPERTIES__SASL_USERNAME", broker::USER),
                ("PROPERTY_FILES__SASL_PASSWORD", secret.path().to_str().unwrap()),
            ] {
                command.env(format!("VERDMARC_KAFKA__{name}"), value);
            }
            operator::finish(&mut command)
        };
        let brokers = broker.sasl_bootstrap();
        let denied = |act: &str, right: &str, topic: &str| {
            format!(
                "cannot {act} {topic}: the user that sasl.username names lacks the right {right} on it (TopicAuthorizationFailed): \
                 kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal User:NAME --operation {right} --topic {topic}\n"
            )
        };
        broker.deny("mail.verdicts", broker::Right::Read, true);
        broker.deny("mail.raw", broker::Right::Write, true);
        let tail = run(broker::PASSWORD, &["tail", "verdicts", "--from-beginning"]);
        assert!(tail.code == 4 && tail.err.contains(&denied("read", "Read", "mail.verdicts")), "{tail}");
        let send = run(broker::PASSWORD, &["send", message.path().to_str().unwrap()]);
        assert!(send.code == 4 && send.err.contains(&denied("write to", "Write", "mail.raw")), "{send}");

        let login = run("guessed", &["tail", "verdicts"]);
        assert_eq!(login.code, 4, "{login}");
        assert!(login.err.contains(&format!("no broker answers at {brokers}: ")), "{login}");
        assert!(login.err.contains("the login is refused: check sasl.* in [kafka.properties]"), "{login}");
        let tls = operator::finish(
            operator::command("", &["tail", "verdicts"])
                .env("VERDMARC_KAFKA__BROKERS", &brokers)
                .env("VERDMARC_KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SSL"),
        );
        assert!(tls.code == 4 && tls.err.contains("TLS fails: check security.protocol and ssl.*"), "{tls}");
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

#[test]
fn a_report_that_cannot_be_written_keeps_no_other_back() {
    within(LIMIT, || {
        let desk = Desk::new("export.");
        desk.topics(&[("mail.reports", &[])]);
        let long = format!("{}.example", [&"d".repeat(60); 3].map(String::as_str).join("."));
        desk.report(&["blocked.example", &long, "last.example"]);
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("made");
        std::fs::create_dir_all(to.join(operator::report_file("blocked.example"))).unwrap();
        let exported = desk.run(&["reports", "export", "--to", to.to_str().unwrap()]);
        assert_eq!((exported.code, exported.count("2 report(s) written")), (5, 1), "{exported}");
        assert!(exported.err.contains("about blocked.example is not written: "), "{exported}");
        let mut files: Vec<_> = std::fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.is_file());
        assert_eq!(files.len(), 2, "{files:?}");
        assert!(
            files
                .iter()
                .all(|path| path.to_str().unwrap().ends_with("!1769817600!1769903999!0123456789abcdef0123456789abcdef.xml.gz"))
        );
        let nowhere = desk.run(&["reports", "export", "--to", "/dev/null/reports"]);
        assert_eq!((nowhere.code, nowhere.err.contains("cannot write to /dev/null/reports: ")), (5, true), "{nowhere}");
    });
}
