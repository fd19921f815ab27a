//! Whose doing it is when a process cannot go on: a twin of its name, its own past, or the brokers (K13).

use crate::broker::{Broker, Options, beside_others, eventually, shared};
use crate::fleet::{Fleet, Process};
use crate::stream::{Stream, mail};
use nix::sys::signal::Signal;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(4);
const PROTOCOLS: [&str; 2] = ["classic", "consumer"];
/// Longer than the transaction, which the brokers look at every second, and the session.
const STANDSTILL: Duration = Duration::from_secs(8);

fn fleet(stream: &Stream, protocol: &str) -> Fleet {
    let mut fleet = stream.fleet();
    fleet.set("KAFKA__PROTOCOL", protocol);
    fleet
}

#[test]
fn who_was_killed_has_its_place_again_when_its_session_is_over() {
    beside_others(LIMIT, || {
        for protocol in PROTOCOLS {
            let stream = Stream::new(shared(), &format!("again-{protocol}-"), 4);
            let fleet = fleet(&stream, protocol);
            stream.produce(mail(200));
            let mut killed = fleet.start("a", &[("FAILPOINTS", "after-produce=1*return(kill)")]);
            assert_eq!(killed.exit_code(), None);
            let process = fleet.start("a", &[]);
            stream.wait_until_done(LIMIT);
            assert_eq!(process.has_logged("a member of this name is in the group"), protocol == "consumer");
            assert_eq!(process.stop().0, Some(0));
            stream.assert_exactly_once(&fleet);
        }
    });
}

/// The older one with the classic protocol, where the newer takes its place; else the newer one, which never gets it.
#[test]
fn of_two_that_live_under_one_name_one_ends_and_says_why() {
    beside_others(LIMIT, || {
        for protocol in PROTOCOLS {
            let stream = Stream::new(shared(), &format!("twin-{protocol}-"), 4);
            let fleet = fleet(&stream, protocol);
            let older = fleet.start("a", &[]);
            older.wait_for("\"assigned\"");
            stream.produce(mail(100));
            if protocol == "consumer" {
                let waiting = fleet.start("a", &[]);
                waiting.wait_for("a member of this name is in the group");
                assert_eq!(waiting.stop().0, Some(0));
            }
            let newer = fleet.start("a", &[]);
            let (mut ends, lives, said) = match protocol {
                "classic" => (older, newer, "another process with the same instance name has taken over"),
                _ => (newer, older, "another process with the same instance name is in the group, and has not left it within 1"),
            };
            assert_eq!(ends.exit_code(), Some(6));
            assert!(ends.has_logged(said));
            stream.produce(mail(100));
            stream.wait_until_done(LIMIT);
            assert!(!lives.has_logged("the same instance name"));
            assert_eq!(lives.stop().0, Some(0));
            stream.assert_exactly_once(&fleet);
        }
    });
}

/// Nobody has its name, whether or not others have taken its partitions.
#[test]
fn who_stood_still_longer_than_its_transaction_blames_nobody() {
    beside_others(LIMIT, || {
        for protocol in PROTOCOLS {
            for place in ["after-produce", "after-offsets", "in-commit"] {
                let stream = Stream::new(shared(), &format!("still-{protocol}-{place}-"), 4);
                let fleet = fleet(&stream, protocol);
                stream.produce(mail(100));
                let mut process = fleet.start("a", &[("FAILPOINTS", &format!("{place}=1*return(stop)->off"))]);
                process.wait_for("\"failpoint\"");
                std::thread::sleep(STANDSTILL);
                process.signal(Signal::SIGCONT);
                blames_nobody(&stream, &fleet, &mut process);
            }
        }
    });
}

/// Either goes on or ends with 4, and then its next start does.
fn blames_nobody(stream: &Stream, fleet: &Fleet, process: &mut Process) {
    let ended = eventually("the process to go on or to end", || process.ended().or_else(|| stream.is_done().then_some(Some(0))));
    if ended != Some(0) {
        assert_eq!(ended, Some(4));
        assert!(process.has_logged("this process stood still or the brokers were away"));
        let next = fleet.start("a", &[]);
        stream.wait_until_done(LIMIT);
        assert_eq!(next.stop().0, Some(0));
    }
    assert!(!process.has_logged("the same instance name"));
    stream.assert_exactly_once(fleet);
}

#[test]
fn p10_a_stop_of_a_process_that_stood_still_leaves_all_to_the_next_owner() {
    beside_others(LIMIT, || {
        for protocol in PROTOCOLS {
            for place in ["after-produce", "after-offsets"] {
                let stream = Stream::new(shared(), &format!("stop-{protocol}-{place}-"), 4);
                let fleet = fleet(&stream, protocol);
                stream.produce(mail(100));
                let mut process = fleet.start("a", &[("FAILPOINTS", &format!("{place}=1*return(stop)->off"))]);
                process.wait_for("\"failpoint\"");
                std::thread::sleep(STANDSTILL);
                process.signal(Signal::SIGTERM);
                process.signal(Signal::SIGCONT);
                assert_eq!(process.exit_code(), Some(0));
                let next = fleet.start("a", &[]);
                stream.wait_until_done(LIMIT);
                assert_eq!(next.stop().0, Some(0));
                stream.assert_exactly_once(&fleet);
            }
        }
    });
}

#[test]
fn brokers_that_were_away_for_longer_than_a_transaction_are_no_twin_and_hold_up_no_stop() {
    beside_others(LIMIT, || {
        let broker = Broker::start(Options::default());
        for protocol in PROTOCOLS {
            let stream = Stream::new(&broker, &format!("away-{protocol}-"), 4);
            let mut fleet = fleet(&stream, protocol);
            fleet.set("VERDICT__DRAIN_MS", "2000");
            let open = [("FAILPOINTS", "after-produce=1*sleep(2000)->off")];
            let mut process = fleet.start("a", &open);
            process.wait_for("\"assigned\"");
            stream.produce(mail(100));
            std::thread::sleep(Duration::from_secs(1));
            broker.pause();
            std::thread::sleep(STANDSTILL);
            broker.resume();
            blames_nobody(&stream, &fleet, &mut process);
            drop(process);
            for environment in [&[][..], &open[..]] {
                let process = fleet.start("a", environment);
                process.wait_for("\"assigned\"");
                stream.produce(mail(100));
                std::thread::sleep(Duration::from_secs(1));
                broker.pause();
                let (code, took) = process.stop();
                broker.resume();
                assert_eq!(code, Some(0));
                assert!(took < Duration::from_secs(30), "a stop took {took:?}");
            }
            let process = fleet.start("a", &[]);
            stream.wait_until_done(LIMIT);
            assert_eq!(process.stop().0, Some(0));
            stream.assert_exactly_once(&fleet);
        }
    });
}
