//! Reads a record of mail.failures: a failure, a control record, or neither.

use crate::event::{CLOSE_WINDOWS, CloseWindows, FAILURE, FailureEvent, Record};
use serde::Deserialize;

/// The content of a record of mail.failures.
#[derive(Debug, Clone, PartialEq)]
pub enum Intake {
    /// A message to count.
    Failure(Box<FailureEvent>),
    /// A request of an operator.
    Control(CloseWindows),
    /// A record whose `ce_type` this version does not know.
    Unknown(String),
}

/// The error for a record that claims to be an event and cannot be read as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {kind} event: {reason}")]
pub struct Unreadable {
    /// The type of event that it claims to be.
    pub kind: &'static str,
    /// A description of the fault.
    pub reason: String,
}

/// Reads a record.
///
/// # Errors
/// The record claims to be one of verdmarc's events and cannot be read as one.
pub fn read(record: &Record) -> Result<Intake, Unreadable> {
    let kind = record.headers.as_ref().and_then(|headers| headers.get("ce_type"));
    let value = record.value.as_deref().unwrap_or_default();
    match kind {
        Some(kind) if kind == FAILURE.as_bytes() => failure(value).map(|event| Intake::Failure(Box::new(event))),
        Some(kind) if kind == CLOSE_WINDOWS.as_bytes() => json(value, CLOSE_WINDOWS).map(Intake::Control),
        Some(kind) => Ok(Intake::Unknown(String::from_utf8_lossy(kind).into_owned())),
        None => Err(Unreadable { kind: FAILURE, reason: "it has no ce_type".to_owned() }),
    }
}

fn failure(value: &[u8]) -> Result<FailureEvent, Unreadable> {
    let event: FailureEvent = json(value, FAILURE)?;
    let invalid = |reason: &str| Unreadable { kind: FAILURE, reason: reason.to_owned() };
    let hash = &event.policy_hash;
    if hash.len() != 32 || !hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(invalid("policyHash is not 32 hexadecimal digits"));
    }
    let from = event.row.envelope_from.as_deref().unwrap_or_default();
    if !from.is_empty() && crate::dns::Domain::parse(from).is_err() {
        return Err(invalid("row.envelopeFrom is no domain"));
    }
    Ok(event)
}

fn json<'v, T: Deserialize<'v>>(value: &'v [u8], kind: &'static str) -> Result<T, Unreadable> {
    serde_json::from_slice(value).map_err(|error| Unreadable { kind, reason: error.to_string() })
}
