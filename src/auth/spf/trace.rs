//! Keeps the notes of an evaluation, from which people get an explanation.

use crate::dns::QueryName;

/// The notes of an evaluation up to its end.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// The current term, and the domain whose record holds it.
    pub(super) term: Option<Term>,
    /// The terms that ask DNS.
    pub(super) lookups: Vec<Term>,
    /// The terms whose lookup found nothing.
    pub(super) voids: Vec<Term>,
}

/// A term of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) text: String,
    pub(super) domain: QueryName,
}

impl Trace {
    pub(super) fn begin(&mut self, text: &str, domain: &QueryName) {
        self.term = Some(Term { text: text.into(), domain: domain.clone() });
    }

    pub(super) fn looks_up(&mut self) {
        self.lookups.extend(self.term.clone());
    }

    pub(super) fn finds_nothing(&mut self) {
        self.voids.extend(self.term.clone());
    }
}
