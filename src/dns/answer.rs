//! Questions and answers.

use super::QueryName;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The record types that SPF, DKIM and DMARC ask for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Mail exchanger.
    Mx,
    /// Name of an address.
    Ptr,
    /// Text: SPF, DKIM and DMARC records.
    Txt,
}

/// One question: a name and a type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    /// The name asked for.
    pub name: QueryName,
    /// The type asked for.
    pub rtype: RecordType,
}

impl Question {
    /// A question for `rtype` records at `name`.
    pub fn new(name: QueryName, rtype: RecordType) -> Self {
        Self { name, rtype }
    }

    /// A question for TXT records at `name`.
    pub fn txt(name: QueryName) -> Self {
        Self::new(name, RecordType::Txt)
    }
}

/// One resource record's data.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Record {
    /// IPv4 address.
    A(Ipv4Addr),
    /// IPv6 address.
    Aaaa(Ipv6Addr),
    /// Mail exchanger: preference, and host in lower case without final dot (empty: the null MX of RFC 7505).
    Mx(u16, Box<str>),
    /// Host of an address, lower case, without final dot.
    Ptr(Box<str>),
    /// The character-strings of one TXT record, joined without separator. Any octets.
    Txt(Arc<[u8]>),
}

impl Record {
    /// The type of question that it answers.
    pub fn rtype(&self) -> RecordType {
        match self {
            Self::A(_) => RecordType::A,
            Self::Aaaa(_) => RecordType::Aaaa,
            Self::Mx(..) => RecordType::Mx,
            Self::Ptr(_) => RecordType::Ptr,
            Self::Txt(_) => RecordType::Txt,
        }
    }

    /// Octets of its data.
    pub fn octets(&self) -> usize {
        match self {
            Self::A(_) => 4,
            Self::Aaaa(_) => 16,
            Self::Mx(_, host) => 2 + host.len(),
            Self::Ptr(host) => host.len(),
            Self::Txt(text) => text.len(),
        }
    }
}

/// Why a question has no answer that could be relied on, for now.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Unanswered {
    /// No server answered in time.
    Timeout,
    /// SERVFAIL, which also stands for failed DNSSEC validation.
    ServFail,
    /// REFUSED.
    Refused,
    /// The connection to the server failed, or a truncated answer could not be had over TCP.
    Network,
    /// The message's deadline passed while the question was open.
    Deadline,
    /// The budget of questions was used up, so it was never asked.
    Budget,
}

/// What an answer says (A44).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// At least one record of the type asked for.
    Records(Arc<[Record]>),
    /// The name exists, without records of this type.
    NoData,
    /// The name does not exist (RFC 8020).
    NxDomain,
    /// Nothing could be learned.
    TempError(Unanswered),
    /// The answer is unusable and will stay so: over 16 KiB, FORMERR, garbage.
    Invalid,
}

impl Outcome {
    /// Octets of record data above which an answer is [`Outcome::Invalid`] (F-38).
    pub const MAX_OCTETS: usize = 16 * 1024;

    /// What an answer with these records says: [`Outcome::NoData`] when there are none, [`Outcome::Invalid`] when they are too big.
    pub fn of(records: Vec<Record>) -> Self {
        if records.is_empty() {
            Self::NoData
        } else if records.iter().map(Record::octets).sum::<usize>() > Self::MAX_OCTETS {
            Self::Invalid
        } else {
            Self::Records(records.into())
        }
    }
}

/// An answer as it was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it says.
    pub outcome: Outcome,
    /// Seconds for which it may be kept.
    pub ttl: u32,
    /// Whether the resolver vouched for it by DNSSEC (the AD bit).
    pub authenticated: bool,
}

impl Answer {
    /// An answer without TTL, not authenticated.
    pub fn new(outcome: Outcome) -> Self {
        Self { outcome, ttl: 0, authenticated: false }
    }

    /// The records, none for every other outcome.
    pub fn records(&self) -> &[Record] {
        match &self.outcome {
            Outcome::Records(records) => records,
            _ => &[],
        }
    }

    /// The texts of the TXT records.
    pub fn texts(&self) -> impl Iterator<Item = &Arc<[u8]>> {
        self.records().iter().filter_map(|record| match record {
            Record::Txt(text) => Some(text),
            _ => None,
        })
    }
}
