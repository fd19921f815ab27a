//! Checks topics and groups before a role starts, without blocking the runtime.

use super::groups::lane;
use crate::config::Config;
use crate::kafka::{Error, succeeds, topics, warn_once};

/// Makes a blocking Kafka call on a thread of its own, and returns the result. The threads of the
/// runtime may all hang in a file system.
pub(super) async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let (sender, answer) = tokio::sync::oneshot::channel();
    // The receiver is gone only when the role has been dropped, which happens when the process
    // ends.
    let thread = std::thread::Builder::new().name("call".to_owned()).spawn(move || drop(sender.send(call())));
    thread.map_err(|error| Error::Inconsistent(format!("cannot start a thread: {error}")))?;
    answer.await.unwrap_or_else(|_| Err(Error::Inconsistent("a call of the client library panicked".to_owned())))
}

/// Reports what is wrong with the topics before the first record is read.
pub(super) async fn check_topics(config: &Config) -> Result<(), Error> {
    if !config.kafka.check_topics {
        return Ok(());
    }
    let settings = config.clone();
    let report = blocking(move || topics::check(&settings, &lane(&settings))).await?;
    for warning in &report.warnings {
        warn_once(&warning.to_string());
    }
    let errors: Vec<String> = report.errors.iter().map(ToString::to_string).collect();
    if errors.is_empty() { Ok(()) } else { Err(Error::Topics(errors.join("\n"))) }
}

/// Checks that a group that was renamed together with the topics does not silently begin anew.
pub(super) async fn check_group(config: &Config, role: &str, topic: &str) -> Result<(), Error> {
    let Some(former) = config.former_group(role) else { return Ok(()) };
    let (kafka, group, topic) = (config.kafka.clone(), config.group(role), topic.to_owned());
    blocking(move || succeeds(&kafka, &group, &former, &topic)).await
}
