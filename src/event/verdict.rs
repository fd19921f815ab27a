//! The verdict event: Amazon SES's shape first, the explanation beside it.

use super::{EvaluationBlock, Reason};
use crate::auth::cause::{DkimCause, ResultWord, SesStatus, SpfCause};
use crate::auth::dmarc::{AlignmentMode, DmarcResult, Policy, Psd, RecordFault, ReportAddress};
use crate::config::Discovery;
use crate::detail::Detail;
use crate::dns::{Domain, Evidence};
use crate::message::{CommonHeaders, Header, Removed};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::IpAddr;

/// The value of a record of mail.verdicts (`ce_type` `verdmarc.verdict.v1`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerdictEvent<'m> {
    /// Always `Received`.
    pub notification_type: NotificationType,
    /// The verdicts, as SES gives them.
    pub receipt: Receipt,
    /// The message, as SES describes it.
    pub mail: Mail<'m>,
    /// The SMTP envelope; what is absent is unknown.
    pub envelope: EnvelopeBlock,
    /// How the verdicts came about.
    pub authentication: Authentication,
    /// Every DNS answer that was used.
    pub evidence: EvidenceBlock,
    /// What else bears on the verdict.
    pub settings: SettingsBlock,
    /// The record that held the message; absent when it came from no topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
}

impl VerdictEvent<'_> {
    /// The same without borrowing from the message.
    pub fn into_owned(self) -> VerdictEvent<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let Mail { timestamp, source, message_id, destination, headers_truncated, headers, common_headers } = self.mail;
        let headers = headers.into_iter().map(|Header { name, value }| Header { name: owned(name), value: owned(value) });
        let mail = Mail {
            timestamp,
            source,
            message_id,
            destination,
            headers_truncated,
            headers: headers.collect(),
            common_headers: common_headers.map(CommonHeaders::into_owned),
        };
        VerdictEvent {
            notification_type: self.notification_type,
            receipt: self.receipt,
            mail,
            envelope: self.envelope,
            authentication: self.authentication,
            evidence: self.evidence,
            settings: self.settings,
            input: self.input,
        }
    }
}

/// SES's word for a received message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum NotificationType {
    /// Mail was received.
    Received,
}

/// One status, wrapped as SES wraps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StatusBlock {
    /// The status.
    pub status: SesStatus,
}

/// SES's `receipt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// When the message arrived.
    #[serde(with = "super::time")]
    #[schemars(with = "Timestamp")]
    pub timestamp: Timestamp,
    /// Milliseconds from arrival to verdict.
    pub processing_time_millis: u64,
    /// Recipients, at most 100.
    pub recipients: Vec<String>,
    /// Number of recipients.
    pub recipient_count: usize,
    /// `DISABLED`, or as the producer gave it.
    pub spam_verdict: CopiedStatus,
    /// `DISABLED`, or as the producer gave it.
    pub virus_verdict: CopiedStatus,
    /// SPF.
    pub spf_verdict: StatusBlock,
    /// DKIM.
    pub dkim_verdict: StatusBlock,
    /// DMARC.
    pub dmarc_verdict: StatusBlock,
    /// The effective policy, on FAIL only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dmarc_policy: Option<Policy>,
}

/// A status that the producer gave, copied, or `DISABLED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CopiedStatus {
    /// The status word.
    pub status: String,
}

/// SES's `mail`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mail<'m> {
    /// When the message arrived.
    #[serde(with = "super::time")]
    #[schemars(with = "Timestamp")]
    pub timestamp: Timestamp,
    /// MAIL FROM; `<>` for the null path; absent when unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The message's id in the stream, not its Message-ID.
    pub message_id: String,
    /// Recipients, at most 100.
    pub destination: Vec<String>,
    /// Whether `headers` was cut.
    pub headers_truncated: bool,
    /// Header fields from the top, 10 KiB at most; none with `verdict.mail = minimal`.
    pub headers: Vec<Header<'m>>,
    /// The usual fields; absent with `verdict.mail = minimal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_headers: Option<CommonHeaders<'m>>,
}

/// The SMTP envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvelopeBlock {
    /// The client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<IpAddr>,
    /// HELO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// MAIL FROM without brackets; empty for the null path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_from: Option<String>,
    /// RCPT TO, at most 100.
    pub rcpt_to: Vec<String>,
    /// The sender authenticated.
    pub authenticated: bool,
}

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
    /// What the receiver might do.
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

/// SPF's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpfBlock {
    /// The result.
    pub result: ResultWord,
    /// Why.
    pub reason: SpfCause,
    /// The domain that was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// Which identity that is.
    pub scope: SpfScope,
    /// The mechanism that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// The name whose record or lookup caused an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Whether the domain is aligned with the author domain; absent when SPF did not pass, or when they were not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aligned: Option<bool>,
    /// What is wrong in particular, for people: its wording may change.
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
    /// Why.
    pub reason: DkimCause,
    /// Whether d= is aligned with the author domain; absent when the signature did not pass, or when they were not compared.
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
    /// What is wrong in particular, for people: its wording may change.
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
    /// The oldest set that trust in sealers reaches, from the newest down; absent when the newest sealer is not trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_to: Option<u32>,
    /// Why, for people.
    pub reason: String,
}

/// DMARC's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DmarcBlock {
    /// The result.
    pub result: DmarcResult,
    /// Where the record in force stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_domain: Option<Domain>,
    /// The author's organizational domain, when it had to be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizational_domain: Option<Domain>,
    /// How it is found.
    pub discovery: Discovery,
    /// The record in force, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// What the record in force asks for, defaults filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<PublishedPolicy>,
    /// The published policy that applies to this author domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_policy: Option<Policy>,
    /// The same after `t=y`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_policy: Option<Policy>,
    /// What was wrong with records.
    pub record_faults: Vec<RecordFault>,
    /// Why the verdict is what it is, at most 100.
    pub reasons: Vec<Reason>,
    /// What particular thing brought a reason about, for people, at most 20: its wording may change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ReasonDetail>,
}

/// A reason and the particular thing that brought it about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReasonDetail {
    /// The reason.
    pub reason: Reason,
    /// The particular thing.
    pub detail: Detail,
}

/// A record's tags, defaults filled in.
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

/// What the receiver might do; enforcing it is the subscriber's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuggestedAction {
    /// The action.
    pub action: Action,
    /// What to answer in SMTP, for `reject` and `defer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp_reply: Option<String>,
}

/// Actions.
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

/// The evidence with its circumstances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceBlock {
    /// When the message was evaluated.
    #[serde(with = "super::time")]
    #[schemars(with = "Timestamp")]
    pub evaluated_at: Timestamp,
    /// What evaluated it.
    pub software: String,
    /// DNS answers, sorted by name and type.
    #[serde(flatten)]
    pub dns: Evidence,
}

/// Settings that bear on the verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsBlock {
    /// Version of the public suffix list.
    pub suffix_list: String,
    /// The options.
    pub evaluation: EvaluationBlock,
}

/// The record that held the message, through retries and redrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// 1 for the first evaluation.
    pub attempt: u32,
}
