//! The error type of loading settings.

use std::path::PathBuf;

/// The reason why settings could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {reason}", path.display())]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        reason: std::io::Error,
    },
    /// Keys or values that do not fit, one per line.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// Settings that contradict each other, one per line.
    #[error("{}", .0.join("\n"))]
    Contradictory(Vec<String>),
}
