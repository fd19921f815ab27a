//! Runs the roles of `verdmarc run`, one in each file, on pipelines of [`crate::kafka`].

pub mod aggregate;
mod judge;
mod prediction;
mod report_spans;
mod retry;
mod uncounted;
pub mod verdict;

pub use prediction::refused_for_certain;

use crate::config::Config;
use crate::event::dead_letter::output_too_large;
use crate::event::{DeadLetterReason, Output};
use crate::kafka::{Error, succeeds, topics, warn_once};
use crate::metrics::Counted;
use std::sync::Arc;

/// Makes a blocking Kafka call on a thread of its own, and returns the result. The threads of the
/// runtime may all hang in a file system.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let (sender, answer) = tokio::sync::oneshot::channel();
    // The receiver is gone only when the role has been dropped, which happens when the process
    // ends.
    let thread = std::thread::Builder::new().name("call".to_owned()).spawn(move || drop(sender.send(call())));
    thread.map_err(|error| Error::Inconsistent(format!("cannot start a thread: {error}")))?;
    answer.await.unwrap_or_else(|_| Err(Error::Inconsistent("a call of the client library panicked".to_owned())))
}

/// Reports what is wrong with the topics before the first record is read.
async fn check_topics(config: &Config) -> Result<(), Error> {
    if !config.kafka.check_topics {
        return Ok(());
    }
    let settings = config.clone();
    let report = blocking(move || topics::check(&settings, &verdict::lane(&settings))).await?;
    for warning in &report.warnings {
        warn_once(&warning.to_string());
    }
    let errors: Vec<String> = report.errors.iter().map(ToString::to_string).collect();
    if errors.is_empty() { Ok(()) } else { Err(Error::Topics(errors.join("\n"))) }
}

/// Checks that a group that was renamed together with the topics does not silently begin anew.
async fn check_group(config: &Config, role: &str, topic: &str) -> Result<(), Error> {
    let Some(former) = config.former_group(role) else { return Ok(()) };
    let (kafka, group, topic) = (config.kafka.clone(), config.group(role), topic.to_owned());
    blocking(move || succeeds(&kafka, &group, &former, &topic)).await
}

/// Makes the dead letter that replaces outputs which a topic refuses for their size. It says where
/// the record came from, and which outputs it had.
fn stand_in(dead_letters: &Arc<str>, record: (&str, i32, i64), outputs: &[Output]) -> (Vec<Output>, Counted) {
    (vec![output_too_large(dead_letters, record, outputs)], Counted::dead_letter(DeadLetterReason::OutputTooLarge))
}
