//! What is wrong with a zone.

use std::fmt;
use std::path::{Path, PathBuf};

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
