//! Reads a record of mail.raw as a message and its envelope, or refuses it.
//!
//! A record has one of three forms: a CloudEvent in binary mode (the value is the message), a
//! CloudEvent in structured mode (the value is JSON), or a bare message without any `ce_` header. A
//! CloudEvent may hold a reference to an object in place of the message (`ce_dataref`).
//!
//! Nothing that the *sender* of the mail controls makes this module refuse a record. What the
//! producer itself writes must be well formed.

mod attribute;
mod attributes;
mod reference;
mod refusal;
mod structured;
#[cfg(test)]
mod tests;
mod time;
mod unread;

pub use attribute::names_a_user;
pub use reference::{Body, DataRef};
pub use refusal::Refusal;
pub use time::{NoTime, Rfc3339};
pub use unread::unread;

use super::headers::{ATTRIBUTE, CONTENT_TYPE, MESSAGE, Trace};
use super::{Clock, Headers, Lineage, Record, Stamp};
use crate::message::{Envelope, MailFrom, Submission};
use attribute::Attribute;
use attributes::{Attributes, MAX_HEADER_BYTES, MAX_HEADERS};
use jiff::{SignedDuration, Timestamp};
use reference::{DATAREF, DATASHA256};
use std::borrow::Cow;

/// `ce_type` of a raw message. Records with other types that begin with `verdmarc.` are not
/// messages.
pub const RECEIVED: &str = "verdmarc.mail.received.v1";

/// A message as it came, with its SMTP envelope.
#[derive(Debug)]
pub struct Raw<'r> {
    /// `ce_id`, or else topic, partition and offset of the original record joined by hyphens.
    pub id: String,
    /// The record that first held the message.
    pub lineage: Lineage,
    /// The bytes of the message as they came, or a reference to them.
    pub body: Body<'r>,
    /// The envelope, including the arrival time.
    pub envelope: Envelope,
    /// True when the time that the producer gave for the arrival was not believable, so that
    /// another time replaces it.
    pub arrival_corrected: bool,
    attributes: Attributes<'r>,
    /// The trace that the message belongs to.
    pub trace: Trace,
}

/// Largest difference between two clocks that is believed (Decisions: clocks).
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(10);
/// Largest age at which a producer's timestamp may stand for the arrival.
const CREDIBLE: SignedDuration = SignedDuration::from_hours(7 * 24);

impl<'r> Raw<'r> {
    /// Decodes `record` at the time `now`. A message over `max_bytes` is refused.
    ///
    /// # Errors
    /// The producer made a mistake. The record then becomes a dead letter.
    pub fn decode(record: &'r Record, max_bytes: usize, now: Timestamp) -> Result<Self, Refusal> {
        let headers = record.headers.as_ref().ok_or(Refusal::HeadersUnreadable)?;
        if headers.len() > MAX_HEADERS || headers.bytes() > MAX_HEADER_BYTES {
            return Err(Refusal::TooManyHeaders { count: headers.len(), bytes: headers.bytes() });
        }
        let (attributes, body) = match Mode::of(headers)? {
            Mode::Structured => structured::read(value_of(record)?, max_bytes)?,
            Mode::Binary => {
                let attributes = binary_attributes(headers)?;
                let body = match DataRef::of(&attributes)? {
                    Some(_) if record.value.as_ref().is_some_and(|value| !value.is_empty()) => return Err(Refusal::ClaimValue),
                    Some(reference) => Body::Reference(reference),
                    None => Body::Inline(Cow::Borrowed(value_of(record)?)),
                };
                (attributes, body)
            }
        };
        if let Body::Inline(message) = &body {
            if message.len() > max_bytes {
                return Err(Refusal::TooLarge { bytes: message.len(), limit: max_bytes });
            }
            if message.is_empty() {
                return Err(Refusal::EmptyValue);
            }
        }
        attributes.into_raw(Lineage::of(record)?, headers, body, now)
    }

    /// Returns whether the message may lie in an object store, as far as the record shows before it
    /// is decoded.
    pub fn may_refer(record: &Record) -> bool {
        let Some(headers) = &record.headers else { return false };
        let value = record.value.as_deref().unwrap_or_default();
        let is_reference = |name: &str| {
            name.split_at_checked(ATTRIBUTE.len())
                .is_some_and(|(start, rest)| start.eq_ignore_ascii_case(ATTRIBUTE) && rest.eq_ignore_ascii_case(DATAREF))
        };
        match Mode::of(headers) {
            Ok(Mode::Binary) => value.is_empty() && headers.iter().any(|(name, _)| is_reference(name)),
            // A larger value holds the message itself, or is refused because its attributes are too
            // large.
            Ok(Mode::Structured) => {
                let mut places = value.windows(DATAREF.len());
                value.len() <= 2 * MAX_HEADER_BYTES && places.any(|place| place.eq_ignore_ascii_case(DATAREF.as_bytes()))
            }
            Err(_) => false,
        }
    }

    /// Returns the attributes as `ce_` headers, as they came, without those of a reference.
    /// Attributes that CloudEvents requires and the record lacks are added, so that a bare message
    /// has them too.
    pub fn attributes(&self) -> Headers {
        let Attributes(given) = &self.attributes;
        let mut headers = Headers::with_capacity(given.len() + 5);
        let complete: [(&str, Option<String>); 5] = [
            ("specversion", Some("1.0".to_owned())),
            ("id", Some(self.id.clone())),
            ("source", Some(format!("/verdmarc/{}", self.lineage.input.topic))),
            ("type", Some(RECEIVED.to_owned())),
            ("time", self.envelope.arrival.map(|time| time.to_string())),
        ];
        for (name, value) in complete {
            if let (None, Some(value)) = (self.attributes.get(name), value) {
                headers.push(&format!("{ATTRIBUTE}{name}"), Some(value.as_bytes()));
            }
        }
        let is_of_reference = |name: &str| name.eq_ignore_ascii_case(DATAREF) || name.eq_ignore_ascii_case(DATASHA256);
        for (name, value) in given.iter().filter(|(name, _)| !is_of_reference(name)) {
            headers.push(&format!("{ATTRIBUTE}{}", name.to_ascii_lowercase()), Some(&value.octets()));
        }
        headers
    }
}

fn value_of(record: &Record) -> Result<&[u8], Refusal> {
    match record.value.as_deref() {
        None => Err(Refusal::NullValue),
        Some([]) => Err(Refusal::EmptyValue),
        Some(value) => Ok(value),
    }
}

#[derive(Clone, Copy)]
enum Mode {
    Binary,
    Structured,
}

impl Mode {
    fn of(headers: &Headers) -> Result<Self, Refusal> {
        let named = headers.iter().find(|(name, value)| name.eq_ignore_ascii_case(CONTENT_TYPE) && value.is_some());
        let Some((_, Some(value))) = named else { return Ok(Self::Binary) };
        let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if essence.eq_ignore_ascii_case(MESSAGE.as_bytes()) {
            Ok(Self::Binary)
        } else if essence.eq_ignore_ascii_case(b"application/cloudevents+json") {
            Ok(Self::Structured)
        } else {
            Err(Refusal::ContentType { given: Envelope::text(essence) })
        }
    }
}

fn binary_attributes(headers: &Headers) -> Result<Attributes<'_>, Refusal> {
    let mut attributes = Attributes::default();
    for (name, value) in headers.iter() {
        let prefix = name.get(..ATTRIBUTE.len()).filter(|prefix| prefix.eq_ignore_ascii_case(ATTRIBUTE));
        if let (Some(_), Some(value)) = (prefix, value) {
            let name = name.get(ATTRIBUTE.len()..).unwrap_or_default();
            attributes.insert(Cow::Borrowed(name), Attribute::Octets(Cow::Borrowed(value)))?;
        }
    }
    Ok(attributes)
}

impl<'r> Attributes<'r> {
    fn into_raw(self, lineage: Lineage, headers: &Headers, body: Body<'r>, now: Timestamp) -> Result<Raw<'r>, Refusal> {
        if let Some(version) = self.text("specversion")?.filter(|version| version != "1.0") {
            return Err(Refusal::Attribute { name: "specversion", given: version });
        }
        if let Some(kind) = self.text("type")?.filter(|kind| kind.starts_with("verdmarc.") && kind != RECEIVED) {
            return Err(Refusal::EventType { given: kind });
        }
        let id = match self.text("id")? {
            Some(id) => id,
            None => lineage.id(),
        };
        let (arrival, arrival_corrected) = arrival(self.parsed("time")?.map(|Rfc3339(time)| time), lineage.timestamp, now);
        let client_ip = self.parsed::<std::net::IpAddr>("clientip")?.map(|ip| ip.to_canonical());
        let envelope = Envelope {
            client_ip,
            helo: self.octets("helo").map(|helo| Envelope::text(&helo)),
            mail_from: self.octets("mailfrom").map_or(MailFrom::Unknown, |path| reverse_path(&path)),
            rcpt_to: self.get("rcptto").map(recipients).unwrap_or_default(),
            submission: if self.get("authenticated").is_some_and(Attribute::says_authenticated) {
                Submission::Authenticated
            } else {
                Submission::External
            },
            arrival,
            spam_verdict: self.octets("spamverdict").and_then(|word| ses_status(&word)),
            virus_verdict: self.octets("virusverdict").and_then(|word| ses_status(&word)),
        };
        let trace = Trace::of(|name| headers.get(name).map(Cow::Borrowed).or_else(|| self.octets(name)));
        Ok(Raw { id, lineage, body, envelope, arrival_corrected, attributes: self, trace })
    }
}

/// Returns the arrival time, and whether another time had to replace the one that was given. Only
/// the broker's clock corrects `ce_time`.
fn arrival(said: Option<Timestamp>, stamp: Option<Stamp>, now: Timestamp) -> (Option<Timestamp>, bool) {
    match (said, stamp) {
        (Some(said), Some(Stamp { time, clock: Clock::Broker })) if said.duration_since(time) > CLOCK_TOLERANCE => {
            (Some(time), true)
        }
        (Some(said), _) => (Some(said), false),
        (None, Some(Stamp { time, clock: Clock::Broker })) => (Some(time), false),
        (None, Some(Stamp { time, clock: Clock::Producer })) => {
            let age = now.duration_since(time);
            let is_credible = (-CLOCK_TOLERANCE..=CREDIBLE).contains(&age);
            (Some(if is_credible { time.min(now) } else { now }), !is_credible)
        }
        (None, None) => (None, false),
    }
}

fn reverse_path(path: &[u8]) -> MailFrom {
    match without_brackets(path) {
        [] => MailFrom::Null,
        path => MailFrom::Path(Envelope::text(path)),
    }
}

fn recipients(value: &Attribute<'_>) -> Vec<String> {
    value.list().iter().map(|path| without_brackets(path)).filter(|path| !path.is_empty()).map(Envelope::text).collect()
}

fn without_brackets(path: &[u8]) -> &[u8] {
    let path = path.trim_ascii();
    path.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")).unwrap_or(path)
}

/// Returns the SES status word that `word` spells in any case; `None` for anything else, which is
/// not a scan result.
fn ses_status(word: &[u8]) -> Option<String> {
    ["PASS", "FAIL", "GRAY", "PROCESSING_FAILED", "DISABLED"]
        .into_iter()
        .find(|known| word.trim_ascii().eq_ignore_ascii_case(known.as_bytes()))
        .map(str::to_owned)
}
