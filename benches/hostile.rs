//! CPU of messages and zones that are made to cost much, each beside its budget. Exits with 1 when one is over.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/support/hostile.rs"]
mod hostile;
#[path = "support/measure.rs"]
mod measure;

use clap::Parser;
use hostile::{Hostile, Outcome};
use measure::{cpu, median};
use std::process::ExitCode;
use tokio::runtime::Runtime;
use verdmarc::auth::cause::SesStatus;
use verdmarc::auth::dmarc::Policy;
use verdmarc::config::Evaluation;
use verdmarc::dns::Zone;
use verdmarc::verdict::evaluate;

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
    println!("{:<58}{:>10}{:>10}", "in excess", "CPU ms", "budget ms");
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
    for _ in 0..runs.max(1) {
        let (verdict, time) =
            cpu(|| runtime.block_on(evaluate(&hostile.message, &hostile.envelope, &zone, hostile::now(), &settings)));
        times.push(time);
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
    let millis = median(&mut times).as_secs_f64() * 1e3;
    #[expect(clippy::cast_precision_loss, reason = "a budget is a small number")]
    let within = millis <= hostile.budget_ms as f64;
    let mark = if within { "OK" } else { "OVER" };
    println!("{:<58}{millis:>10.2}{:>10}  {mark:<5} {remarks}", hostile.name, hostile.budget_ms);
    good && within
}
