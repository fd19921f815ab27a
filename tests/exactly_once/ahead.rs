//! A message that waits for DNS holds back nobody behind it (K11).

use crate::broker::{Broker, Options, beside_others, eventually, shared};
use crate::fleet::{Fleet, Process};
use crate::stream::{Kind, Raw, Stream};
use nix::sys::signal::Signal;
use std::net::UdpSocket;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(2);
const PARTITIONS: i32 = 2;
const SLOW: usize = 4;
const OTHERS: usize = 196;

/// The first messages of each partition need DNS, and so do two in the middle; nobody else does.
fn slow_and_others() -> impl Iterator<Item = Raw> {
    (0..SLOW + OTHERS).map(|number| {
        let key = format!("m{number}");
        match number {
            0 | 1 | 100 | 101 => Raw::of(Kind::Fail, key),
            _ => Raw { key, value: Some(b"Subject: nobody\r\n\r\nhello\r\n".to_vec()), headers: Vec::new() },
        }
    })
}

/// A fleet whose DNS server never answers.
fn deaf(stream: &Stream<'_>, hole: &UdpSocket) -> Fleet {
    let mut fleet = stream.fleet();
    fleet.unset("DNS__ZONE");
    fleet.set("DNS__SERVERS", &format!("[\"{}\"]", hole.local_addr().unwrap()));
    fleet.set("VERDICT__DRAIN_MS", "300");
    fleet
}

/// Starts a process, and waits until everybody but the slow ones has a verdict.
fn judge_others(stream: &Stream<'_>, fleet: &Fleet) -> Process {
    stream.produce(slow_and_others());
    let process = fleet.start("deaf", &[]);
    eventually("a verdict for all others", || (stream.judged().len() == OTHERS).then_some(()));
    process
}

#[test]
fn k11_what_is_behind_a_slow_message_has_its_verdict_and_no_other_after_a_kill_or_a_stop() {
    for is_killed in [true, false] {
        beside_others(LIMIT, move || {
            let hole = UdpSocket::bind("127.0.0.1:0").unwrap();
            let stream = Stream::new(shared(), if is_killed { "ahead-killed-" } else { "ahead-stopped-" }, PARTITIONS);
            let (deaf, fleet) = (deaf(&stream, &hole), stream.fleet());
            let process = judge_others(&stream, &deaf);
            assert_eq!(stream.positions(), [Some(0), Some(0)], "the first message of each partition has no verdict");
            let texts = shared().committed_texts(&stream.group(), &stream.topic("mail.raw"), PARTITIONS);
            assert!(texts.iter().all(|text| text.ends_with(" 1,49,1,49")), "{texts:?}");
            if is_killed {
                process.signal(Signal::SIGKILL);
                drop(process);
            } else {
                assert_eq!(process.stop().0, Some(0));
            }
            let process = fleet.start("hearing", &[]);
            stream.wait_until_done(LIMIT);
            assert_eq!(process.stop().0, Some(0));
            stream.assert_exactly_once(&fleet);
            assert!(deaf.logged("\"sentinel\"").is_empty());
        });
    }
}

/// The whole set is lost then, and with it what is behind the position.
#[test]
fn k11_positions_that_another_tool_sets_begin_without_a_set() {
    beside_others(LIMIT, || {
        let hole = UdpSocket::bind("127.0.0.1:0").unwrap();
        let stream = Stream::new(shared(), "ahead-reset-", PARTITIONS);
        let (deaf, fleet) = (deaf(&stream, &hole), stream.fleet());
        assert_eq!(judge_others(&stream, &deaf).stop().0, Some(0));
        for partition in 0..PARTITIONS {
            shared().commit_with_text(&stream.group(), &stream.topic("mail.raw"), (partition, 0), "reset by an operator");
        }
        let process = fleet.start("hearing", &[]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let counts: Vec<usize> = stream.judged().into_values().collect();
        assert_eq!([1, 2].map(|times| counts.iter().filter(|count| **count == times).count()), [SLOW, OTHERS]);
    });
}

/// The set of this stream has 11 characters, and the name of the log before it 34.
#[test]
fn k11_brokers_that_take_little_metadata_have_a_slow_message_hold_back_its_partition_and_are_named() {
    beside_others(LIMIT, || {
        let settings = &[("offset.metadata.max.bytes", "40")];
        let broker = Broker::start(Options { settings, ..Options::default() });
        let hole = UdpSocket::bind("127.0.0.1:0").unwrap();
        let stream = Stream::new(&broker, "ahead-little-", PARTITIONS);
        let mut fleet = deaf(&stream, &hole);
        fleet.set("EVALUATION__LIMITS__DNS_DEADLINE_MS", "3000");
        stream.produce(slow_and_others());
        let process = fleet.start("deaf", &[]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
        assert_eq!(fleet.logged("offset.metadata.max.bytes").len(), 1);
    });
}
