//! The policy words of a DMARC record.

use serde::{Deserialize, Serialize};

/// What a domain owner asks for mail that fails, from mild to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Nothing.
    None,
    /// Treat as suspicious.
    Quarantine,
    /// Reject.
    Reject,
}

impl Policy {
    /// The word, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// Reads the word in any case (A14).
    pub fn parse(word: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject].into_iter().find(|policy| word.eq_ignore_ascii_case(policy.as_str()))
    }

    /// One level milder, as `t=y` asks (A27).
    pub fn lowered(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How exactly an authenticated identifier must agree with the author domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[allow(missing_docs)] // the words of the standard
pub enum AlignmentMode {
    /// The organizational domains are equal.
    #[default]
    #[serde(rename = "r")]
    Relaxed,
    /// The domains are equal.
    #[serde(rename = "s")]
    Strict,
}

/// The `psd` tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Psd {
    /// `u`: not said.
    #[default]
    #[serde(rename = "u")]
    Unknown,
    /// `y`: a public suffix domain.
    #[serde(rename = "y")]
    Yes,
    /// `n`: an organizational domain.
    #[serde(rename = "n")]
    No,
}
