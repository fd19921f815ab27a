//! What a pipeline did.

use crate::kafka::transaction::abort::Cause;
use crate::metrics::{Sample, table};

/// What a pipeline did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records read.
    pub read: u64,
    /// Records written.
    pub written: u64,
    /// Commits.
    pub commits: u64,
    /// Transactions that were aborted, by the cause; their batches are written again.
    pub aborts: [u64; Cause::ALL.len()],
    /// Transactions that failed and ended the role.
    pub failed: u64,
    /// Partitions that were begun again because their topic is gone, or another.
    pub begun_again: u64,
    /// Partitions that were read on from the end of a log that had been cut off.
    pub cut_off: u64,
    /// Records left to their next owner.
    pub left: u64,
    /// Records that broke the producer's contract.
    pub refused: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;

    /// What two pipelines did together.
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
    /// Its figures.
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
