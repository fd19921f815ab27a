//! Logs, at most once a minute, how many messages that belong into reports could not be counted.

use crate::verdict::Uncounted;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time between two lines. A backlog of days has thousands of such messages a second.
const AGAIN: Duration = Duration::from_mins(1);

/// The numbers of such messages since the process started.
#[derive(Debug, Default)]
pub(super) struct Meter {
    late: AtomicU64,
    no_client: AtomicU64,
    incomplete: AtomicU64,
    said: Mutex<Option<Instant>>,
}

impl Meter {
    /// Counts a message that is in no report, and logs its id when a line is due.
    pub(super) fn note(&self, why: Uncounted, id: &str) {
        let (counter, reason) = match why {
            Uncounted::Late => (&self.late, "it was evaluated more than two days after it arrived"),
            Uncounted::NoClient => (&self.no_client, "its client is unknown or ours"),
            Uncounted::Incomplete => (&self.incomplete, "its verdict lacks what stands in a row"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() > AGAIN) {
            *said = Some(Instant::now());
            let [late, no_client, incomplete] = self.sums();
            tracing::warn!(id, late, no_client, incomplete, "a message is in no report: {reason}; so many so far");
        }
    }

    fn sums(&self) -> [u64; 3] {
        [&self.late, &self.no_client, &self.incomplete].map(|counter| counter.load(Ordering::Relaxed))
    }
}
