//! Tracks the record of mail.raw in which a message first came, in headers that survive retries and
//! redrive.
//!
//! A message counts as the record that first held it (Decisions: one message). A copy in another
//! topic, or one put back into the first topic, names that record in these headers. A record
//! without the headers stands for itself.

use super::{Clock, Headers, Input, Record, Stamp};
use jiff::Timestamp;

/// Prefix of the names of headers that hold the reason and the origin.
pub const PREFIX: &str = "verdmarc-";
/// Header with the topic of the original record.
pub const ORIGIN_TOPIC: &str = "verdmarc-origin-topic";
/// Header with the partition of the original record.
pub const ORIGIN_PARTITION: &str = "verdmarc-origin-partition";
/// Header with the offset of the original record.
pub const ORIGIN_OFFSET: &str = "verdmarc-origin-offset";
/// Header with the timestamp of the original record, RFC 3339.
pub const ORIGIN_TIMESTAMP: &str = "verdmarc-origin-timestamp";
/// Header with the clock of that timestamp: `broker` or `producer`. Without it the clock is the
/// producer's.
pub const ORIGIN_CLOCK: &str = "verdmarc-origin-clock";
/// Header with the number of this evaluation, counted from 1.
pub const ATTEMPT: &str = "verdmarc-attempt";
/// Header with the time before which the record must not be evaluated, RFC 3339.
pub const NOT_BEFORE: &str = "verdmarc-not-before";

/// The original record of a message, and the number of the current evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// Topic, partition and offset of the original record, and the number of this evaluation.
    pub input: Input,
    /// Timestamp of the original record, if it has one.
    pub timestamp: Option<Stamp>,
}

/// The error for headers that name an origin and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("header {header} is missing or cannot be read")]
pub struct Unreadable {
    /// Name of the header that is missing or cannot be read.
    pub header: &'static str,
}

impl Lineage {
    /// Returns the origin that the headers of `record` name, or else the record itself.
    ///
    /// # Errors
    /// Some of the headers are there, and not all of them can be read.
    pub fn of(record: &Record) -> Result<Self, Unreadable> {
        let said = record.headers.as_ref().map(Self::in_headers).transpose()?;
        Ok(said.flatten().unwrap_or_else(|| Self::itself(record)))
    }

    /// Returns the origin that `headers` name; `None` when they name none.
    ///
    /// # Errors
    /// Some of the headers are there, and not all of them can be read.
    pub fn in_headers(headers: &Headers) -> Result<Option<Self>, Unreadable> {
        let own = [ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET];
        if own.iter().all(|name| headers.get(name).is_none()) {
            return Ok(None);
        }
        let topic: String = read(headers, ORIGIN_TOPIC)?;
        if topic.is_empty() || topic.len() > 249 || topic.chars().any(char::is_control) {
            return Err(Unreadable { header: ORIGIN_TOPIC });
        }
        let timestamp = match headers.get(ORIGIN_TIMESTAMP) {
            None => None,
            Some(_) => Some(Stamp { time: read(headers, ORIGIN_TIMESTAMP)?, clock: clock(headers) }),
        };
        let attempt = match headers.get(ATTEMPT) {
            None => 1,
            Some(_) => read(headers, ATTEMPT)?,
        };
        let input = Input { topic, partition: read(headers, ORIGIN_PARTITION)?, offset: read(headers, ORIGIN_OFFSET)?, attempt };
        Ok(Some(Self { input, timestamp }))
    }

    /// Returns `record` as its own origin, at its first evaluation.
    pub fn itself(record: &Record) -> Self {
        let input = Input { topic: record.topic.to_string(), partition: record.partition, offset: record.offset, attempt: 1 };
        Self { input, timestamp: record.timestamp }
    }

    /// Returns the same origin with the number of the next evaluation.
    #[must_use]
    pub fn next_attempt(mut self) -> Self {
        self.input.attempt = self.input.attempt.saturating_add(1);
        self
    }

    /// Returns topic, partition and offset joined by hyphens, which is the id of every event about
    /// this message.
    pub fn id(&self) -> String {
        format!("{}-{}-{}", self.input.topic, self.input.partition, self.input.offset)
    }

    /// Adds the headers that name this origin.
    pub fn push_to(&self, headers: &mut Headers) {
        let mut say = |name: &str, value: &str| headers.push(name, Some(value.as_bytes()));
        say(ORIGIN_TOPIC, &self.input.topic);
        say(ORIGIN_PARTITION, &self.input.partition.to_string());
        say(ORIGIN_OFFSET, &self.input.offset.to_string());
        if let Some(timestamp) = self.timestamp {
            say(ORIGIN_TIMESTAMP, &timestamp.time.to_string());
            say(ORIGIN_CLOCK, timestamp.clock.as_str());
        }
        say(ATTEMPT, &self.input.attempt.to_string());
    }
}

/// Returns the clock of the original timestamp. The broker's clock is believed, so only the exact
/// word stands for it.
fn clock(headers: &Headers) -> Clock {
    if headers.get(ORIGIN_CLOCK) == Some(Clock::Broker.as_str().as_bytes()) { Clock::Broker } else { Clock::Producer }
}

/// Returns the time before which `record` must not be evaluated. `None`, also for a header that
/// cannot be read, means now.
pub fn not_before(record: &Record) -> Option<Timestamp> {
    read(record.headers.as_ref()?, NOT_BEFORE).ok()
}

/// Returns a record's headers without those that have verdmarc's own prefix, so that only verdmarc
/// writes there.
pub fn foreign(headers: &Headers) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
    headers.iter().filter(|(name, _)| !name.get(..PREFIX.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX)))
}

fn read<T: std::str::FromStr>(headers: &Headers, header: &'static str) -> Result<T, Unreadable> {
    let text = headers.get(header).and_then(|value| std::str::from_utf8(value).ok());
    text.and_then(|text| text.parse().ok()).ok_or(Unreadable { header })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(headers: Headers) -> Record {
        Record {
            topic: "mail.raw".into(),
            partition: 3,
            offset: 41,
            timestamp: Some(Stamp::of_broker("2026-01-02T03:04:05Z".parse().unwrap())),
            key: None,
            value: None,
            headers: Some(headers),
        }
    }

    #[test]
    fn a_record_without_headers_stands_for_itself() {
        let lineage = Lineage::of(&record(Headers::default())).unwrap();
        assert_eq!((lineage.id().as_str(), lineage.input.attempt), ("mail.raw-3-41", 1));
    }

    #[test]
    fn an_origin_survives_any_number_of_copies() {
        let first = Lineage::itself(&record(Headers::default()));
        let mut headers = Headers::default();
        first.clone().next_attempt().push_to(&mut headers);
        let copy = Record { topic: "mail.retries.1".into(), partition: 0, offset: 7, timestamp: None, ..record(headers) };
        let second = Lineage::of(&copy).unwrap();
        assert_eq!((second.id(), second.timestamp, second.input.attempt), (first.id(), first.timestamp, 2));
    }

    #[test]
    fn half_an_origin_is_none() {
        for header in [ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET] {
            let mut headers = Headers::default();
            for name in [ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET].into_iter().filter(|name| *name != header) {
                headers = headers.with(name, "1");
            }
            assert_eq!(Lineage::of(&record(headers)), Err(Unreadable { header }));
        }
        let broken = Headers::default().with(ORIGIN_TOPIC, "t").with(ORIGIN_PARTITION, "x").with(ORIGIN_OFFSET, "1");
        assert_eq!(Lineage::of(&record(broken)), Err(Unreadable { header: ORIGIN_PARTITION }));
    }
}
