//! Options that several commands share.

use super::exit::Failure;
use crate::config::{Config, Source};
use crate::event::raw::{NoTime, Rfc3339};
use jiff::Timestamp;
use std::path::PathBuf;

/// The sources of the settings, for every command that needs them.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Settings {
    /// Settings in TOML. Without it, the file that VERDMARC_CONFIG names, if any. Single settings
    /// can be given as environment variables, for example VERDMARC_KAFKA__BROKERS=host:9092.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Settings {
    pub(super) fn load(&self) -> Result<Config, Failure> {
        Ok(self.source().load()?)
    }

    pub(super) fn source(&self) -> Source {
        Source::of_process(self.config.clone())
    }
}

/// Parses a time that is given as an option.
pub(super) fn time(text: &str) -> Result<Timestamp, NoTime> {
    text.parse().map(|Rfc3339(time)| time)
}
