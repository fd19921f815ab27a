//! The cost of telemetry for the verdict role on Apache Kafka: CPU per message without it, with metrics, and with one in a hundred messages
//! traced besides, in turns. Exits with 1 when a target is missed.

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
#[path = "support/measure.rs"]
mod measure;
#[path = "../tests/support/memory.rs"]
mod memory;
#[path = "support/process.rs"]
mod process;

use broker::{Broker, Options as BrokerOptions};
use clap::Parser;
use corpus::Corpus;
use process::{Role, Topics};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

/// CPU that metrics may take, and what traces may take besides, as parts of the CPU without either.
const METRICS: f64 = 0.03;
const TRACES: f64 = 0.01;

#[derive(Parser)]
struct Options {
    /// Number of different messages
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// How often each is sent in a turn
    #[arg(long, default_value_t = 60)]
    times: usize,
    /// Turns; the median of each kind counts
    #[arg(long, default_value_t = 5)]
    turns: usize,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Answers every request as a collector does that has taken what came.
fn collector() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(&stream));
        }
    });
    endpoint
}

fn answer(stream: &TcpStream) -> Option<()> {
    let mut requests = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if requests.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(bytes) = line.strip_prefix("content-length:") {
                length = bytes.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        requests.by_ref().take(length).read_to_end(&mut Vec::new()).ok()?;
        let mut answers = stream;
        answers.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let corpus = Corpus::generate(1, options.count);
    let broker = Broker::start(BrokerOptions::default());
    let on = |traces: &str| {
        vec![
            ("HEALTH__LISTEN", "127.0.0.1:0".to_owned()),
            ("TELEMETRY__ENDPOINT", collector()),
            ("TELEMETRY__METRICS_INTERVAL_MS", "5000".to_owned()),
            ("TELEMETRY__TRACES", traces.to_owned()),
            ("TELEMETRY__LOGS", "false".to_owned()),
        ]
    };
    let kinds = [("off", Vec::new()), ("metrics", on("false")), ("traces", on("true"))];
    let mut taken: [Vec<f64>; 3] = Default::default();
    for turn in 0..options.turns {
        for ((name, settings), taken) in kinds.iter().zip(&mut taken) {
            let topics = Topics::create(&broker, &format!("{name}-{turn}-"));
            topics.produce(&broker, &corpus, options.times, "none");
            taken.push(Role::start_with(&broker, &topics, &corpus, settings).measure(&broker, &topics).micros);
        }
    }
    let [off, metrics, traces] = taken.map(|mut micros| {
        micros.sort_unstable_by(f64::total_cmp);
        micros[micros.len() / 2]
    });
    let (of_metrics, of_traces) = (metrics / off - 1.0, (traces - metrics) / off);
    let mark = |part: f64, most: f64| if part <= most { "OK" } else { "OVER" };
    println!(
        "telemetry off {off:.1} µs per message; metrics {metrics:.1}, {:+.1} % (to reach: {:.0} %) {}; traces too {traces:.1}, {:+.1} % more \
         (to reach: {:.0} %) {}",
        of_metrics * 100.0,
        METRICS * 100.0,
        mark(of_metrics, METRICS),
        of_traces * 100.0,
        TRACES * 100.0,
        mark(of_traces, TRACES)
    );
    ExitCode::from(u8::from(of_metrics > METRICS || of_traces > TRACES))
}
