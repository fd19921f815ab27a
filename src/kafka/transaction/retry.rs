//! Calls of the library that are made again, and for how long.

use crate::kafka::base::error::TransactionError;
use std::time::{Duration, Instant};

/// Time between two tries of a call that may be retried.
pub(crate) const BACK_OFF: Duration = Duration::from_millis(100);
/// Longest time for one blocking call; it is made again as long as the library says so.
pub(crate) const CALL: Duration = Duration::from_secs(5);
/// Beyond the brokers' own time-out, how long the end of a transaction is waited for.
pub(crate) const MARGIN: Duration = Duration::from_secs(30);

/// A call that is made again and again.
pub(crate) struct Retry {
    what: &'static str,
    pub(crate) since: Instant,
    said: Option<Instant>,
}

impl Retry {
    pub(crate) fn of(what: &'static str) -> Self {
        Self { what, since: Instant::now(), said: None }
    }

    /// Waits until the next try. What lasts is worth a line in the log, now and then.
    pub(crate) fn wait(&mut self, error: &TransactionError) {
        if self.since.elapsed() > CALL && self.said.is_none_or(|said| said.elapsed() > CALL) {
            self.said = Some(Instant::now());
            tracing::warn!(%error, after_ms = self.since.elapsed().as_millis() as u64, "{} is tried again", self.what);
        }
        std::thread::sleep(BACK_OFF);
    }
}
