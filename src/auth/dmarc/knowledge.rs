//! Holds what is known of the `_dmarc` names and of the author domain's existence, while a message
//! is judged.

use super::record::ignored;
use super::{Psd, Record, RecordFault, is_dmarc};
use crate::auth::parse_cache::ParseCache;
use crate::config::Discovery;
use crate::detail::{Detail, quoted};
use crate::dns::{Answer, Domain, Outcome, Unanswered, suffix};
use std::sync::{Arc, LazyLock};

static KNOWN: LazyLock<ParseCache<usize, Record>> = LazyLock::new(ParseCache::new);

/// The rules by which organizational domains are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiscoveryRules {
    /// The way of discovery: the tree walk or the public suffix list.
    pub discovery: Discovery,
    /// True when a record without `psd` at a public suffix is treated as the suffix's own (A30).
    pub psl_guard: bool,
    /// The number of reporting addresses that are looked at in a record.
    pub report_addresses: usize,
}

/// The content of `_dmarc.<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AtName {
    /// No record, or several that were discarded.
    Absent,
    /// One record.
    Record(Arc<Record>),
    /// The question got no answer, or an unusable one (A44).
    Unknown,
    /// The budget refused the question.
    Refused,
}

impl AtName {
    /// Reads the answer to the TXT question at `_dmarc.<name>` (A11, A12).
    ///
    /// Also returns whether several records were discarded.
    fn read(answer: &Answer, max_addresses: usize) -> (Self, bool) {
        match &answer.outcome {
            Outcome::NoData | Outcome::NxDomain => (Self::Absent, false),
            Outcome::TempError(Unanswered::Budget) => (Self::Refused, false),
            Outcome::TempError(_) | Outcome::Invalid => (Self::Unknown, false),
            Outcome::Records(_) => {
                let mut records = answer.texts().filter(|text| is_dmarc(text));
                match (records.next(), records.next()) {
                    (None, _) => (Self::Absent, false),
                    (Some(text), None) => {
                        (KNOWN.read(text, max_addresses, Record::parse).map_or(Self::Absent, Self::Record), false)
                    }
                    (Some(_), Some(_)) => (Self::Absent, true),
                }
            }
        }
    }
}

/// The largest number of ignored TXT records that are described.
const MAX_IGNORED: usize = 8;

/// The existence of the author domain (A26).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existence {
    Exists,
    NonExistent,
    Unknown,
}

impl Existence {
    pub(super) fn read(answer: &Answer) -> Self {
        match answer.outcome {
            Outcome::NxDomain => Self::NonExistent,
            Outcome::Records(_) | Outcome::NoData => Self::Exists,
            Outcome::TempError(_) | Outcome::Invalid => Self::Unknown,
        }
    }
}

/// A possible content of an unknown name (A43).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Completion {
    NoRecord,
    /// A valid record, with any policy.
    Valid(Psd),
    /// A record that gives no DMARC.
    Malformed,
}

impl Completion {
    /// Returns the completions of an unknown name. With the guard, a public suffix has no `psd=n`.
    pub(super) fn of(name: &Domain, rules: DiscoveryRules) -> &'static [Self] {
        const ALL: [Completion; 5] = [
            Completion::NoRecord,
            Completion::Valid(Psd::Unknown),
            Completion::Valid(Psd::Yes),
            Completion::Malformed,
            Completion::Valid(Psd::No),
        ];
        if rules.psl_guard && suffix::is_public_suffix(name, suffix::Section::Icann) { &ALL[..4] } else { &ALL }
    }
}

/// The answer or assumption that the pure decision lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The record at this name, which was not asked for yet.
    Ask(Domain),
    /// The existence of the author domain, which was not asked for yet.
    AskExistence,
    /// The content of this unknown name, for which no completion is assumed yet.
    Branch(Domain),
}

/// The answers so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Knowledge {
    names: Vec<(Domain, AtName)>,
    pub(super) existence: Option<Existence>,
    /// The names at which several records were discarded, for diagnostics and the report's `error`
    /// (A12).
    several_records_at: Vec<Domain>,
    /// The TXT records that were meant to be DMARC records and are none.
    ignored: Vec<Detail>,
}

impl Knowledge {
    pub(super) fn learn(&mut self, name: Domain, at: AtName) {
        self.names.push((name, at));
    }

    /// Learns the answer to the TXT question at `_dmarc.<name>`.
    pub(super) fn learn_from(&mut self, name: Domain, answer: &Answer, max_addresses: usize) {
        let (at, several) = AtName::read(answer, max_addresses);
        // The order of TXT records in an answer means nothing, and must not show in a verdict.
        let mut meant: Vec<_> = answer.texts().filter_map(|text| Some((text, ignored(text)?))).collect();
        meant.sort_unstable();
        meant.truncate(MAX_IGNORED.saturating_sub(self.ignored.len()));
        for (text, why) in meant {
            self.ignored.push(Detail::new(format_args!("{} at _dmarc.{name} is no DMARC record: {why}", quoted(text))));
        }
        if several {
            self.several_records_at.push(name.clone());
        }
        self.learn(name, at);
    }

    pub(super) fn at(&self, name: &Domain) -> Option<&AtName> {
        self.names.iter().find(|(known, _)| known == name).map(|(_, at)| at)
    }

    /// Returns the names whose question got no answer, or an unusable one.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &Domain> {
        self.names.iter().filter(|(_, at)| *at == AtName::Unknown).map(|(name, _)| name)
    }

    /// Returns the faults of the record in force, and of the names on the way to it.
    pub(super) fn faults(&self, record: Option<&Record>) -> Vec<RecordFault> {
        let several = (!self.several_records_at.is_empty()).then_some(RecordFault::SeveralRecords);
        let mut faults: Vec<_> =
            several.into_iter().chain(record.into_iter().flat_map(|record| record.faults.iter().copied())).collect();
        faults.sort_unstable();
        faults.dedup();
        faults
    }

    /// Returns the same faults in detail, with the TXT records that were ignored.
    pub(super) fn details(&self, record: Option<&Record>) -> Vec<(RecordProblem, Detail)> {
        let several = self.several_records_at.iter().map(|name| {
            (
                RecordProblem::Several,
                Detail::new(format_args!("several DMARC records stand at _dmarc.{name}: none of them counts")),
            )
        });
        let of_record = record.into_iter().flat_map(|record| record.details.iter().cloned());
        let ignored = self.ignored.iter().cloned().map(|detail| (RecordProblem::Ignored, detail));
        several.chain(of_record.map(|detail| (RecordProblem::Malformed, detail))).chain(ignored).collect()
    }
}

/// A kind of problem at a `_dmarc` name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordProblem {
    /// There are several records (A12).
    Several,
    /// The record in force has faults.
    Malformed,
    /// A TXT record was meant to be a DMARC record and is none (A11).
    Ignored,
}

/// The content that a name is taken to have while one set of completions is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum View<'k> {
    Absent,
    Record(&'k Arc<Record>),
    /// An assumed record, which could have any policy.
    Assumed(Completion),
    /// Nothing, because the budget is used up and the name will not be asked for.
    Refused,
}

/// The knowledge, and the assumed contents of unknown names.
pub(super) struct Assumed<'k> {
    pub(super) knowledge: &'k Knowledge,
    pub(super) completions: Vec<(Domain, Completion)>,
    pub(super) rules: DiscoveryRules,
}

impl<'k> Assumed<'k> {
    pub(super) fn view(&self, name: &Domain) -> Result<View<'k>, Stop> {
        match self.knowledge.at(name) {
            None => Err(Stop::Ask(name.clone())),
            Some(AtName::Absent) => Ok(View::Absent),
            Some(AtName::Record(record)) => Ok(View::Record(record)),
            Some(AtName::Refused) => Ok(View::Refused),
            Some(AtName::Unknown) => match self.completions.iter().find(|(assumed, _)| assumed == name) {
                Some((_, Completion::NoRecord)) => Ok(View::Absent),
                Some((_, completion)) => Ok(View::Assumed(*completion)),
                None => Err(Stop::Branch(name.clone())),
            },
        }
    }
}
