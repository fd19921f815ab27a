//! Reads the dead-letter topic: dead letters, and marks that say which of them were put back into
//! their topic.

use super::dead_letter::{ERROR, REASON};
use super::headers::{Attributes, JSON, Trace};
use super::{Lineage, Output, Record, lineage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `ce_type` of a mark, which says which dead letters were put back.
pub const REDRIVEN: &str = "verdmarc.control.redriven.v1";
/// Largest number of dead letters that one mark lists.
pub const MARK_LETTERS: usize = 1_000;

/// The place of a record in the dead-letter topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordId {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

impl std::fmt::Display for RecordId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.partition, self.offset)
    }
}

/// The error for a text that is not `PARTITION/OFFSET`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write PARTITION/OFFSET, say 3/41")]
pub struct NoRecordId;

impl std::str::FromStr for RecordId {
    type Err = NoRecordId;

    fn from_str(text: &str) -> Result<Self, NoRecordId> {
        let (partition, offset) = text.split_once('/').ok_or(NoRecordId)?;
        let place =
            Self { partition: partition.parse().map_err(|_| NoRecordId)?, offset: offset.parse().map_err(|_| NoRecordId)? };
        if place.partition < 0 || place.offset < 0 { Err(NoRecordId) } else { Ok(place) }
    }
}

/// The value of a mark (`ce_type` `verdmarc.control.redriven.v1`): dead letters that were written
/// to their topic again in the same transaction. The mark stands in the partition of these dead
/// letters, behind them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RedrivenEvent {
    /// The places of the dead letters, 1 000 at most.
    #[schemars(length(max = 1000))]
    pub redriven: Vec<RecordId>,
}

impl RedrivenEvent {
    /// Returns the mark as a record. There must be at least one place, and all places must be of
    /// one partition.
    pub fn output(&self, topic: &Arc<str>, time: Timestamp) -> Output {
        let first = self.redriven.first().copied().unwrap_or(RecordId { partition: 0, offset: 0 });
        let id = format!("{}-{}-{}-{}", topic, first.partition, first.offset, time.as_millisecond());
        let attributes = Attributes { id: &id, source: "/verdmarc", kind: REDRIVEN, time, content_type: JSON };
        // A value of numbers always has a JSON form.
        let value = serde_json::to_vec(self).unwrap_or_default();
        let headers = attributes.headers(&Trace::default());
        Output { topic: topic.clone(), partition: Some(first.partition), key: None, value: Some(value), headers }
    }
}

/// A dead letter without the bytes of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The place of the dead letter.
    pub place: RecordId,
    /// When the dead letter was written.
    pub time: Option<Timestamp>,
    /// The reason why the record was refused, a code.
    pub reason: String,
    /// The reason as a sentence.
    pub error: String,
    /// The record in which the message first came, and the number of its last evaluation; `None`
    /// when the headers cannot be read.
    pub lineage: Option<Lineage>,
    /// Bytes of the value; `None` when it is null.
    pub size: Option<usize>,
}

/// A record of the dead-letter topic, by its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLetterEntry {
    /// A dead letter.
    Letter(Letter),
    /// A mark.
    Redriven(RedrivenEvent),
    /// Neither of them.
    Other,
}

impl DeadLetterEntry {
    /// Reads `record`. A record that has a reason is a dead letter, whatever else its headers say.
    /// The headers that its producer gave it are kept and may look like a mark, but only verdmarc
    /// writes a reason.
    pub fn of(record: &Record) -> Self {
        let Some(headers) = &record.headers else { return Self::Other };
        let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value).into_owned());
        if let Some(reason) = text(REASON) {
            return Self::Letter(Letter {
                place: RecordId { partition: record.partition, offset: record.offset },
                time: record.timestamp.map(|stamp| stamp.time),
                reason,
                error: text(ERROR).unwrap_or_default(),
                // Without an origin in its headers a dead letter would stand for itself, so
                // verdmarc did not write it.
                lineage: headers.get(lineage::ORIGIN_TOPIC).and_then(|_| Lineage::of(record).ok()),
                size: record.value.as_ref().map(Vec::len),
            });
        }
        if text("ce_type").as_deref() != Some(REDRIVEN) {
            return Self::Other;
        }
        record.value.as_deref().and_then(|value| serde_json::from_slice(value).ok()).map_or(Self::Other, Self::Redriven)
    }
}

/// Builds the record that writes a dead letter to `topic` again, as the next evaluation of its
/// message.
/// Key, value and headers are as they came. The origin remains the one that the message always had.
pub fn again(topic: &Arc<str>, record: Record, lineage: Lineage) -> Output {
    let mut headers = record.headers.iter().flat_map(lineage::foreign).collect();
    lineage.next_attempt().push_to(&mut headers);
    Output { topic: topic.clone(), partition: None, key: record.key, value: record.value, headers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::dead_letter::dead_letter;
    use crate::event::raw::Refusal;
    use crate::event::{Headers, Stamp};

    fn record(headers: Headers) -> Record {
        let timestamp = Some(Stamp::of_broker("2026-01-02T03:04:05Z".parse().unwrap()));
        Record {
            topic: "mail.raw".into(),
            partition: 3,
            offset: 41,
            timestamp,
            key: Some(b"k".to_vec()),
            value: Some(b"v".to_vec()),
            headers: Some(headers),
        }
    }

    /// Returns the output as a reader would find it.
    fn written(output: Output, partition: i32, offset: i64) -> Record {
        let Output { topic, key, value, headers, .. } = output;
        Record { topic, partition, offset, timestamp: None, key, value, headers: Some(headers) }
    }

    #[test]
    fn a_letter_goes_back_with_its_origin_and_the_next_attempt() {
        let refused = record(Headers::default().with("ce_id", "7").with("verdmarc-not-before", "2026-01-02T03:04:05Z"));
        let letter = written(dead_letter(&"dead".into(), refused, &Refusal::EmptyValue), 1, 9);
        let DeadLetterEntry::Letter(read) = DeadLetterEntry::of(&letter) else { panic!("{letter:?}") };
        assert_eq!((read.place, read.reason.as_str(), read.size), (RecordId { partition: 1, offset: 9 }, "empty_value", Some(1)));
        let lineage = read.lineage.unwrap();
        assert_eq!((lineage.id().as_str(), lineage.input.attempt), ("mail.raw-3-41", 1));

        let back = again(&"mail.raw".into(), letter, lineage.clone());
        let names: Vec<&str> = back.headers.iter().map(|(name, _)| name).collect();
        let origin = ["topic", "partition", "offset", "timestamp", "clock"].map(|name| format!("verdmarc-origin-{name}"));
        let origin: Vec<&str> = origin.iter().map(String::as_str).collect();
        assert_eq!(names, [&["ce_id"][..], &origin, &["verdmarc-attempt"]].concat());
        assert_eq!((back.key.as_deref(), back.value.as_deref(), back.partition), (Some(&b"k"[..]), Some(&b"v"[..]), None));
        assert_eq!(Lineage::of(&written(back, 0, 77)).unwrap(), lineage.next_attempt());
    }

    #[test]
    fn a_mark_comes_back_as_it_was() {
        let mark = RedrivenEvent { redriven: vec![RecordId { partition: 2, offset: 5 }, RecordId { partition: 2, offset: 8 }] };
        let output = mark.output(&"dead".into(), "2026-01-02T03:04:05Z".parse().unwrap());
        assert_eq!(output.partition, Some(2));
        assert_eq!(
            output.value.as_deref(),
            Some(&br#"{"redriven":[{"partition":2,"offset":5},{"partition":2,"offset":8}]}"#[..])
        );
        assert_eq!(DeadLetterEntry::of(&written(output, 2, 9)), DeadLetterEntry::Redriven(mark));
    }

    #[test]
    fn no_producer_can_make_a_mark() {
        let value = br#"{"redriven":[{"partition":0,"offset":0}]}"#.to_vec();
        let forged = Record { value: Some(value), ..record(Headers::default().with("ce_type", REDRIVEN)) };
        let refusal = Refusal::EventType { given: REDRIVEN.to_owned() };
        let letter = written(dead_letter(&"dead".into(), forged, &refusal), 0, 1);
        assert!(matches!(DeadLetterEntry::of(&letter), DeadLetterEntry::Letter(letter) if letter.reason == "event_type"));
    }

    #[test]
    fn what_is_neither_is_let_be() {
        assert_eq!(DeadLetterEntry::of(&record(Headers::default())), DeadLetterEntry::Other);
        assert_eq!(DeadLetterEntry::of(&Record { headers: None, ..record(Headers::default()) }), DeadLetterEntry::Other);
        assert_eq!(DeadLetterEntry::of(&record(Headers::default().with("ce_type", REDRIVEN))), DeadLetterEntry::Other, "no JSON");
        let DeadLetterEntry::Letter(strange) = DeadLetterEntry::of(&record(Headers::default().with(REASON, "r"))) else {
            panic!()
        };
        assert_eq!(strange.lineage, None);
    }

    #[test]
    fn places_are_read_strictly() {
        assert_eq!("3/41".parse(), Ok(RecordId { partition: 3, offset: 41 }));
        for text in ["3", "3/", "/41", "-1/3", "3/-1", "3/4/5", "x/1"] {
            assert_eq!(text.parse::<RecordId>(), Err(NoRecordId), "{text}");
        }
    }
}
