//! The labels of metrics. Each has a closed set of values, never a domain, an address or anything
//! else that a sender writes.

use crate::event::{DeadLetterReason, Reason};

/// A label with the values that it may have.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// The name.
    pub name: &'static str,
    /// The values.
    pub values: Values,
}

/// A closed set of values.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// The values in this list.
    Listed(&'static [&'static str]),
    /// The reason codes of verdicts.
    Reasons,
    /// The reason codes of dead letters.
    DeadLetterReasons,
    /// The version of the process, which is the only value.
    Version,
}

impl Values {
    /// Returns all values.
    pub fn all(self) -> Vec<&'static str> {
        match self {
            Self::Listed(values) => values.to_vec(),
            Self::Reasons => Reason::ALL.iter().map(|reason| reason.code()).collect(),
            Self::DeadLetterReasons => DeadLetterReason::ALL.iter().map(|reason| reason.code()).collect(),
            Self::Version => vec![env!("CARGO_PKG_VERSION")],
        }
    }
}

const fn listed(name: &'static str, values: &'static [&'static str]) -> Label {
    Label { name, values: Values::Listed(values) }
}

/// The pipeline of a role.
pub const ROLE: Label = listed("role", &["verdict", "verdict-retries", "aggregate"]);
/// The DMARC verdict.
pub const STATUS: Label = listed("status", &["PASS", "FAIL", "GRAY", "PROCESSING_FAILED"]);
/// The policy of the domain owner where DMARC failed.
pub const POLICY: Label = listed("policy", &["not_failed", "none", "quarantine", "reject"]);
/// The reason for a verdict.
pub const REASON: Label = Label { name: "reason", values: Values::Reasons };
/// The reason why a record became a dead letter.
pub const DEAD_LETTER: Label = Label { name: "reason", values: Values::DeadLetterReasons };
/// The reason why a message is in no report.
pub const UNREPORTED: Label = listed("reason", &["late", "no_client", "incomplete"]);
/// The outcome of a transaction.
pub const TRANSACTION: Label = listed("outcome", &["committed", "aborted", "failed"]);
/// The reason why a transaction was aborted.
pub const ABORT: Label = listed(
    "reason",
    &[
        "partition_revoked",
        "partition_lost",
        "stopping",
        "topic_changed",
        "topic_unconfirmed",
        "record_too_large",
        "membership",
        "set_refused",
        "error",
    ],
);
/// The state of a partition.
pub const PARTITION: Label = listed("state", &["starting", "reading", "paused"]);
/// The progress of a record that is held.
pub const HELD: Label = listed("state", &["pending", "done"]);
/// The quantity that a budget limits.
pub const BUDGET: Label = listed("of", &["records", "bytes"]);
/// The state of a connection.
pub const CONNECTION: Label = listed("state", &["up", "connecting", "down"]);
/// The statistic of the request latency.
pub const LATENCY: Label = listed("statistic", &["p50", "p99", "max"]);
/// The outcome of a DNS question.
pub const DNS: Label =
    listed("outcome", &["records", "no_data", "nx_domain", "invalid", "timeout", "serv_fail", "refused", "network", "deadline"]);
/// The source of an answer.
pub const CACHE: Label = listed("result", &["hit", "joined", "miss"]);
/// The outcome of a reference to a message in an object store.
pub const CLAIM_CHECK: Label = listed("outcome", &["fetched", "refused", "unavailable"]);
/// The bookkeeping that contradicted itself.
pub const SENTINEL: Label = listed(
    "sentinel",
    &[
        "commit_regressed",
        "commit_beyond_frontier",
        "completion_from_future_generation",
        "duplicate_slot",
        "output_without_offset",
    ],
);
/// The kind of telemetry.
pub const SIGNAL: Label = listed("signal", &["metrics", "traces", "logs"]);
/// The kind of telemetry of which items may be dropped.
pub const DROPPED: Label = listed("signal", &["traces", "logs"]);
/// The decision about a message that should be traced.
pub const TRACE: Label = listed("decision", &["sampled", "limited"]);
/// The outcome of an export.
pub const EXPORT: Label = listed("outcome", &["exported", "failed"]);
/// The version of verdmarc.
pub const VERSION: Label = Label { name: "version", values: Values::Version };
/// The user of the CPU: the program or the system.
pub const CPU: Label = listed("cpu.mode", &["user", "system"]);
/// The messaging system.
pub const MESSAGING_SYSTEM: Label = listed("messaging.system", &["kafka"]);
/// The operation on a message.
pub const MESSAGING_OPERATION: Label = listed("messaging.operation.name", &["process"]);
