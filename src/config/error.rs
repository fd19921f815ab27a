//! Why there are no settings.

use std::path::PathBuf;

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// Keys or values that do not fit, one a line.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// Settings that contradict each other, one a line.
    #[error("{}", .0.join("\n"))]
    Contradictory(Vec<String>),
}
