//! Reads the JSON format of conformance cases: owner names, each with a list of records such as
//! `["MX", 10, "mx.example"]`.

use super::error::{ZoneError, ZoneProblem};
use super::nodes::{Builder, DEFAULT_TTL, Draft, Zone};
use crate::dns::{Outcome, QueryName, Record, RecordType, Unanswered};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;
use std::collections::HashSet;
use std::fmt;

pub(super) fn read(value: &Value) -> Result<Zone, ZoneError> {
    let object = Object::deserialize(value).map_err(|error| ZoneProblem::Syntax(error.to_string()))?;
    build(object, |_| None)
}

pub(super) fn read_text(text: &str) -> Result<Zone, ZoneError> {
    let object = serde_json::from_str(text)
        .map_err(|error| ZoneError::at(error.line(), ZoneProblem::Syntax(format!("not JSON of a zone: {error}"))))?;
    build(object, |owner| line_of(text, owner))
}

/// The members in the order of the text. Doubled ones are kept, so that they can be refused.
struct Object(Vec<(String, Member)>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Member {
    Records(Vec<Value>),
    Zone(Object),
    Other(serde::de::IgnoredAny),
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of owner names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn build(mut object: Object, line_of: impl Fn(&str) -> Option<usize>) -> Result<Zone, ZoneError> {
    let inner = object.0.iter().position(|(name, member)| name == "zone" && matches!(member, Member::Zone(_)));
    if let Some(position) = inner
        && let (_, Member::Zone(zone)) = object.0.swap_remove(position)
    {
        object = zone;
    }
    let mut builder = Builder::new();
    let mut seen = HashSet::new();
    for (owner, member) in &object.0 {
        let at_owner = |problem| ZoneError { line: line_of(owner), ..ZoneError::from(problem) };
        if !seen.insert(owner) {
            return Err(at_owner(ZoneProblem::Twice(owner.clone())));
        }
        let name = QueryName::new(owner).ok_or_else(|| at_owner(ZoneProblem::Owner(owner.clone())))?;
        let Member::Records(records) = member else {
            return Err(at_owner(bad(owner, "not a list", "a list of records, each a list")));
        };
        let draft = builder.at(&name);
        for record in records {
            add(draft, record).map_err(|expected| at_owner(bad(owner, &record.to_string(), expected)))?;
        }
    }
    Ok(builder.finish())
}

fn bad(owner: &str, record: &str, expected: &'static str) -> ZoneProblem {
    ZoneProblem::Record { owner: owner.to_owned(), record: record.chars().take(200).collect(), expected }
}

/// Adds one record. The error says what was expected.
fn add(draft: &mut Draft, record: &Value) -> Result<(), &'static str> {
    let [kind, fields @ ..] = record.as_array().map(Vec::as_slice).unwrap_or_default() else {
        return Err("a list whose first element is a type");
    };
    let kind = kind.as_str().ok_or("a type as first element")?;
    let record = match kind {
        "TXT" => Record::Txt(joined(fields)?.into_bytes().into()),
        "SPF" => return joined(fields).map(drop),
        "A" => Record::A(text(fields)?.parse().map_err(|_| "an IPv4 address")?),
        "AAAA" => Record::Aaaa(text(fields)?.parse().map_err(|_| "an IPv6 address")?),
        "MX" => match fields {
            [preference, host] => {
                let preference = preference.as_u64().and_then(|number| u16::try_from(number).ok());
                Record::Mx(preference.ok_or("a preference from 0 to 65535")?, host_name(host.as_str().ok_or("a host")?))
            }
            _ => return Err("a preference and a host"),
        },
        "PTR" => Record::Ptr(host_name(text(fields)?)),
        "CNAME" => {
            let target = QueryName::new(text(fields)?).ok_or("a name that can be asked for")?;
            return match draft.alias.replace((target, DEFAULT_TTL)) {
                None => Ok(()),
                Some(_) => Err("one CNAME at a name"),
            };
        }
        _ => return add_fault(draft, kind, fields),
    };
    draft.records.push((record, DEFAULT_TTL));
    Ok(())
}

fn add_fault(draft: &mut Draft, kind: &str, fields: &[Value]) -> Result<(), &'static str> {
    let outcome = match kind {
        "TIMEOUT" => Outcome::TempError(Unanswered::Timeout),
        "SERVFAIL" => Outcome::TempError(Unanswered::ServFail),
        "REFUSED" => Outcome::TempError(Unanswered::Refused),
        "FORMERR" => Outcome::Invalid,
        "NODATA" => Outcome::NoData,
        _ => return Err("TXT, SPF, A, AAAA, MX, PTR, CNAME, TIMEOUT, SERVFAIL, REFUSED, FORMERR or NODATA"),
    };
    let place = match fields {
        [] => &mut draft.fault,
        [rtype] => {
            let rtype = RecordType::deserialize(rtype).map_err(|_| "one of the types A, AAAA, MX, PTR, TXT")?;
            &mut draft.faults[rtype as usize]
        }
        _ => return Err("at most one type"),
    };
    *place = Some(outcome);
    Ok(())
}

fn text(fields: &[Value]) -> Result<&str, &'static str> {
    match fields {
        [Value::String(text)] => Ok(text),
        _ => Err("one string"),
    }
}

fn joined(fields: &[Value]) -> Result<String, &'static str> {
    fields.iter().map(|field| field.as_str().ok_or("strings")).collect()
}

fn host_name(host: &str) -> Box<str> {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase().into()
}

/// Returns the last line that has the owner name as a key.
fn line_of(text: &str, owner: &str) -> Option<usize> {
    let key = Value::from(owner).to_string();
    let (offset, _) = text
        .match_indices(&key)
        .filter(|(offset, _)| text.get(offset + key.len()..).is_some_and(|rest| rest.trim_start().starts_with(':')))
        .last()?;
    Some(text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1)
}
