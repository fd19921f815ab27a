//! One record of a report: a row and the number of messages that it stands for (B11).

use crate::auth::cause::ResultWord;
use crate::event::{Disposition, Override};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The content of a record of a report, with names borrowed from their owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow<'a> {
    /// The client's address, or its network when networks were merged.
    pub source_ip: IpAddr,
    /// The author domain.
    pub header_from: &'a str,
    /// The domain of MAIL FROM; empty for the null path; `None` when unknown.
    pub envelope_from: Option<&'a str>,
    /// The action that was taken because of DMARC.
    pub disposition: Disposition,
    /// DKIM gave an aligned pass.
    pub dkim_aligned: bool,
    /// SPF gave an aligned pass.
    pub spf_aligned: bool,
    /// Reasons why another action was taken than the policy asks for.
    pub overrides: Vec<Override>,
    /// The detail that the row gave up.
    pub collapse: Collapse,
    /// Signatures, those that pass first.
    pub dkim: Vec<Signature<'a>>,
    /// The domain that SPF checked, with the result.
    pub spf: Spf<'a>,
    /// Number of messages, at least one.
    pub count: u64,
}

/// The domain that SPF checked for a row, with the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spf<'a> {
    /// SPF checked a domain.
    Judged {
        /// The domain of MAIL FROM; the name in HELO for the null path.
        domain: &'a str,
        /// The result.
        result: ResultWord,
    },
    /// SPF checked nothing, because there was no domain to check.
    NotJudged {
        /// The name in HELO, when it is a domain.
        helo: Option<&'a str>,
    },
}

/// A signature of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature<'a> {
    /// d=.
    pub domain: &'a str,
    /// s=.
    pub selector: &'a str,
    /// The result.
    pub result: ResultWord,
}

/// The detail that a row gave up so that there are fewer rows (F-32; Decisions: caps). Each level
/// also gives up the detail of the levels before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Collapse {
    /// No detail.
    #[default]
    Exact,
    /// Detail that a sender can make up: subdomains of the author domain, MAIL FROM, signatures.
    Identifiers,
    /// The address within its network: /24 of IPv4, /64 of IPv6.
    Networks,
    /// The address altogether.
    Sources,
}

impl Collapse {
    /// Returns the comment for the reader of the report; `None` for an exact row.
    pub(super) fn comment(self) -> Option<&'static str> {
        match self {
            Self::Exact => None,
            Self::Identifiers => Some("merged: identifiers"),
            Self::Networks => Some("merged: identifiers, sources to /24 or /64"),
            Self::Sources => Some("merged: identifiers, sources"),
        }
    }
}
