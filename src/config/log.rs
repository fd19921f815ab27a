//! The table `[log]`: settings of log lines on standard error.

use serde::{Deserialize, Serialize};

/// Log lines on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Which log lines are written: a level (`error`, `warn`, `info`, `debug`, `trace`), or levels
    /// by module as `tracing` writes them. Default `info`.
    pub filter: String,
    /// `text` for people, `json` for machines. Default `text`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::Text }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}
