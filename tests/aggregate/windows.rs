//! Windows that close, late rows, outages, open transactions.

use crate::broker::{beside_others, eventually, shared};
use crate::failures::{Failure, Failures, now};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_mins(3);
const SOON: Duration = Duration::from_secs(40);

/// Failures of twenty policy domains, arrived now.
fn some(count: usize) -> impl Iterator<Item = Failure> {
    let arrival = now();
    (0..count).map(move |number| Failure::of(number % 20, number % 7, arrival))
}

#[test]
fn p7_a_window_closes_by_the_clock_although_nothing_comes() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "clock-", 4);
        let fleet = stream.fleet(5);
        let process = fleet.start("one", &[]);
        stream.produce(some(200));
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
        assert_eq!(process.stop().0, Some(0));
    });
}

#[test]
fn p7_a_window_closes_although_failures_never_stop_coming() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "busy-", 2);
        let mut fleet = stream.fleet(2);
        // The next batch is cut as soon as the one before has ended.
        fleet.set("AGGREGATE__COMMIT_INTERVAL_MS", "0");
        let process = fleet.start("one", &[]);
        process.wait_for("assigned");
        let started = Instant::now();
        while stream.found().closed.len() < 4 {
            assert!(started.elapsed() < SOON, "no window closes");
            stream.produce(some(50));
        }
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
    });
}

#[test]
fn failures_that_cannot_be_read_stop_the_role_before_the_topic_is_drained() {
    beside_others(LIMIT, || {
        let stream = Failures::new(shared(), "garbage-", 1);
        let mut fleet = stream.fleet(86_400);
        fleet.set("HEALTH__LISTEN", "127.0.0.1:0");
        for _ in 0..300 {
            stream.write("x", "verdmarc.failure.v1", "no JSON", None);
        }
        stream.flush();
        let process = fleet.start("one", &[]);
        process.wait_for("stopped: more than 50 of the last 100 records");
        assert_eq!(process.ask("/readyz"), "not ready: aggregate: stopped, because most records were refused\n");
        assert_eq!(process.stop().0, Some(0));
        // What was read by then is committed with its dead letters (K15), so that their reasons can be looked up.
        let refused = stream.refused().len();
        assert!((51..300).contains(&refused), "{refused}");
    });
}

#[test]
fn a_failure_of_a_newer_version_stops_the_role_instead_of_being_left_out() {
    beside_others(LIMIT, || {
        let stream = Failures::new(shared(), "newer-", 1);
        let fleet = stream.fleet(86_400);
        stream.write("x", "verdmarc.failure.v2", "{}", None);
        stream.flush();
        let mut process = fleet.start("one", &[]);
        assert_eq!(process.exit_code(), Some(8));
        assert_eq!(stream.positions(), [None]);
    });
}

#[test]
fn p8_what_comes_late_is_reported_under_another_id_whatever_was_restarted() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "late-", 2);
        let fleet = stream.fleet(5);
        let late = Failure::of(1, 1, now());
        let process = fleet.start("one", &[]);
        stream.produce([late.clone()]);
        stream.wait_until_reported(SOON);
        process.stop();
        let process = fleet.start("one", &[]);
        stream.produce([late]);
        stream.wait_until_read();
        process.stop();
        let _process = fleet.start("one", &[]);
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
        let generations: Vec<_> = found.generations.values().collect();
        assert_eq!(generations, [&vec![(0, 0), (1, 0)]], "one period, two reports");
    });
}

#[test]
fn an_outage_longer_than_windows_loses_nothing() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "outage-", 4);
        let fleet = stream.fleet(1);
        for _ in 0..5 {
            stream.produce(some(100));
            std::thread::sleep(Duration::from_secs(1));
        }
        let _process = fleet.start("one", &[]);
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
        assert!(found.generations.values().all(|reports| *reports == [(0, 0)]), "what stood in the log makes one report each");
    });
}

#[test]
fn beyond_the_horizon_failures_are_dead_letters_and_nothing_else_is() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "horizon-", 2);
        let mut fleet = stream.fleet(2);
        fleet.set("AGGREGATE__HORIZON_S", "6");
        fleet.set("HEALTH__LISTEN", "127.0.0.1:0");
        let process = fleet.start("one", &[]);
        stream.produce(some(50));
        // Written now, arrived long ago: not counted, and not expected to be.
        let mut expected = (stream.expected.clone(), stream.without_address);
        stream.produce((0..30).map(|number| Failure::of(number % 20, 1, now() - 60)));
        (stream.expected, stream.without_address) = std::mem::take(&mut expected);
        for (kind, value) in
            [("verdmarc.failure.v1", "no JSON"), ("verdmarc.later.v9", "whatever"), ("verdmarc.failure.v1", "{}")]
        {
            stream.write("x", kind, value, None);
        }
        stream.flush();
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
        stream.wait_until_read();
        let refused = stream.refused();
        let count = |reason: &str| refused.iter().filter(|found| *found == reason).count();
        assert_eq!((count("too_late"), count("failure_unreadable"), refused.len()), (30, 2, 32));
        let redriven = fleet.command(&["dead-letters", "redrive", "--reason", "failure_unreadable", "--yes"]).output().unwrap();
        assert!(redriven.status.success(), "{}", String::from_utf8_lossy(&redriven.stderr));
        eventually("the same refusals again", || (stream.refused().len() == 34).then_some(()));
        let metrics = process.ask("/metrics");
        for sample in ["failures_too_late_total{role=\"aggregate\"} 30", "failures_skipped_total{role=\"aggregate\"} 1"] {
            assert!(metrics.contains(sample), "{metrics}");
        }
    });
}

#[test]
fn p7_a_transaction_that_is_open_across_the_closing_time_is_waited_for() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "open-", 1);
        let fleet = stream.fleet(4);
        let _process = fleet.start("one", &[]);
        let mut config = stream.broker.config();
        config.set("transactional.id", "open-writer").set("transaction.timeout.ms", "60000");
        let writer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
        let answer = Duration::from_secs(20);
        writer.init_transactions(answer).unwrap();
        writer.begin_transaction().unwrap();
        let failure = Failure::of(1, 1, now());
        let (topic, value) = (stream.topic("mail.failures"), failure.event(0).to_string());
        let headers = OwnedHeaders::new().insert(Header { key: "ce_type", value: Some("verdmarc.failure.v1") });
        writer.send(BaseRecord::to(&topic).key("x").payload(&value).headers(headers)).unwrap();
        writer.flush(answer).unwrap();
        stream.expect(&failure);
        let begun = Instant::now();
        stream.produce([Failure::of(1, 2, failure.arrival)]);
        // Well beyond the window's end and its grace.
        std::thread::sleep(Duration::from_secs(10));
        assert!(stream.found().reports.is_empty(), "after {:?}", begun.elapsed());
        writer.commit_transaction(answer).unwrap();
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
        assert_eq!(found.reports.len(), 1, "both in one report");
    });
}

#[test]
fn an_operator_lists_closes_and_reads_what_came_of_it() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "operator-", 2);
        let fleet = stream.fleet(86_400);
        let process = fleet.start("one", &[]);
        stream.produce((0..40).map(|number| Failure::of(number % 20, number % 7, now())));
        stream.wait_until_read();
        let run = |arguments: &[&str]| {
            let ran = fleet.command(arguments).output().unwrap();
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
            String::from_utf8(ran.stdout).unwrap()
        };
        let listed = run(&["windows", "list"]);
        assert_eq!(listed.lines().count(), 21, "{listed}");
        assert!(listed.contains("dmarc@owner1.example") && listed.contains("nobody"), "{listed}");
        assert_eq!(run(&["windows", "list", "--domain", "owner3.example", "--json"]).lines().count(), 1);
        let mut reader = fleet.command(&["windows", "list"]);
        let unnamed = ["DOMAIN", "ORGANIZATION", "CONTACT"].map(|name| format!("VERDMARC_RECEIVER__{name}"));
        for name in unnamed {
            reader.env_remove(name);
        }
        assert_eq!(String::from_utf8(reader.output().unwrap().stdout).unwrap(), listed, "whoever only reads names no receiver");
        run(&["windows", "close"]);
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
        assert_eq!(run(&["windows", "list"]).lines().count(), 1, "the heading alone");
        let reports = run(&["reports", "list", "--domain", "owner1.example"]);
        let id = reports.lines().nth(1).unwrap().split_whitespace().next().unwrap();
        let xml = run(&["reports", "show", id]);
        assert!(xml.contains(&format!("<report_id>{id}")), "{xml}");
        assert!(run(&["reports", "show", id, "--readable"]).contains("owner1.example"));
        let folder = tempfile::tempdir().unwrap();
        let exported = run(&["reports", "export", "--to", folder.path().to_str().unwrap()]);
        assert!(exported.starts_with("18 reports"), "{exported}");
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(files.len(), 18);
        assert_eq!(process.stop().0, Some(0));
    });
}
