//! Counts the records, transactions and partitions that a pipeline has handled.

use crate::kafka::transaction::abort::Cause;
use crate::metrics::{Sample, table};

/// The totals of a pipeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records read.
    pub read: u64,
    /// Records written.
    pub written: u64,
    /// Commits.
    pub commits: u64,
    /// Transactions that were aborted, for each cause; their batches are written again.
    pub aborts: [u64; Cause::ALL.len()],
    /// Transactions that failed and ended the role.
    pub failed: u64,
    /// Partitions that were begun again, because their log may be another one or another member may
    /// have had them.
    pub begun_again: u64,
    /// Partitions that were continued at the end of a log that had been cut off.
    pub cut_off: u64,
    /// Records left to the next owner.
    pub left: u64,
    /// Records that broke the producer's contract.
    pub refused: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;

    /// Adds up the totals of two pipelines.
    fn add(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            written: self.written + other.written,
            commits: self.commits + other.commits,
            aborts: std::array::from_fn(|cause| self.aborts[cause] + other.aborts[cause]),
            failed: self.failed + other.failed,
            begun_again: self.begun_again + other.begun_again,
            cut_off: self.cut_off + other.cut_off,
            left: self.left + other.left,
            refused: self.refused + other.refused,
        }
    }
}

impl Tally {
    /// Returns the totals as samples.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let mut samples = vec![
            Sample::new(&table::RECORDS_READ, self.read),
            Sample::new(&table::RECORDS_WRITTEN, self.written),
            Sample::new(&table::RECORDS_REFUSED, self.refused),
            Sample::new(&table::RECORDS_LEFT, self.left),
            Sample::new(&table::PARTITIONS_BEGUN_AGAIN, self.begun_again),
            Sample::new(&table::PARTITIONS_CUT_OFF, self.cut_off),
        ];
        let outcomes = [("committed", self.commits), ("aborted", self.aborts.iter().sum()), ("failed", self.failed)];
        for (outcome, transactions) in outcomes {
            samples.push(Sample::new(&table::TRANSACTIONS, transactions).with("outcome", outcome));
        }
        for (cause, aborts) in Cause::ALL.into_iter().zip(self.aborts) {
            samples.push(Sample::new(&table::TRANSACTION_ABORTS, aborts).with("reason", cause.name()));
        }
        samples
    }
}
