//! Topics that take less than they did: nothing is counted twice, and nothing is lost.

use crate::broker::{beside_others, eventually, shared};
use crate::failures::{Failure, Failures, now};
use nix::sys::signal::Signal;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(3);
const SOON: Duration = Duration::from_mins(1);
const LONG_AGO: i64 = 30 * 86_400;

/// A failure that becomes a dead letter, and how many bytes it is filled up with.
fn write_late(stream: &Failures, number: usize, filling: usize) {
    let late = Failure::of(number, 1, now() - LONG_AGO);
    let mut event = late.event(number);
    // Compression makes nothing of it.
    let mut rng = fastrand::Rng::with_seed(1);
    event["filling"] = (0..filling).map(|_| rng.alphanumeric()).collect::<String>().into();
    stream.write(&late.policy_domain, "verdmarc.failure.v1", &event.to_string(), Some(0));
}

/// Few dead letters are tried in the transaction that is to hold the batch, many in others before it.
#[test]
fn p6_a_batch_with_a_dead_letter_that_its_topic_refuses_is_counted_once_and_whole() {
    beside_others(LIMIT, || [10, 200].into_iter().for_each(count_with_a_letter_too_large));
}

fn count_with_a_letter_too_large(small: usize) {
    let mut stream = Failures::new(shared(), &format!("letter-{small}-"), 1);
    let fleet = stream.fleet(86_400);
    let process = fleet.start("one", &[]);
    stream.produce((0..100).map(|number| Failure::of(number % 20, 1, now())));
    stream.wait_until_read();
    shared().set_topic(&stream.topic("mail.dead-letters"), "max.message.bytes", "20000");
    process.signal(Signal::SIGKILL);
    drop(process);
    // Few enough to be read before the first batch is cut.
    stream.produce((0..100).map(|number| Failure::of(number % 20, 2, now())));
    write_late(&stream, small, 100_000);
    (0..small).for_each(|number| write_late(&stream, number, 0));
    stream.flush();
    stream.produce((0..50).map(|number| Failure::of(number % 20, 3, now())));
    // What was applied is written with the first commit, whatever positions that commits.
    let mut process = fleet.start("one", &[("FAILPOINTS", "after-commit=1*return(kill)")]);
    assert_eq!(process.exit_code(), None);
    let _process = fleet.start("one", &[]);
    stream.wait_until_read();
    assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
    let found = stream.wait_until_reported(SOON);
    stream.assert_exact(&found, &fleet);
    let refused = stream.refused();
    let count = |reason: &str| refused.iter().filter(|found| *found == reason).count();
    assert_eq!((count("too_late"), count("output_too_large"), refused.len()), (small, 1, small + 1));
}

#[test]
fn a_state_that_its_topic_refuses_ends_the_role_which_names_it_and_goes_on_when_it_fits() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "refused-", 1);
        let fleet = stream.fleet(86_400);
        let mut process = fleet.start("one", &[]);
        stream.produce((0..100).map(|number| Failure::of(number % 20, 1, now())));
        stream.wait_until_read();
        let before = (stream.positions(), stream.broker.read_committed(&stream.topic("mail.windows")).len());
        shared().set_topic(&stream.topic("mail.windows"), "max.message.bytes", "100");
        stream.produce((0..100).map(|number| Failure::of(number % 20, 2, now())));
        for _ in 0..2 {
            assert_eq!(process.exit_code(), Some(4));
            assert!(process.has_logged("refused-mail.windows refuses a record for its size"));
            assert!(process.has_logged("max.message.bytes"));
            process = fleet.start("one", &[]);
        }
        eventually("the end of the role", || process.ended());
        let after = (stream.positions(), stream.broker.read_committed(&stream.topic("mail.windows")).len());
        assert_eq!(before, after, "nothing of it is visible");
        shared().set_topic(&stream.topic("mail.windows"), "max.message.bytes", "1000000");
        let _process = fleet.start("one", &[]);
        stream.wait_until_read();
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
    });
}

/// The letter that stands in for one that is too large is too large itself.
#[test]
fn a_dead_letter_topic_that_takes_nothing_ends_the_role_and_loses_nothing() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "nothing-", 1);
        let fleet = stream.fleet(86_400);
        shared().set_topic(&stream.topic("mail.dead-letters"), "max.message.bytes", "100");
        stream.produce((0..20).map(|number| Failure::of(number, 1, now())));
        write_late(&stream, 1, 0);
        stream.flush();
        let mut process = fleet.start("one", &[]);
        assert_eq!(process.exit_code(), Some(4));
        assert!(process.has_logged("nothing-mail.dead-letters refuses a record for its size"));
        shared().set_topic(&stream.topic("mail.dead-letters"), "max.message.bytes", "1000000");
        let _process = fleet.start("one", &[]);
        stream.wait_until_read();
        assert_eq!(stream.refused(), ["too_late"]);
        assert!(fleet.command(&["windows", "close"]).status().unwrap().success());
        let found = stream.wait_until_reported(SOON);
        stream.assert_exact(&found, &fleet);
    });
}
