//! One record of a report: a row and how many messages it stands for (B11).

use crate::auth::cause::ResultWord;
use crate::event::{Disposition, Override};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What a row stands for, names borrowed from whoever keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow<'a> {
    /// The client, or its network when networks were merged.
    pub source_ip: IpAddr,
    /// The author domain.
    pub header_from: &'a str,
    /// The domain of MAIL FROM; empty for the null path; none when unknown.
    pub envelope_from: Option<&'a str>,
    /// What was done.
    pub disposition: Disposition,
    /// DKIM gave an aligned pass.
    pub dkim_aligned: bool,
    /// SPF gave an aligned pass.
    pub spf_aligned: bool,
    /// Why something else was done than was asked for.
    pub overrides: Vec<Override>,
    /// What this row gave up of its messages.
    pub collapse: Collapse,
    /// Signatures, the telling ones first.
    pub dkim: Vec<Signature<'a>>,
    /// What SPF judged.
    pub spf: Spf<'a>,
    /// Messages, at least one.
    pub count: u64,
}

/// What SPF judged, of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spf<'a> {
    /// A domain.
    Judged {
        /// The domain of MAIL FROM; the name in HELO for the null path.
        domain: &'a str,
        /// The result.
        result: ResultWord,
    },
    /// Nothing: there was no domain to judge.
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

/// What a row gave up so that there are fewer of them (F-32; Decisions: caps). Each level gives up what those before it do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Collapse {
    /// Nothing.
    #[default]
    Exact,
    /// What a sender can make up: subdomains of the author domain, MAIL FROM, signatures.
    Identifiers,
    /// Addresses within a network: /24 of IPv4, /64 of IPv6.
    Networks,
    /// The address.
    Sources,
}

impl Collapse {
    /// What a reader of the report is told.
    pub(super) fn comment(self) -> Option<&'static str> {
        match self {
            Self::Exact => None,
            Self::Identifiers => Some("merged: identifiers"),
            Self::Networks => Some("merged: identifiers, sources to /24 or /64"),
            Self::Sources => Some("merged: identifiers, sources"),
        }
    }
}
