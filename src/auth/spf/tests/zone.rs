//! A zone in memory that notes the questions, and can delay its answers.

use crate::dns::{Answer, Outcome, Question, Record, RecordType, Resolver, Unanswered};
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::task::Poll;

#[derive(Debug, Clone)]
enum Entry {
    Record(RecordType, Record),
    Alias(String),
    /// A failure for one type, or for every type without records here.
    Failure(Option<RecordType>, Outcome),
}

#[derive(Default)]
pub(super) struct Zone {
    names: HashMap<String, Vec<Entry>>,
    asked: Mutex<Vec<Question>>,
    /// The seed on which the order of the delayed answers depends; `None` for immediate answers.
    late: Option<u64>,
}

impl Zone {
    /// Returns a zone with `record` as the TXT record of example.com.
    ///
    /// `others` are further records, each a name and a line as [`Zone::add`] takes it.
    pub(super) fn with_record(record: &str, others: &[(&str, &str)]) -> Self {
        let mut zone = Self::default();
        zone.add_txt("example.com", record.as_bytes());
        for (name, line) in others {
            zone.add(name, line);
        }
        zone
    }

    pub(super) fn add_txt(&mut self, name: &str, text: &[u8]) {
        self.insert(name, Entry::Record(RecordType::Txt, Record::Txt(text.into())));
    }

    /// Adds one record, which is written as `TYPE data`.
    pub(super) fn add(&mut self, name: &str, line: &str) {
        let (kind, data) = line.split_once(' ').unwrap_or((line, ""));
        let cells = match kind {
            "TXT" => vec![data],
            _ => data.split_whitespace().collect(),
        };
        self.add_cells(name, kind, &cells);
    }

    /// Returns the zone of a conformance case.
    pub(super) fn from_case(zone: &serde_json::Map<String, serde_json::Value>) -> Self {
        let mut built = Self::default();
        for (name, records) in zone {
            built.names.entry(name.to_ascii_lowercase()).or_default();
            for record in records.as_array().unwrap() {
                let cells = record.as_array().unwrap().iter().map(|cell| match cell {
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                let cells: Vec<_> = cells.collect();
                let cells: Vec<_> = cells.iter().map(String::as_str).collect();
                built.add_cells(name, cells[0], &cells[1..]);
            }
        }
        built
    }

    pub(super) fn answering_late(mut self, seed: u64) -> Self {
        self.late = Some(seed);
        self
    }

    /// Returns the questions so far, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|question| format!("{} {:?}", question.name, question.rtype)).collect()
    }

    fn add_cells(&mut self, name: &str, kind: &str, cells: &[&str]) {
        let host = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
        let entry = match kind {
            "TXT" => Entry::Record(RecordType::Txt, Record::Txt(cells.concat().as_bytes().into())),
            "A" => Entry::Record(RecordType::A, Record::A(cells[0].parse().unwrap())),
            "AAAA" => Entry::Record(RecordType::Aaaa, Record::Aaaa(cells[0].parse().unwrap())),
            "MX" => Entry::Record(RecordType::Mx, Record::Mx(cells[0].parse().unwrap(), host(cells[1]).into())),
            "PTR" => Entry::Record(RecordType::Ptr, Record::Ptr(host(cells[0]).into())),
            "CNAME" => Entry::Alias(host(cells[0])),
            "TIMEOUT" => Entry::Failure(cells.first().map(|kind| record_type(kind)), Outcome::TempError(Unanswered::Timeout)),
            "SERVFAIL" => Entry::Failure(cells.first().map(|kind| record_type(kind)), Outcome::TempError(Unanswered::ServFail)),
            "INVALID" => Entry::Failure(cells.first().map(|kind| record_type(kind)), Outcome::Invalid),
            // Type 99 is never asked for.
            "SPF" | "NODATA" => {
                self.names.entry(host(name)).or_default();
                return;
            }
            other => panic!("{other} is not a type of the zone format"),
        };
        self.insert(name, entry);
    }

    fn insert(&mut self, name: &str, entry: Entry) {
        self.names.entry(name.trim_end_matches('.').to_ascii_lowercase()).or_default().push(entry);
    }

    fn outcome(&self, name: &str, rtype: RecordType, aliases: usize) -> Outcome {
        let Some(entries) = self.names.get(name) else {
            let suffix = format!(".{name}");
            return if self.names.keys().any(|known| known.ends_with(&suffix)) { Outcome::NoData } else { Outcome::NxDomain };
        };
        let records: Vec<_> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Record(kind, record) if *kind == rtype => Some(record.clone()),
                _ => None,
            })
            .collect();
        if !records.is_empty() {
            return Outcome::Records(records.into());
        }
        for entry in entries {
            match entry {
                Entry::Failure(None, outcome) => return outcome.clone(),
                Entry::Failure(Some(kind), outcome) if *kind == rtype => return outcome.clone(),
                Entry::Alias(_) if aliases == 8 => return Outcome::TempError(Unanswered::ServFail),
                Entry::Alias(target) => return self.outcome(target, rtype, aliases + 1),
                _ => {}
            }
        }
        Outcome::NoData
    }

    fn answer(&self, question: &Question) -> Arc<Answer> {
        Arc::new(Answer::new(self.outcome(question.name.as_str(), question.rtype, 0)))
    }
}

fn record_type(text: &str) -> RecordType {
    serde_json::from_value(text.into()).unwrap()
}

impl Resolver for Zone {
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>> {
        self.asked.lock().unwrap().push(question.clone());
        self.late.is_none().then(|| self.answer(question))
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        Box::pin(async move {
            let octets = question.name.as_str().bytes();
            let mut turns = octets.fold(self.late.unwrap_or(0), |sum, octet| sum.wrapping_mul(31) + u64::from(octet)) % 17;
            std::future::poll_fn(move |context| {
                if turns == 0 {
                    return Poll::Ready(());
                }
                turns -= 1;
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            self.answer(question)
        })
    }
}
