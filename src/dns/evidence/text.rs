//! Writes evidence as JSON, and reads it back.

use super::super::{Answer, Outcome, QueryName, Question, Record, RecordType, Unanswered};
use super::Entry;
use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::{Serialize, SerializeMap as _, SerializeStruct as _, Serializer};
use std::sync::Arc;

/// The end of a question: a response code, or the reason why there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
enum Rcode {
    /// The name exists, with or without records of the type.
    NoError,
    /// The name does not exist.
    NxDomain,
    /// The server failed, or DNSSEC validation did.
    ServFail,
    /// The server refused to answer.
    Refused,
    /// The answer was unusable: it was FORMERR, garbage, or over 16 KiB.
    FormErr,
    /// No server answered in time.
    Timeout,
    /// The connection to the server failed.
    Network,
    /// The message's deadline passed before an answer came.
    Deadline,
    /// The budget of questions was used up, so the question was never asked.
    Budget,
}

impl Rcode {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Records(_) | Outcome::NoData => Self::NoError,
            Outcome::NxDomain => Self::NxDomain,
            Outcome::Invalid => Self::FormErr,
            Outcome::TempError(Unanswered::Timeout) => Self::Timeout,
            Outcome::TempError(Unanswered::ServFail) => Self::ServFail,
            Outcome::TempError(Unanswered::Refused) => Self::Refused,
            Outcome::TempError(Unanswered::Network) => Self::Network,
            Outcome::TempError(Unanswered::Deadline) => Self::Deadline,
            Outcome::TempError(Unanswered::Budget) => Self::Budget,
        }
    }

    fn without_records(self) -> Outcome {
        match self {
            Self::NoError => Outcome::NoData,
            Self::NxDomain => Outcome::NxDomain,
            Self::FormErr => Outcome::Invalid,
            Self::Timeout => Outcome::TempError(Unanswered::Timeout),
            Self::ServFail => Outcome::TempError(Unanswered::ServFail),
            Self::Refused => Outcome::TempError(Unanswered::Refused),
            Self::Network => Outcome::TempError(Unanswered::Network),
            Self::Deadline => Outcome::TempError(Unanswered::Deadline),
            Self::Budget => Outcome::TempError(Unanswered::Budget),
        }
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_struct("Entry", 6)?;
        entry.serialize_field("name", self.question.name.as_str())?;
        entry.serialize_field("type", &self.question.rtype)?;
        entry.serialize_field("rcode", &Rcode::of(&self.answer.outcome))?;
        entry.serialize_field("records", &Records(self.answer.records()))?;
        entry.serialize_field("ttl", &self.answer.ttl)?;
        entry.serialize_field("authenticated", &self.answer.authenticated)?;
        entry.end()
    }
}

struct Records<'a>(&'a [Record]);

impl Serialize for Records<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(RecordText))
    }
}

struct RecordText<'a>(&'a Record);

impl Serialize for RecordText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Record::A(address) => serializer.collect_str(address),
            Record::Aaaa(address) => serializer.collect_str(address),
            Record::Mx(preference, host) => serializer.collect_str(&format_args!("{preference} {}", shown(host))),
            Record::Ptr(host) => serializer.serialize_str(shown(host)),
            Record::Txt(text) => {
                if let Ok(text) = std::str::from_utf8(text) {
                    return serializer.serialize_str(text);
                }
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", &format_args!("{}", Base64Display::new(text, &BASE64)))?;
                map.end()
            }
        }
    }
}

/// Returns a host as evidence has it. The root is a dot.
fn shown(host: &str) -> &str {
    if host.is_empty() { "." } else { host }
}

/// One question and the answer that was used.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EvidenceEntry")]
struct EntryText {
    /// The name asked for, in lower case and without final dot. It may hold any characters.
    name: String,
    /// The type asked for.
    #[serde(rename = "type")]
    rtype: RecordType,
    /// The end of the question.
    rcode: Rcode,
    /// The records of the type. There are none unless `rcode` is `NOERROR`.
    records: Vec<DataText>,
    /// The time for which the answer may be kept, in seconds.
    ttl: u32,
    /// True when the resolver vouched for the answer by DNSSEC (the AD bit).
    authenticated: bool,
}

/// A record: an address, `10 mx.example` (`.` is the root), the host of an address, or a text.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum DataText {
    /// The record as text.
    Plain(String),
    /// A text that is not UTF-8.
    Encoded {
        /// The octets of the text, in base64.
        base64: String,
    },
}

#[derive(Debug, thiserror::Error)]
enum BadEntry {
    #[error("`{0}` is not a name that can be asked for")]
    Name(String),
    #[error("`{record}` is not the data of a record of type {rtype:?}")]
    Record { record: String, rtype: RecordType },
    #[error("records under rcode {0:?}")]
    RecordsWithoutAnswer(Rcode),
}

impl TryFrom<EntryText> for Entry {
    type Error = BadEntry;

    fn try_from(text: EntryText) -> Result<Self, BadEntry> {
        let name = QueryName::new(&text.name).ok_or(BadEntry::Name(text.name))?;
        let records: Vec<_> = text.records.into_iter().map(|data| record(text.rtype, data)).collect::<Result<_, _>>()?;
        let outcome = match text.rcode {
            Rcode::NoError if !records.is_empty() => Outcome::Records(records.into()),
            rcode if records.is_empty() => rcode.without_records(),
            rcode => return Err(BadEntry::RecordsWithoutAnswer(rcode)),
        };
        let answer = Answer { outcome, ttl: text.ttl, authenticated: text.authenticated };
        Ok(Self { question: Question::new(name, text.rtype), answer: Arc::new(answer) })
    }
}

fn record(rtype: RecordType, data: DataText) -> Result<Record, BadEntry> {
    let plain = match data {
        DataText::Plain(text) => text,
        DataText::Encoded { base64 } => {
            let octets = BASE64.decode(&base64).ok().filter(|_| rtype == RecordType::Txt);
            let octets = octets.ok_or(BadEntry::Record { record: base64, rtype })?;
            return Ok(Record::Txt(octets.into()));
        }
    };
    let host = |host: &str| if host == "." { "".into() } else { host.into() };
    let record = match rtype {
        RecordType::A => plain.parse().ok().map(Record::A),
        RecordType::Aaaa => plain.parse().ok().map(Record::Aaaa),
        RecordType::Mx => {
            plain.split_once(' ').and_then(|(preference, name)| Some(Record::Mx(preference.parse().ok()?, host(name))))
        }
        RecordType::Ptr => Some(Record::Ptr(host(&plain))),
        RecordType::Txt => Some(Record::Txt(plain.as_bytes().into())),
    };
    record.ok_or(BadEntry::Record { record: plain, rtype })
}

impl<'de> serde::Deserialize<'de> for Entry {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EntryText::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Entry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        EntryText::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        EntryText::json_schema(generator)
    }
}
