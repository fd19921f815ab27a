//! The table `[reports]`: settings for the content and format of aggregate reports.

use crate::dns::Domain;
use serde::{Deserialize, Serialize};

/// Content and format of aggregate reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reports {
    /// Which messages are counted: `failures` (those that did not pass DMARC) or `all`. The verdict
    /// role reads it too, because it writes the messages that are counted to mail.failures.
    /// Default `failures`.
    pub content: Content,
    /// The action that a row names for a message that failed: `recommended` (the one that the
    /// policy asks for, which you must then take) or `none` (with the reason `local_policy`). The
    /// verdict role reads it. Default `recommended`.
    pub disposition: Applied,
    /// Format of reports: `rfc9990` or `compat-7489`, which readers older than 2026 know better.
    /// Default `rfc9990`.
    pub profile: Profile,
    /// Policy domains whose reports have the other format. Default none.
    #[schemars(example = ["example.net"])]
    pub other_profile_for: Vec<Domain>,
}

impl Default for Reports {
    fn default() -> Self {
        Self {
            content: Content::Failures,
            disposition: Applied::Recommended,
            profile: Profile::Rfc9990,
            other_profile_for: Vec::new(),
        }
    }
}

impl Reports {
    /// Returns the format of a policy domain's reports.
    pub fn profile_of(&self, domain: &Domain) -> Profile {
        match (self.profile, self.other_profile_for.contains(domain)) {
            (Profile::Rfc9990, false) | (Profile::Compat7489, true) => Profile::Rfc9990,
            _ => Profile::Compat7489,
        }
    }
}

/// The messages that reports count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// Those that did not pass DMARC.
    Failures,
    /// All messages that a policy applies to (RFC 9990 3.1).
    All,
}

/// The action that a row names for a message that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Applied {
    /// The action that the effective policy asks for.
    Recommended,
    /// Nothing.
    None,
}

/// Format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Profile {
    /// RFC 9990, with its namespace.
    #[serde(rename = "rfc9990")]
    Rfc9990,
    /// RFC 7489, without namespace.
    #[serde(rename = "compat-7489")]
    Compat7489,
}
