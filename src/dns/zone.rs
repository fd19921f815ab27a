//! A zone in memory: for tests, demonstrations, benchmarks and trials without a network.
//!
//! Every answer is built when the zone is loaded; a question costs one look-up in a map.

mod json;
mod master;
#[cfg(test)]
mod tests;

use super::{Answer, Outcome, QueryName, Question, Record, RecordType, Resolver, Unanswered};
use foldhash::fast::RandomState;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const TYPES: [RecordType; 5] = [RecordType::A, RecordType::Aaaa, RecordType::Mx, RecordType::Ptr, RecordType::Txt];
/// Seconds, for formats and records that name no TTL.
const DEFAULT_TTL: u32 = 3600;
const MAX_LINKS: usize = 8;

type Answers = [Arc<Answer>; TYPES.len()];

/// DNS data in memory; it answers every question at hand.
///
/// Absent names give NXDOMAIN unless something stands below them (NODATA), wildcards follow RFC 4592, CNAME chains are
/// followed for eight links.
#[derive(Debug)]
pub struct Zone {
    nodes: HashMap<Box<str>, Node, RandomState>,
    absent: Arc<Answer>,
}

#[derive(Debug)]
struct Node {
    own: Answers,
    /// For absent names whose closest encloser this is: the answers of the wildcard below it.
    below: Option<Answers>,
}

impl Zone {
    /// Reads a file: JSON (the format of conformance cases) when it begins with `{`, otherwise a master file (RFC 1035 5).
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ZoneError> {
        let path = path.as_ref();
        let read = |path: &Path| std::fs::read(path).map_err(|error| ZoneProblem::Unreadable(error.to_string()));
        read(path).map_err(ZoneError::from).and_then(|bytes| Self::parse(&bytes)).map_err(|error| error.in_file(path))
    }

    /// Reads the content of a file as [`Zone::load`] does.
    pub fn parse(bytes: &[u8]) -> Result<Self, ZoneError> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
            ZoneError::at(line, ZoneProblem::NotUtf8)
        })?;
        if text.trim_start().starts_with('{') { Self::from_json_str(text) } else { Self::from_master(text) }
    }

    /// Reads the JSON format of conformance cases: the zone itself, or an object whose member `zone` is one.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, ZoneError> {
        json::read(value)
    }

    /// Reads the JSON format from text; errors name the line.
    pub fn from_json_str(text: &str) -> Result<Self, ZoneError> {
        json::read_text(text)
    }

    /// Reads a master file.
    pub fn from_master(text: &str) -> Result<Self, ZoneError> {
        master::read(text)
    }

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

/// What `get` finds for `name` (true) or else for its closest encloser (false). The root is the empty name.
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

/// What stands at one name, as it is read.
#[derive(Debug, Default)]
struct Draft {
    records: Vec<(Record, u32)>,
    alias: Option<(QueryName, u32)>,
    /// For every type that is not listed.
    fault: Option<Outcome>,
    faults: [Option<Outcome>; TYPES.len()],
}

#[derive(Debug)]
struct Builder {
    drafts: HashMap<Box<str>, Draft>,
    negative_ttl: u32,
}

impl Builder {
    fn new() -> Self {
        Self { drafts: HashMap::new(), negative_ttl: DEFAULT_TTL }
    }

    fn at(&mut self, owner: &QueryName) -> &mut Draft {
        self.drafts.entry(owner.as_str().into()).or_default()
    }

    fn finish(mut self) -> Zone {
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

/// A zone that cannot be read; names the file and the line where they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneError {
    /// The file, when it was read from one.
    pub file: Option<PathBuf>,
    /// The line, counted from one.
    pub line: Option<usize>,
    /// What is wrong there.
    pub problem: ZoneProblem,
}

/// What is wrong with a zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneProblem {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The file is not UTF-8.
    #[error("is not UTF-8; write other octets of a master file as \\DDD")]
    NotUtf8,
    /// Neither JSON nor a master file by its grammar.
    #[error("{0}")]
    Syntax(String),
    /// An entry at which the scanner of master files gives up.
    #[error("the entry cannot be read; put white space around its quoted strings")]
    Entry,
    /// An owner name that DNS cannot hold, or with a dot inside a label.
    #[error("`{0}` is not a name that can be asked for")]
    Owner(String),
    /// A record that cannot be understood.
    #[error("bad record at `{owner}`: {record}: expected {expected}")]
    Record {
        /// Where it stands.
        owner: String,
        /// The record as it was written.
        record: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The same owner name twice in JSON, of which a reader would see only one.
    #[error("`{0}` stands twice in this object; put all its records into one list")]
    Twice(String),
    /// `$INCLUDE` in a master file.
    #[error("$INCLUDE is not supported; put the records into this file")]
    Include,
}

impl ZoneError {
    fn at(line: usize, problem: ZoneProblem) -> Self {
        Self { file: None, line: Some(line), problem }
    }

    fn in_file(self, path: &Path) -> Self {
        Self { file: Some(path.to_owned()), ..self }
    }
}

impl From<ZoneProblem> for ZoneError {
    fn from(problem: ZoneProblem) -> Self {
        Self { file: None, line: None, problem }
    }
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "zone file {}, line {line}: ", file.display())?,
            (Some(file), None) => write!(f, "zone file {}: ", file.display())?,
            (None, Some(line)) => write!(f, "zone, line {line}: ")?,
            (None, None) => f.write_str("zone: ")?,
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for ZoneError {}
