//! Counts figures of the process in atomics, without locks or allocations.

use super::sample::{Sample, by_label};
use super::table;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A sum for each value of a label, or a single sum.
#[derive(Debug)]
pub struct Counter<const N: usize>([AtomicU64; N]);

impl<const N: usize> Counter<N> {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }

    /// Counts one for the value with this index in the label's set.
    pub fn add(&self, index: usize) {
        if let Some(sum) = self.0.get(index) {
            sum.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the sums.
    pub fn sums(&self) -> [u64; N] {
        std::array::from_fn(|index| self.0.get(index).map_or(0, |sum| sum.load(Ordering::Relaxed)))
    }
}

/// A number of things that exist at the moment.
#[derive(Debug)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Counts one more, until the guard is dropped.
    pub fn enter(&'static self) -> Inside {
        self.0.fetch_add(1, Ordering::Relaxed);
        Inside(self)
    }

    fn get(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

/// One thing that a [`Gauge`] counts.
#[derive(Debug)]
pub struct Inside(&'static Gauge);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Number of verdicts: PASS, GRAY, PROCESSING_FAILED, and FAIL with each policy.
pub static VERDICTS: Counter<6> = Counter::new();
/// Number of verdicts by reason code.
pub static REASONS: Counter<64> = Counter::new();
/// Number of dead letters by reason code.
pub static DEAD_LETTERS: Counter<64> = Counter::new();
/// Number of retries that were written.
pub static RETRIES: Counter<1> = Counter::new();
/// Number of failure events that were written.
pub static FAILURES_WRITTEN: Counter<1> = Counter::new();
/// Number of messages in no report, by reason.
pub static UNREPORTED: Counter<3> = Counter::new();
/// Number of DNS questions by outcome.
pub static DNS_QUESTIONS: Counter<9> = Counter::new();
/// Number of DNS questions by the source of their answer.
pub static DNS_CACHE: Counter<3> = Counter::new();
/// Number of claim checks by outcome.
pub static CLAIM_CHECKS: Counter<3> = Counter::new();
/// Number of messages that should be traced, by decision.
pub static TRACES: Counter<2> = Counter::new();
/// Number of DNS questions that wait for the answer of a server.
pub static DNS_IN_FLIGHT: Gauge = Gauge(AtomicI64::new(0));
/// Number of DNS questions that wait for a place.
pub static DNS_WAITING: Gauge = Gauge(AtomicI64::new(0));

/// Status and policy that belong to each sum of [`VERDICTS`].
const OF_VERDICTS: [(&str, &str); 6] = [
    ("PASS", "not_failed"),
    ("GRAY", "not_failed"),
    ("PROCESSING_FAILED", "not_failed"),
    ("FAIL", "none"),
    ("FAIL", "quarantine"),
    ("FAIL", "reject"),
];

/// Returns all figures of this file.
pub fn samples() -> Vec<Sample> {
    let verdicts = OF_VERDICTS.into_iter().zip(VERDICTS.sums());
    let mut samples: Vec<Sample> = verdicts
        .map(|((status, policy), sum)| Sample::new(&table::VERDICTS, sum).with("status", status).with("policy", policy))
        .collect();
    samples.extend(by_label(&table::REASONS, REASONS.sums()));
    samples.extend(by_label(&table::DEAD_LETTERS, DEAD_LETTERS.sums()));
    samples.extend(RETRIES.sums().map(|sum| Sample::new(&table::RETRIES, sum)));
    samples.extend(FAILURES_WRITTEN.sums().map(|sum| Sample::new(&table::FAILURES_WRITTEN, sum)));
    samples.extend(by_label(&table::UNREPORTED, UNREPORTED.sums()));
    samples.extend(by_label(&table::DNS_QUESTIONS, DNS_QUESTIONS.sums()));
    samples.extend(by_label(&table::DNS_CACHE, DNS_CACHE.sums()));
    samples.extend(by_label(&table::CLAIM_CHECKS, CLAIM_CHECKS.sums()));
    samples.extend(by_label(&table::TRACES, TRACES.sums()));
    samples.push(Sample::new(&table::DNS_IN_FLIGHT, DNS_IN_FLIGHT.get()));
    samples.push(Sample::new(&table::DNS_WAITING, DNS_WAITING.get()));
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_label_has_its_sum() {
        for (metric, room) in [
            (&table::REASONS, REASONS.sums().len()),
            (&table::DEAD_LETTERS, DEAD_LETTERS.sums().len()),
            (&table::UNREPORTED, UNREPORTED.sums().len()),
            (&table::DNS_QUESTIONS, DNS_QUESTIONS.sums().len()),
            (&table::DNS_CACHE, DNS_CACHE.sums().len()),
            (&table::CLAIM_CHECKS, CLAIM_CHECKS.sums().len()),
            (&table::TRACES, TRACES.sums().len()),
        ] {
            assert!(metric.labels[0].values.all().len() <= room, "{}", metric.name);
        }
    }
}
