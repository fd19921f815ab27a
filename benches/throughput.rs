//! CPU per message, ours beside a plain loop over stock mail-auth, on the same corpus in the same process.
//!
//! Exits with 1 when a verdict of ours differs from what the corpus's generator expects.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark"
)]

#[path = "../tests/support/corpus/mod.rs"]
mod corpus;
#[path = "support/floor.rs"]
mod floor;
#[path = "support/judge.rs"]
mod judge;
#[path = "support/measure.rs"]
mod measure;
#[path = "support/stock.rs"]
mod stock;

use clap::Parser;
use corpus::Corpus;
use floor::Floor;
use judge::Judge;
use measure::{cpu, median};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;
use stock::Stock;

// The command's own allocator, for both.
#[global_allocator]
static ALLOCATOR: verdmarc::Allocator = verdmarc::Allocator;

/// The ratio that is to be reached: CPU of ours to CPU of the stock loop.
const TARGET: f64 = 0.85;

#[derive(Parser)]
struct Options {
    /// Number of messages
    #[arg(long, default_value_t = 2000)]
    count: usize,
    /// Seed of the corpus
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rounds over the whole corpus, of each
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Measure only one: `ours` or `stock` (for a profiler)
    #[arg(long)]
    only: Option<String>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// CPU times of rounds.
#[derive(Default)]
struct Series {
    rounds: Vec<Duration>,
}

impl Series {
    fn round(&mut self, work: impl FnOnce()) {
        let ((), time) = cpu(work);
        self.rounds.push(time);
    }

    /// Prints a line and returns the median in microseconds per message.
    fn print(&mut self, name: &str, count: usize) -> f64 {
        let count = count as f64;
        let micros = median(&mut self.rounds).as_secs_f64() * 1e6 / count;
        let (low, high) = (self.rounds.first(), self.rounds.last());
        let range = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e6 / count);
        println!(
            "{name:<22}{micros:>8.1} µs   ({:.1} to {:.1})   {:>8.0} messages/s and core",
            range(low),
            range(high),
            1e6 / micros,
        );
        micros
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let corpus = Corpus::generate(options.seed, options.count);
    let count = corpus.cases.len();
    describe(&corpus);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (stock, judge, floor) = {
        let _context = runtime.enter();
        (Stock::new(&corpus.zone), Judge::new(&corpus.zone.to_json()), Floor::new(&corpus))
    };
    let envelopes: Vec<_> = corpus.cases.iter().map(judge::envelope).collect();

    let (mut ours, mut theirs, mut hashes, mut checks) =
        (Series::default(), Series::default(), Series::default(), Series::default());
    let wanted = |name| options.only.as_deref().is_none_or(|only| only == name);
    for round in 0..=options.rounds {
        if wanted("stock") {
            theirs.round(|| runtime.block_on(stock.verify_all(&corpus)));
        }
        if wanted("ours") {
            ours.round(|| runtime.block_on(judge.verdicts(&corpus, &envelopes)));
        }
        hashes.round(|| {
            black_box(floor.hash());
        });
        checks.round(|| {
            black_box(floor.verify());
        });
        if round == 0 {
            // The first round warms caches of ours and of the machine.
            for series in [&mut ours, &mut theirs, &mut hashes, &mut checks] {
                series.rounds.clear();
            }
        }
    }

    println!("\nCPU per message, median of {} rounds:", options.rounds);
    hashes.print("floor: SHA-256", count);
    checks.print("floor: signatures", count);
    let stock_micros = wanted("stock").then(|| theirs.print("stock mail-auth", count));
    let our_micros = wanted("ours").then(|| ours.print("verdmarc", count));
    if let (Some(ours), Some(stock)) = (our_micros, stock_micros) {
        let ratio = ours / stock;
        let mark = if ratio <= TARGET { "OK" } else { "OVER" };
        println!("ratio verdmarc/stock  {ratio:>8.3}      (to reach: {TARGET})  {mark}");
    }

    let stock_differs = runtime.block_on(compare_stock(&corpus, &stock));
    println!("\nstock mail-auth differs from the expectation in {stock_differs} of {count} messages");
    let differences = runtime.block_on(judge.differences(&corpus));
    for difference in differences.iter().take(20) {
        println!("  {difference}");
    }
    println!("verdmarc differs from the expectation in {} of {count} messages", differences.len());
    ExitCode::from(u8::from(!differences.is_empty()))
}

fn describe(corpus: &Corpus) {
    let mut sizes: Vec<_> = corpus.cases.iter().map(|case| case.message.len()).collect();
    sizes.sort_unstable();
    let total: usize = sizes.iter().sum();
    let signatures: usize = corpus.cases.iter().map(|case| case.work.len()).sum();
    let count = sizes.len().max(1);
    println!(
        "{count} messages: median {} B, mean {} B, largest {} B; {:.2} signatures a message; {} names in the zone",
        sizes.get(count / 2).copied().unwrap_or_default(),
        total / count,
        sizes.last().copied().unwrap_or_default(),
        signatures as f64 / count as f64,
        corpus.zone.0.len(),
    );
}

/// How many messages stock mail-auth judges otherwise; it is shown, not judged.
async fn compare_stock(corpus: &Corpus, stock: &Stock) -> usize {
    let mut differs = 0;
    for case in &corpus.cases {
        let verdict = stock.verify(case).await;
        let expected = &case.expected;
        let signatures: Vec<bool> = expected.signatures.iter().map(|signature| signature.passes).collect();
        let same = verdict.spf == expected.spf
            && verdict.signatures == signatures
            && verdict.dmarc == expected.dmarc
            && verdict.policy == expected.dmarc_policy;
        if !same {
            differs += 1;
            if differs <= 5 {
                println!("  {}: stock says {verdict:?}, expected {expected:?}", case.id);
            }
        }
    }
    differs
}
