//! Reads the responses of servers into answers, and follows chains of aliases.

use crate::dns::{Answer, Outcome, Record, RecordType, Unanswered};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsResponse, ResponseCode};
use hickory_resolver::proto::rr::{self, Name, RData};
use std::fmt::Write as _;

const MAX_LINKS: usize = 8;

/// A chain of aliases, as far as it was followed.
pub(super) struct Chain {
    pub(super) name: Name,
    links: usize,
    ttl: u32,
    authenticated: bool,
}

impl Chain {
    /// Creates a chain that begins with `name`.
    pub(super) fn of(name: Name) -> Self {
        Self { name, links: 0, ttl: u32::MAX, authenticated: true }
    }

    /// Reads what a response says about the end of the chain.
    ///
    /// Returns `None` if the end must be asked for.
    pub(super) fn read(&mut self, response: &DnsResponse, rtype: RecordType) -> Option<Answer> {
        self.authenticated &= response.metadata.authentic_data;
        let asked = self.links;
        loop {
            let here = || response.answers.iter().filter(|record| record.name == self.name);
            let found: Vec<_> = here().filter_map(|found| Some((record(&found.data, rtype)?, found.ttl))).collect();
            if let Some(ttl) = found.iter().map(|(_, ttl)| *ttl).min() {
                return Some(self.answer(Outcome::of(found.into_iter().map(|(record, _)| record).collect()), ttl));
            }
            let Some((target, ttl)) = here().find_map(alias) else { break };
            self.links += 1;
            if self.links > MAX_LINKS {
                return Some(Answer::new(Outcome::TempError(Unanswered::ServFail)));
            }
            self.ttl = self.ttl.min(ttl);
            self.name = target;
        }
        let negative_ttl = response.negative_ttl();
        match response.metadata.response_code {
            ResponseCode::NXDomain => Some(self.answer(Outcome::NxDomain, negative_ttl.unwrap_or(0))),
            ResponseCode::NoError if self.links > asked && negative_ttl.is_none() => None,
            ResponseCode::NoError => Some(self.answer(Outcome::NoData, negative_ttl.unwrap_or(0))),
            _ => Some(Answer::new(Outcome::TempError(Unanswered::ServFail))),
        }
    }

    /// Returns the answer that a failure gives about the end of the chain.
    pub(super) fn failed(&self, error: &NetError) -> Answer {
        let outcome = match error {
            NetError::Dns(DnsError::NoRecordsFound(none)) => {
                let outcome = match none.response_code {
                    ResponseCode::NXDomain => Outcome::NxDomain,
                    _ => Outcome::NoData,
                };
                // The response itself is gone, and with it the AD bit.
                return Answer { authenticated: false, ..self.answer(outcome, none.negative_ttl.unwrap_or(0)) };
            }
            NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => Outcome::TempError(Unanswered::Refused),
            NetError::Dns(DnsError::ResponseCode(ResponseCode::FormErr))
            | NetError::Proto(_)
            | NetError::ForeignClassRecord { .. } => Outcome::Invalid,
            NetError::Dns(_) => Outcome::TempError(Unanswered::ServFail),
            NetError::Timeout => Outcome::TempError(Unanswered::Timeout),
            _ => Outcome::TempError(Unanswered::Network),
        };
        Answer::new(outcome)
    }

    fn answer(&self, outcome: Outcome, ttl: u32) -> Answer {
        Answer { outcome, ttl: self.ttl.min(ttl), authenticated: self.authenticated }
    }
}

/// Returns the library's name of a record type.
pub(super) fn wire_type(rtype: RecordType) -> rr::RecordType {
    match rtype {
        RecordType::A => rr::RecordType::A,
        RecordType::Aaaa => rr::RecordType::AAAA,
        RecordType::Mx => rr::RecordType::MX,
        RecordType::Ptr => rr::RecordType::PTR,
        RecordType::Txt => rr::RecordType::TXT,
    }
}

fn alias(record: &rr::Record) -> Option<(Name, u32)> {
    match &record.data {
        RData::CNAME(target) => Some((target.0.clone(), record.ttl)),
        _ => None,
    }
}

fn record(data: &RData, rtype: RecordType) -> Option<Record> {
    let record = match data {
        RData::A(address) => Record::A(address.0),
        RData::AAAA(address) => Record::Aaaa(address.0),
        RData::MX(mx) => Record::Mx(mx.preference, host(&mx.exchange)),
        RData::PTR(name) => Record::Ptr(host(&name.0)),
        RData::TXT(txt) => Record::Txt(txt.txt_data.concat().into()),
        _ => return None,
    };
    (record.rtype() == rtype).then_some(record)
}

/// Returns a host in lower case without final dot.
///
/// Octets that are not printable ASCII, dots inside labels, and backslashes are written as `\DDD`.
/// So no host can pass for another.
fn host(name: &Name) -> Box<str> {
    let mut text = String::with_capacity(name.len());
    for label in name {
        if !text.is_empty() {
            text.push('.');
        }
        for octet in label {
            match octet {
                b'.' | b'\\' => write_escaped(&mut text, *octet),
                0x21..=0x7E => text.push(octet.to_ascii_lowercase().into()),
                _ => write_escaped(&mut text, *octet),
            }
        }
    }
    text.into()
}

fn write_escaped(text: &mut String, octet: u8) {
    // Writing to a string cannot fail.
    let _ = write!(text, "\\{octet:03}");
}
