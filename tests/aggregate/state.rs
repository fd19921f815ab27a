//! The state of a partition: restored, lost, moved, compacted, cut short in the middle of a closing.

use crate::broker::{Broker, Options, alone, eventually, shared};
use crate::failures::{Failure, Failures, now};
use crate::removed;
use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(3);
const SOON: Duration = Duration::from_mins(1);

#[test]
fn a_lost_position_stops_the_role_and_repair_puts_it_back() {
    alone(LIMIT, || {
        let mut stream = Failures::new(shared(), "lost-", 2);
        let fleet = stream.fleet(86_400);
        let process = fleet.start("one", &[]);
        stream.produce((0..100).map(|number| Failure::of(number % 20, 1, now())));
        stream.wait_until_read();
        process.stop();
        stream.delete_group();
        let mut process = fleet.start("one", &[]);
        assert_eq!(process.exit_code(), Some(8));
        assert!(process.has_logged("aggregate role starts"));
        let repair = |arguments: &[&str]| {
            let ran = fleet.command(arguments).output().unwrap();
            (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr))
        };
        let (code, said) = repair(&["aggregate", "repair"]);
        assert!(code == Some(1) && said.contains("would put the position to"), "{code:?} {said}");
        // The process that stopped is still a member for its session timeout.
        eventually("a repair", || {
            let (code, said) = repair(&["aggregate", "repair", "--yes"]);
            assert!(code == Some(0) || said.contains("has members"), "{code:?} {said}");
            (code == Some(0)).then_some(())
        });
        assert_eq!(repair(&["aggregate", "repair"]).0, Some(0), "nothing is left to repair");
        let _process = fleet.start("one", &[]);
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
    });
}

#[test]
fn records_deleted_before_they_were_counted_stop_the_role_until_that_is_accepted() {
    alone(LIMIT, || {
        let mut stream = Failures::new(shared(), "gone-", 1);
        let fleet = stream.fleet(86_400);
        let process = fleet.start("one", &[]);
        let arrival = now();
        stream.produce((0..50).map(|_| Failure::of(1, 1, arrival)));
        stream.wait_until_read();
        process.stop();
        let before = stream.expected.clone();
        stream.produce((0..50).map(|_| Failure::of(1, 1, arrival)));
        stream.expected = before;
        stream.delete_records("mail.failures", 0, 100);
        stream.produce((0..10).map(|_| Failure::of(1, 1, arrival)));
        let mut process = fleet.start("one", &[]);
        assert_eq!(process.exit_code(), Some(8));
        eventually("a repair", || {
            let ran = fleet.command(&["aggregate", "repair", "--yes", "--accept-loss"]).output().unwrap();
            (ran.status.code() == Some(0)).then_some(())
        });
        let _process = fleet.start("one", &[]);
        stream.wait_until_read();
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
    });
}

#[test]
fn rows_behind_the_open_transaction_of_another_are_waited_for() {
    alone(LIMIT, || {
        let mut stream = Failures::new(shared(), "behind-", 1);
        let fleet = stream.fleet(86_400);
        let process = fleet.start("one", &[]);
        stream.produce((0..20).map(|_| Failure::of(1, 1, now())));
        stream.wait_until_read();
        let mut config = stream.broker.config();
        config.set("transactional.id", "behind-writer").set("transaction.timeout.ms", "60000");
        let writer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
        let answer = Duration::from_secs(20);
        writer.init_transactions(answer).unwrap();
        writer.begin_transaction().unwrap();
        // The record itself says nothing: a row that is gone.
        writer
            .send(BaseRecord::<[u8], [u8]>::to(&stream.topic("mail.windows")).partition(0).key(&b"\x01r0123456789abcdef"[..]))
            .unwrap();
        writer.flush(answer).unwrap();
        stream.produce((0..20).map(|_| Failure::of(1, 1, now())));
        stream.wait_until_read();
        process.stop();
        let process = fleet.start("one", &[]);
        process.wait_for("assigned");
        std::thread::sleep(Duration::from_secs(3));
        assert!(!process.has_logged("state restored"));
        writer.abort_transaction(answer).unwrap();
        process.wait_for("state restored");
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
    });
}

/// A client that is to find the beginning of a log before it knows the leader waits half a second, which added up.
#[test]
fn forty_eight_small_partitions_are_restored_within_seconds() {
    const PARTITIONS: usize = 48;
    alone(LIMIT, || {
        let mut stream = Failures::new(shared(), "many-", 48);
        let fleet = stream.fleet(86_400);
        let process = fleet.start("one", &[]);
        stream.produce((0..2_000).map(|number| Failure::of(number % 1_000, number % 7, now())));
        stream.wait_until_read();
        process.stop();
        let process = fleet.start("one", &[]);
        let restored = || {
            let log = std::fs::read_to_string(&process.log).unwrap();
            let times = |text: &str| log.lines().filter(|line| line.contains(text)).map(time).collect::<Vec<_>>();
            let (assigned, restored) = (times("\"assigned\""), times("state restored"));
            (restored.len() == PARTITIONS).then(|| restored[PARTITIONS - 1].duration_since(assigned[0]))
        };
        let took = eventually("all states", restored);
        eprintln!("restore: {PARTITIONS} partitions in {took:#}");
        // Three seconds on a machine that has nothing else to do.
        assert!(took < SignedDuration::from_secs(9), "{took:#}");
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
    });
}

/// When a line was logged.
fn time(line: &str) -> Timestamp {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line["timestamp"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_topic_that_grew_stops_the_role_until_it_is_grown_on_purpose() {
    alone(LIMIT, || {
        let mut stream = Failures::new(shared(), "grown-", 2);
        let mut fleet = stream.fleet(86_400);
        fleet.set("KAFKA__PROPERTIES__TOPIC_METADATA_REFRESH_INTERVAL_MS", "1000");
        let process = fleet.start("one", &[]);
        stream.produce((0..200).map(|number| Failure::of(number % 20, 1, now())));
        stream.wait_until_read();
        process.stop();
        for topic in ["mail.windows", "mail.failures", "mail.reports"] {
            stream.grow(topic, 5);
        }
        let mut process = fleet.start("one", &[]);
        assert_eq!(process.exit_code(), Some(8));
        let grown = fleet.command(&["topics", "grow", "--partitions", "5", "--yes"]).output().unwrap();
        assert!(grown.status.success(), "{}", String::from_utf8_lossy(&grown.stderr));
        let _process = fleet.start("one", &[]);
        // A producer that knows of the new partitions.
        let mut stream = stream.reconnected();
        stream.produce((0..200).map(|number| Failure::of(number % 20, 1, now())));
        stream.wait_until_read();
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
        let most = found.generations.values().map(Vec::len).max().unwrap();
        assert_eq!(most, 2, "a policy domain that moved has a report from each partition");
    });
}

#[test]
fn topics_that_grow_while_the_role_runs_end_nothing_and_lose_nothing() {
    alone(LIMIT, || {
        let mut stream = Failures::new(shared(), "growing-", 2);
        let mut fleet = stream.fleet(86_400);
        fleet.set("KAFKA__PROPERTIES__TOPIC_METADATA_REFRESH_INTERVAL_MS", "500");
        let mut processes = [fleet.start("one", &[]), fleet.start("two", &[])];
        stream.produce((0..200).map(|number| Failure::of(number % 20, 1, now())));
        stream.wait_until_read();
        // As `topics grow` does it, with much time between the two: the input and its state are uneven meanwhile.
        stream.grow("mail.windows", 5);
        processes[1] = fleet.start("three", &[]);
        std::thread::sleep(Duration::from_secs(3));
        let grown = fleet.command(&["topics", "grow", "--partitions", "5", "--yes"]).output().unwrap();
        let said = String::from_utf8_lossy(&grown.stdout);
        assert!(grown.status.success() && said.contains("Roles that run read the new partitions"), "{said}");
        let mut stream = stream.reconnected();
        stream.produce((0..200).map(|number| Failure::of(number % 20, 1, now())));
        stream.wait_until_read();
        assert_eq!(processes.each_mut().map(crate::fleet::Process::ended), [None, None]);
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
    });
}

#[test]
fn a_static_member_that_was_removed_while_it_joined_again_counts_nothing_twice() {
    alone(LIMIT, || {
        let broker = Broker::start(Options::default());
        let mut stream = Failures::new(&broker, "removed-", 1);
        let mut fleet = stream.fleet(86_400);
        removed::prepare(&mut fleet);
        let some = |count: usize| (0..count).map(|number| Failure::of(number % 20, 1, now()));
        let member = fleet.start("removed", &[]);
        stream.produce(some(100));
        stream.wait_until_read();
        let other = removed::remove(&member, &broker, &fleet);
        stream.produce(some(300));
        stream.wait_until_read();
        // What is in reports already is not in the state of the one that was away.
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        stream.wait_until_reported(SOON);
        drop(other);
        member.signal(Signal::SIGCONT);
        stream.produce(some(50));
        stream.wait_until_read();
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
        assert!(member.has_logged("has taken this member in anew"));
    });
}

#[test]
fn p8_a_closing_that_is_killed_goes_on_with_the_same_parts() {
    alone(LIMIT, || {
        let mut stream = Failures::new(shared(), "parts-", 1);
        let mut fleet = stream.fleet(86_400);
        fleet.set("AGGREGATE__REPORT_ROWS", "900");
        let process = fleet.start("one", &[]);
        // Each has as many rows as ten parts hold.
        let arrival = now();
        stream.produce((1..9).flat_map(|owner| {
            (0..9_000).map(move |number| Failure {
                source: format!("198.51.{}.{}", number / 250, number % 250),
                ..Failure::of(owner, 0, arrival)
            })
        }));
        stream.wait_until_read();
        process.stop();
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        for place in ["after-produce", "after-offsets", "after-commit", "before-produce"] {
            let aimed = format!("{place}=1*off->1*return(kill)");
            let mut process = fleet.start("one", &[("FAILPOINTS", &aimed)]);
            eventually("the failpoint", || process.ended());
        }
        // A rolling restart goes on with it as well.
        for _ in 0..2 {
            let process = fleet.start("one", &[]);
            process.wait_for("state restored");
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(process.stop().0, Some(0));
        }
        let _process = fleet.start("one", &[]);
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
        for parts in found.generations.values() {
            let numbers: Vec<u32> = parts.iter().map(|(_, part)| *part).collect();
            assert_eq!(numbers, (0..10).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_restore_reads_what_the_cleaner_left() {
    alone(LIMIT, || {
        let mut stream = Failures::new(shared(), "compact-", 1);
        let fleet = stream.fleet(86_400);
        let process = fleet.start("one", &[]);
        // The same rows again and again, and windows that are gone.
        for round in 0..12 {
            stream.produce((0..200).map(|number| Failure::of(number % 20, number % 7, now())));
            stream.wait_until_read();
            if round == 5 {
                assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
                stream.wait_until_reported(SOON);
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        let records = || stream.broker.read_committed(&stream.topic("mail.windows")).len();
        let written = stream.broker.end_offsets(&stream.topic("mail.windows"))[0];
        eventually("the cleaner", || (records() < usize::try_from(written).unwrap() / 3).then_some(()));
        process.stop();
        let process = fleet.start("one", &[]);
        process.wait_for("state restored");
        let line = fleet.logged("state restored").pop().unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let read = line["fields"]["records"].as_i64().unwrap();
        assert!(read < written / 3, "{read} of {written}");
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
    });
}
