//! What stands behind the last record: the control record of the transaction that wrote it. Lag reads 0 all the same.

use crate::broker::{Client, beside_others, eventually, shared};
use crate::fleet::Process;
use crate::stream::{Kind, Raw, Stream, mail};
use nix::sys::signal::Signal;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(4);
/// Longer than two rounds of commits because of idle partitions.
const ROUNDS: Duration = Duration::from_secs(25);

/// What each partition of a topic has and the group has not committed.
fn lag(broker: &Client, group: &str, topic: &str) -> Vec<i64> {
    let ends = broker.end_offsets(topic);
    ends.iter().zip(broker.committed(group, topic)).map(|(end, position)| end - position.unwrap_or(0)).collect()
}

/// Transactions that a pipeline has committed.
fn commits(process: &Process, role: &str) -> u64 {
    let metrics = process.ask("/metrics");
    let sample = format!("verdmarc_transactions_total{{outcome=\"committed\",role=\"{role}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&sample)).unwrap().parse().unwrap()
}

#[test]
fn lag_on_a_transactional_topic_becomes_0_and_an_idle_role_commits_nothing_more() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "idle-", 4);
        let mut fleet = stream.fleet();
        fleet.set("HEALTH__LISTEN", "127.0.0.1:0");
        let lag_is_0 = || {
            let lag = lag(shared(), &stream.group(), &stream.topic("mail.raw"));
            lag.iter().all(|lag| *lag == 0).then_some(())
        };
        let process = fleet.start("a", &[]);
        process.wait_for("health endpoint");
        stream.produce_in_transaction("idle-writer", mail(40));
        eventually("lag to read 0", lag_is_0);
        let before = commits(&process, "verdict");
        std::thread::sleep(ROUNDS);
        assert_eq!(commits(&process, "verdict"), before, "nothing moved");
        // One record and its control record: one commit for each, and no more.
        stream.produce_in_transaction("idle-writer", mail(1));
        eventually("lag to read 0 again", lag_is_0);
        std::thread::sleep(ROUNDS);
        let after = commits(&process, "verdict");
        assert!((1..=2).contains(&(after - before)), "{before}, then {after}");
        // What is passed is no record: whoever goes on from there misses none.
        process.signal(Signal::SIGKILL);
        drop(process);
        stream.produce_in_transaction("idle-writer", mail(20));
        let process = fleet.start("a", &[]);
        eventually("lag to read 0 after a restart", lag_is_0);
        assert_eq!(process.stop().0, Some(0));
        let outcome = stream.assert_exactly_once(&fleet);
        assert_eq!(outcome.verdicts.len(), 61);
    });
}

/// A retry that waits for its time has been read, and the library's position lies behind it.
#[test]
fn a_retry_that_waits_for_its_time_is_not_passed_although_nothing_else_comes() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "passed-", 1);
        let retries = stream.topic("mail.retries.1");
        shared().create_topics(&[(&retries, 1, &[])]);
        let mut fleet = stream.fleet();
        fleet.set("VERDICT__RETRIES", "true");
        fleet.set("VERDICT__RETRY_DELAYS_S", "[30]");
        let lane = format!("{}-retries", stream.group());
        let process = fleet.start("a", &[]);
        stream.produce([Raw::of(Kind::Undecided, "m".to_owned())]);
        stream.wait_until_done(LIMIT);
        eventually("the retry", || (!shared().read_committed(&retries).is_empty()).then_some(()));
        std::thread::sleep(ROUNDS);
        assert_eq!(shared().committed(&lane, &retries), [None], "it is not due");
        process.signal(Signal::SIGKILL);
        drop(process);
        let process = fleet.start("a", &[]);
        eventually("the verdict", || (stream.outcome().verdicts.len() == 1).then_some(()));
        eventually("lag of the lane to read 0", || (lag(shared(), &lane, &retries) == [0]).then_some(()));
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}
