//! The table `[verdict]`: settings of the verdict role.

use serde::{Deserialize, Serialize};

/// The verdict role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VerdictRole {
    /// Also write the message with its new header fields to mail.annotated. Needs
    /// `receiver.domain`. Default false.
    pub annotated: bool,
    /// How much of the mail stands in a verdict: `full`, or `minimal` without addresses and
    /// subject. Default `full`.
    pub mail: Mail,
    /// Whether a message whose DNS questions failed temporarily is evaluated again later, through
    /// the topics for retries, before its PROCESSING_FAILED is published. Only with this setting
    /// are these topics read. A fifth of `concurrency` and of the budget is reserved for them then.
    /// Default false.
    pub retries: bool,
    /// Seconds before each retry; each delay has its own topic. Default 60, 600 and 3 600.
    pub retry_delays_s: Vec<u64>,
    /// Messages in evaluation at once. A partition gets four fifths of them at most while there are
    /// others. Default 1 000.
    pub concurrency: usize,
    /// Messages that have waited for a second, for DNS or an object store, and do not count in
    /// `concurrency` any more. Default 10 000.
    pub parked: usize,
    /// Records held in memory, from reading to commit, above which reading pauses. Default 20 000.
    pub budget_records: usize,
    /// Bytes held in memory, from reading to commit, above which reading pauses. Default 256 MiB.
    pub budget_bytes: usize,
    /// Records held of one partition, above which that partition pauses. It pauses earlier when it
    /// holds as much as is left of the budget for all. Default 10 000.
    pub partition_records: usize,
    /// Records of one partition, from the first one on whose outputs are not written, above which
    /// that partition pauses. The outputs of those behind it are written meanwhile; a restart reads
    /// them again, and passes over them. Default 200 000.
    pub ahead_records: u64,
    /// Bytes of these records above which that partition pauses. Default 256 MiB.
    pub ahead_bytes: u64,
    /// Milliseconds between two commits. Default 100.
    pub commit_interval_ms: u64,
    /// Records in one commit at most. Default 5 000.
    pub commit_records: usize,
    /// Bytes of outputs in one commit at most, approximately. Default 32 MiB.
    pub commit_bytes: usize,
    /// Whether the role stops reading when most records break the producer's contract. With false,
    /// all of them become dead letters, however many there are: use it for one start, after the
    /// producer was repaired. Default true.
    pub refusal_stop: bool,
    /// Milliseconds that a stop waits for messages in evaluation; the rest is left to the next
    /// owner. Ending the open transaction and leaving the group may take another 20 s where brokers
    /// do not answer. Default 20 000.
    pub drain_ms: u64,
    /// Milliseconds that a revoked partition waits for the transaction that holds its outputs to
    /// end. Default 4 000.
    pub revoke_ms: u64,
}

impl Default for VerdictRole {
    fn default() -> Self {
        Self {
            annotated: false,
            mail: Mail::Full,
            retries: false,
            retry_delays_s: vec![60, 600, 3_600],
            concurrency: 1_000,
            parked: 10_000,
            budget_records: 20_000,
            budget_bytes: 256 << 20,
            partition_records: 10_000,
            ahead_records: 200_000,
            ahead_bytes: 256 << 20,
            commit_interval_ms: 100,
            commit_records: 5_000,
            commit_bytes: 32 << 20,
            refusal_stop: true,
            drain_ms: 20_000,
            revoke_ms: 4_000,
        }
    }
}

impl VerdictRole {
    pub(super) fn validate(&self, problems: &mut Vec<String>) {
        if !(1..=super::topics::MOST_RETRIES).contains(&self.retry_delays_s.len()) || !self.retry_delays_s.is_sorted() {
            problems.push("verdict.retry_delays_s must be one to nine delays, none shorter than the one before".to_owned());
        }
        let at_least_one = [
            ("concurrency", self.concurrency == 0),
            ("budget_records", self.budget_records == 0),
            ("budget_bytes", self.budget_bytes == 0),
            ("partition_records", self.partition_records == 0),
            ("ahead_records", self.ahead_records == 0),
            ("ahead_bytes", self.ahead_bytes == 0),
            ("commit_records", self.commit_records == 0),
            ("commit_bytes", self.commit_bytes == 0),
        ];
        for (key, _) in at_least_one.into_iter().filter(|(_, is_zero)| *is_zero) {
            problems.push(format!("verdict.{key} must be at least 1"));
        }
    }
}

/// How much of the mail stands in a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mail {
    /// Addresses, header fields, subject.
    Full,
    /// None of them.
    Minimal,
}
