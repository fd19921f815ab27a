//! Starts and ends telemetry: log lines on standard error, the endpoint for supervisors and
//! monitoring, and exports to an OpenTelemetry collector.

mod collector;
mod connections;
mod exporter;
pub mod health;
mod losses;
mod meters;
mod process;
mod providers;
pub mod sampling;
mod scrape;
pub mod semconv;
mod statuses;
pub mod traces;

pub use collector::ExportError;
pub use losses::{Losses, Signal};
pub use providers::Telemetry;
pub use scrape::Scrapes;

use crate::config::{self, Config, Log, LogFormat};
use std::io::IsTerminal as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

/// The reason why telemetry cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log filter is invalid.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Nothing can be exported as the settings ask.
    #[error(transparent)]
    Export(#[from] ExportError),
}

/// The error for a log filter that is invalid.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The filter cannot be read.
    #[error("log.filter: {0}")]
    Unreadable(#[from] tracing_subscriber::filter::ParseError),
    /// The filter names a module under which nothing is logged.
    #[error(
        "log.filter: `{}` is neither a level nor a module that logs: write error, warn, info, debug or trace, or levels by module, say \
         warn,verdmarc::kafka=debug", .0.escape_debug()
    )]
    Nothing(String),
}

/// Prefixes of the names under which something is logged: those of verdmarc, of the client library,
/// and of other libraries.
const MODULES: [&str; 14] = [
    "verdmarc",
    "librdkafka",
    "rdkafka",
    "hickory",
    "object_store",
    "hyper",
    "reqwest",
    "rustls",
    "h2",
    "axum",
    "tower",
    "tokio",
    "mio",
    "tracing",
];

/// Checks whether logging could be started.
///
/// # Errors
/// The filter is invalid.
pub fn check(log: &Log) -> Result<(), FilterError> {
    filter(log).map(drop)
}

/// Reads the filter. The library takes a word that is not a level for a module, and a module under
/// which nothing is logged would silence everything, so such words are refused.
fn filter(log: &Log) -> Result<EnvFilter, FilterError> {
    let filter = EnvFilter::try_new(&log.filter)?;
    for directive in log.filter.split(',').map(str::trim).filter(|directive| !directive.contains(['[', ']', '{', '}', '"'])) {
        let module = directive.split('=').next().unwrap_or_default();
        let is_level = !directive.contains('=') && module.parse::<LevelFilter>().is_ok();
        if !is_level && !MODULES.iter().any(|known| module.starts_with(known)) {
            return Err(FilterError::Nothing(module.to_owned()));
        }
    }
    Ok(filter)
}

/// Starts logging; a second call changes nothing.
///
/// # Errors
/// The filter is invalid.
pub fn start(log: &Log) -> Result<(), FilterError> {
    subscribe(log, None)
}

/// Starts logging and exports. Must not be called on a thread of an asynchronous runtime.
///
/// # Errors
/// The filter is invalid, or nothing can be exported as the settings ask.
pub fn begin(config: &Config) -> Result<Telemetry, StartError> {
    check(&config.log)?;
    let telemetry = Telemetry::new(config)?;
    subscribe(&config.log, Some(&telemetry))?;
    Ok(telemetry)
}

/// Checks whether telemetry could be exported, without contacting the collector. Must not be called
/// on a thread of an asynchronous runtime.
///
/// # Errors
/// A file cannot be read, or the library refuses the settings.
pub fn check_export(telemetry: &config::Telemetry) -> Result<(), ExportError> {
    telemetry.export().map_or(Ok(()), |export| collector::Collector::new(&export).map(drop))
}

fn subscribe(log: &Log, telemetry: Option<&Telemetry>) -> Result<(), FilterError> {
    let filter = filter(log)?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    // The layer would report its own errors on standard error, and panic when nobody reads that.
    let lines = lines.log_internal_errors(false);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let exported = telemetry.and_then(Telemetry::log_layer);
    // An error means that there is a subscriber already.
    let _ = tracing_subscriber::registry().with(filter).with(lines).with(exported).try_init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_means_nothing_is_refused() {
        let checked = |filter: &str| check(&Log { filter: filter.to_owned(), ..Log::default() });
        for filter in ["info", "OFF", "2", "warn,verdmarc::kafka=debug", "librdkafka=off", "verdmarc[span{field=1}]=trace"] {
            assert!(checked(filter).is_ok(), "{filter}");
        }
        for filter in ["inof", "info,inof", "warn,verdmrac=debug", "verdmarc=inof", "debug=verdmarc"] {
            let error = checked(filter).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|error| error.starts_with("log.filter: ")), "{filter}: {error:?}");
        }
        assert!(checked("inof").unwrap_err().to_string().contains("`inof` is neither a level nor a module"));
    }
}
