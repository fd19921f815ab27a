//! The part of a verdict event that says how the verdicts came about: SPF, DKIM, ARC, DMARC and the
//! suggested action.

use crate::auth::cause::{DkimCause, ResultWord, SpfCause};
use crate::auth::dmarc::{AlignmentMode, DmarcResult, Policy, Psd, RecordFault, ReportAddress};
use crate::config::Discovery;
use crate::detail::Detail;
use crate::dns::Domain;
use crate::event::Reason;
use crate::message::Removed;
use serde::{Deserialize, Serialize};

/// How the verdicts came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// The domain of From; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_domain: Option<Domain>,
    /// SPF.
    pub spf: SpfBlock,
    /// Signatures in header order, at most 100.
    pub dkim: Vec<DkimBlock>,
    /// Number of DKIM-Signature fields.
    pub dkim_count: usize,
    /// The ARC chain.
    pub arc: ArcBlock,
    /// DMARC.
    pub dmarc: DmarcBlock,
    /// The action that the receiver might take.
    pub suggested_action: SuggestedAction,
    /// The value of the Authentication-Results field, unfolded.
    pub authentication_results: String,
    /// The value of the Received-SPF field, unfolded.
    pub received_spf: String,
    /// Fields that the annotated message leaves out, at most 100.
    pub removed_headers: Vec<Removed>,
    /// Number of fields that the annotated message leaves out.
    pub removed_header_count: usize,
}

/// The result of SPF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpfBlock {
    /// The result.
    pub result: ResultWord,
    /// The cause of the result.
    pub reason: SpfCause,
    /// The domain that was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// The identity that was checked.
    pub scope: SpfScope,
    /// The mechanism that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// The name whose record or lookup caused an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Whether the domain is aligned with the author domain; absent when SPF did not pass, or when
    /// they were not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aligned: Option<bool>,
    /// The particular fault, as a text for people. Its wording may change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

/// The identity that SPF checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpfScope {
    /// MAIL FROM.
    Mfrom,
    /// HELO, for the null path.
    Helo,
}

/// One DKIM signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DkimBlock {
    /// d=.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d: Option<Domain>,
    /// s=.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s: Option<Domain>,
    /// a=.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<String>,
    /// The result.
    pub result: ResultWord,
    /// The cause of the result.
    pub reason: DkimCause,
    /// Whether d= is aligned with the author domain; absent when the signature did not pass, or
    /// when they were not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aligned: Option<bool>,
    /// i=.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub i: Option<String>,
    /// The first characters of b=.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
    /// t= in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<u64>,
    /// x= in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Size of the RSA key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_bits: Option<u32>,
    /// The particular fault, as a text for people. Its wording may change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

/// The ARC chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArcBlock {
    /// The result.
    pub result: ResultWord,
    /// Sealers from the newest to the oldest, of a chain that passes.
    pub sealers: Vec<Domain>,
    /// The oldest set whose message signature still verifies; 0 when all do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_pass: Option<u32>,
    /// The oldest set down to which every sealer is trusted, beginning with the newest; absent when
    /// the newest sealer is not trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_to: Option<u32>,
    /// Why, for people.
    pub reason: String,
}

/// The result of DMARC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DmarcBlock {
    /// The result.
    pub result: DmarcResult,
    /// The domain at which the record in force stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_domain: Option<Domain>,
    /// The author's organizational domain, when it had to be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizational_domain: Option<Domain>,
    /// How the organizational domain is found.
    pub discovery: Discovery,
    /// The record in force, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// The policy of the record in force, defaults filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<PublishedPolicy>,
    /// The published policy that applies to this author domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_policy: Option<Policy>,
    /// The published policy, lowered one level if the record says `t=y`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_policy: Option<Policy>,
    /// Faults of DMARC records.
    pub record_faults: Vec<RecordFault>,
    /// The reasons for the verdict, at most 100.
    pub reasons: Vec<Reason>,
    /// The particular faults that brought reasons about, as texts for people, at most 20. Their
    /// wording may change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ReasonDetail>,
}

/// A reason, and the particular fault that brought it about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReasonDetail {
    /// The reason.
    pub reason: Reason,
    /// The particular fault, as a text for people.
    pub detail: Detail,
}

/// The tags of a DMARC record, defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PublishedPolicy {
    /// For the policy domain itself.
    pub p: Policy,
    /// For names below.
    pub sp: Policy,
    /// For names below that do not exist.
    pub np: Policy,
    /// DKIM alignment.
    pub adkim: AlignmentMode,
    /// SPF alignment.
    pub aspf: AlignmentMode,
    /// Failure reporting options.
    pub fo: String,
    /// Public suffix domain.
    pub psd: Psd,
    /// Testing.
    pub t: bool,
    /// Where aggregate reports are asked for.
    pub rua: Vec<ReportAddress>,
}

/// The action that the receiver might take. Enforcing it is the task of the subscriber.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuggestedAction {
    /// The action.
    pub action: Action,
    /// The reply to give in SMTP, for `reject` and `defer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_reply: Option<String>,
}

/// An action that the receiver might take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing because of DMARC.
    None,
    /// Treat as suspicious.
    Quarantine,
    /// Reject.
    Reject,
    /// Ask the client to try again later.
    Defer,
}
