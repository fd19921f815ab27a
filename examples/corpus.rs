//! Writes the generated corpus, and mutations of it, as lines of JSON.

#[path = "../tests/support/corpus/mod.rs"]
mod corpus;

use clap::Parser;
use corpus::{Corpus, export, mutate};
use std::path::PathBuf;

/// Write a corpus of mail with known verdicts: zone.json, corpus.jsonl and, with --mutations, mutations.jsonl
#[derive(Parser)]
struct Options {
    /// Number of messages
    #[arg(long, default_value_t = 2000)]
    count: usize,
    /// Seed: the same seed and count make the same octets
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Directory to write into
    #[arg(long)]
    out: PathBuf,
    /// Number of mutations
    #[arg(long, default_value_t = 0)]
    mutations: usize,
    /// Largest message in bytes that is mutated
    #[arg(long, default_value_t = 16_384)]
    largest: usize,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let corpus = Corpus::generate(options.seed, options.count);
    export::write(&corpus, &options.out)?;
    if options.mutations > 0 {
        anyhow::ensure!(
            corpus.cases.iter().any(|case| case.message.len() <= options.largest),
            "no message of the corpus has at most {} bytes: raise --largest or --count",
            options.largest
        );
        let mut rng = fastrand::Rng::with_seed(options.seed ^ 0x6d75_7461_7465);
        let lines = (0..options.mutations).map(|index| mutate::mutation(&corpus, options.largest, index, &mut rng));
        export::lines(&options.out.join("mutations.jsonl"), lines)?;
    }
    println!("{} messages, {} mutations in {}", corpus.cases.len(), options.mutations, options.out.display());
    Ok(())
}
