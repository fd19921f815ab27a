//! Counting, restoring and closing without a broker: CPU, and what a row takes in memory. Exits with 1 when a target is missed.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark"
)]

#[path = "support/failures.rs"]
mod failures;
#[path = "support/measure.rs"]
#[allow(dead_code, reason = "one of the benchmarks that share this file takes no median")]
mod measure;

// The command's own allocator.
#[global_allocator]
static ALLOCATOR: verdmarc::Allocator = verdmarc::Allocator;

use failures::{NOON, event, json, settings};
use measure::cpu;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use verdmarc::aggregate::{Intake, Restore, State, read};
use verdmarc::event::{CloseWindows, Headers, Record};

const OWNERS: usize = 3_000;
/// Rows of the large state.
const ROWS: usize = 5_000_000;
/// Rows that are closed.
const CLOSED: usize = 1_000_000;

struct Targets {
    good: bool,
}

impl Targets {
    /// A figure that is to be at least so large.
    fn at_least(&mut self, what: &str, found: f64, wanted: f64, unit: &str) {
        self.say(what, found, wanted, unit, found >= wanted);
    }

    /// A figure that is to be at most so large.
    fn at_most(&mut self, what: &str, found: f64, wanted: f64, unit: &str) {
        self.say(what, found, wanted, unit, found <= wanted);
    }

    fn say(&mut self, what: &str, found: f64, wanted: f64, unit: &str, good: bool) {
        self.good &= good;
        println!("{what:<44}{found:>12.1} {unit:<12} (to reach: {wanted}) {}", if good { "OK" } else { "OVER" });
    }
}

fn main() -> ExitCode {
    let mut targets = Targets { good: true };
    counting(&mut targets);
    closing(&mut targets);
    let changelog = memory(&mut targets);
    restoring(&mut targets, &changelog);
    if targets.good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Records as they come, JSON decoding included: first every one in a row of its own, then again.
fn counting(targets: &mut Targets) {
    let records: Vec<Record> =
        (0..200_000).map(|number| record(number, &json(&event(number % OWNERS, number, number)))).collect();
    let mut state = State::new(Arc::new(settings()), 0, 1);
    for round in ["new rows", "known rows"] {
        let ((), time) = cpu(|| {
            for record in &records {
                let Ok(Intake::Failure(failure)) = read(record) else { unreachable!("a failure event") };
                assert!(state.count(&failure, NOON));
            }
        });
        let what = format!("failures counted, {round}");
        targets.at_least(&what, records.len() as f64 / time.as_secs_f64(), 100_000.0, "/s and core");
    }
}

fn record(offset: usize, value: &str) -> Record {
    Record {
        topic: "mail.failures".into(),
        partition: 0,
        offset: offset as i64,
        timestamp: None,
        key: None,
        value: Some(value.as_bytes().to_vec()),
        headers: Some(Headers::default().with("ce_type", "verdmarc.failure.v1")),
    }
}

/// The changelog's records, one behind another.
#[derive(Default)]
struct Changelog {
    bytes: Vec<u8>,
    ends: Vec<(usize, usize)>,
}

impl Changelog {
    fn push(&mut self, key: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(key);
        let behind_key = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.ends.push((behind_key, self.bytes.len()));
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |(behind_key, end)| {
            let record = (&self.bytes[start..*behind_key], &self.bytes[*behind_key..*end]);
            start = *end;
            record
        })
    }
}

/// Rows with one signature each, as a partition holds them at the end of a day.
fn memory(targets: &mut Targets) -> Changelog {
    let mut changelog = Changelog::default();
    let before = resident();
    let mut state = State::new(Arc::new(settings()), 0, 1);
    for number in 0..ROWS {
        assert!(state.count(&event(number % OWNERS, number, number / OWNERS % 50), NOON));
    }
    let bytes = (resident() - before) as f64;
    let estimate = state.counts().bytes as f64;
    targets.at_most("memory a row with one signature", bytes / ROWS as f64, 250.0, "bytes");
    targets.at_most("memory of 5 million rows", bytes / f64::from(1 << 20), 1_536.0, "MiB");
    println!("{:<44}{:>12.2} of what is resident", "the state's own estimate", estimate / bytes);
    state.advance(1);
    for output in state.cut(1, jiff::Timestamp::from_second(NOON).unwrap(), true) {
        changelog.push(&output.key.unwrap(), &output.value.unwrap());
    }
    println!("{:<44}{:>12.1} bytes", "a row in the changelog", changelog.bytes.len() as f64 / ROWS as f64);
    changelog
}

fn restoring(targets: &mut Targets, changelog: &Changelog) {
    let (state, time) = cpu(|| {
        let mut restore = Restore::new(Arc::new(settings()), 0, 1);
        for (key, value) in changelog.iter() {
            restore.take(key, Some(value)).unwrap();
        }
        restore.finish(Some(1), None).unwrap()
    });
    assert_eq!(state.counts().rows, ROWS);
    targets.at_least("changelog records restored", changelog.ends.len() as f64 / time.as_secs_f64(), 300_000.0, "/s");
    targets.at_most("5 million rows restored", time.as_secs_f64(), 60.0, "s");
}

fn closing(targets: &mut Targets) {
    let mut state = State::new(Arc::new(settings()), 0, 1);
    for number in 0..CLOSED {
        assert!(state.count(&event(number % OWNERS, number, number / OWNERS % 50), NOON));
    }
    let now = jiff::Timestamp::from_second(NOON).unwrap();
    state.advance(1);
    let _written = state.cut(1, now, true);
    state.committed();
    state.control(&CloseWindows { at: None });
    let (mut reports, mut bytes) = (0, 0);
    let ((), time): ((), Duration) = cpu(|| {
        state.freeze(1, NOON);
        while state.is_closing() {
            for output in state.cut(1, now, true) {
                if &*output.topic == "mail.reports" && output.key.is_some() {
                    reports += 1;
                    bytes += output.value.map_or(0, |value| value.len());
                }
            }
            state.committed();
        }
    });
    println!("{:<44}{:>12.1} MiB", format!("{reports} reports of {CLOSED} rows"), bytes as f64 / f64::from(1 << 20));
    targets.at_most("closing them", time.as_secs_f64(), 20.0, "s of CPU");
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
