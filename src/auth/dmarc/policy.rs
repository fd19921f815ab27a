//! The policy words of a DMARC record.

use serde::{Deserialize, Serialize};

/// The policy that a domain owner asks for when mail fails, from mild to strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Take no action.
    None,
    /// Treat the message as suspicious.
    Quarantine,
    /// Reject the message.
    Reject,
}

impl Policy {
    /// Returns the word in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// Reads the word in any case (A14). Returns `None` for any other word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject].into_iter().find(|policy| word.eq_ignore_ascii_case(policy.as_str()))
    }

    /// Returns the policy that is one level milder, as `t=y` asks (A27).
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

/// The mode of alignment: how exactly an identifier must agree with the author domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[allow(missing_docs)] // the words of the standard
pub enum AlignmentMode {
    /// The organizational domains must be equal.
    #[default]
    #[serde(rename = "r")]
    Relaxed,
    /// The domains must be equal.
    #[serde(rename = "s")]
    Strict,
}

/// The value of the `psd` tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Psd {
    /// `u`: the record does not say.
    #[default]
    #[serde(rename = "u")]
    Unknown,
    /// `y`: the name is a public suffix domain.
    #[serde(rename = "y")]
    Yes,
    /// `n`: the name is an organizational domain.
    #[serde(rename = "n")]
    No,
}
