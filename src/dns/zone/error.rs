//! Defines the errors of zones that cannot be read.

use std::fmt;
use std::path::{Path, PathBuf};

/// The error of a zone that cannot be read. It names the file and the line where they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneError {
    /// The file that the zone was read from, if there is one.
    pub file: Option<PathBuf>,
    /// The line of the problem, counted from one.
    pub line: Option<usize>,
    /// The problem.
    pub problem: ZoneProblem,
}

/// The problem of a zone that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneProblem {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The file is not UTF-8.
    #[error("is not UTF-8; write other octets of a master file as \\DDD")]
    NotUtf8,
    /// The file is neither JSON nor a master file by its grammar.
    #[error("{0}")]
    Syntax(String),
    /// The scanner of master files gives up at an entry.
    #[error("the entry cannot be read; put white space around its quoted strings")]
    Entry,
    /// DNS cannot hold an owner name, or a label of it holds a dot.
    #[error("`{0}` is not a name that can be asked for")]
    Owner(String),
    /// A record cannot be understood.
    #[error("bad record at `{owner}`: {record}: expected {expected}")]
    Record {
        /// The owner name of the record.
        owner: String,
        /// The record as the zone has it.
        record: String,
        /// A description of a correct record.
        expected: &'static str,
    },
    /// An owner name occurs twice in JSON, and a reader would see only one of them.
    #[error("`{0}` stands twice in this object; put all its records into one list")]
    Twice(String),
    /// A master file has `$INCLUDE`.
    #[error("$INCLUDE is not supported; put the records into this file")]
    Include,
}

impl ZoneError {
    pub(super) fn at(line: usize, problem: ZoneProblem) -> Self {
        Self { file: None, line: Some(line), problem }
    }

    pub(super) fn in_file(self, path: &Path) -> Self {
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
