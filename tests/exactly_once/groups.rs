//! Two groups: one reads mail.raw, the other what is to be tried again.

use crate::broker::{beside_others, eventually, shared};
use crate::fleet::{Fleet, Process};
use crate::stream::{Kind, Raw, Stream, header, mail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(2);

/// The group that reads retries.
fn lane(stream: &Stream<'_>) -> String {
    format!("{}-retries", stream.group())
}

/// Makes the topics of so many delays, and has the lane on.
fn switch_on(stream: &Stream<'_>, fleet: &mut Fleet, delays: &str, topics: usize, partitions: i32) {
    let names: Vec<String> = (1..=topics).map(|number| stream.topic(&format!("mail.retries.{number}"))).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), partitions, &[][..])).collect();
    shared().create_topics(&names);
    fleet.set("VERDICT__RETRIES", "true");
    fleet.set("VERDICT__RETRY_DELAYS_S", delays);
}

/// The partitions of a topic that a process has at this moment, by what it says.
fn held(process: &Process, topic: &str) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    for line in String::from_utf8_lossy(&std::fs::read(&process.log).unwrap()).lines() {
        // The last line may not be written to its end.
        let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let partitions = line["fields"]["partitions"].as_str().unwrap_or_default().split(' ');
        let partitions = partitions.filter(|partition| partition.rsplit_once('/').is_some_and(|(name, _)| name == topic));
        for partition in partitions.map(str::to_owned) {
            match line["fields"]["message"].as_str() {
                Some("assigned") => drop(held.insert(partition)),
                Some("revoked") => drop(held.remove(&partition)),
                _ => {}
            }
        }
    }
    held
}

/// Waits until every partition of mail.raw is with somebody, and nobody has two more than another.
fn wait_until_even(stream: &Stream<'_>, members: &[Process], partitions: usize) {
    let counts = || -> Vec<usize> { members.iter().map(|member| held(member, &stream.topic("mail.raw")).len()).collect() };
    let is_even = |counts: &[usize]| {
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        counts.iter().sum::<usize>() == partitions && most - least <= 1
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !is_even(&counts()) {
        assert!(std::time::Instant::now() < deadline, "partitions of mail.raw by member: {:?}", counts());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn raw_partitions_of_two_and_three_members_differ_by_at_most_one_with_the_lane_on_and_off() {
    beside_others(2 * LIMIT, || {
        for protocol in ["classic", "consumer"] {
            for retries in ["true", "false"] {
                share_out(protocol, retries);
            }
        }
    });
}

fn share_out(protocol: &str, retries: &str) {
    let stream = Stream::new(shared(), &format!("even-{protocol}-{retries}-"), 4);
    let mut fleet = stream.fleet();
    switch_on(&stream, &mut fleet, "[1, 1, 1]", 3, 4);
    fleet.set("VERDICT__RETRIES", retries);
    fleet.set("KAFKA__PROTOCOL", protocol);
    let mut members = Vec::new();
    for name in ["a", "b", "c"] {
        members.push(fleet.start(name, &[("VERDMARC_HEALTH__LISTEN", "127.0.0.1:0")]));
        members.last().unwrap().wait_for("\"assigned\"");
        wait_until_even(&stream, &members, 4);
    }
    stream.produce(mail(200));
    stream.wait_until_done(LIMIT);
    for member in &members {
        let entry = member.ask("/metrics").contains("verdmarc_ready{role=\"verdict-retries\"}");
        assert_eq!(entry, retries == "true", "the lane has an entry of its own when it is on");
    }
    for member in members {
        assert_eq!(member.stop().0, Some(0));
    }
    stream.assert_exactly_once(&fleet);
}

/// Retries by the record of mail.raw that they are of: where they lie.
fn retries(stream: &Stream<'_>, number: usize) -> BTreeMap<(i32, i64), (i32, i64)> {
    let found = shared().read_committed(&stream.topic(&format!("mail.retries.{number}")));
    let of = |record: &crate::broker::Found, name| header(record, name).parse::<i64>().unwrap();
    let origin = |record| (of(record, "verdmarc-origin-partition").try_into().unwrap(), of(record, "verdmarc-origin-offset"));
    found.iter().map(|record| (origin(record), (record.partition, record.offset))).collect()
}

/// As after an upgrade: the group of mail.raw has read some of the retries, and the new group none.
#[test]
fn the_group_of_the_lane_goes_on_where_the_group_before_it_stopped_and_asks_once() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "takeover-", 2);
        let mut fleet = stream.fleet();
        switch_on(&stream, &mut fleet, "[15]", 1, 2);
        fleet.set("KAFKA__STATIC_MEMBERSHIP", "false");
        stream.produce((0..40).map(|number| Raw::of(Kind::Undecided, format!("m{number}"))));
        let process = fleet.start("a", &[]);
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let retries = retries(&stream, 1);
        let topic = stream.topic("mail.retries.1");
        assert_eq!((retries.len(), shared().committed(&lane(&stream), &topic)), (40, vec![None, None]), "nothing was due");
        let middle = |partition| {
            let mut offsets: Vec<i64> = retries.values().filter(|place| place.0 == partition).map(|place| place.1).collect();
            offsets.sort_unstable();
            offsets[offsets.len() / 2]
        };
        let positions = [middle(0), middle(1)];
        let set = |positions: [i64; 2]| {
            for (partition, position) in (0..).zip(positions) {
                shared().commit_with_text(&stream.group(), &topic, (partition, position), "");
            }
        };
        set(positions);

        let process = fleet.start("a", &[]);
        let taken = positions.map(Some);
        eventually("positions of the new group", || (shared().committed(&lane(&stream), &topic) == taken).then_some(()));
        assert_eq!(stream.outcome().verdicts.len(), 0, "before anything was due");
        let place = |partition: i32| usize::try_from(partition).unwrap();
        let left = retries.iter().filter(|(_, (partition, offset))| *offset >= positions[place(*partition)]);
        let left: BTreeSet<(i32, i64)> = left.map(|(origin, _)| *origin).collect();
        eventually("verdicts", || (stream.outcome().verdicts.len() >= left.len()).then_some(()));
        assert_eq!(process.stop().0, Some(0));

        // The group before it counts no more.
        set([0, 0]);
        let process = fleet.start("a", &[]);
        process.wait_for("mail.retries.1/0");
        stream.produce(mail(20));
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let mut verdicts = stream.outcome().verdicts;
        verdicts.retain(|origin, _| retries.contains_key(origin));
        assert!(verdicts.values().all(|verdicts| verdicts.len() == 1), "a retry was judged twice");
        assert_eq!(verdicts.into_keys().collect::<BTreeSet<_>>(), left);
    });
}

/// The brokers hand a static member what it had, whatever it subscribes to now.
#[test]
fn a_member_that_comes_back_with_another_subscription_reads_nothing_of_the_old_one_and_gives_it_up() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "ghost-", 2);
        let mut fleet = stream.fleet();
        switch_on(&stream, &mut fleet, "[2]", 1, 2);
        fleet.set("KAFKA__STATIC_MEMBERSHIP", "true");
        fleet.set("KAFKA__SESSION_TIMEOUT_MS", "7000");
        let (raw, retries) = (stream.topic("mail.raw"), stream.topic("mail.retries.1"));
        let mut before = shared().config();
        before.set("group.id", stream.group()).set("group.instance.id", "a").set("enable.auto.commit", "false");
        before.set("partition.assignment.strategy", "cooperative-sticky").set("session.timeout.ms", "7000");
        let before: BaseConsumer = before.create().unwrap();
        before.subscribe(&[&raw, &retries]).unwrap();
        eventually("the old member to be in", || {
            let _ = before.poll(Duration::from_millis(50));
            (before.assignment().unwrap().count() == 4).then_some(())
        });
        // A static member does not leave the group.
        drop(before);
        let process = fleet.start("a", &[]);
        process.wait_for("\"assigned\"");
        stream.produce((0..40).map(|number| Raw::of(Kind::Undecided, format!("m{number}"))));
        stream.wait_until_done(LIMIT);
        eventually("verdicts", || (stream.outcome().verdicts.len() == 40).then_some(()));
        process.wait_for("a rebalance is brought about");
        stream.produce(mail(40));
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
        assert_eq!(shared().committed(&stream.group(), &retries), [None, None], "the group of mail.raw has read retries");
        assert_eq!(fleet.logged("assigned by an older subscription").len(), 1, "it was handed nothing of the old one");
    });
}
