//! Where a message came from, and how it is published.

use crate::config::{Applied, Content, Evaluation};
use crate::event::{EvaluationBlock, Input, Reason};
use std::sync::Arc;

/// How much of the mail itself a verdict event carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailDetail {
    /// Header fields and the usual ones decoded, 10 KiB each.
    #[default]
    Full,
    /// None of them.
    Minimal,
}

/// Where a message came from and how it is published.
#[derive(Debug, Clone)]
pub struct Origin {
    /// `ce_id`, or topic-partition-offset.
    pub message_id: String,
    /// The record; none when the message came from no topic.
    pub input: Option<Input>,
    /// How much of the mail the event carries.
    pub detail: MailDetail,
    /// Whether the annotated message is wanted.
    pub annotate: bool,
    /// Which messages are counted in reports, and as what.
    pub report_scope: ReportScope,
    /// The settings that the message was evaluated with.
    pub settings: Arc<Evaluation>,
    /// The same as they travel.
    pub settings_block: EvaluationBlock,
    /// Notes of the decoder about the record, say an arrival that was adjusted.
    pub notes: Vec<Reason>,
}

/// Which messages are counted, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportScope {
    /// Failures, or passes too.
    pub content: Content,
    /// What is said to have been done with failures.
    pub applied: Applied,
}

impl Default for ReportScope {
    fn default() -> Self {
        Self { content: Content::Failures, applied: Applied::Recommended }
    }
}
