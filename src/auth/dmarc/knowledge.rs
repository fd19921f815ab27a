//! What is known of the `_dmarc` names and of the author domain's existence, while a message is judged.

use super::record::ignored;
use super::{Psd, Record, RecordFault, is_dmarc};
use crate::auth::kept::Kept;
use crate::config::Discovery;
use crate::detail::{Detail, quoted};
use crate::dns::{Answer, Domain, Outcome, Unanswered, suffix};
use std::sync::{Arc, LazyLock};

static KNOWN: LazyLock<Kept<usize, Record>> = LazyLock::new(Kept::new);

/// How organizational domains are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiscoveryRules {
    /// Tree walk or public suffix list.
    pub discovery: Discovery,
    /// Treat a record without `psd` at a public suffix as the suffix's own (A30).
    pub psl_guard: bool,
    /// Reporting addresses looked at in a record.
    pub report_addresses: usize,
}

/// What stands at `_dmarc.<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AtName {
    /// No record, or several that were discarded.
    Absent,
    /// One record.
    Record(Arc<Record>),
    /// The question was not answered, or not usably (A44).
    Unknown,
    /// The budget refused the question.
    Refused,
}

impl AtName {
    /// Reads the answer to the TXT question at `_dmarc.<name>`; whether several records were discarded comes with it (A11, A12).
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

/// Most TXT records that are told of because they were ignored.
const MAX_IGNORED: usize = 8;

/// Whether the author domain exists (A26).
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

/// How an unknown name might turn out (A43).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Completion {
    NoRecord,
    /// A valid record of any policy.
    Valid(Psd),
    /// A record that gives no DMARC.
    Malformed,
}

impl Completion {
    /// The completions of an unknown name: at a public suffix with the guard on, `psd=n` is not one.
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

/// What the pure decision asks for when it cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The record at this name was not asked for yet.
    Ask(Domain),
    /// Whether the author domain exists was not asked yet.
    AskExistence,
    /// This name is unknown, and no completion is assumed yet.
    Branch(Domain),
}

/// Answers so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Knowledge {
    names: Vec<(Domain, AtName)>,
    pub(super) existence: Option<Existence>,
    /// Record errors, for diagnostics and the report's `error` (A12).
    several_records_at: Vec<Domain>,
    /// TXT records that were meant to be DMARC records and are none.
    ignored: Vec<Detail>,
}

impl Knowledge {
    pub(super) fn learn(&mut self, name: Domain, at: AtName) {
        self.names.push((name, at));
    }

    /// Learns what the answer to the TXT question at `_dmarc.<name>` says.
    pub(super) fn learn_from(&mut self, name: Domain, answer: &Answer, max_addresses: usize) {
        let (at, several) = AtName::read(answer, max_addresses);
        for text in answer.texts() {
            if self.ignored.len() < MAX_IGNORED
                && let Some(why) = ignored(text)
            {
                self.ignored.push(Detail::new(format_args!("{} at _dmarc.{name} is no DMARC record: {why}", quoted(text))));
            }
        }
        if several {
            self.several_records_at.push(name.clone());
        }
        self.learn(name, at);
    }

    pub(super) fn at(&self, name: &Domain) -> Option<&AtName> {
        self.names.iter().find(|(known, _)| known == name).map(|(_, at)| at)
    }

    /// The names whose question was not answered, or not usably.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &Domain> {
        self.names.iter().filter(|(_, at)| *at == AtName::Unknown).map(|(name, _)| name)
    }

    /// Faults of the record in force and of the names passed on the way.
    pub(super) fn faults(&self, record: Option<&Record>) -> Vec<RecordFault> {
        let several = (!self.several_records_at.is_empty()).then_some(RecordFault::SeveralRecords);
        let mut faults: Vec<_> =
            several.into_iter().chain(record.into_iter().flat_map(|record| record.faults.iter().copied())).collect();
        faults.sort_unstable();
        faults.dedup();
        faults
    }

    /// The same in particular, with the TXT records that were ignored.
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

/// What may be wrong at a `_dmarc` name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordProblem {
    /// Several records stand there (A12).
    Several,
    /// The record in force has faults.
    Malformed,
    /// A TXT record was meant to be a DMARC record and is none (A11).
    Ignored,
}

/// What a name is taken to hold while one set of completions is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum View<'k> {
    Absent,
    Record(&'k Arc<Record>),
    /// A record that is only assumed: its policy could be any.
    Assumed(Completion),
    /// Never to be asked, because the budget is used up.
    Refused,
}

/// The knowledge, with what unknown names are assumed to hold.
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
