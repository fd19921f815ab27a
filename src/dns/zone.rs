//! Reads zones into memory: for tests, demonstrations, benchmarks and trials without a network.

mod error;
mod json;
mod master;
mod nodes;
#[cfg(test)]
mod tests;

pub use error::{ZoneError, ZoneProblem};
pub use nodes::Zone;

use std::path::Path;

impl Zone {
    /// Reads a zone file.
    ///
    /// A file that begins with `{` is JSON, in the format of conformance cases.
    /// Any other is a master file (RFC 1035 5).
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

    /// Reads the JSON format of conformance cases: a zone, or an object whose member `zone` is one.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, ZoneError> {
        json::read(value)
    }

    /// Reads the JSON format from text. Errors name the line.
    pub fn from_json_str(text: &str) -> Result<Self, ZoneError> {
        json::read_text(text)
    }

    /// Reads a master file.
    pub fn from_master(text: &str) -> Result<Self, ZoneError> {
        master::read(text)
    }
}
