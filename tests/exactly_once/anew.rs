//! A log is its topic's id, not its name: mail.raw is deleted and made anew, or cut off.

use crate::broker::{beside_others, eventually, shared};
use crate::fleet::{Fleet, Process};
use crate::stream::{Kind, Raw, Stream};
use std::collections::BTreeMap;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(4);
/// Long enough for a batch to be late, short of a transaction's time.
const LATE: &str = "before-produce=1*sleep(2500)->off";

/// When the topic is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Idle,
    InABatch,
    Stopped,
}

fn mail(name: &'static str, count: usize) -> impl Iterator<Item = Raw> {
    (0..count).map(move |number| Raw::of(Kind::Pass, format!("{name}{number:03}")))
}

fn once(names: impl Iterator<Item = Raw>) -> BTreeMap<String, usize> {
    names.map(|raw| (raw.key, 1)).collect()
}

fn fleet(stream: &Stream<'_>) -> Fleet {
    let mut fleet = stream.fleet();
    fleet.set("KAFKA__PROPERTIES__TOPIC_METADATA_REFRESH_INTERVAL_MS", "1000");
    fleet.set("HEALTH__LISTEN", "127.0.0.1:0");
    fleet
}

/// Waits until exactly these have a verdict, each one.
fn wait_for(stream: &Stream<'_>, expected: &BTreeMap<String, usize>) {
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    loop {
        let judged = stream.judged();
        if judged == *expected {
            return;
        }
        let too_many = judged.iter().any(|(key, count)| *count > 1 || !expected.contains_key(key));
        assert!(
            !too_many && std::time::Instant::now() < deadline,
            "{} of {} judged; positions {}; {:?}",
            judged.len(),
            expected.len(),
            stream.progress(),
            judged.iter().filter(|(_, count)| **count > 1).take(5).collect::<Vec<_>>()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The value of a counter of the verdict role.
fn counter(process: &Process, name: &str) -> u64 {
    let metrics = process.ask("/metrics");
    let line = format!("verdmarc_{name}_total{{role=\"verdict\"}} ");
    metrics.lines().find_map(|found| found.strip_prefix(&line)).unwrap().parse().unwrap()
}

#[test]
fn a_topic_made_anew_is_read_from_its_beginning_and_nothing_of_it_is_passed_over() {
    beside_others(LIMIT, || {
        for (index, (when, partitions, count)) in [
            // Shorter than what was read, as long, and longer; more partitions, and fewer.
            (When::Idle, 2, 20),
            (When::Idle, 2, 100),
            (When::Idle, 4, 200),
            (When::InABatch, 2, 20),
            (When::InABatch, 1, 100),
            (When::Stopped, 2, 20),
            (When::Stopped, 4, 200),
        ]
        .into_iter()
        .enumerate()
        {
            let mut stream = Stream::new(shared(), &format!("anew-{index}-"), 2);
            let fleet = fleet(&stream);
            let mut process = Some(fleet.start("a", &[]));
            stream.produce(mail("old", 60));
            let mut expected = once(mail("old", 60));
            wait_for(&stream, &expected);
            stream.wait_until_done(LIMIT);
            match when {
                When::Idle => {}
                When::Stopped => assert_eq!(process.take().unwrap().stop().0, Some(0)),
                When::InABatch => {
                    assert_eq!(process.take().unwrap().stop().0, Some(0));
                    process = Some(fleet.start("a", &[("FAILPOINTS", LATE)]));
                    process.as_ref().unwrap().wait_for("\"assigned\"");
                    // These are gone with the old topic before their batch is written.
                    stream.produce(mail("lost", 30));
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
            stream.make_anew(partitions);
            stream.produce(mail("new", count));
            let process = process.unwrap_or_else(|| fleet.start("a", &[]));
            expected.extend(once(mail("new", count)));
            wait_for(&stream, &expected);
            // And it stays so, whatever comes next, also over a restart.
            assert_eq!(process.stop().0, Some(0), "{when:?}");
            let process = fleet.start("a", &[]);
            stream.produce(mail("then", 20));
            expected.extend(once(mail("then", 20)));
            wait_for(&stream, &expected);
            assert_eq!(process.stop().0, Some(0));
            assert!(fleet.logged("\"sentinel\"").is_empty(), "{when:?} {partitions} {count}");
        }
    });
}

#[test]
fn a_role_outlives_the_topic_that_it_reads() {
    beside_others(LIMIT, || {
        let mut stream = Stream::new(shared(), "missing-", 2);
        let fleet = fleet(&stream);
        let mut process = fleet.start("a", &[]);
        stream.produce(mail("old", 40));
        let mut expected = once(mail("old", 40));
        wait_for(&stream, &expected);
        shared().delete_topic(&stream.topic("mail.raw"));
        std::thread::sleep(Duration::from_secs(5));
        assert_eq!(process.ended(), None);
        stream.make_again(2);
        stream.produce(mail("new", 60));
        expected.extend(once(mail("new", 60)));
        wait_for(&stream, &expected);
        assert_eq!(process.stop().0, Some(0));
    });
}

#[test]
fn a_position_behind_the_end_of_the_same_log_goes_on_at_its_end_and_is_put_there_at_once() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "cut-off-", 1);
        let fleet = fleet(&stream);
        let (raw, group) = (stream.topic("mail.raw"), stream.group());
        let process = fleet.start("a", &[]);
        stream.produce(mail("old", 40));
        let mut expected = once(mail("old", 40));
        wait_for(&stream, &expected);
        assert_eq!(process.stop().0, Some(0));
        let text = shared().committed_texts(&group, &raw, 1).remove(0);
        assert!(text.starts_with("verdmarc/1 ") && text.len() == "verdmarc/1 ".len() + 22, "{text}");
        shared().commit_with_text(&group, &raw, (0, 1_000), &text);
        let process = fleet.start("a", &[]);
        process.wait_for("its brokers have lost records");
        eventually("the position at the end", || (stream.positions() == [Some(40)]).then_some(()));
        assert_eq!(counter(&process, "partitions_cut_off"), 1);
        stream.produce(mail("new", 10));
        expected.extend(once(mail("new", 10)));
        wait_for(&stream, &expected);
        assert_eq!(process.stop().0, Some(0));
    });
}

#[test]
fn metadata_of_ours_that_cannot_be_read_stops_the_role_and_of_others_does_not() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "metadata-", 1);
        let fleet = fleet(&stream);
        let (raw, group) = (stream.topic("mail.raw"), stream.group());
        stream.produce(mail("m", 20));
        shared().commit_with_text(&group, &raw, (0, 5), "verdmarc/1 \u{e9}");
        let mut process = fleet.start("a", &[]);
        assert_eq!(process.exit_code(), Some(8));
        for text in [raw.as_str(), r"verdmarc/1 \xc3\xa9", "--reset-offsets"] {
            assert!(process.has_logged(text), "{text}");
        }
        shared().commit_with_text(&group, &raw, (0, 5), "somebody else's");
        let process = fleet.start("a", &[]);
        let expected = once(mail("m", 20).skip(5));
        wait_for(&stream, &expected);
        assert_eq!(process.stop().0, Some(0));
    });
}
