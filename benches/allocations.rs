//! What one message allocates, ours beside a plain loop over stock mail-auth. A run of its own, because counting takes time.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::cast_precision_loss, reason = "a benchmark")]

#[path = "../tests/support/corpus/mod.rs"]
mod corpus;
#[path = "support/judge.rs"]
mod judge;
#[path = "support/stock.rs"]
#[allow(dead_code, reason = "one of the benchmarks that share this file does not look at what stock says")]
mod stock;

use corpus::Corpus;
use judge::Judge;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use stock::Stock;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let corpus = Corpus::generate(1, 2000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (stock, judge) = {
        let _context = runtime.enter();
        (Stock::new(&corpus.zone), Judge::new(&corpus.zone.to_json()))
    };
    let envelopes: Vec<_> = corpus.cases.iter().map(judge::envelope).collect();
    let theirs = || runtime.block_on(stock.verify_all(&corpus));
    let ours = || runtime.block_on(judge.verdicts(&corpus, &envelopes));
    for (name, round) in [("stock mail-auth", &theirs as &dyn Fn()), ("verdmarc", &ours)] {
        // The first round fills caches.
        round();
        let region = Region::new(ALLOCATOR);
        round();
        let change = region.change();
        let count = corpus.cases.len() as f64;
        let allocations = (change.allocations + change.reallocations) as f64;
        println!(
            "{name:<16}{:>9.0} B in {:>6.1} allocations a message",
            change.bytes_allocated as f64 / count,
            allocations / count
        );
    }
}
