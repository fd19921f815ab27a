//! The verdict role on Apache Kafka: CPU per message beside the stock mail-auth loop without Kafka, memory, and the time from
//! produce to visible verdict. Exits with 1 when a target is missed.
//!
//! Two parts of the CPU are printed beside the whole, because they are not ours to save: what the client library's own threads
//! take, and the bare cryptography.

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
#[path = "../tests/support/corpus/mod.rs"]
mod corpus;
#[path = "support/floor.rs"]
mod floor;
#[path = "support/measure.rs"]
mod measure;
#[path = "../tests/support/memory.rs"]
mod memory;
#[path = "support/process.rs"]
mod process;
#[path = "support/stock.rs"]
mod stock;

// The command's own allocator, for the stock loop too.
#[global_allocator]
static ALLOCATOR: verdmarc::Allocator = verdmarc::Allocator;

use broker::{Broker, Options as BrokerOptions};
use clap::Parser;
use corpus::Corpus;
use floor::Floor;
use measure::{cpu, median};
use process::{Latency, Role, Topics};
use std::process::ExitCode;
use std::time::Duration;
use stock::Stock;

/// Ratios to the stock loop that are to be reached, by compression of the input.
const TARGETS: [(&str, Option<f64>); 3] = [("none", Some(1.35)), ("lz4", Some(1.6)), ("zstd", None)];
/// The time from produce to visible verdict that 99 of 100 are to stay under.
const TARGET_P99: Duration = Duration::from_millis(500);
/// For how long messages are sent before their times count.
const WARM: Duration = Duration::from_secs(5);

#[derive(Parser)]
struct Options {
    /// Number of different messages
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// How often each is sent. Commits come in steps of a thousand messages and more: a run of a second measures nothing
    #[arg(long, default_value_t = 60)]
    times: usize,
    /// Measure only the time to the verdict, at so many messages per second
    #[arg(long)]
    latency_at: Option<f64>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let corpus = Corpus::generate(1, options.count);
    if let Some(per_second) = options.latency_at {
        return latency(&Broker::start(BrokerOptions::default()), &corpus, per_second);
    }
    let stock = StockLoop::new(&corpus);
    let floor = Floor::new(&corpus);
    let broker = Broker::start(BrokerOptions::default());
    let mut good = true;
    let mut throughput = 0.0;
    for (compression, target) in TARGETS {
        let decoding = process::decoding_micros(&corpus, compression);
        let topics = Topics::create(&broker, &format!("{compression}-"));
        topics.produce(&broker, &corpus, options.times, compression);
        let before = stock.micros();
        let run = Role::start(&broker, &topics, &corpus).measure(&broker, &topics);
        // The machine is not as fast at all times.
        let stock = f64::midpoint(before, stock.micros());
        let cryptography = micros(&corpus, || _ = std::hint::black_box(floor.hash() + floor.verify()));
        let ratio = run.micros / stock;
        let mark = match target {
            None => String::new(),
            Some(target) => {
                good &= ratio <= target;
                format!("(to reach: {target}) {}", if ratio <= target { "OK" } else { "OVER" })
            }
        };
        println!(
            "{compression:<5} {:>8.1} µs per message, stock mail-auth without Kafka {stock:.1}: ratio {ratio:.2} {mark}  \
             (client library {:.1}, cryptography {cryptography:.1}, bare decoding {decoding:.1})  {:>7.0} messages/s  peak {:>4} MiB",
            run.micros,
            run.library,
            run.per_second,
            run.peak >> 20
        );
        if compression == "none" {
            throughput = run.per_second;
        }
    }
    // A broker of its own: by now the first one has gigabytes to bring to the disk, and until that is done every write waits.
    drop(broker);
    let synced = std::process::Command::new("sync").status();
    assert!(synced.is_ok_and(|status| status.success()), "sync");
    let in_time = latency(&Broker::start(BrokerOptions::default()), &corpus, throughput / 2.0);
    if good { in_time } else { ExitCode::FAILURE }
}

/// The time to the verdict, of messages sent at a fixed rate.
fn latency(broker: &Broker, corpus: &Corpus, per_second: f64) -> ExitCode {
    let topics = Topics::create(broker, "latency-");
    let role = Role::start(broker, &topics, corpus);
    let mut latency = Latency::measure(broker, &topics, corpus, per_second, WARM, Duration::from_secs(10));
    let (p50, p99) = (latency.percentile(50), latency.percentile(99));
    drop(role);
    println!("produce to visible verdict at {per_second:.0} messages/s: p50 {p50:.1?}, p99 {p99:.1?} (to reach: {TARGET_P99:?})");
    ExitCode::from(u8::from(p99 > TARGET_P99))
}

/// The stock loop, to be measured again and again.
struct StockLoop<'c> {
    corpus: &'c Corpus,
    runtime: tokio::runtime::Runtime,
    stock: Stock,
}

impl<'c> StockLoop<'c> {
    fn new(corpus: &'c Corpus) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stock = {
            let _context = runtime.enter();
            Stock::new(&corpus.zone)
        };
        Self { corpus, runtime, stock }
    }

    fn micros(&self) -> f64 {
        micros(self.corpus, || self.runtime.block_on(self.stock.verify_all(self.corpus)))
    }
}

/// CPU of a message, median of some rounds over the corpus; the first one warms up.
fn micros(corpus: &Corpus, round: impl Fn()) -> f64 {
    round();
    let mut times: Vec<Duration> = (0..7).map(|_| cpu(&round).1).collect();
    median(&mut times).as_secs_f64() * 1e6 / corpus.cases.len() as f64
}
