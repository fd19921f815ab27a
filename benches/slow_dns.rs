//! The delay that messages with slow DNS bring to all others (K11): the time from produce to visible verdict of 200 messages a
//! second, without slow ones and beside five slow ones a second, and the throughput with two slow ones in a thousand. Exits with 1
//! when a target is missed.

#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark, which shares files with others"
)]

#[path = "../tests/support/broker/mod.rs"]
mod broker;
#[path = "support/child.rs"]
mod child;

use broker::{Broker, Options as BrokerOptions, eventually, send};
use child::Measured;
use clap::Parser;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 12;
/// Messages a second that are not slow.
const RATE: f64 = 200.0;
const WARM: Duration = Duration::from_secs(5);
/// How much longer the others may take beside five slow messages a second.
const MOST_DELAY: f64 = 1.3;
/// How much of the throughput is to be left with two slow messages in a thousand.
const LEAST_THROUGHPUT: f64 = 0.9;

#[derive(Parser)]
struct Options {
    /// Runs of each, in turns
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Seconds for which the time to the verdict is measured
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Messages of a run for the throughput
    #[arg(long, default_value_t = 100_000)]
    count: usize,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let dns = answer_all_but_slow();
    let broker = Broker::start(BrokerOptions::default());
    let length = Duration::from_secs(options.seconds);
    let (mut delays, mut rates) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for run in 0..options.runs {
        for (place, slow) in [0, 5].into_iter().enumerate() {
            let stream = Stream::start(&broker, &format!("delay-{run}-{slow}-"), dns);
            let times = stream.delays(f64::from(slow), length);
            let percentile = |percent: usize| times[times.len() * percent / 100].as_secs_f64() * 1e3;
            println!("run {run}: {slow} slow a second: p50 {:.0} ms, p99 {:.0} ms", percentile(50), percentile(99));
            delays[place].push((percentile(50), percentile(99)));
        }
        for (place, every) in [None, Some(500)].into_iter().enumerate() {
            let stream = Stream::start(&broker, &format!("rate-{run}-{place}-"), dns);
            let rate = stream.throughput(options.count, every);
            println!("run {run}: {} slow in a thousand: {rate:.0} messages/s", if every.is_some() { 2 } else { 0 });
            rates[place].push(rate);
        }
    }
    let [p50, p99] = [0, 1].map(|which| {
        let [without, with] = delays.each_ref().map(|of| median(of.iter().map(|both| if which == 0 { both.0 } else { both.1 })));
        with / without
    });
    let [without, with] = rates.map(|of| median(of.into_iter()));
    let (left, good) = (with / without, p50 <= MOST_DELAY && p99 <= MOST_DELAY && with / without >= LEAST_THROUGHPUT);
    println!(
        "beside five slow messages a second the others take {p50:.2} (p50) and {p99:.2} (p99) times as long (to reach: {MOST_DELAY}); \
         with two in a thousand {left:.2} of the throughput is left (to reach: {LEAST_THROUGHPUT})"
    );
    ExitCode::from(u8::from(!good))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A DNS server that says of every name that it does not exist, but of those of slow messages nothing.
fn answer_all_but_slow() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 1_500];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let question = &mut query[..length];
            if question.to_ascii_lowercase().windows(5).any(|part| part == b"\x04slow") {
                continue;
            }
            // QR and RA are set, the code is NXDOMAIN, and the additional section is gone.
            let name = question[12..].iter().position(|octet| *octet == 0).unwrap();
            (question[2], question[3]) = (question[2] | 0x80, 0x83);
            question[6..12].fill(0);
            let _ = socket.send_to(&question[..12 + name + 5], from);
        }
    });
    address
}

/// The role, and the topics of one run.
struct Stream<'b> {
    broker: &'b Broker,
    prefix: String,
    producer: ThreadedProducer<DefaultProducerContext>,
    verdicts: BaseConsumer,
    _role: Measured,
}

impl<'b> Stream<'b> {
    /// Starts the role, and waits until its first verdict has come.
    fn start(broker: &'b Broker, prefix: &str, dns: SocketAddr) -> Self {
        let named = |name: &str| format!("{prefix}{name}");
        let names = ["mail.raw", "mail.verdicts", "mail.failures", "mail.dead-letters"].map(named);
        broker.create_topics(&names.each_ref().map(|name| (name.as_str(), PARTITIONS, &[][..])));
        let mut config = broker.config();
        let producer = config.set("linger.ms", "5").set("queue.buffering.max.messages", "500000").create().unwrap();
        let mut config = broker.config();
        config.set("group.id", "bench-slow-dns").set("isolation.level", "read_committed").set("fetch.wait.max.ms", "10");
        let verdicts: BaseConsumer = config.create().unwrap();
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition_range(&named("mail.verdicts"), 0, PARTITIONS - 1);
        list.set_all_offsets(rdkafka::Offset::Beginning).unwrap();
        verdicts.assign(&list).unwrap();
        let settings = [
            ("KAFKA__BROKERS", broker.bootstrap()),
            ("KAFKA__GROUP_PREFIX", prefix.to_owned()),
            ("KAFKA__INSTANCE", "bench".to_owned()),
            ("KAFKA__CHECK_TOPICS", "false".to_owned()),
            ("TOPICS__PREFIX", prefix.to_owned()),
            ("DNS__SERVERS", format!("[\"{dns}\"]")),
            ("RECEIVER__DOMAIN", "mx.recv.example".to_owned()),
            ("LOG__FILTER", "error".to_owned()),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_verdmarc"));
        command.args(["run", "--roles", "verdict"]).stdin(Stdio::null());
        command.envs(settings.map(|(name, value)| (format!("VERDMARC_{name}"), value)));
        let role = Measured(command.spawn().unwrap());
        let stream = Self { broker, prefix: prefix.to_owned(), producer, verdicts, _role: role };
        stream.send(0, false, "warm");
        eventually("the first verdict", || stream.verdict());
        stream
    }

    fn send(&self, number: usize, is_slow: bool, key: &str) {
        // Each slow message has a domain of its own, so that no limit of one domain helps.
        let domain = if is_slow { format!("slow.s{number}.example") } else { format!("m{}.example", number % 50) };
        let message = format!("From: a@{domain}\r\nSubject: {number}\r\n\r\nhello\r\n");
        let sender = format!("a@{domain}");
        let envelope = [("ce_clientip", "203.0.113.5"), ("ce_helo", "client.example"), ("ce_mailfrom", &sender)];
        let headers = envelope
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value.as_bytes()) }));
        let topic = format!("{}mail.raw", self.prefix);
        let partition = i32::try_from(number).unwrap() % PARTITIONS;
        send(
            &self.producer,
            BaseRecord::<str, [u8]>::to(&topic).key(key).payload(message.as_bytes()).headers(headers).partition(partition),
        );
    }

    /// The key of the next verdict, if one comes within a moment.
    fn verdict(&self) -> Option<String> {
        let message = self.verdicts.poll(Duration::from_millis(1))?.unwrap();
        Some(String::from_utf8(message.key().unwrap().to_vec()).unwrap())
    }

    /// The times from produce to visible verdict of the messages that are not slow, in order. They are sent at a fixed rate,
    /// whatever comes back, and slow ones between them.
    fn delays(&self, slow_per_second: f64, length: Duration) -> Vec<Duration> {
        let started = Instant::now();
        let number = |rate: f64, time: Duration| (rate * time.as_secs_f64()) as usize;
        let (total, early) = (number(RATE, WARM + length), number(RATE, WARM));
        let (mut next, mut slow, mut times, mut came) = (0, 0, Vec::new(), 0);
        while came < total {
            let elapsed = started.elapsed();
            assert!(elapsed < WARM + length + Duration::from_mins(1), "{came} of {total} verdicts came");
            while next < total && number(RATE, elapsed) > next {
                self.send(next, false, &next.to_string());
                next += 1;
            }
            while next < total && number(slow_per_second, elapsed) > slow {
                // Over all partitions in turns.
                self.send(slow * 7, true, "slow");
                slow += 1;
            }
            let Some(place) = self.verdict().and_then(|key| key.parse::<usize>().ok()) else { continue };
            came += 1;
            if place >= early {
                let due = started + Duration::from_secs_f64(place as f64 / RATE);
                times.push(due.elapsed());
            }
        }
        times.sort_unstable();
        times
    }

    /// Messages a second, of those that are not slow, from the first verdict on; every so many is slow.
    fn throughput(&self, count: usize, slow: Option<usize>) -> f64 {
        let is_slow = |number: usize| slow.is_some_and(|every| number % every == every / 2);
        let others = (0..count).filter(|number| !is_slow(*number)).count();
        let started = Instant::now();
        for number in 0..count {
            let key = if is_slow(number) { "slow" } else { "other" };
            self.send(number, is_slow(number), key);
        }
        self.producer.flush(Duration::from_mins(1)).unwrap();
        let mut came = 0;
        while came < others {
            assert!(started.elapsed() < Duration::from_mins(5), "{came} of {others} verdicts came");
            came += usize::from(self.verdict().as_deref() == Some("other"));
        }
        others as f64 / started.elapsed().as_secs_f64()
    }
}
