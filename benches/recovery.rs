//! How long the verdict role needs to go on after its process or its broker was killed, with the time-outs of production. Exits with 1
//! when a message has no verdict, or more than one.

#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark, which shares files with others"
)]

#[path = "../tests/support/broker/mod.rs"]
mod broker;
#[path = "../tests/support/fleet.rs"]
mod fleet;
#[path = "../tests/support/memory.rs"]
mod memory;

use broker::{Broker, Options as BrokerOptions, send};
use clap::{Parser, ValueEnum};
use fleet::{Fleet, Process};
use nix::sys::signal::Signal;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, ThreadedProducer};
use std::collections::HashMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const PREFIX: &str = "recovery-";
const PARTITIONS: i32 = 4;
/// Messages that are on their way when the event comes.
const IN_FLIGHT: usize = 400;
/// How long verdicts are waited for.
const PATIENCE: Duration = Duration::from_mins(3);
const ZONE: &str = r#"{ "_dmarc.bank.example": [["TXT", "v=DMARC1; p=reject"]] }"#;
const MESSAGE: &[u8] = b"From: a@bank.example\r\nSubject: recovery\r\n\r\nhello\r\n";

#[derive(Parser)]
struct Options {
    /// How often each event is measured
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Measure only this
    #[arg(long)]
    only: Option<Event>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// A disaster that hits the role while messages are on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Event {
    /// The role's process is killed and started again at once, as a supervisor would.
    Process,
    /// The only broker is killed and started again at once.
    Broker,
    /// The only broker shuts down in order and is started again at once.
    BrokerInOrder,
}

impl Event {
    fn text(self) -> &'static str {
        match self {
            Self::Process => "SIGKILL of the process",
            Self::Broker => "SIGKILL of the broker",
            Self::BrokerInOrder => "restart of the broker in order",
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let broker = Broker::start(BrokerOptions::default());
    let names = ["mail.raw", "mail.verdicts", "mail.failures", "mail.dead-letters"].map(|name| format!("{PREFIX}{name}"));
    broker.create_topics(&names.each_ref().map(|name| (name.as_str(), PARTITIONS, &[][..])));
    let mut role = Role::start(&broker);
    let mut mail = Mail::new(&broker);
    println!("{:<32}{:>12}{:>20}{:>16}", "from the event, in seconds", "it is back", "the first verdict", "all partitions");
    for event in Event::value_variants().iter().filter(|event| options.only.is_none_or(|only| only == **event)) {
        for _ in 0..options.runs {
            measure(*event, &broker, &mut role, &mut mail);
        }
    }
    mail.settle(&mut role);
    // A second verdict on a message would come now.
    mail.send(1);
    mail.settle(&mut role);
    let wrong = mail.verdicts.values().filter(|count| **count != 1).count();
    println!("{} messages, of which {wrong} have no verdict or more than one", mail.verdicts.len());
    ExitCode::from(u8::from(wrong > 0))
}

/// The role under a supervisor, which starts it again when it ends.
struct Role {
    fleet: Fleet,
    process: Process,
    /// With which codes it has ended by itself.
    ended: Vec<Option<i32>>,
}

impl Role {
    fn start(broker: &Broker) -> Self {
        let fleet = fleet(broker);
        Self { process: fleet.start("a", &[]), fleet, ended: Vec::new() }
    }

    fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.exit_code();
        self.process = self.fleet.start("a", &[]);
    }

    fn supervise(&mut self) {
        if let Some(code) = self.process.ended() {
            self.ended.push(code);
            self.process = self.fleet.start("a", &[]);
        }
    }
}

/// Processes with the settings of production.
fn fleet(broker: &Broker) -> Fleet {
    let mut fleet = Fleet::new(&broker.bootstrap(), PREFIX, ZONE);
    for short in ["SESSION_TIMEOUT_MS", "HEARTBEAT_INTERVAL_MS", "MAX_POLL_INTERVAL_MS", "TRANSACTION_TIMEOUT_MS"] {
        fleet.unset(&format!("KAFKA__{short}"));
    }
    fleet.unset("KAFKA__DELIVERY_TIMEOUT_MS");
    fleet.unset("KAFKA__PROPERTIES__RECONNECT_BACKOFF_MAX_MS");
    fleet
}

/// Measures from the event to the verdicts on messages that are sent when what was killed is back, one for each partition.
fn measure(event: Event, broker: &Broker, role: &mut Role, mail: &mut Mail) {
    mail.settle(role);
    mail.send(IN_FLIGHT);
    mail.read_until(role, |mail| mail.open() < IN_FLIGHT);
    role.ended.clear();
    let started = Instant::now();
    match event {
        Event::Process => role.kill(),
        Event::Broker => {
            broker.kill();
            broker.restart();
        }
        Event::BrokerInOrder => {
            broker.stop();
            broker.restart();
        }
    }
    let back = started.elapsed();
    let partitions = usize::try_from(PARTITIONS).unwrap();
    let probes = mail.send(partitions);
    let answered = |mail: &Mail| probes.clone().filter(|key| mail.verdicts[key] > 0).count();
    mail.read_until(role, |mail| answered(mail) > 0);
    let first = started.elapsed();
    mail.read_until(role, |mail| answered(mail) == partitions);
    let all = started.elapsed();
    let seconds = |time: Duration| format!("{:.2}", time.as_secs_f64());
    print!("{:<32}{:>12}{:>20}{:>16}", event.text(), seconds(back), seconds(first), seconds(all));
    println!("{}", if role.ended.is_empty() { String::new() } else { format!("  ended by itself: {:?}", role.ended) });
}

/// Messages that were sent, and how many verdicts on each a subscriber has read.
struct Mail {
    producer: ThreadedProducer<DefaultProducerContext>,
    consumer: BaseConsumer,
    verdicts: HashMap<usize, usize>,
}

impl Mail {
    fn new(broker: &Broker) -> Self {
        let mut config = broker.config();
        let producer = config.set("linger.ms", "5").create().unwrap();
        config.set("group.id", "bench-recovery").set("isolation.level", "read_committed").set("fetch.wait.max.ms", "10");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition_range(&format!("{PREFIX}mail.verdicts"), 0, PARTITIONS - 1);
        list.set_all_offsets(rdkafka::Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        Self { producer, consumer, verdicts: HashMap::new() }
    }

    /// Sends so many messages to all partitions in turn; returns their keys.
    fn send(&mut self, count: usize) -> std::ops::Range<usize> {
        let keys = self.verdicts.len()..self.verdicts.len() + count;
        for key in keys.clone() {
            let partition = i32::try_from(key).unwrap() % PARTITIONS;
            let (topic, name) = (format!("{PREFIX}mail.raw"), key.to_string());
            send(&self.producer, BaseRecord::<str, [u8]>::to(&topic).key(&name).payload(MESSAGE).partition(partition));
            self.verdicts.insert(key, 0);
        }
        keys
    }

    /// How many messages have no verdict.
    fn open(&self) -> usize {
        self.verdicts.values().filter(|count| **count == 0).count()
    }

    /// Reads verdicts until something holds.
    fn read_until(&mut self, role: &mut Role, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "{} messages have no verdict", self.open());
            role.supervise();
            self.read(Duration::from_millis(5));
        }
    }

    /// Reads the next verdict, if one comes in this time.
    fn read(&mut self, time: Duration) {
        // Errors are those of a broker that is away; the client goes on by itself.
        if let Some(Ok(message)) = self.consumer.poll(time) {
            let key = message.key_view::<str>().unwrap().unwrap().parse().unwrap();
            *self.verdicts.get_mut(&key).unwrap() += 1;
        }
    }

    /// Waits until every message has its verdict.
    fn settle(&mut self, role: &mut Role) {
        self.read_until(role, |mail| mail.open() == 0);
    }
}
