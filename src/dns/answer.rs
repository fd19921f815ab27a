//! Defines DNS questions and answers.

use super::QueryName;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// A record type that SPF, DKIM or DMARC asks for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// A mail exchanger.
    Mx,
    /// The name of an address.
    Ptr,
    /// A text: an SPF, DKIM or DMARC record.
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
    /// Creates a question for the records of type `rtype` at `name`.
    pub fn new(name: QueryName, rtype: RecordType) -> Self {
        Self { name, rtype }
    }

    /// Creates a question for the TXT records at `name`.
    pub fn txt(name: QueryName) -> Self {
        Self::new(name, RecordType::Txt)
    }
}

/// The data of one resource record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Record {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A mail exchanger: its preference, and its host in lower case without final dot.
    /// An empty host is the null MX of RFC 7505.
    Mx(u16, Box<str>),
    /// The host of an address, in lower case without final dot.
    Ptr(Box<str>),
    /// The character-strings of one TXT record, joined without separator, in any octets.
    Txt(Arc<[u8]>),
}

impl Record {
    /// Returns the type of the question that the record answers.
    pub fn rtype(&self) -> RecordType {
        match self {
            Self::A(_) => RecordType::A,
            Self::Aaaa(_) => RecordType::Aaaa,
            Self::Mx(..) => RecordType::Mx,
            Self::Ptr(_) => RecordType::Ptr,
            Self::Txt(_) => RecordType::Txt,
        }
    }

    /// Returns the size of the data in octets.
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

/// The reason why a question has no reliable answer for now.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Unanswered {
    /// No server answered in time.
    Timeout,
    /// A server said SERVFAIL, which also stands for failed DNSSEC validation.
    ServFail,
    /// A server said REFUSED.
    Refused,
    /// The connection to the server failed, or TCP did not bring the rest of a truncated answer.
    Network,
    /// The message's deadline passed while the question was open.
    Deadline,
    /// The budget of questions was used up, so the question was never asked.
    Budget,
}

/// The content of an answer (A44).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is at least one record of the type asked for.
    Records(Arc<[Record]>),
    /// The name exists, but has no records of this type.
    NoData,
    /// The name does not exist (RFC 8020).
    NxDomain,
    /// There is no reliable answer for now.
    TempError(Unanswered),
    /// The answer is unusable and will stay so: it is over 16 KiB, FORMERR, or garbage.
    Invalid,
}

impl Outcome {
    /// The size of record data in octets above which an answer is [`Outcome::Invalid`] (F-38).
    pub const MAX_OCTETS: usize = 16 * 1024;

    /// Returns the outcome with these records.
    ///
    /// It is [`Outcome::NoData`] if there are none, and [`Outcome::Invalid`] if they are too big.
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
    /// The content of the answer.
    pub outcome: Outcome,
    /// The time for which the answer may be kept, in seconds.
    pub ttl: u32,
    /// True when the resolver vouched for the answer by DNSSEC (the AD bit).
    pub authenticated: bool,
}

impl Answer {
    /// Creates an answer with a TTL of 0 that is not authenticated.
    pub fn new(outcome: Outcome) -> Self {
        Self { outcome, ttl: 0, authenticated: false }
    }

    /// Returns the records; every outcome other than records has none.
    pub fn records(&self) -> &[Record] {
        match &self.outcome {
            Outcome::Records(records) => records,
            _ => &[],
        }
    }

    /// Returns the texts of the TXT records.
    pub fn texts(&self) -> impl Iterator<Item = &Arc<[u8]>> {
        self.records().iter().filter_map(|record| match record {
            Record::Txt(text) => Some(text),
            _ => None,
        })
    }
}
