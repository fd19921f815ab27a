//! A log is its topic's id, not its name: mail.failures is deleted and made anew.

use crate::broker::{beside_others, eventually, shared};
use crate::failures::{Failure, Failures, now};
use crate::fleet::Fleet;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(5);
const SOON: Duration = Duration::from_mins(1);
/// Long enough for a batch to be late, short of a transaction's time.
const LATE: &str = "before-produce=1*sleep(2500)->off";

/// When the topic is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Idle,
    InABatch,
    Stopped,
}

fn some(count: usize) -> impl Iterator<Item = Failure> {
    (0..count).map(|number| Failure::of(1 + number % 9, number % 5, now()))
}

/// Output and exit code of a command.
fn ran(fleet: &Fleet, arguments: &[&str]) -> (Option<i32>, String) {
    let ran = fleet.command(arguments).output().unwrap();
    (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr))
}

#[test]
fn a_topic_made_anew_stops_the_role_until_a_repair_has_it_counted_from_its_first_record() {
    beside_others(LIMIT, || {
        for (index, (when, partitions, count)) in [
            // Shorter than what was counted, and longer; more partitions, and fewer.
            (When::Idle, 2, 20),
            (When::Idle, 2, 300),
            (When::InABatch, 2, 300),
            (When::Stopped, 2, 20),
            (When::Stopped, 2, 300),
            (When::Stopped, 4, 300),
            (When::Stopped, 1, 300),
        ]
        .into_iter()
        .enumerate()
        {
            let case = format!("{when:?}, {partitions} partitions, {count} failures");
            let mut stream = Failures::new(shared(), &format!("anew-{index}-"), 2);
            let fleet = stream.fleet(86_400);
            let mut process = Some(fleet.start("one", &[]));
            stream.produce(some(100));
            stream.wait_until_read();
            if when != When::Idle {
                process.take().unwrap().stop();
            }
            if when == When::InABatch {
                process = Some(fleet.start("one", &[("FAILPOINTS", LATE)]));
                process.as_ref().unwrap().wait_for("state restored");
                let counted = stream.expected.clone();
                stream.produce(some(30));
                // These are gone with the old topic before they are counted.
                stream.expected = counted;
                std::thread::sleep(Duration::from_secs(1));
            }
            shared().delete_topic(&stream.topic("mail.failures"));
            let mut stream = stream.make_again(partitions);
            stream.produce(some(count));
            let mut process = process.unwrap_or_else(|| fleet.start("one", &[]));
            assert_eq!(process.exit_code(), Some(8), "{case}");
            repaired(&fleet, &case);
            if partitions != 2 {
                let mut process = fleet.start("one", &[]);
                assert_eq!(process.exit_code(), Some(8), "{case}");
                let (code, said) = ran(&fleet, &["topics", "grow", "--partitions", "4", "--yes"]);
                assert_eq!(code, Some(0), "{case}: {said}");
            }
            if partitions < 2 {
                // The state of a partition that the new topic did not have at first is of the old one still.
                let mut process = fleet.start("one", &[]);
                assert_eq!(process.exit_code(), Some(8), "{case}");
                repaired(&fleet, &case);
            }
            let _process = fleet.start("one", &[]);
            stream.wait_until_read();
            assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
            let found = stream.wait_until_reported(SOON);
            stream.assert_exact(&found, &fleet);
        }
    });
}

/// A repair says what it would do, does it when it is told to, and leaves nothing to repair.
fn repaired(fleet: &Fleet, case: &str) {
    let (code, said) = ran(fleet, &["aggregate", "repair"]);
    assert!(code == Some(1) && said.contains("made anew"), "{case}: {code:?} {said}");
    let (code, said) = ran(fleet, &["aggregate", "repair", "--yes"]);
    assert!(code == Some(1) && said.contains("--accept-loss"), "{case}: {code:?} {said}");
    // The process that stopped is still a member for its session timeout.
    eventually("a repair", || {
        let (code, said) = ran(fleet, &["aggregate", "repair", "--yes", "--accept-loss"]);
        assert!(code == Some(0) || said.contains("has members"), "{case}: {code:?} {said}");
        (code == Some(0)).then_some(())
    });
    assert_eq!(ran(fleet, &["aggregate", "repair"]).0, Some(0), "{case}: nothing is left to repair");
}

#[test]
fn a_missing_topic_is_waited_for_and_a_repair_says_that_it_is_missing() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "missing-", 2);
        let fleet = stream.fleet(86_400);
        let mut process = fleet.start("one", &[]);
        stream.produce(some(100));
        stream.wait_until_read();
        shared().delete_topic(&stream.topic("mail.failures"));
        std::thread::sleep(Duration::from_secs(5));
        assert_eq!(process.ended(), None);
        let (code, said) = ran(&fleet, &["aggregate", "repair"]);
        assert!(code == Some(4) && said.contains("mail.failures"), "{code:?} {said}");
        let mut stream = stream.make_again(2);
        stream.produce(some(50));
        assert_eq!(process.exit_code(), Some(8));
        repaired(&fleet, "missing");
        let _process = fleet.start("one", &[]);
        stream.wait_until_read();
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
    });
}
