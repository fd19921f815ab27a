//! Answers questions from the nodes of a zone.
//!
//! Every answer is built when the zone is loaded.
//! So a question for an existing name costs one look-up in a map.

use crate::dns::{Answer, Outcome, QueryName, Question, Record, RecordType, Resolver, Unanswered};
use foldhash::fast::RandomState;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::Arc;

pub(super) const TYPES: [RecordType; 5] = [RecordType::A, RecordType::Aaaa, RecordType::Mx, RecordType::Ptr, RecordType::Txt];
/// The TTL in seconds where neither the format nor the record names one.
pub(super) const DEFAULT_TTL: u32 = 3600;
const MAX_LINKS: usize = 8;

type Answers = [Arc<Answer>; TYPES.len()];

/// DNS data in memory, which answers every question at hand.
///
/// An absent name gives NXDOMAIN, or NODATA if a name below it exists.
/// Wildcards follow RFC 4592. Chains of CNAME records are followed for eight links.
#[derive(Debug)]
pub struct Zone {
    nodes: HashMap<Box<str>, Node, RandomState>,
    absent: Arc<Answer>,
}

#[derive(Debug)]
struct Node {
    own: Answers,
    /// The answers of the wildcard below this node, if there is one.
    /// They are for absent names whose closest encloser is this node.
    below: Option<Answers>,
}

impl Zone {
    fn find(&self, question: &Question) -> &Arc<Answer> {
        let answers = match closest(question.name.as_str(), |name| self.nodes.get(name)) {
            Some((node, true)) => Some(&node.own),
            Some((node, false)) => node.below.as_ref(),
            None => None,
        };
        answers.map_or(&self.absent, |answers| &answers[question.rtype as usize])
    }
}

impl Resolver for Zone {
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>> {
        Some(self.find(question).clone())
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        futures::future::ready(self.find(question).clone()).boxed()
    }
}

/// Returns what `get` finds for `name`, with true, or for its closest encloser, with false.
///
/// The root is the empty name.
fn closest<'n, T>(name: &'n str, get: impl Fn(&'n str) -> Option<T>) -> Option<(T, bool)> {
    if let Some(found) = get(name) {
        return Some((found, true));
    }
    let mut rest = name;
    while !rest.is_empty() {
        rest = parent(rest);
        if let Some(found) = get(rest) {
            return Some((found, false));
        }
    }
    None
}

fn parent(name: &str) -> &str {
    name.split_once('.').map_or("", |(_, parent)| parent)
}

/// The content of one name while the zone is read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) records: Vec<(Record, u32)>,
    pub(super) alias: Option<(QueryName, u32)>,
    /// The outcome for every type that is not listed.
    pub(super) fault: Option<Outcome>,
    pub(super) faults: [Option<Outcome>; TYPES.len()],
}

/// A zone while it is read.
#[derive(Debug)]
pub(super) struct Builder {
    drafts: HashMap<Box<str>, Draft>,
    pub(super) negative_ttl: u32,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self { drafts: HashMap::new(), negative_ttl: DEFAULT_TTL }
    }

    pub(super) fn at(&mut self, owner: &QueryName) -> &mut Draft {
        self.drafts.entry(owner.as_str().into()).or_default()
    }

    pub(super) fn finish(mut self) -> Zone {
        for mut name in self.drafts.keys().cloned().collect::<Vec<_>>() {
            while !name.is_empty() {
                name = parent(&name).into();
                self.drafts.entry(name.clone()).or_default();
            }
        }
        self.drafts.entry("".into()).or_default();
        let nodes = self.drafts.keys().map(|name| (name.clone(), self.node(name))).collect();
        Zone { nodes, absent: Arc::new(self.negative(Outcome::NxDomain)) }
    }

    fn node(&self, name: &str) -> Node {
        let answers = |draft| TYPES.map(|rtype| Arc::new(self.answer(draft, rtype, 0)));
        Node {
            own: self.drafts.get(name).map_or_else(|| TYPES.map(|_| Arc::new(self.negative(Outcome::NxDomain))), answers),
            below: self.wildcard(name).map(answers),
        }
    }

    fn wildcard(&self, encloser: &str) -> Option<&Draft> {
        self.drafts.get(if encloser.is_empty() { "*".to_owned() } else { format!("*.{encloser}") }.as_str())
    }

    fn answer(&self, draft: &Draft, rtype: RecordType, links: usize) -> Answer {
        if let Some(fault) = &draft.faults[rtype as usize] {
            return Answer::new(fault.clone());
        }
        let listed = || draft.records.iter().filter(|(record, _)| record.rtype() == rtype);
        if let Some(ttl) = listed().map(|(_, ttl)| *ttl).min() {
            let records = listed().map(|(record, _)| record.clone()).collect();
            return Answer { ttl, ..Answer::new(Outcome::of(records)) };
        }
        if let Some((target, ttl)) = &draft.alias {
            return self.follow(target, *ttl, rtype, links + 1);
        }
        match &draft.fault {
            Some(fault) => Answer::new(fault.clone()),
            None => self.negative(Outcome::NoData),
        }
    }

    fn follow(&self, target: &QueryName, ttl: u32, rtype: RecordType, links: usize) -> Answer {
        if links > MAX_LINKS {
            return Answer::new(Outcome::TempError(Unanswered::ServFail));
        }
        let found = match closest(target.as_str(), |name| self.drafts.get(name).map(|draft| (name, draft))) {
            Some(((_, draft), true)) => Some(draft),
            Some(((encloser, _), false)) => self.wildcard(encloser),
            None => None,
        };
        let mut answer = found.map_or_else(|| self.negative(Outcome::NxDomain), |draft| self.answer(draft, rtype, links));
        answer.ttl = answer.ttl.min(ttl);
        answer
    }

    fn negative(&self, outcome: Outcome) -> Answer {
        Answer { ttl: self.negative_ttl, ..Answer::new(outcome) }
    }
}
