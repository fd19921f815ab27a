//! Members that come, go and freeze while mail passes.

use crate::broker::{alone, eventually, shared};
use crate::fleet::Process;
use crate::stream::{Kind, Raw, Stream, mail};
use nix::sys::signal::Signal;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_mins(2);

/// Counted from the start of a process: long enough to join the group and read a hundred messages of all partitions.
const FIRST_BATCH_MS: &str = "3000";

/// Waits for so many verdicts, committed or not.
fn wait_until_written(stream: &Stream, verdicts: usize) {
    eventually("verdicts to be written", || {
        (shared().read_uncommitted(&stream.topic("mail.verdicts")).len() >= verdicts).then_some(())
    });
}

fn scale(prefix: &str, protocol: &str) {
    let stream = Stream::new(shared(), prefix, 8);
    let mut fleet = stream.fleet();
    fleet.set("KAFKA__PROTOCOL", protocol);
    let mut processes: Vec<Process> = Vec::new();
    for members in [1, 4, 2] {
        while processes.len() < members {
            processes.push(fleet.start(&format!("m{}", processes.len()), &[]));
        }
        stream.produce(mail(1_500));
        // Those that leave do so while mail passes.
        while processes.len() > members {
            assert_eq!(processes.pop().unwrap().stop().0, Some(0));
        }
        stream.wait_until_done(LIMIT);
    }
    stream.assert_exactly_once(&fleet);
}

#[test]
fn members_come_and_go_with_cooperative_sticky() {
    alone(LIMIT, || scale("scale-classic-", "classic"));
}

#[test]
fn members_come_and_go_with_the_consumer_protocol() {
    alone(LIMIT, || scale("scale-consumer-", "consumer"));
}

/// With the other protocol the brokers set the session timeout: it is three seconds too.
#[test]
fn after_a_kill_all_partitions_move_within_twice_the_session_timeout() {
    alone(LIMIT, || ["classic", "consumer"].into_iter().for_each(kill_one_of_two));
}

fn kill_one_of_two(protocol: &str) {
    let stream = Stream::new(shared(), &format!("moves-{protocol}-"), 8);
    let mut fleet = stream.fleet();
    fleet.set("KAFKA__PROTOCOL", protocol);
    let (first, second) = (fleet.start("a", &[]), fleet.start("b", &[]));
    first.wait_for("\"assigned\"");
    second.wait_for("\"assigned\"");
    stream.produce(mail(400));
    stream.wait_until_done(LIMIT);
    first.signal(Signal::SIGKILL);
    let killed = Instant::now();
    stream.produce(mail(400));
    stream.wait_until_done(LIMIT);
    assert!(killed.elapsed() < Duration::from_secs(6), "{protocol}: it took {:?}", killed.elapsed());
    stream.assert_exactly_once(&fleet);
}

/// Frozen at each place for longer than the session and the transaction: another member takes over, then it wakes up.
#[test]
fn a_zombie_is_heard_only_if_its_offsets_were() {
    alone(LIMIT, || ["classic", "consumer"].into_iter().for_each(wake_zombies));
}

fn wake_zombies(protocol: &str) {
    let stream = Stream::new(shared(), &format!("zombie-{protocol}-"), 4);
    let mut fleet = stream.fleet();
    fleet.set("KAFKA__PROTOCOL", protocol);
    for place in ["after-produce", "after-offsets", "in-commit"] {
        let zombie = fleet.start(&format!("zombie-{place}"), &[("FAILPOINTS", &format!("{place}=1*return(stop)->off"))]);
        stream.produce(mail(100));
        zombie.wait_for("\"failpoint\"");
        let heir = fleet.start(&format!("heir-{place}"), &[]);
        stream.wait_until_done(LIMIT);
        zombie.signal(Signal::SIGCONT);
        // Whatever it does now it does under the eyes of the brokers.
        eventually("the zombie to find out", || {
            (zombie.has_logged("revoked") || zombie.has_logged("taken") || zombie.has_logged("error")).then_some(())
        });
        assert_eq!(heir.stop().0, Some(0));
        drop(zombie);
        stream.assert_exactly_once(&fleet);
    }
}

/// The client library starts such a partition at its beginning if it is left to ask for the position itself.
#[test]
fn a_partition_whose_position_is_held_back_by_a_transaction_is_read_from_that_position() {
    alone(LIMIT, || {
        let stream = Stream::new(shared(), "held-back-", 8);
        let mut fleet = stream.fleet();
        fleet.set("KAFKA__STATIC_MEMBERSHIP", "false");
        fleet.set("KAFKA__TRANSACTION_TIMEOUT_MS", "12000");
        let first = fleet.start("first", &[]);
        stream.produce(mail(800));
        stream.wait_until_done(LIMIT);
        assert_eq!(first.stop().0, Some(0));
        let frozen = fleet.start("frozen", &[("FAILPOINTS", "after-offsets=1*return(stop)->off")]);
        frozen.wait_for("\"assigned\"");
        stream.produce(mail(800));
        frozen.wait_for("\"failpoint\"");
        let heir = fleet.start("heir", &[]);
        heir.wait_for("\"assigned\"");
        // The assignment changes while the heir waits for positions.
        let third = fleet.start("third", &[]);
        third.wait_for("\"assigned\"");
        stream.wait_until_done(LIMIT);
        stream.assert_exactly_once(&fleet);
        drop((frozen, heir, third));
    });
}

/// An operator may set a group to the end of a log of which readers do not see all yet.
#[test]
fn a_position_behind_an_open_transaction_is_no_position_behind_the_end() {
    alone(LIMIT, || {
        let stream = Stream::new(shared(), "ahead-", 1);
        let fleet = stream.fleet();
        stream.produce(mail(10));
        let (raw, group) = (stream.topic("mail.raw"), stream.group());
        let producer: ThreadedProducer<DefaultProducerContext> =
            shared().config().set("transactional.id", "ahead").create().unwrap();
        producer.init_transactions(LIMIT).unwrap();
        producer.begin_transaction().unwrap();
        producer.send(BaseRecord::<str, [u8]>::to(&raw).key("open").payload(b"From: a@bank.example\r\n\r\n")).unwrap();
        producer.flush(LIMIT).unwrap();
        let consumer: BaseConsumer = shared().config().set("group.id", &group).create().unwrap();
        let mut end = TopicPartitionList::new();
        end.add_partition_offset(&raw, 0, Offset::Offset(11)).unwrap();
        consumer.commit(&end, CommitMode::Sync).unwrap();
        let process = fleet.start("a", &[]);
        process.wait_for("\"assigned\"");
        producer.commit_transaction(LIMIT).unwrap();
        shared().settle();
        stream.produce(mail(1));
        eventually("what came after the position", || (stream.positions() == [Some(13)]).then_some(()));
        assert_eq!(process.stop().0, Some(0));
        assert_eq!(stream.outcome().verdicts.into_keys().collect::<Vec<_>>(), [(0, 12)]);
    });
}

/// It is handed what the first step left it, and nobody brings about the second.
#[test]
fn what_a_static_member_that_died_between_the_steps_of_a_rebalance_gave_up_finds_an_owner() {
    alone(LIMIT, || {
        let stream = Stream::new(shared(), "between-", 8);
        let mut fleet = stream.fleet();
        fleet.set("KAFKA__STATIC_MEMBERSHIP", "true");
        fleet.set("VERDICT__REVOKE_MS", "20000");
        fleet.set("KAFKA__MAX_POLL_INTERVAL_MS", "30000");
        fleet.set("KAFKA__TRANSACTION_TIMEOUT_MS", "20000");
        // The first batch holds records of every partition, so also of those that are taken.
        fleet.set("VERDICT__COMMIT_INTERVAL_MS", FIRST_BATCH_MS);
        stream.produce(mail(100));
        let old = fleet.start("old", &[("FAILPOINTS", "in-commit=1*sleep(15000)->off")]);
        wait_until_written(&stream, 100);
        // The first step takes half of the partitions from the old one, which waits for its transaction before it lets them go.
        let new = fleet.start("new", &[]);
        new.wait_for("\"assigned\"");
        old.signal(Signal::SIGKILL);
        drop(old);
        let old = fleet.start("old", &[]);
        old.wait_for("\"assigned\"");
        stream.produce(mail(100));
        stream.wait_until_done(LIMIT);
        assert!(!fleet.logged("a rebalance is brought about").is_empty(), "nothing was without owner");
        stream.assert_exactly_once(&fleet);
        drop((old, new));
    });
}

#[test]
fn p10_a_stop_finishes_what_is_in_flight_and_a_second_signal_ends_at_once() {
    alone(LIMIT, || {
        let stream = Stream::new(shared(), "stop-", 4);
        let fleet = stream.fleet();
        let process = fleet.start("a", &[]);
        process.wait_for("\"assigned\"");
        stream.produce(mail(500));
        let (code, took) = process.stop();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(15), "a stop took {took:?}");
        stream.assert_nothing_open();
        let mut process = fleet.start("a", &[("FAILPOINTS", "before-produce=sleep(60000)")]);
        process.wait_for("\"assigned\"");
        stream.produce(mail(10));
        process.signal(Signal::SIGTERM);
        process.wait_for("a second signal ends at once");
        process.signal(Signal::SIGTERM);
        assert_eq!(process.exit_code(), Some(130));
        let process = fleet.start("a", &[]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}

/// The batch waits in its transaction while a partition of it moves to another member, which reads and answers it again.
#[test]
fn a_batch_of_a_partition_that_moved_is_not_committed() {
    alone(LIMIT, || {
        let stream = Stream::new(shared(), "moved-", 4);
        let mut fleet = stream.fleet();
        fleet.set("KAFKA__TRANSACTION_TIMEOUT_MS", "20000");
        fleet.set("VERDICT__REVOKE_MS", "200");
        // The first batch holds records of every partition.
        fleet.set("VERDICT__COMMIT_INTERVAL_MS", FIRST_BATCH_MS);
        stream.produce(mail(100));
        let slow = fleet.start("slow", &[("FAILPOINTS", "after-produce=1*sleep(8000)->off")]);
        wait_until_written(&stream, 100);
        let heir = fleet.start("heir", &[]);
        heir.wait_for("\"assigned\"");
        stream.wait_until_done(LIMIT);
        assert!(slow.has_logged("\"revoked\""), "nothing moved");
        stream.assert_exactly_once(&fleet);
    });
}

/// The brokers are still writing the end of the transaction before, and do not know of this one yet.
#[test]
fn what_is_taken_away_just_after_the_begin_of_a_transaction_ends_no_process() {
    alone(2 * LIMIT, || {
        // With time to wait for a first answer, no abort comes before the brokers know of the transaction.
        take_away("5000", "taken-away=4%return", false);
        // Without, the brokers refuse one abort in a hundred or none, as fast as they are; the failpoint has more of them refused.
        take_away("0", "taken-away=4%return;abort-refused=5%return", true);
    });
}

fn take_away(revoke: &str, failpoints: &str, replaced: bool) {
    let stream = Stream::new(shared(), &format!("begun-{revoke}-"), 12);
    let mut fleet = stream.fleet();
    fleet.set("VERDICT__REVOKE_MS", revoke);
    // One batch comes right after the other.
    fleet.set("VERDICT__COMMIT_RECORDS", "20");
    stream.produce(mail(6_000));
    let mut process = fleet.start("a", &[("FAILPOINTS", failpoints)]);
    let deadline = Instant::now() + LIMIT;
    loop {
        assert_eq!(process.ended(), None);
        let taken_back = fleet.logged("the group took a partition away").len();
        let new = fleet.logged("a new producer takes the place").len();
        assert!(replaced || new == 0, "a first answer was not waited for");
        if taken_back >= 60 && (new > 0 || !replaced) {
            break;
        }
        assert!(Instant::now() < deadline, "{taken_back} batches were aborted and {new} producers replaced");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(process.stop().0, Some(0));
    let process = fleet.start("a", &[]);
    stream.wait_until_done(LIMIT);
    assert_eq!(process.stop().0, Some(0));
    stream.assert_exactly_once(&fleet);
}

/// The verdicts of two runs over the same mail, but for the names of topics and the times of the runs.
#[test]
fn p3_the_same_stream_twice_gives_the_same_verdicts() {
    alone(LIMIT, || {
        let verdicts = |prefix: &str| {
            let stream = Stream::new(shared(), prefix, 2);
            let fleet = stream.fleet();
            let kinds = [Kind::Pass, Kind::Fail, Kind::Gray, Kind::Undecided];
            stream.produce((0..200).map(|number| {
                let mut raw = Raw::of(kinds[number % 4], format!("m{number}"));
                let now = jiff::Timestamp::now().to_string();
                raw.headers.push(("ce_id", raw.key.clone().into_bytes()));
                raw.headers.push(("ce_time", now.into_bytes()));
                raw
            }));
            let process = fleet.start("a", &[]);
            stream.wait_until_done(LIMIT);
            assert_eq!(process.stop().0, Some(0));
            let mut verdicts: Vec<_> = stream.assert_exactly_once(&fleet).verdicts.into_values().flatten().collect();
            for verdict in &mut verdicts {
                for place in [
                    "/receipt/timestamp",
                    "/receipt/processingTimeMillis",
                    "/mail/timestamp",
                    "/evidence/evaluatedAt",
                    "/input/topic",
                ] {
                    *verdict.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = serde_json::Value::Null;
                }
            }
            verdicts
        };
        assert_eq!(verdicts("twice-one-"), verdicts("twice-two-"));
    });
}

#[test]
fn memory_stays_within_the_budget_whatever_the_topic_holds() {
    const BUDGET: usize = 128 << 20;
    alone(LIMIT, || {
        let stream = Stream::new(shared(), "memory-", 4);
        let mut fleet = stream.fleet();
        fleet.set("VERDICT__BUDGET_BYTES", &BUDGET.to_string());
        fleet.set("VERDICT__ANNOTATED", "true");
        shared().create_topics(&[(&stream.topic("mail.annotated"), 4, &[("max.message.bytes", "59768832")])]);
        // Lines without CR are converted, which is one copy more.
        let large = format!("From: a@bank.example\n\n{}", "0123456789abcdef0123456789abcdef\n".repeat((39 << 20) / 33));
        stream.produce((0..600).map(|number| {
            let mut raw = Raw::of(Kind::Fail, format!("m{number}"));
            if number % 40 == 0 {
                raw.value = Some(large.clone().into_bytes());
            }
            raw
        }));
        let process = fleet.start("a", &[]);
        stream.wait_until_done(LIMIT);
        let peak = process.peak_memory();
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
        eprintln!("memory: peak {} MiB with a budget of {} MiB", peak >> 20, BUDGET >> 20);
        assert!(peak < BUDGET + (200 << 20), "peak {} MiB", peak >> 20);
    });
}

/// What is read and not begun would only fill memory, long before the budget is used up.
#[test]
fn reading_ends_where_enough_waits_to_be_evaluated() {
    const A_CORE: usize = 64;
    alone(LIMIT, || {
        let stream = Stream::new(shared(), "backlog-", 4);
        let fleet = stream.fleet();
        stream.produce(mail(6_000));
        let started = Instant::now();
        let process = fleet.start("a", &[("FAILPOINTS", "evaluate=sleep(20)"), ("VERDMARC_HEALTH__LISTEN", "127.0.0.1:0")]);
        let cores = std::thread::available_parallelism().unwrap().get();
        let read = || {
            let metrics = process.ask("/metrics");
            let line = metrics.lines().find_map(|line| line.strip_prefix("verdmarc_records_read_total{role=\"verdict\"} "));
            line.unwrap().parse::<usize>().unwrap()
        };
        process.wait_for("\"assigned\"");
        eventually("enough to be read", || (read() >= A_CORE * cores).then_some(()));
        std::thread::sleep(Duration::from_secs(1));
        let read = read();
        // Each core has begun one per evaluation, records are handed out by the eight, and each poll that shows life may read one.
        let times = |milliseconds| usize::try_from(started.elapsed().as_millis() / milliseconds).unwrap() + 1;
        let most = A_CORE * cores + cores * times(20) + 8 + times(50);
        assert!(read <= most && most < 6_000, "{read} records were read, at most {most} should have been");
        drop(process);
    });
}

#[test]
fn the_first_verdict_comes_within_five_seconds_of_a_cold_start() {
    alone(LIMIT, || {
        let stream = Stream::new(shared(), "cold-", 4);
        let fleet = stream.fleet();
        stream.produce(mail(4));
        let started = Instant::now();
        let process = fleet.start("a", &[]);
        eventually("a verdict", || (!shared().read_committed(&stream.topic("mail.verdicts")).is_empty()).then_some(()));
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        drop(process);
    });
}
