//! The error type of setting up exports.

use std::path::PathBuf;

/// The reason why nothing can be exported as the settings ask.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file of the settings cannot be read.
    #[error("telemetry.{setting}: cannot read {}: {reason}", path.display())]
    File {
        /// The setting that names the file.
        setting: String,
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        reason: std::io::Error,
    },
    /// A file of the settings does not hold what it should.
    #[error("telemetry.{setting}: {} {wrong}", path.display())]
    Content {
        /// The setting that names the file.
        setting: String,
        /// The path of the file.
        path: PathBuf,
        /// A description of the fault, which continues a sentence that begins with the path.
        wrong: &'static str,
    },
    /// The library refuses the settings.
    #[error("telemetry: {0}")]
    Refused(String),
}

pub(super) fn refused(error: impl std::fmt::Display) -> ExportError {
    ExportError::Refused(error.to_string())
}
