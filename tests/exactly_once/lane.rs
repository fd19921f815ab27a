//! DNS that does not answer, and the retry lane.

use crate::broker::{beside_others, eventually, shared};
use crate::stream::{Kind, Raw, Stream, status};
use nix::sys::signal::Signal;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_mins(2);

/// A server that never answers: every verdict comes at its deadline, many at once, and the group notices nothing.
#[test]
fn p2_a_black_hole_delays_by_the_deadline_and_moves_no_partition() {
    beside_others(LIMIT, || {
        let hole = UdpSocket::bind("127.0.0.1:0").unwrap();
        let stream = Stream::new(shared(), "hole-", 4);
        let mut fleet = stream.fleet();
        fleet.unset("DNS__ZONE");
        fleet.set("DNS__SERVERS", &format!("[\"{}\"]", hole.local_addr().unwrap()));
        fleet.set("EVALUATION__LIMITS__DNS_DEADLINE_MS", "2000");
        fleet.set("VERDICT__CONCURRENCY", "50");
        fleet.set("VERDICT__PARKED", "0");
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
    beside_others(LIMIT, || {
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
            assert!(Instant::now() < deadline, "{} verdicts", stream.outcome().verdicts.len());
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
fn a_lane_that_is_switched_off_is_not_read_and_a_start_and_topics_check_say_what_is_left() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "off-", 2);
        // The second is of a delay that is set no more.
        let topics = ["mail.retries.1", "mail.retries.2"].map(|name| stream.topic(name));
        shared().create_topics(&topics.each_ref().map(|name| (name.as_str(), 2, &[][..])));
        // What a start wants of it.
        shared().set_topic(&stream.topic("mail.dead-letters"), "max.message.bytes", "59768832");
        let mut fleet = stream.fleet();
        fleet.set("VERDICT__RETRY_DELAYS_S", "[10]");
        let (on, off) = (("VERDMARC_VERDICT__RETRIES", "true"), ("VERDMARC_VERDICT__RETRIES", "false"));
        let left = || {
            let ran = fleet.command(&["topics", "check"]).envs([off]).output().unwrap();
            String::from_utf8(ran.stdout).unwrap()
        };
        stream.produce((0..20).map(|number| Raw::of(Kind::Undecided, format!("m{number}"))));
        let process = fleet.start("a", &[on]);
        stream.wait_until_done(LIMIT);
        process.signal(Signal::SIGKILL);
        drop(process);
        let said = left();
        assert!(said.contains("off-mail.retries.1: verdict.retries is off") && said.contains("20 records are left"), "{said}");
        assert!(!said.contains("off-mail.retries.2: "), "{said}");
        let process = fleet.start("a", &[off, ("VERDMARC_KAFKA__CHECK_TOPICS", "true")]);
        process.wait_for("20 records are left");
        process.wait_for("\"assigned\"");
        std::thread::sleep(Duration::from_secs(12));
        stream.produce([Raw::of(Kind::Undecided, "late".to_owned())]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        assert_eq!(stream.outcome().verdicts.len(), 1, "what is left was due, and nobody reads it");
        let process = fleet.start("a", &[on]);
        eventually("the verdicts", || (stream.outcome().verdicts.len() == 21).then_some(()));
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
        let said = left();
        assert!(!said.contains("are left"), "{said}");
    });
}

/// The client library keeps a pause over the end of an assignment: who forgets it never reads the partition again.
#[test]
fn a_partition_that_waits_when_it_is_lost_is_read_when_it_comes_back() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "back-", 2);
        shared().create_topics(&[(&stream.topic("mail.retries.1"), 2, &[])]);
        let mut fleet = stream.fleet();
        fleet.set("VERDICT__RETRIES", "true");
        fleet.set("VERDICT__RETRY_DELAYS_S", "[9]");
        stream.produce((0..20).map(|number| Raw::of(Kind::Undecided, format!("m{number}"))));
        let process = fleet.start("a", &[]);
        stream.wait_until_done(LIMIT);
        // Long enough for the head of the lane to be read, and for the group to do without this member.
        std::thread::sleep(Duration::from_secs(1));
        process.signal(Signal::SIGSTOP);
        std::thread::sleep(Duration::from_secs(5));
        process.signal(Signal::SIGCONT);
        process.wait_for("\"revoked\"");
        eventually("the verdicts", || (stream.outcome().verdicts.len() == 20).then_some(()));
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}

/// DNS that comes back while a message is in the lane: the failure is that of the original record.
#[test]
fn dns_that_flaps_and_kills_leave_one_verdict_of_the_original_record() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "flap-", 2);
        let retries = ["mail.retries.1", "mail.retries.2"].map(|name| stream.topic(name));
        shared().create_topics(&retries.each_ref().map(|name| (name.as_str(), 2, &[][..])));
        let mut fleet = stream.fleet();
        fleet.set("VERDICT__RETRIES", "true");
        fleet.set("VERDICT__RETRY_DELAYS_S", "[3, 4]");
        let good = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
        let record = r#"[["TXT", "v=DMARC1; p=reject; rua=mailto:d@flaky.example"]]"#;
        std::fs::write(good.path(), format!(r#"{{"_dmarc.flaky.example": {record}}}"#)).unwrap();
        let good = [("VERDMARC_DNS__ZONE", good.path().to_str().unwrap())];
        let killed = |place: &str| [("FAILPOINTS", format!("{place}=1*off->1*return(kill)->off"))];
        stream.produce((0..40).map(|number| Raw::of(Kind::Undecided, format!("m{number}"))));
        // DNS fails, is there for a moment, and fails again; each process is killed in its second transaction or soon after.
        for (round, place) in ["after-offsets", "in-commit", "after-produce"].into_iter().enumerate() {
            let failpoints = killed(place);
            let mut environment = vec![(failpoints[0].0, failpoints[0].1.as_str())];
            environment.extend(if round == 1 { &good[..] } else { &[] });
            let process = fleet.start("a", &environment);
            process.wait_for("\"assigned\"");
            std::thread::sleep(Duration::from_secs(2));
            stream.produce((0..20).map(|number| Raw::of(Kind::Undecided, format!("n{round}-{number}"))));
            std::thread::sleep(Duration::from_secs(2));
            process.signal(Signal::SIGKILL);
            drop(process);
        }
        let process = fleet.start("a", &good);
        eventually("the verdicts", || (stream.outcome().verdicts.len() == 100).then_some(()));
        assert_eq!(process.stop().0, Some(0));
        let outcome = stream.assert_exactly_once(&fleet);
        let attempts: Vec<i64> =
            outcome.verdicts.values().flatten().map(|verdict| verdict["input"]["attempt"].as_i64().unwrap()).collect();
        assert!(attempts.iter().any(|attempt| *attempt > 1), "nothing went through the lane: {attempts:?}");
        let failed = outcome.verdicts.values().flatten().filter(|verdict| status(verdict) == "FAIL");
        assert!(failed.count() > 0 && outcome.failures.len() == outcome.failures.values().sum::<usize>());
        assert!(outcome.verdicts.values().flatten().all(|verdict| verdict["input"]["topic"] == stream.topic("mail.raw")));
    });
}
