//! What stands behind the last failure: the control record of the transaction that wrote it. Lag reads 0, and the state's marker moves
//! with the position.

use crate::broker::{beside_others, eventually, shared};
use crate::failures::{Failure, Failures, now};
use nix::sys::signal::Signal;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(5);
const SOON: Duration = Duration::from_mins(1);
/// Longer than two rounds of commits because of idle partitions.
const ROUNDS: Duration = Duration::from_secs(25);

fn some(count: usize) -> impl Iterator<Item = Failure> {
    (0..count).map(|number| Failure::of(number % 20, number % 3, now()))
}

/// The ends of the changelog's partitions: every transaction of the role writes there.
fn written(stream: &Failures<'_>) -> Vec<i64> {
    stream.broker.settle();
    stream.broker.end_offsets(&stream.topic("mail.windows"))
}

#[test]
fn lag_becomes_0_with_the_marker_and_an_idle_role_writes_nothing_more() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "idle-", 2);
        let fleet = stream.fleet(86_400);
        let process = fleet.start("one", &[]);
        stream.produce_in_transaction(some(60));
        // To the very end, control records included.
        stream.wait_until_read();
        let before = written(&stream);
        std::thread::sleep(ROUNDS);
        assert_eq!(written(&stream), before, "nothing moved");
        // A restore finds the marker where the position is, however the process ended.
        process.signal(Signal::SIGKILL);
        drop(process);
        let process = fleet.start("one", &[]);
        process.wait_for("state restored");
        stream.produce_in_transaction(some(60));
        stream.wait_until_read();
        assert_eq!(process.stop().0, Some(0));
        let _process = fleet.start("one", &[]);
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
    });
}

/// The position is committed in the middle of it by whoever dies then.
#[test]
fn a_kill_while_an_idle_partition_is_passed_leaves_marker_and_position_together() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "together-", 1);
        let fleet = stream.fleet(86_400);
        let process = fleet.start("one", &[]);
        stream.produce(some(20));
        stream.wait_until_read();
        assert_eq!(process.stop().0, Some(0));
        for place in ["after-produce", "after-offsets", "after-commit"] {
            // The first transaction is that of the record, the second one only passes the control record behind it.
            let aimed = format!("{place}=1*off->1*return(kill)");
            let mut process = fleet.start("one", &[("FAILPOINTS", &aimed)]);
            process.wait_for("state restored");
            stream.produce_in_transaction(some(1));
            eventually("the failpoint", || process.ended());
            assert!(process.has_logged("\"failpoint\""));
        }
        let process = fleet.start("one", &[]);
        stream.wait_until_read();
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
        assert_eq!(process.stop().0, Some(0));
    });
}
