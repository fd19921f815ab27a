//! Why nothing can be exported.

use std::path::PathBuf;

/// Why nothing can be exported as the settings ask.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file of the settings cannot be read.
    #[error("telemetry.{setting}: cannot read {}: {reason}", path.display())]
    File {
        /// The setting that names it.
        setting: String,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// A file of the settings does not hold what it should.
    #[error("telemetry.{setting}: {} {wrong}", path.display())]
    Content {
        /// The setting that names it.
        setting: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// The library refuses the settings.
    #[error("telemetry: {0}")]
    Refused(String),
}

pub(super) fn refused(error: impl std::fmt::Display) -> ExportError {
    ExportError::Refused(error.to_string())
}
