//! DNS that does not answer, and the retry lane.

use crate::broker::{alone, shared};
use crate::stream::{Kind, Raw, Stream, status};
use nix::sys::signal::Signal;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_mins(2);

/// A server that never answers: every verdict comes at its deadline, many at once, and the group notices nothing.
#[test]
fn p2_a_black_hole_delays_by_the_deadline_and_moves_no_partition() {
    alone(LIMIT, || {
        let hole = UdpSocket::bind("127.0.0.1:0").unwrap();
        let stream = Stream::new(shared(), "hole-", 4);
        let mut fleet = stream.fleet();
        fleet.unset("DNS__ZONE");
        fleet.set("DNS__SERVERS", &format!("[\"{}\"]", hole.local_addr().unwrap()));
        fleet.set("EVALUATION__LIMITS__DNS_DEADLINE_MS", "2000");
        fleet.set("VERDICT__CONCURRENCY", "50");
        stream.produce((0..200).map(|number| Raw::of(Kind::Fail, format!("m{number}"))));
        let process = fleet.start("a", &[]);
        process.wait_for("\"assigned\"");
        let started = Instant::now();
        stream.wait_until_done(LIMIT);
        let took = started.elapsed();
        // Two hundred at fifty a time, each for two seconds: eight seconds, and not much more.
        assert!((Duration::from_secs(7)..Duration::from_secs(16)).contains(&took), "it took {took:?}");
        assert!(!process.has_logged("\"revoked\""), "a rebalance");
        assert_eq!(process.stop().0, Some(0));
        let outcome = stream.assert_exactly_once(&fleet);
        assert!(outcome.verdicts.values().flatten().all(|verdict| status(verdict) == "PROCESSING_FAILED"));
    });
}

#[test]
fn a_verdict_waits_for_its_retries_and_keeps_its_identity_through_kills() {
    alone(LIMIT, || {
        let stream = Stream::new(shared(), "lane-", 2);
        shared().create_topics(&[(&stream.topic("mail.retries.1"), 2, &[]), (&stream.topic("mail.retries.2"), 2, &[])]);
        let mut fleet = stream.fleet();
        fleet.set("VERDICT__RETRIES", "true");
        fleet.set("VERDICT__RETRY_DELAYS_S", "[2, 4]");
        let kinds = [Kind::Undecided, Kind::Fail, Kind::Undecided];
        stream.produce((0..60).map(|number| Raw::of(kinds[number % 3], format!("m{number}"))));
        let mut process = fleet.start("a", &[("FAILPOINTS", "after-offsets=1*off->1*return(kill)->off")]);
        let deadline = Instant::now() + Duration::from_mins(1);
        while stream.outcome().verdicts.len() < 60 {
            assert!(Instant::now() < deadline, "{} verdicts\n{}", stream.outcome().verdicts.len(), fleet.tails());
            if process.ended().is_some() {
                process = fleet.start("a", &[]);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(process.stop().0, Some(0));
        let outcome = stream.assert_exactly_once(&fleet);
        assert!(fleet.logged("\"failpoint\"").len() == 1, "the kill was not met");
        for verdict in outcome.verdicts.values().flatten() {
            let undecided = status(verdict) == "PROCESSING_FAILED";
            assert_eq!(verdict["input"]["attempt"], if undecided { 3 } else { 1 });
            assert_eq!(verdict["input"]["topic"], stream.topic("mail.raw"));
        }
        assert_never_early(&stream);
        stream.assert_nothing_open();
    });
}

/// No evaluation of a retried message lies before the time that its record names.
fn assert_never_early(stream: &Stream<'_>) {
    let mut due = std::collections::BTreeMap::new();
    for record in shared().read_committed(&stream.topic("mail.retries.2")) {
        let number = |name| crate::stream::header(&record, name).parse::<i64>().unwrap();
        let place = (i32::try_from(number("verdmarc-origin-partition")).unwrap(), number("verdmarc-origin-offset"));
        let time: jiff::Timestamp = crate::stream::header(&record, "verdmarc-not-before").parse().unwrap();
        due.insert(place, time);
    }
    assert_eq!(due.len(), 40);
    for (place, verdicts) in stream.outcome().verdicts {
        let Some(due) = due.get(&place) else { continue };
        let evaluated: jiff::Timestamp = verdicts[0]["evidence"]["evaluatedAt"].as_str().unwrap().parse().unwrap();
        // Events have whole milliseconds.
        assert!(evaluated.as_millisecond() >= due.as_millisecond(), "{place:?} evaluated at {evaluated}, not before {due}");
    }
}

#[test]
fn a_lane_that_is_switched_off_empties() {
    alone(LIMIT, || {
        let stream = Stream::new(shared(), "off-", 2);
        shared().create_topics(&[(&stream.topic("mail.retries.1"), 2, &[])]);
        let mut fleet = stream.fleet();
        fleet.set("VERDICT__RETRY_DELAYS_S", "[3]");
        fleet.set("VERDICT__RETRIES", "true");
        stream.produce((0..20).map(|number| Raw::of(Kind::Undecided, format!("m{number}"))));
        let process = fleet.start("a", &[]);
        stream.wait_until_done(LIMIT);
        process.signal(Signal::SIGKILL);
        drop(process);
        assert_eq!(stream.outcome().verdicts.len(), 0);
        fleet.set("VERDICT__RETRIES", "false");
        let process = fleet.start("a", &[]);
        let deadline = Instant::now() + Duration::from_secs(40);
        while stream.outcome().verdicts.len() < 20 {
            assert!(Instant::now() < deadline, "{}", fleet.tails());
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}
