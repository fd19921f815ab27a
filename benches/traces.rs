//! The cost of traces: CPU per message with one in a hundred traced beside none, in turns, exported to a collector that takes all.
//!
//! The difference is smaller than what a busy machine does to either, so its parts are measured by themselves too: the decision, which
//! every message pays, and the spans of a traced message with their export. Exits with 1 when their sum is over the target.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a benchmark, which shares files with others"
)]

#[path = "../tests/support/corpus/mod.rs"]
mod corpus;
#[path = "support/measure.rs"]
mod measure;
#[path = "support/sink.rs"]
mod sink;

use clap::Parser;
use corpus::{ARRIVAL, Case, Corpus};
use futures::future::BoxFuture;
use jiff::Timestamp;
use measure::{cpu, median};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use verdmarc::config::{Config, Evaluation, TraceParent};
use verdmarc::dns::{Answer, Question, Resolver, Zone};
use verdmarc::event::headers::Trace;
use verdmarc::event::{Input, Record};
use verdmarc::kafka::Traced as _;
use verdmarc::message::{Envelope, MailFrom};
use verdmarc::telemetry::Telemetry;
use verdmarc::telemetry::sampling::Sampling;
use verdmarc::telemetry::traces::{Ending, Received, Traces};
use verdmarc::verdict::evaluate;

// The command's own allocator.
#[global_allocator]
static ALLOCATOR: verdmarc::Allocator = verdmarc::Allocator;

/// The part of all CPU that traces may take.
const TARGET: f64 = 0.01;
const RATIO: f64 = 0.01;
/// Of so many messages one asks DNS, the others the cache.
const COLD: i64 = 10;

#[derive(Parser)]
struct Options {
    /// Number of different messages
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// Rounds over all of them, with and without traces
    #[arg(long, default_value_t = 40)]
    rounds: usize,
    /// Run only the rounds `with` traces, or those `without` (for a profiler)
    #[arg(long)]
    only: Option<String>,
    /// Be the collector
    #[arg(long, hide = true)]
    sink: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.sink {
        sink::serve();
    }
    let sink = sink::Sink::start();
    let mut config = Config::default();
    config.telemetry.endpoint = Some(sink.endpoint.clone());
    (config.telemetry.metrics, config.telemetry.logs) = (Some(false), Some(false));
    let telemetry = Telemetry::new(&config).unwrap();
    let traces = |ratio| {
        let sampling = Sampling { parent: TraceParent::Respect, ratio, per_second: u32::MAX };
        Traces::of(telemetry.tracer().expect("an endpoint is set"), sampling)
    };
    let bench = Bench::new(options.count);
    let wanted = |name| options.only.as_deref().is_none_or(|only| only == name);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let (on, off, mut offset) = (traces(RATIO), Traces::default(), 0);
    for round in 0..=options.rounds {
        let run = |traces: &Traces, times: &mut Vec<Duration>| {
            let ((), time) = cpu(|| bench.round(traces, offset));
            // The first round warms caches of ours and of the machine.
            if round > 0 {
                times.push(time);
            }
        };
        // Whichever comes second finds the caches of the machine warmer.
        for is_on in [round % 2 == 0, round % 2 != 0] {
            match is_on {
                true if wanted("with") => run(&on, &mut with),
                false if wanted("without") => run(&off, &mut without),
                _ => {}
            }
        }
        offset += options.count as i64;
    }
    if options.only.is_some() {
        println!("{} messages were traced", traced_so_far());
        return ExitCode::SUCCESS;
    }
    let micros = |times: &[Duration]| median(&mut times.to_vec()).as_secs_f64() * 1e6 / options.count as f64;
    let (of_with, of_without) = (micros(&with), micros(&without));
    let mut ratios: Vec<f64> =
        with.iter().zip(&without).map(|(with, without)| with.as_secs_f64() / without.as_secs_f64()).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let at = |part: usize| (ratios[ratios.len() * part / 4] - 1.0) * 100.0;
    println!(
        "CPU per message: {of_without:.1} µs without traces, {of_with:.1} µs with {} of {} traced; in turns {:+.2} % (quartiles {:+.2} \
         to {:+.2})",
        traced_so_far(),
        (options.rounds + 1) * options.count,
        at(2),
        at(1),
        at(3),
    );
    let decision = decision(&traces(0.0));
    let traced = spans(&bench, &traces(1.0), &telemetry);
    let share = (decision + RATIO * traced) / of_without;
    let mark = if share <= TARGET { "OK" } else { "OVER" };
    println!(
        "its parts: the decision {:.0} ns for each message, {traced:.1} µs for a traced one, export included: {:.2} % \
         (to reach: {:.0} %) {mark}",
        decision * 1e3,
        share * 100.0,
        TARGET * 100.0
    );
    telemetry.shutdown();
    ExitCode::from(u8::from(share > TARGET))
}

fn traced_so_far() -> u64 {
    let [sampled, _] = verdmarc::metrics::TRACES.sums();
    sampled
}

/// Microseconds of a decision. With a ratio of 0 none of them is for a span.
fn decision(traces: &Traces) -> f64 {
    const TIMES: i64 = 2_000_000;
    let (trace, record) = (Trace::default(), record(0, Vec::new()));
    let mut input = input(0);
    let received = Received { record: &record, group: "g", attempt: 1, at: SystemTime::now() };
    let ((), all) = cpu(|| {
        for offset in 0..TIMES {
            input.offset = offset;
            black_box(traces.message(&received, &trace, &input));
        }
    });
    all.as_secs_f64() * 1e6 / TIMES as f64
}

/// Microseconds of the spans of a message, with their export.
fn spans(bench: &Bench, traces: &Traces, telemetry: &Telemetry) -> f64 {
    const TIMES: usize = 20;
    const AT_ONCE: usize = 200;
    let [_, losses, _] = telemetry.losses();
    let (dropped, before) = (losses.dropped(), traced_so_far());
    let ((), all) = cpu(|| {
        for _ in 0..TIMES {
            for (offset, case) in (0..).zip(bench.corpus.cases.iter().cycle().take(AT_ONCE)) {
                bench.runtime.block_on(bench.spans_of(traces, case, offset));
            }
            // Nothing is to be dropped, so what there is gets time to be exported.
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert_eq!(losses.dropped(), dropped, "what is dropped costs less");
    all.as_secs_f64() * 1e6 / (traced_so_far() - before) as f64
}

struct Bench {
    corpus: Corpus,
    zone: Zone,
    envelopes: Vec<Envelope>,
    settings: Evaluation,
    now: Timestamp,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new(count: usize) -> Self {
        let corpus = Corpus::generate(1, count);
        Self {
            zone: Zone::from_json(&corpus.zone.to_json()).unwrap(),
            envelopes: corpus.cases.iter().map(envelope).collect(),
            corpus,
            settings: Evaluation::default(),
            now: Timestamp::from_second(ARRIVAL).unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    fn round(&self, traces: &Traces, first: i64) {
        for (offset, (case, envelope)) in (first..).zip(self.corpus.cases.iter().zip(&self.envelopes)) {
            self.runtime.block_on(self.message(traces, case, envelope, offset));
        }
    }

    /// Handles a message as the role does, as far as traces bear on it.
    async fn message(&self, traces: &Traces, case: &Case, envelope: &Envelope, offset: i64) {
        let record = record(offset, case.message.clone());
        let received = Received { record: &record, group: "verdmarc-verdict", attempt: 1, at: SystemTime::now() };
        let span = traces.message(&received, &Trace::default(), &input(offset));
        let evaluating = span.as_ref().map(|span| span.evaluating());
        let zone: &dyn Resolver = if offset % COLD == 0 { &Cold(&self.zone) } else { &self.zone };
        let asking = evaluating.as_ref().map(|evaluating| evaluating.asking(zone));
        let resolver: &dyn Resolver = match &asking {
            Some(asking) => asking,
            None => zone,
        };
        let verdict = evaluate(&case.message, envelope, resolver, self.now, &self.settings).await;
        drop(asking);
        drop(evaluating);
        if let Some(span) = span {
            black_box(Trace::default().within(span.context()));
            span.ends(Ending::Judged { status: verdict.dmarc.as_str(), policy: None });
            span.batched(SystemTime::now());
            span.committed(SystemTime::now(), 1_000);
        }
    }

    /// The spans of a message without its evaluation, with a question or two to DNS.
    async fn spans_of(&self, traces: &Traces, case: &Case, offset: i64) {
        let record = record(offset, Vec::new());
        let received = Received { record: &record, group: "verdmarc-verdict", attempt: 1, at: SystemTime::now() };
        let span = traces.message(&received, &Trace::default(), &input(offset)).expect("all are sampled");
        let evaluating = span.evaluating();
        let name = case.mail_from.rsplit('@').next().unwrap_or_default();
        if let Some(name) = verdmarc::dns::QueryName::new(name) {
            let asking = evaluating.asking(&self.zone);
            for question in [Question::txt(name.clone()), Question::new(name, verdmarc::dns::RecordType::A)] {
                black_box(asking.resolve(&question).await);
            }
        }
        drop(evaluating);
        black_box(Trace::default().within(span.context()));
        span.ends(Ending::Judged { status: "PASS", policy: None });
        span.batched(SystemTime::now());
        span.committed(SystemTime::now(), 1_000);
    }
}

/// Has nothing at hand.
struct Cold<'z>(&'z Zone);

impl Resolver for Cold<'_> {
    fn at_hand(&self, _question: &Question) -> Option<Arc<Answer>> {
        None
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        self.0.resolve(question)
    }
}

fn record(offset: i64, message: Vec<u8>) -> Record {
    Record {
        topic: "mail.raw".into(),
        partition: 3,
        offset,
        timestamp: None,
        key: None,
        value: Some(message),
        headers: Some(verdmarc::event::Headers::default()),
    }
}

fn input(offset: i64) -> Input {
    Input { topic: "mail.raw".to_owned(), partition: 3, offset, attempt: 1 }
}

fn envelope(case: &Case) -> Envelope {
    Envelope {
        client_ip: Some(case.client_ip),
        helo: Some(case.helo.clone()),
        mail_from: if case.mail_from.is_empty() { MailFrom::Null } else { MailFrom::Path(case.mail_from.clone()) },
        arrival: Timestamp::from_second(ARRIVAL).ok(),
        ..Envelope::default()
    }
}
