//! Requests that operators make of a role by a record in its input topic.

use serde::{Deserialize, Serialize};

/// `ce_type` of a request to close windows early, in mail.failures. The value is [`CloseWindows`]
/// as JSON.
pub const CLOSE_WINDOWS: &str = "verdmarc.control.close.v1";

/// An operator's request to close windows early. It takes effect in offset order with the failures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloseWindows {
    /// A second in Unix time: the windows that contain it are closed. Absent: all windows that have
    /// rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
}
