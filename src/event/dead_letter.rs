//! Builds dead letters: a refused record with its bytes unchanged, and headers that say the reason
//! and the origin.

mod reason;

pub use reason::DeadLetterReason;

use super::lineage::{self, Lineage};
use super::raw::Refusal;
use super::{Headers, Input, Output, Record};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Header of the reason, a code that stays the same from version to version.
pub const REASON: &str = "verdmarc-reason";
/// Header of the reason as a sentence.
pub const ERROR: &str = "verdmarc-error";

/// Builds the dead letter of `record`: key, value and headers as they came, followed by headers for
/// the reason and the origin.
///
/// Headers with verdmarc's own prefix that the record brought are dropped, so that only verdmarc
/// writes there.
pub fn dead_letter(topic: &Arc<str>, record: Record, refusal: &Refusal) -> Output {
    let lineage = Lineage::of(&record).unwrap_or_else(|_| Lineage::itself(&record));
    letter(topic, record, &lineage, (refusal.code(), &refusal.to_string()))
}

/// Builds a dead letter for a reason that is not a [`Refusal`], from its code and a sentence for
/// people.
pub fn letter(topic: &Arc<str>, record: Record, lineage: &Lineage, (code, error): (&str, &str)) -> Output {
    let mut headers: Headers = record.headers.iter().flat_map(lineage::foreign).collect();
    let mut say = |name: &str, value: &str| headers.push(name, Some(value.as_bytes()));
    say(REASON, code);
    say(ERROR, error);
    say("verdmarc-version", env!("CARGO_PKG_VERSION"));
    lineage.push_to(&mut headers);
    Output { topic: topic.clone(), partition: None, key: record.key, value: record.value, headers }
}

/// Reason of the dead letter of a failure event that cannot be read.
pub const FAILURE_UNREADABLE: &str = DeadLetterReason::FailureUnreadable.code();

/// Reason of the dead letter of a failure event whose window is over.
pub const TOO_LATE: &str = DeadLetterReason::TooLate.code();

/// Reason of a dead letter that stands in for outputs that their topic does not take.
pub const OUTPUT_TOO_LARGE: &str = DeadLetterReason::OutputTooLarge.code();

/// Builds the dead letter that stands in for outputs that their topic does not take. Its headers
/// name the record that the outputs answer, their topics and sizes, and the SHA-256 of all their
/// values. The record itself stays in the raw topic for as long as that topic retains it.
pub fn output_too_large(topic: &Arc<str>, (raw, partition, offset): (&str, i32, i64), outputs: &[Output]) -> Output {
    let sizes: Vec<String> =
        outputs.iter().map(|output| format!("{} {} bytes", output.topic, output.value.as_ref().map_or(0, Vec::len))).collect();
    let mut digest = Sha256::new();
    outputs.iter().filter_map(|output| output.value.as_ref()).for_each(|value| digest.update(value));
    let record = Record {
        topic: raw.into(),
        partition,
        offset,
        timestamp: None,
        key: outputs.first().and_then(|output| output.key.clone()),
        value: None,
        headers: None,
    };
    let error = format!("an output is larger than its topic takes ({}); raise max.message.bytes of that topic", sizes.join(", "));
    let lineage = outputs.iter().find_map(origin).unwrap_or_else(|| Lineage::itself(&record));
    let mut letter = letter(topic, record, &lineage, (OUTPUT_TOO_LARGE, &error));
    letter.headers.push("verdmarc-sha256", Some(format!("{:x}", digest.finalize()).as_bytes()));
    letter
}

/// Returns the original record of an output. It differs from the record that was read when that was
/// a retry.
/// A copy of the message has it in its headers, a verdict or a failure in its value. Returns `None`
/// when the output has neither.
fn origin(output: &Output) -> Option<Lineage> {
    let copied = Lineage::in_headers(&output.headers).ok().flatten();
    copied.or_else(|| input_of(output))
}

fn input_of(output: &Output) -> Option<Lineage> {
    #[derive(serde::Deserialize)]
    struct Event {
        input: Input,
    }
    let event: Event = serde_json::from_slice(output.value.as_deref()?).ok()?;
    Some(Lineage { input: event.input, timestamp: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stamp;

    #[test]
    fn a_dead_letter_keeps_the_bytes_and_says_the_reason_and_the_origin() {
        let record = Record {
            topic: "mail.raw".into(),
            partition: 3,
            offset: 41,
            timestamp: Some(Stamp::of_producer("2026-01-02T03:04:05Z".parse().unwrap())),
            key: Some(b"k".to_vec()),
            value: Some(b"\xff\0".to_vec()),
            headers: Some(Headers::default().with("x", "y").with("Verdmarc-Reason", "forged")),
        };
        let letter = dead_letter(&"mail.dead-letters".into(), record, &Refusal::EmptyValue);
        assert_eq!((letter.key.as_deref(), letter.value.as_deref()), (Some(&b"k"[..]), Some(&b"\xff\0"[..])));
        let names: Vec<_> = letter.headers.iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "x",
                "verdmarc-reason",
                "verdmarc-error",
                "verdmarc-version",
                "verdmarc-origin-topic",
                "verdmarc-origin-partition",
                "verdmarc-origin-offset",
                "verdmarc-origin-timestamp",
                "verdmarc-origin-clock",
                "verdmarc-attempt"
            ]
        );
        assert_eq!(letter.headers.get("verdmarc-reason"), Some(&b"empty_value"[..]));
        assert_eq!(letter.headers.get("verdmarc-origin-offset"), Some(&b"41"[..]));
    }

    #[test]
    fn null_stays_null() {
        let record =
            Record { topic: "mail.raw".into(), partition: 0, offset: 0, timestamp: None, key: None, value: None, headers: None };
        let letter = dead_letter(&"dead".into(), record, &Refusal::NullValue);
        assert_eq!((letter.key, letter.value), (None, None));
    }

    #[test]
    fn what_stands_in_for_outputs_names_the_record_that_first_held_the_message() {
        let input = r#"{"topic":"mail.raw","partition":2,"offset":5,"attempt":2}"#;
        let output = |value: &str| Output {
            topic: "mail.verdicts".into(),
            partition: None,
            key: Some(b"k".to_vec()),
            value: Some(value.into()),
            headers: Headers::default(),
        };
        let outputs = [output("no event"), output(&format!(r#"{{"input":{input}}}"#))];
        let letter = output_too_large(&"mail.dead-letters".into(), ("mail.retries.1", 0, 7), &outputs);
        let said = |name: &str| std::str::from_utf8(letter.headers.get(name).unwrap()).unwrap();
        assert_eq!(
            (said("verdmarc-origin-topic"), said("verdmarc-origin-offset"), said("verdmarc-attempt")),
            ("mail.raw", "5", "2")
        );
        assert_eq!((said("verdmarc-reason"), letter.key.as_deref()), ("output_too_large", Some(&b"k"[..])));
        let mut copy = output("the message");
        Lineage { input: serde_json::from_str(input).unwrap(), timestamp: None }.push_to(&mut copy.headers);
        let letter = output_too_large(&"mail.dead-letters".into(), ("mail.retries.1", 0, 7), &[copy]);
        assert_eq!(letter.headers.get("verdmarc-origin-offset"), Some(&b"5"[..]));
        let alone = output_too_large(&"mail.dead-letters".into(), ("mail.raw", 1, 7), &[]);
        assert_eq!(alone.headers.get("verdmarc-origin-offset"), Some(&b"7"[..]));
    }
}
