//! The aggregate role on Apache Kafka: failures a second, exactly once, and how fast its state is restored. Exits with 1 when a target
//! is missed.

#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a benchmark, which shares files with others"
)]

#[path = "../tests/support/broker/mod.rs"]
mod broker;
#[path = "support/child.rs"]
mod child;
#[path = "support/failures.rs"]
mod failures;

use broker::{Broker, Client, Options, eventually, send};
use child::Measured;
use failures::{event, json};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const PREFIX: &str = "bench-";
const PARTITIONS: i32 = 4;
const OWNERS: usize = 3_000;
/// Each is counted in a row of its own the first time and in the same row the second time.
const ROWS: usize = 400_000;
const ROUNDS: usize = 2;
/// Failures a second and core that are to be reached, exactly once.
const TARGET_COUNTED: f64 = 40_000.0;
/// Records of the changelog a second that are to be reached.
const TARGET_RESTORED: f64 = 300_000.0;

fn main() -> ExitCode {
    let broker = Broker::start(Options::default());
    create(&broker);
    produce(&broker);
    let folder = tempfile::tempdir().unwrap();
    let role = Role::start(&broker, folder.path().join("first.log"));
    let counted = count(&broker, &role);
    drop(role);
    let restored = restore(&broker, folder.path().join("second.log"));
    let mut good = true;
    for (what, found, wanted) in
        [("failures counted, exactly once", counted, TARGET_COUNTED), ("changelog records restored", restored, TARGET_RESTORED)]
    {
        good &= found >= wanted;
        println!("{what:<44}{found:>12.0} /s and core (to reach: {wanted}) {}", if found >= wanted { "OK" } else { "BELOW" });
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn topic(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn create(broker: &Client) {
    let names = ["mail.failures", "mail.windows", "mail.reports", "mail.dead-letters"].map(topic);
    let compact = [("cleanup.policy", "compact")];
    let settings = |index: usize| if index == 1 { &compact[..] } else { &[][..] };
    let topics: Vec<_> = names.iter().enumerate().map(|(index, name)| (name.as_str(), PARTITIONS, settings(index))).collect();
    broker.create_topics(&topics);
}

fn produce(broker: &Client) {
    let mut config = broker.config();
    config.set("linger.ms", "20").set("compression.type", "lz4").set("partitioner", "murmur2_random");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
    let topic = topic("mail.failures");
    for number in (0..ROUNDS).flat_map(|_| 0..ROWS) {
        let value = json(&event(number % OWNERS, number, number / OWNERS % 50));
        let key = format!("owner{}.example", number % OWNERS);
        let headers = OwnedHeaders::new().insert(Header { key: "ce_type", value: Some("verdmarc.failure.v1") });
        send(&producer, BaseRecord::to(&topic).key(&key).payload(&value).headers(headers));
    }
    producer.flush(Duration::from_mins(2)).unwrap();
}

/// The role in a process of its own.
struct Role {
    child: Measured,
    log: PathBuf,
}

impl Role {
    fn start(broker: &Client, log: PathBuf) -> Self {
        let settings = [
            ("KAFKA__BROKERS", broker.bootstrap()),
            ("KAFKA__GROUP_PREFIX", PREFIX.to_owned()),
            ("KAFKA__INSTANCE", "bench".to_owned()),
            ("KAFKA__CHECK_TOPICS", "false".to_owned()),
            ("TOPICS__PREFIX", PREFIX.to_owned()),
            ("RECEIVER__DOMAIN", "mx.receiver.example".to_owned()),
            ("RECEIVER__ORGANIZATION", "Receiver".to_owned()),
            ("RECEIVER__CONTACT", "dmarc@receiver.example".to_owned()),
            // The window of the failures is long over: it is to stay open.
            ("AGGREGATE__GRACE_S", "3000000000".to_owned()),
            ("AGGREGATE__HORIZON_S", "4000000000".to_owned()),
            ("LOG__FORMAT", "json".to_owned()),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_verdmarc"));
        command.args(["run", "--roles", "aggregate"]).stdin(Stdio::null()).stderr(File::create(&log).unwrap());
        command.envs(settings.map(|(name, value)| (format!("VERDMARC_{name}"), value)));
        Self { child: Measured(command.spawn().unwrap()), log }
    }

    /// Records and seconds of every restore, when all partitions are.
    fn restored(&self) -> Option<Vec<(f64, f64)>> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        let line = |line: &str| -> Option<(f64, f64)> {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            let fields = &line["fields"];
            Some((fields["records"].as_f64()?, seconds(fields["took"].as_str()?)?))
        };
        let found: Vec<_> = log.lines().filter(|line| line.contains("state restored")).filter_map(line).collect();
        (found.len() >= PARTITIONS as usize).then_some(found)
    }
}

/// A duration as it is written for people.
fn seconds(text: &str) -> Option<f64> {
    let units = [("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9), ("s", 1.0)];
    units.into_iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}

/// From a tenth of the failures to the last one: a second of CPU, and of the clock.
fn count(broker: &Client, role: &Role) -> f64 {
    let total = (ROWS * ROUNDS) as i64;
    let reached = |count: i64| {
        let deadline = Instant::now() + Duration::from_mins(5);
        loop {
            let committed: i64 =
                broker.committed(&topic("verdmarc-aggregate"), &topic("mail.failures")).into_iter().flatten().sum();
            if committed >= count {
                return committed;
            }
            assert!(Instant::now() < deadline, "{committed} of {count} counted");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let first = reached(total / 10);
    let (cpu, started) = (role.child.cpu(), Instant::now());
    let counted = (reached(total) - first) as f64;
    let (cpu, time) = (role.child.cpu().saturating_sub(cpu).as_secs_f64(), started.elapsed().as_secs_f64());
    println!(
        "{counted:.0} failures: {:.1} µs of CPU each, {:.0} a second beside the broker",
        cpu * 1e6 / counted,
        counted / time
    );
    counted / cpu
}

fn restore(broker: &Client, log: PathBuf) -> f64 {
    let role = Role::start(broker, log);
    let restored = eventually("every state", || role.restored());
    let (records, time) = restored.iter().fold((0.0, 0.0), |(records, time), (more, took)| (records + more, time + took));
    println!("{records:.0} records of the changelog in {time:.2} s, one partition after another");
    records / time
}
