//! Reads the dead-letter topic for operators. `redrive` puts its records back into their topics,
//! and `skip` moves one record into it by hand.

mod redrive;
mod skip;

pub use redrive::{Fate, Note, Progress, Redrive, Unfit};
pub use skip::{NoTarget, SkipError, Target, skip};

use crate::config::Config;
use crate::event::Record;
use crate::event::redrive::{DeadLetterEntry, Letter, RecordId};
use crate::kafka::base::error::Error;
use crate::kafka::client::read_range::{Range, Span};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A selection of letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The reasons to select; empty for all reasons.
    pub reasons: BTreeSet<String>,
    /// The earliest time of writing.
    pub since: Option<Timestamp>,
    /// The time before which letters were written.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Returns whether `letter` is selected.
    pub fn matches(&self, letter: &Letter) -> bool {
        let reason = self.reasons.is_empty() || self.reasons.contains(&letter.reason);
        // A record always has a timestamp, unless it was written by a client older than any that
        // can write transactions.
        let since = self.since.is_none_or(|since| letter.time.is_some_and(|time| time >= since));
        let until = self.until.is_none_or(|until| letter.time.is_some_and(|time| time < until));
        reason && since && until
    }
}

/// A letter, and the number of times that it was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The letter.
    pub letter: Letter,
    /// The number of times that it was put back.
    pub redriven: u32,
    /// Why the record would be refused again after it was put back. None when that is not certain,
    /// or was not asked for.
    pub refused: Option<String>,
}

/// A function that returns why a letter's record would be refused again.
type Prediction<'p> = dyn Fn(&Letter, Record) -> Option<String> + 'p;

/// Lists the letters that `filter` selects, the oldest first.
///
/// # Errors
/// The topic cannot be read to its end.
pub fn list(config: &Config, filter: &Filter) -> Result<Vec<Listed>, Error> {
    predicted(config, filter, &|_, _| None)
}

/// Lists the letters that `filter` selects, the oldest first, each with its prediction.
fn predicted(config: &Config, filter: &Filter, prediction: &Prediction<'_>) -> Result<Vec<Listed>, Error> {
    let from = filter.since.map_or(Span::Beginning, Span::Time);
    let mut range = Range::open(&config.kafka, &topic(config), &from)?;
    let mut letters = Vec::new();
    let mut redriven: BTreeMap<RecordId, u32> = BTreeMap::new();
    while let Some(record) = range.next()? {
        match DeadLetterEntry::of(&record) {
            DeadLetterEntry::Letter(letter) if filter.matches(&letter) => {
                let refused = prediction(&letter, record);
                letters.push((letter, refused));
            }
            DeadLetterEntry::Letter(_) => {}
            DeadLetterEntry::Redriven(mark) => {
                mark.redriven.into_iter().for_each(|place| *redriven.entry(place).or_default() += 1);
            }
            DeadLetterEntry::Other => {
                tracing::debug!(partition = record.partition, offset = record.offset, "neither letter nor mark");
            }
        }
    }
    letters.sort_by_key(|(letter, _)| (letter.time, letter.place));
    let listed = |(letter, refused): (Letter, Option<String>)| {
        let redriven = redriven.get(&letter.place).copied().unwrap_or_default();
        Listed { letter, redriven, refused }
    };
    Ok(letters.into_iter().map(listed).collect())
}

/// Reads the record at `place`; None when the topic does not hold it, or does not hold it any more.
///
/// # Errors
/// The topic cannot be read.
pub fn get(config: &Config, place: RecordId) -> Result<Option<Record>, Error> {
    at(config, &topic(config), place)
}

fn at(config: &Config, topic: &Arc<str>, place: RecordId) -> Result<Option<Record>, Error> {
    let one = BTreeMap::from([(place.partition, (place.offset, place.offset.saturating_add(1)))]);
    Range::open(&config.kafka, topic, &Span::Offsets(one))?.next()
}

fn topic(config: &Config) -> Arc<str> {
    config.topics.full(&config.topics.dead_letters).into()
}

fn raw(config: &Config) -> Arc<str> {
    config.topics.full(&config.topics.raw).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(reason: &str, time: &str) -> Letter {
        let place = RecordId { partition: 0, offset: 0 };
        Letter { place, time: time.parse().ok(), reason: reason.into(), error: String::new(), lineage: None, size: None }
    }

    #[test]
    fn a_filter_takes_all_that_it_does_not_exclude() {
        let letter = letter("base64", "2026-01-02T03:04:05Z");
        let at = |text: &str| text.parse().ok();
        let reasons = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
        let cases = [
            (Filter::default(), true),
            (Filter { reasons: reasons(&["empty_value", "base64"]), ..Filter::default() }, true),
            (Filter { reasons: reasons(&["base"]), ..Filter::default() }, false),
            (Filter { since: at("2026-01-02T03:04:05Z"), ..Filter::default() }, true),
            (Filter { since: at("2026-01-02T03:04:06Z"), ..Filter::default() }, false),
            (Filter { until: at("2026-01-02T03:04:06Z"), ..Filter::default() }, true),
            (Filter { until: at("2026-01-02T03:04:05Z"), ..Filter::default() }, false),
        ];
        for (filter, expected) in cases {
            assert_eq!(filter.matches(&letter), expected, "{filter:?}");
        }
    }

    #[test]
    fn a_letter_without_time_is_outside_every_period() {
        let timeless = letter("r", "");
        assert!(Filter::default().matches(&timeless));
        assert!(!Filter { since: Some(Timestamp::UNIX_EPOCH), ..Filter::default() }.matches(&timeless));
    }
}
