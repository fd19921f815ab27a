//! The verdict event: the fields of Amazon SES first, then the explanation.

mod authentication;

pub use authentication::{
    Action, ArcBlock, Authentication, DkimBlock, DmarcBlock, PublishedPolicy, ReasonDetail, SpfBlock, SpfScope, SuggestedAction,
};

use super::EvaluationBlock;
use crate::auth::cause::SesStatus;
use crate::auth::dmarc::Policy;
use crate::dns::Evidence;
use crate::message::{CommonHeaders, Header};
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
    /// The verdicts, in the form that SES gives them.
    pub receipt: Receipt,
    /// The message, described as SES does.
    pub mail: Mail<'m>,
    /// The SMTP envelope. A field that is absent is unknown.
    pub envelope: EnvelopeBlock,
    /// How the verdicts came about.
    pub authentication: Authentication,
    /// Every DNS answer that was used.
    pub evidence: EvidenceBlock,
    /// The settings that bear on the verdict.
    pub settings: SettingsBlock,
    /// The record that first held the message; absent when the message came from no topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
}

impl VerdictEvent<'_> {
    /// Returns the same event without borrowing from the message.
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
    /// `DISABLED`, or the status that the producer gave.
    pub spam_verdict: CopiedStatus,
    /// `DISABLED`, or the status that the producer gave.
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

/// The evidence with its circumstances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceBlock {
    /// When the message was evaluated.
    #[serde(with = "super::time")]
    #[schemars(with = "Timestamp")]
    pub evaluated_at: Timestamp,
    /// Name and version of the software that evaluated the message.
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
    /// The settings of the evaluation.
    pub evaluation: EvaluationBlock,
}

/// The record that first held the message. Retries and redrive keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Number of the evaluation, 1 for the first.
    pub attempt: u32,
}
