//! Log lines on standard error, and the endpoint for supervisors and monitoring.

mod connections;
pub mod health;

use crate::config::{Log, LogFormat};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// The filter cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("log.filter: {0}")]
pub struct FilterError(#[from] tracing_subscriber::filter::ParseError);

/// Says whether logging could be started.
///
/// # Errors
/// The filter is none.
pub fn check(log: &Log) -> Result<(), FilterError> {
    EnvFilter::try_new(&log.filter)?;
    Ok(())
}

/// Starts logging; a second call changes nothing.
///
/// # Errors
/// The filter is none.
pub fn start(log: &Log) -> Result<(), FilterError> {
    let filter = EnvFilter::try_new(&log.filter)?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // It would say so on standard error, and panic because nobody reads that.
    let builder = builder.log_internal_errors(false);
    // An error means that a subscriber is there already.
    let _ = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}
