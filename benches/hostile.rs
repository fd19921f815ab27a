//! CPU and memory of messages and zones that are made to cost much, each beside its budget. Exits with 1 when one is over.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/support/hostile.rs"]
mod hostile;
#[path = "support/measure.rs"]
mod measure;
#[path = "../tests/support/peak.rs"]
mod peak;

use clap::Parser;
use hostile::{Hostile, Outcome, memory};
use measure::{cpu, median};
use peak::peak_of;
use std::process::ExitCode;
use tokio::runtime::Runtime;
use verdmarc::auth::cause::SesStatus;
use verdmarc::auth::dmarc::Policy;
use verdmarc::config::Evaluation;
use verdmarc::dns::Zone;
use verdmarc::verdict::evaluate;

#[global_allocator]
static ALLOCATOR: peak::Peak = peak::Peak;

#[derive(Parser)]
struct Options {
    /// Runs of each, of which the median counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Size of the largest bodies in MiB
    #[arg(long, default_value_t = 40)]
    body: usize,
    /// Only those whose name holds this
    #[arg(long, default_value = "")]
    only: String,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Room for the fields, so that the whole message stays within the limit on its size.
    let body = (options.body << 20).saturating_sub(64 << 10);
    let mut good = true;
    println!("{:<64}{:>10}{:>10}{:>10}{:>10}", "in excess", "CPU ms", "budget ms", "KiB", "allowed");
    for hostile in hostile::all(body).iter().filter(|hostile| hostile.name.contains(&options.only)) {
        good &= measure_one(&runtime, hostile, options.runs);
    }
    ExitCode::from(u8::from(!good))
}

fn measure_one(runtime: &Runtime, hostile: &Hostile, runs: usize) -> bool {
    let zone = Zone::from_json(&hostile.zone).unwrap();
    let settings = Evaluation::default();
    let mut times = Vec::new();
    let mut good = true;
    let mut remarks = String::new();
    let mut most = 0;
    for _ in 0..runs.max(1) {
        let evaluation = || runtime.block_on(evaluate(&hostile.message, &hostile.envelope, &zone, hostile::now(), &settings));
        let ((verdict, time), memory) = peak_of(|| cpu(evaluation));
        times.push(time);
        most = most.max(memory);
        let right = match hostile.outcome {
            Outcome::Reject => verdict.dmarc == SesStatus::Fail && verdict.dmarc_policy == Some(Policy::Reject),
            Outcome::Unusable => verdict.dmarc == SesStatus::ProcessingFailed,
            Outcome::NotPass => verdict.dmarc != SesStatus::Pass,
        };
        remarks = verdict.authentication.dmarc.reasons.iter().map(|reason| reason.code()).collect::<Vec<_>>().join(" ");
        if !right {
            good = false;
            remarks = format!("WRONG: {:?} {:?}; {remarks}", verdict.dmarc, verdict.dmarc_policy);
        }
    }
    let allowed = memory(&hostile.message);
    let millis = median(&mut times).as_secs_f64() * 1e3;
    #[expect(clippy::cast_precision_loss, reason = "a budget is a small number")]
    let within = millis <= hostile.budget_ms as f64 && most <= allowed;
    let mark = if within { "OK" } else { "OVER" };
    let (name, budget) = (hostile.name, hostile.budget_ms);
    println!("{name:<64}{millis:>10.2}{budget:>10}{:>10}{:>10}  {mark:<5} {remarks}", most >> 10, allowed >> 10);
    good && within
}
