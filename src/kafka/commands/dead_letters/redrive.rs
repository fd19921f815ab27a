//! Puts letters back into the topics that they came from.
//!
//! ```text
//! init_transactions   fences another redrive and ends what it left open
//!   ─► read the dead-letter topic to its end: letters, and marks of those that were put back
//!   ─► for some letters at a time, one transaction: the records in mail.raw,
//!      and marks after the letters
//! ```
//!
//! The order matters: a command that read the topic before the fence could miss a mark whose
//! transaction is just being committed. A letter was put back if and only if its mark is there, so
//! a redrive after one that was killed continues where that one ended.

use crate::config::Config;
use crate::event::dead_letter::{FAILURE_UNREADABLE, OUTPUT_TOO_LARGE};
use crate::event::redrive::{Letter, MARK_LETTERS, RecordId, RedrivenEvent, again};
use crate::event::{Lineage, Output, Record};
use crate::kafka::base::error::Error;
use crate::kafka::client::read_range::{Range, Span};
use crate::kafka::commands::dead_letters::{Filter, Listed, at, predicted, raw, topic};
use crate::kafka::commands::transaction::{CommandError, Writer};
use crate::kafka::topics;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A redrive of selected letters.
pub struct Redrive<'c> {
    /// The settings.
    pub config: &'c Config,
    /// The selection of letters.
    pub filter: Filter,
    /// True to put back even the letters that were put back before.
    pub again: bool,
    /// Returns why a record would be refused however often it is put back. The role that reads the
    /// record's topic knows that.
    pub refused: &'c dyn Fn(&Record) -> Option<String>,
}

/// The fate of a letter in a redrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is put back.
    Back(Note),
    /// It is not put back.
    Left(Unfit),
}

/// A note about a letter that is put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// There is nothing to note.
    Plain,
    /// With these settings it will be refused again, for this reason.
    Refused(String),
    /// It stands in for the outputs of a record. That record is put back, if its topic still has
    /// it.
    Original,
}

/// The reason why a letter is not put back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It was put back before.
    #[error("was put back before; --again does it once more")]
    Redriven,
    /// Its origin cannot be read.
    #[error("its origin cannot be read from its headers")]
    NoOrigin,
    /// It came from a topic that nothing can be put back into.
    #[error("its origin is {0}; only records of the raw topic and unreadable failure events can be put back")]
    Origin(String),
    /// The topic does not hold it any more.
    #[error("the topic does not hold it any more")]
    Gone,
    /// The topic does not hold the record that it stands in for any more.
    #[error("it holds no message, and the record that it speaks of is not in the raw topic any more")]
    OriginalGone,
}

/// A function that is called with each letter once its fate is certain.
pub type Progress<'p> = dyn FnMut(&Listed, &Fate) + 'p;

/// The largest number of letters in one transaction.
const BATCH_LETTERS: usize = 500;
/// The approximate number of bytes in one transaction.
const BATCH_BYTES: usize = 16 << 20;
// A batch needs at most one mark for each partition.
const _: () = assert!(BATCH_LETTERS <= MARK_LETTERS);

/// The letters of one transaction.
#[derive(Default)]
struct Batch {
    letters: Vec<(Listed, Note)>,
    outputs: Vec<Output>,
    bytes: usize,
}

impl Redrive<'_> {
    /// Returns the fate that each selected letter would have.
    ///
    /// # Errors
    /// The topic cannot be read to its end.
    pub fn plan(&self) -> Result<Vec<(Listed, Fate)>, Error> {
        let letters = predicted(self.config, &self.filter, &|letter, record| self.refused_again(letter, record))?;
        Ok(letters.into_iter().map(|listed| (listed.clone(), self.fate(&listed))).collect())
    }

    /// Puts the letters back, and reports the fate of each once that is committed.
    ///
    /// # Errors
    /// Kafka fails. The fates that were reported before that remain true.
    pub fn run(&self, report: &mut Progress<'_>) -> Result<(), CommandError> {
        let kafka = &self.config.kafka;
        // This call explains a missing topic or broker better than a transaction would.
        topics::partitions(kafka, &topic(self.config))?;
        let writer = Writer::start(kafka, &self.config.group("redrive"))?;
        let mut open: BTreeMap<RecordId, (Listed, Note)> = BTreeMap::new();
        let plan = self.plan()?;
        for home in self.homes(&plan) {
            topics::partitions(kafka, &home)?;
        }
        for (listed, fate) in plan {
            match fate {
                Fate::Back(note) => drop(open.insert(listed.letter.place, (listed, note))),
                Fate::Left(_) => report(&listed, &fate),
            }
        }
        let mut range = Range::open(kafka, &topic(self.config), &Span::Offsets(bounds(open.keys())))?;
        let (raw, mut batch) = (raw(self.config), Batch::default());
        while let Some(record) = range.next()? {
            let place = RecordId { partition: record.partition, offset: record.offset };
            let Some((listed, note)) = open.remove(&place) else { continue };
            match self.output(&raw, record, &listed, &note)? {
                Ok(output) => batch.push(listed, note, output),
                Err(unfit) => report(&listed, &Fate::Left(unfit)),
            }
            if batch.is_full() {
                self.write(&writer, &mut batch, report)?;
            }
        }
        self.write(&writer, &mut batch, report)?;
        for (listed, _) in open.into_values() {
            report(&listed, &Fate::Left(Unfit::Gone));
        }
        Ok(())
    }

    /// Returns the topics that letters go back to.
    fn homes(&self, plan: &[(Listed, Fate)]) -> BTreeSet<Arc<str>> {
        let back = plan.iter().filter(|(_, fate)| matches!(fate, Fate::Back(_)));
        back.filter_map(|(Listed { letter, .. }, _)| self.home(letter, letter.lineage.as_ref()?)).collect()
    }

    fn fate(&self, Listed { letter, redriven, refused }: &Listed) -> Fate {
        if *redriven > 0 && !self.again {
            return Fate::Left(Unfit::Redriven);
        }
        let Some(lineage) = &letter.lineage else { return Fate::Left(Unfit::NoOrigin) };
        if self.home(letter, lineage).is_none() {
            return Fate::Left(Unfit::Origin(lineage.input.topic.clone()));
        }
        Fate::Back(match refused {
            _ if is_stand_in(letter) => Note::Original,
            Some(reason) => Note::Refused(reason.clone()),
            None => Note::Plain,
        })
    }

    /// Returns why the record of a letter would be refused in the form in which it would be put
    /// back; None when that is not certain.
    fn refused_again(&self, letter: &Letter, record: Record) -> Option<String> {
        let lineage = letter.lineage.clone().filter(|_| !is_stand_in(letter))?;
        let timestamp = lineage.timestamp;
        let Output { topic, key, value, headers, .. } = again(&self.home(letter, &lineage)?, record, lineage);
        let RecordId { partition, offset } = letter.place;
        (self.refused)(&Record { topic, partition, offset, timestamp, key, value, headers: Some(headers) })
    }

    /// Returns the topic that a letter goes back to: the raw topic, or the topic of failures for a
    /// failure event that could not be read. None when the letter came from another topic.
    fn home(&self, letter: &Letter, lineage: &Lineage) -> Option<Arc<str>> {
        let topics = &self.config.topics;
        let failures = (letter.reason == FAILURE_UNREADABLE).then(|| topics.full(&topics.failures));
        let homes = [Some(topics.full(&topics.raw)), failures];
        homes.into_iter().flatten().find(|topic| *topic == lineage.input.topic).map(Arc::from)
    }

    /// Makes the record that is written for a letter.
    fn output(&self, raw: &Arc<str>, record: Record, listed: &Listed, note: &Note) -> Result<Result<Output, Unfit>, Error> {
        let Some(lineage) = listed.letter.lineage.clone() else { return Ok(Err(Unfit::NoOrigin)) };
        if *note != Note::Original {
            let home = self.home(&listed.letter, &lineage).unwrap_or_else(|| raw.clone());
            return Ok(Ok(again(&home, record, lineage)));
        }
        let place = RecordId { partition: lineage.input.partition, offset: lineage.input.offset };
        let Some(original) = at(self.config, raw, place)? else { return Ok(Err(Unfit::OriginalGone)) };
        // That record may itself be a copy of an earlier one.
        let mut origin = Lineage::of(&original).unwrap_or_else(|_| Lineage::itself(&original));
        origin.input.attempt = origin.input.attempt.max(lineage.input.attempt);
        Ok(Ok(again(raw, original, origin)))
    }

    /// Writes one transaction: the records, and a mark in each partition that holds letters of the
    /// batch.
    fn write(&self, writer: &Writer, batch: &mut Batch, report: &mut Progress<'_>) -> Result<(), CommandError> {
        let Batch { letters, mut outputs, .. } = std::mem::take(batch);
        if letters.is_empty() {
            return Ok(());
        }
        let mut marks: BTreeMap<i32, Vec<RecordId>> = BTreeMap::new();
        for (listed, _) in &letters {
            marks.entry(listed.letter.place.partition).or_default().push(listed.letter.place);
        }
        let (dead_letters, now) = (topic(self.config), jiff::Timestamp::now());
        outputs.extend(marks.into_values().map(|redriven| RedrivenEvent { redriven }.output(&dead_letters, now)));
        writer.transact(&outputs, None)?;
        for (listed, note) in &letters {
            report(listed, &Fate::Back(note.clone()));
        }
        Ok(())
    }
}

impl Batch {
    fn push(&mut self, listed: Listed, note: Note, output: Output) {
        self.bytes += output.weight();
        self.letters.push((listed, note));
        self.outputs.push(output);
    }

    fn is_full(&self) -> bool {
        self.letters.len() >= BATCH_LETTERS || self.bytes >= BATCH_BYTES
    }
}

/// Returns whether a letter stands in for the outputs of a record.
fn is_stand_in(letter: &Letter) -> bool {
    letter.size.is_none() && letter.reason == OUTPUT_TOO_LARGE
}

/// Returns the span in each partition from the first of `places` to the offset after the last.
fn bounds<'p>(places: impl Iterator<Item = &'p RecordId>) -> BTreeMap<i32, (i64, i64)> {
    let mut bounds = BTreeMap::new();
    for place in places {
        let (first, end) = bounds.entry(place.partition).or_insert((place.offset, place.offset));
        (*first, *end) = ((*first).min(place.offset), (*end).max(place.offset + 1));
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(reason: &str, origin: Option<&str>, size: Option<usize>, redriven: u32) -> Listed {
        let record = origin.map(|topic| Record {
            topic: topic.into(),
            partition: 0,
            offset: 7,
            timestamp: None,
            key: None,
            value: None,
            headers: None,
        });
        let letter = Letter {
            place: RecordId { partition: 1, offset: 2 },
            time: None,
            reason: reason.into(),
            error: String::new(),
            lineage: record.map(|record| Lineage::itself(&record)),
            size,
        };
        Listed { letter, redriven, refused: None }
    }

    #[test]
    fn only_what_came_from_the_raw_topic_goes_back_and_once() {
        let config = Config::default();
        let fate = |again: bool, listed: &Listed| {
            Redrive { config: &config, filter: Filter::default(), again, refused: &|_| None }.fate(listed)
        };
        let raw = Some("mail.raw");
        assert_eq!(fate(false, &listed("base64", raw, Some(3), 0)), Fate::Back(Note::Plain));
        assert_eq!(fate(false, &listed("base64", raw, Some(3), 1)), Fate::Left(Unfit::Redriven));
        assert_eq!(fate(true, &listed("base64", raw, Some(3), 1)), Fate::Back(Note::Plain));
        assert_eq!(
            fate(true, &listed("too_late", Some("mail.failures"), Some(3), 0)),
            Fate::Left(Unfit::Origin("mail.failures".into()))
        );
        let unreadable = listed("failure_unreadable", Some("mail.failures"), Some(3), 0);
        assert_eq!(fate(false, &unreadable), Fate::Back(Note::Plain));
        let redrive = Redrive { config: &config, filter: Filter::default(), again: false, refused: &|_| None };
        assert_eq!(
            redrive.home(&unreadable.letter, unreadable.letter.lineage.as_ref().unwrap()).as_deref(),
            Some("mail.failures")
        );
        assert_eq!(fate(true, &listed("base64", None, Some(3), 0)), Fate::Left(Unfit::NoOrigin));
        let again = Listed { refused: Some("why".into()), ..listed("null_value", raw, None, 0) };
        assert_eq!(fate(false, &again), Fate::Back(Note::Refused("why".into())));
        assert_eq!(fate(false, &listed("output_too_large", raw, None, 0)), Fate::Back(Note::Original));
    }

    #[test]
    fn bounds_reach_from_the_first_to_behind_the_last() {
        let places = [(0, 5), (1, 0), (0, 9)].map(|(partition, offset)| RecordId { partition, offset });
        assert_eq!(bounds(places.iter()), BTreeMap::from([(0, (5, 10)), (1, (0, 1))]));
        assert_eq!(bounds([].iter()), BTreeMap::new());
    }
}
