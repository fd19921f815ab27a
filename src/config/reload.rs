//! The table `[reload]`: settings for files that change while roles run.

use serde::{Deserialize, Serialize};

/// Files that change while roles run: settings, secrets, certificates, zones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reload {
    /// Whether `run` ends when a file that it cannot reload has changed: it finishes and commits
    /// the records that it has read, and exits with code 0, so that a supervisor starts it again
    /// with the new content. Where it is false the change is logged as a warning. Default none:
    /// true in Kubernetes (KUBERNETES_SERVICE_HOST is set), else false.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub exit: Option<bool>,
    /// Milliseconds between two checks of the files. Default 10 000; 0 turns the checks off.
    pub interval_ms: u64,
}

impl Default for Reload {
    fn default() -> Self {
        Self { exit: None, interval_ms: 10_000 }
    }
}

impl Reload {
    /// Returns whether the process ends for a change that it cannot load.
    pub fn exits(&self) -> bool {
        self.exit.unwrap_or_else(|| std::env::var_os("KUBERNETES_SERVICE_HOST").is_some_and(|host| !host.is_empty()))
    }
}
