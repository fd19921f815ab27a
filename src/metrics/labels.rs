//! Labels: each has a closed set of values, never a domain, an address or anything else that a sender writes.

use crate::event::{DeadLetterReason, Reason};

/// A label and what it may say.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

/// A closed set.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// These.
    Listed(&'static [&'static str]),
    /// The reason codes of verdicts.
    Reasons,
    /// The reason codes of dead letters.
    DeadLetterReasons,
    /// The version of the process, of which there is one.
    Version,
}

impl Values {
    /// All of them.
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

/// The role's pipeline.
pub const ROLE: Label = listed("role", &["verdict", "verdict-retries", "aggregate"]);
/// The DMARC verdict.
pub const STATUS: Label = listed("status", &["PASS", "FAIL", "GRAY", "PROCESSING_FAILED"]);
/// What the owner of the author domain asks for where DMARC failed.
pub const POLICY: Label = listed("policy", &["not_failed", "none", "quarantine", "reject"]);
/// Why a verdict is what it is.
pub const REASON: Label = Label { name: "reason", values: Values::Reasons };
/// Why a record became a dead letter.
pub const DEAD_LETTER: Label = Label { name: "reason", values: Values::DeadLetterReasons };
/// Why a message is in no report.
pub const UNREPORTED: Label = listed("reason", &["late", "no_client", "incomplete"]);
/// How a transaction ended.
pub const TRANSACTION: Label = listed("outcome", &["committed", "aborted", "failed"]);
/// Why a transaction was aborted.
pub const ABORT: Label =
    listed("reason", &["partition_revoked", "topic_changed", "topic_unconfirmed", "record_too_large", "membership", "error"]);
/// What a partition waits for, if anything.
pub const PARTITION: Label = listed("state", &["starting", "reading", "paused"]);
/// How far a record that is held has come.
pub const HELD: Label = listed("state", &["pending", "done"]);
/// What a budget is for.
pub const BUDGET: Label = listed("of", &["records", "bytes"]);
/// State of a connection.
pub const CONNECTION: Label = listed("state", &["up", "connecting", "down"]);
/// Part of the requests that took no longer.
pub const LATENCY: Label = listed("statistic", &["p50", "p99", "max"]);
/// What came of a DNS question.
pub const DNS: Label =
    listed("outcome", &["records", "no_data", "nx_domain", "invalid", "timeout", "serv_fail", "refused", "network", "deadline"]);
/// Where an answer came from.
pub const CACHE: Label = listed("result", &["hit", "joined", "miss"]);
/// What came of a reference to a message that lies elsewhere.
pub const CLAIM_CHECK: Label = listed("outcome", &["fetched", "refused", "unavailable"]);
/// What contradicted itself.
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
/// What is exported.
pub const SIGNAL: Label = listed("signal", &["metrics", "traces", "logs"]);
/// Of which things may be dropped.
pub const DROPPED: Label = listed("signal", &["traces", "logs"]);
/// Whether a message that was to be traced is.
pub const TRACE: Label = listed("decision", &["sampled", "limited"]);
/// How an export ended.
pub const EXPORT: Label = listed("outcome", &["exported", "failed"]);
/// The version of verdmarc.
pub const VERSION: Label = Label { name: "version", values: Values::Version };
/// Who used the CPU.
pub const CPU: Label = listed("cpu.mode", &["user", "system"]);
/// The messaging system.
pub const MESSAGING_SYSTEM: Label = listed("messaging.system", &["kafka"]);
/// What is done with a message.
pub const MESSAGING_OPERATION: Label = listed("messaging.operation.name", &["process"]);
