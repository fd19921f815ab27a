//! Waits between the tries of a call of librdkafka, and logs a call that has been retried for long.

use crate::kafka::base::error::TransactionError;
use crate::kafka::base::throttle::Throttle;
use std::time::{Duration, Instant};

/// The time between two tries of a call that may be retried.
pub(crate) const BACK_OFF: Duration = Duration::from_millis(100);
/// The longest time for one blocking call. The call is made again as long as librdkafka
/// says that it may be.
pub(crate) const CALL: Duration = Duration::from_secs(5);
/// The time beyond the brokers' own time-out for a transaction in which its end is still awaited.
pub(crate) const MARGIN: Duration = Duration::from_secs(30);

/// A call that is made again until it ends.
pub(crate) struct Retry {
    what: &'static str,
    pub(crate) since: Instant,
    log: Throttle,
}

impl Retry {
    pub(crate) fn of(what: &'static str) -> Self {
        Self { what, since: Instant::now(), log: Throttle::default() }
    }

    /// Waits until the next try. A call that is tried for longer than [`CALL`] is logged,
    /// at most once in that time.
    pub(crate) fn wait(&mut self, error: &TransactionError) {
        if self.since.elapsed() > CALL && self.log.is_due(Instant::now(), CALL) {
            tracing::warn!(%error, after_ms = self.since.elapsed().as_millis() as u64, "{} is tried again", self.what);
        }
        std::thread::sleep(BACK_OFF);
    }
}
