//! What `verdmarc run` runs: the only callers of [`crate::kafka`]. One file a role.

pub mod aggregate;
mod retry;
pub mod verdict;

use crate::config::Config;
use crate::kafka::{Error, topics};

/// What Kafka says to a call that blocks.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(call).await.unwrap_or_else(|error| Err(Error::Inconsistent(error.to_string())))
}

/// Says what is wrong with the topics before the first record is read.
async fn check_topics(config: &Config) -> Result<(), Error> {
    if !config.kafka.check_topics {
        return Ok(());
    }
    let settings = config.clone();
    let report = blocking(move || topics::check(&settings)).await?;
    for warning in &report.warnings {
        tracing::warn!("{warning}");
    }
    let errors: Vec<String> = report.errors.iter().map(ToString::to_string).collect();
    if errors.is_empty() { Ok(()) } else { Err(Error::Topics(errors.join("\n"))) }
}
