//! Partitions share places and memory: what stands still leaves room for what could go on.

use crate::broker::{alone, eventually, shared};
use crate::stream::{Kind, Raw, Stream, mail};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_mins(2);

/// Mail that is decided without DNS, in the partition beside one that has to wait for it.
#[test]
fn a_slow_domain_that_fills_its_partition_delays_no_other_partition() {
    alone(LIMIT, || {
        let hole = UdpSocket::bind("127.0.0.1:0").unwrap();
        let stream = Stream::new(shared(), "slow-", 2);
        let mut fleet = stream.fleet();
        fleet.unset("DNS__ZONE");
        fleet.set("DNS__SERVERS", &format!("[\"{}\"]", hole.local_addr().unwrap()));
        fleet.set("EVALUATION__LIMITS__DNS_DEADLINE_MS", "3000");
        fleet.set("VERDICT__CONCURRENCY", "50");
        fleet.set("VERDICT__PARKED", "0");
        let anonymous = b"Subject: nobody\r\n\r\nhello\r\n";
        stream.produce((0..400).map(|number| match number % 2 {
            0 => Raw::of(Kind::Fail, format!("m{number}")),
            _ => Raw { key: format!("m{number}"), value: Some(anonymous.to_vec()), headers: Vec::new() },
        }));
        let process = fleet.start("a", &[]);
        eventually("the other partition to be done", || (stream.positions()[1] == Some(200)).then_some(()));
        let behind = stream.positions()[0].unwrap_or_default();
        assert!(behind < 100, "{behind} of 200 messages that wait three seconds each, fifty at once, were done by then");
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}

#[test]
fn p10_what_a_stop_leaves_unfinished_is_read_again_and_nothing_is_lost() {
    alone(LIMIT, || {
        let hole = UdpSocket::bind("127.0.0.1:0").unwrap();
        let stream = Stream::new(shared(), "unfinished-", 2);
        let (mut silent, fleet) = (stream.fleet(), stream.fleet());
        silent.unset("DNS__ZONE");
        silent.set("DNS__SERVERS", &format!("[\"{}\"]", hole.local_addr().unwrap()));
        silent.set("VERDICT__DRAIN_MS", "300");
        stream.produce(mail(40));
        let process = silent.start("a", &[]);
        // A question comes when a message is being judged, and none is answered before its deadline of 15 s.
        let mut question = [0; 512];
        hole.recv(&mut question).unwrap();
        assert_eq!(process.stop().0, Some(0));
        assert_eq!(stream.positions().into_iter().flatten().sum::<i64>(), 0, "no position passes a record without verdict");
        assert!(stream.outcome().verdicts.is_empty());
        let process = fleet.start("a", &[]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}

#[test]
fn retries_that_wait_take_nothing_of_the_budget() {
    alone(LIMIT, || {
        let stream = Stream::new(shared(), "waiting-", 2);
        shared().create_topics(&[(&stream.topic("mail.retries.1"), 2, &[("max.message.bytes", "58720256")])]);
        let mut fleet = stream.fleet();
        fleet.set("VERDICT__RETRIES", "true");
        fleet.set("VERDICT__RETRY_DELAYS_S", "[20]");
        fleet.set("VERDICT__BUDGET_BYTES", &(8 << 20).to_string());
        let large = |number: usize| {
            let mut raw = Raw::of(Kind::Undecided, format!("large{number}"));
            raw.value.as_mut().unwrap().extend(b"0123456789abcdef\r\n".repeat((2 << 20) / 18));
            raw
        };
        let process = fleet.start("a", &[]);
        let written = Instant::now();
        stream.produce((0..4).map(large));
        stream.wait_until_done(LIMIT);
        std::thread::sleep(Duration::from_secs(1));
        stream.produce(mail(400));
        stream.wait_until_done(LIMIT);
        assert!(written.elapsed() < Duration::from_secs(15), "it waited for the retries: {:?}", written.elapsed());
        eventually("the retries", || (stream.outcome().verdicts.len() == 404).then_some(()));
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}

/// A disk that is not there yet, and a file that is not there.
#[test]
fn a_store_that_does_not_answer_holds_back_only_the_records_that_it_stores() {
    alone(LIMIT, || {
        let stream = Stream::new(shared(), "store-", 2);
        let mut fleet = stream.fleet();
        let disk = tempfile::tempdir().unwrap();
        let mounted = disk.path().canonicalize().unwrap().join("mounted");
        let url = |name: &str| format!("file://{}/{name}", mounted.display());
        fleet.set("CLAIM_CHECK__PREFIXES", &format!("[\"{}\"]", url("")));
        let refers = |name: &str| {
            let mut raw = Raw::of(Kind::Fail, name.to_owned());
            let message = raw.value.replace(Vec::new()).unwrap();
            raw.headers.push(("ce_dataref", url(name).into()));
            (raw, message)
        };
        let ((there, message), (missing, _)) = (refers("there.eml"), refers("missing.eml"));
        let other = |number: usize| Raw::of(Kind::Pass, format!("m{number}"));
        let process = fleet.start("a", &[]);
        // In turns to both partitions: the references to the first one.
        stream.produce([there, other(1), missing, other(2), other(3), other(4)]);
        eventually("a verdict for each of the others", || (stream.outcome().verdicts.len() == 4).then_some(()));
        process.wait_for("object not fetched");
        assert_eq!(stream.positions()[0].unwrap_or_default(), 0, "nothing is committed past what was not fetched");
        assert_eq!(stream.outcome().refused.len(), 0);
        std::fs::create_dir(&mounted).unwrap();
        std::fs::write(mounted.join("there.eml"), message).unwrap();
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let outcome = stream.assert_exactly_once(&fleet);
        assert_eq!(outcome.refused.get(&(0, 1)), Some(&vec!["claim_check_missing".to_owned()]));
        assert_eq!((outcome.verdicts.len(), outcome.failures.get(&(0, 0))), (5, Some(&1)));
    });
}
