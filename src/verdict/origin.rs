//! Defines the origin of a message, and the settings by which it is published.

use crate::config::{Applied, Content, Evaluation};
use crate::event::{EvaluationBlock, Input, Reason};
use std::sync::Arc;

/// The amount of the mail itself that a verdict event carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailDetail {
    /// The header fields, and the usual ones decoded, 10 KiB each.
    #[default]
    Full,
    /// No header fields.
    Minimal,
}

/// The origin of a message, and the settings by which it is published.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The id of the message: `ce_id`, or topic-partition-offset.
    pub message_id: String,
    /// The record, or `None` if the message came from no topic.
    pub input: Option<Input>,
    /// The amount of the mail that the event carries.
    pub detail: MailDetail,
    /// True when the annotated message is wanted.
    pub annotate: bool,
    /// The messages that reports count, and the disposition that they give.
    pub report_scope: ReportScope,
    /// The settings that the message was evaluated with.
    pub settings: Arc<Evaluation>,
    /// The same settings in the form in which they travel.
    pub settings_block: EvaluationBlock,
    /// The notes of the decoder about the record, such as an arrival that was adjusted.
    pub notes: Vec<Reason>,
}

/// The messages that reports count, and the disposition that they give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportScope {
    /// The messages that are counted: failures only, or passes too.
    pub content: Content,
    /// The action that is reported for failures.
    pub applied: Applied,
}

impl Default for ReportScope {
    fn default() -> Self {
        Self { content: Content::Failures, applied: Applied::Recommended }
    }
}
