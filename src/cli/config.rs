//! `verdmarc config print|check`

use super::{Exit, Failure, Settings};
use std::io::Write as _;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the settings in force as TOML, each with its meaning; values of librdkafka's properties are left out.
    Print(Settings),
    /// Check the settings, librdkafka's properties and the log filter too; exit code 2 when something is wrong.
    Check(Settings),
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Print(settings) => {
            let config = settings.load()?;
            anstream::stdout().write_all(config.to_documented_toml().as_bytes())?;
        }
        Command::Check(settings) => {
            let config = settings.load()?;
            for warning in config.warnings() {
                super::run::warn(&warning);
            }
            crate::telemetry::check(&config.log)?;
            crate::telemetry::check_export(&config.telemetry)?;
            crate::kafka::check_settings(&config.kafka)?;
            if config.dns.zone.is_some() {
                crate::dns::configured(&config.dns)?;
            }
            writeln!(anstream::stdout(), "The settings are valid.")?;
        }
    }
    Ok(Exit::Ok)
}
