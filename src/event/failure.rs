//! The failure event, which holds the data for a row of an aggregate report and nothing personal
//! (B63).
//!
//! With `reports.content = "all"` messages that pass produce one too.

use super::{Input, PublishedPolicy};
use crate::auth::cause::ResultWord;
use crate::auth::dmarc::{Policy, RecordFault, ReportAddress};
use crate::config::Discovery;
use crate::dns::Domain;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// `ce_type` of a failure event.
pub const FAILURE: &str = "verdmarc.failure.v1";

/// The value of a record of mail.failures (`ce_type` `verdmarc.failure.v1`); its key is the policy
/// domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureEvent {
    /// The record that held the message: the identity of this failure.
    pub input: Input,
    /// When the message arrived. The window in which the failure counts depends on it.
    #[serde(with = "super::time")]
    #[schemars(with = "Timestamp")]
    pub arrival: Timestamp,
    /// The policy domain. Each policy domain gets reports of its own.
    pub policy_domain: Domain,
    /// The policy in force, defaults filled in, `rua` included.
    pub policy: PublishedPolicy,
    /// How the policy domain was found.
    pub discovery: Discovery,
    /// 32 hexadecimal digits of a hash over the effective policy and the discovery, but never over
    /// text or addresses.
    pub policy_hash: String,
    /// Faults of DMARC records, for the `error` elements of the report.
    pub record_errors: Vec<RecordFault>,
    /// Addresses at which the policy domain asks for reports.
    pub report_addresses: Vec<ReportAddress>,
    /// The row that this failure counts in.
    pub row: Row,
}

/// A row of an aggregate report.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The IP address of the client.
    pub source_ip: IpAddr,
    /// The author domain.
    pub header_from: Domain,
    /// The domain of MAIL FROM; empty for the null path; absent when unknown or no domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envelope_from: Option<String>,
    /// The action that was taken because of DMARC.
    pub disposition: Disposition,
    /// DKIM gave an aligned pass.
    pub dkim_aligned: bool,
    /// SPF gave an aligned pass.
    pub spf_aligned: bool,
    /// Reasons why another action was taken than the policy asks for, sorted.
    pub overrides: Vec<Override>,
    /// DKIM signatures, at most 100. Aligned ones come first, then others that pass.
    pub dkim: Vec<DkimRow>,
    /// The result of SPF.
    pub spf: SpfRow,
}

/// A signature in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DkimRow {
    /// d=.
    pub domain: Domain,
    /// s=.
    pub selector: Domain,
    /// The result.
    pub result: ResultWord,
}

/// SPF in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpfRow {
    /// The domain that was checked; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// The result.
    pub result: ResultWord,
    /// The name in HELO. It is present only when no domain was checked and it is a domain name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helo: Option<Domain>,
}

/// The action that was taken with a message because of DMARC (RFC 9990, ActionDispositionType).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// Nothing.
    None,
    /// Nothing: it passed under a policy that asks for more.
    Pass,
    /// Treated as suspicious.
    Quarantine,
    /// Rejected.
    Reject,
}

impl Disposition {
    /// Returns the word that stands for the disposition in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

impl From<Policy> for Disposition {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::None => Self::None,
            Policy::Quarantine => Self::Quarantine,
            Policy::Reject => Self::Reject,
        }
    }
}

/// A reason why another action was taken than the published policy asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Override {
    /// The domain owner is testing.
    PolicyTestMode,
    /// The ARC chain passed and a trusted sealer is in it.
    TrustedForwarder,
    /// The receiver does not act on policies (`reports.disposition` is `none`).
    LocalPolicy,
}
