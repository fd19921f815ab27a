//! A client that no broker has answered for a while is given the brokers of `bootstrap.servers` again.
//!
//! When all brokers of a cluster are fenced at the same time, for example after its machines stood still, their metadata names topics
//! and no broker. librdkafka 2.12 then forgets every broker that it knew, those of `bootstrap.servers` too, and may never connect again
//! (librdkafka#5301).

use super::native;
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::ClientConfig;
use std::ffi::CString;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After so long without an answer, and not more often than that, a client is given its brokers again. The library keeps each list
/// that it is given, so it should not get many.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);

/// The brokers that a client starts from.
#[derive(Debug)]
pub(crate) struct Rebootstrap {
    brokers: CString,
    last: Mutex<Option<Instant>>,
}

impl Rebootstrap {
    /// Those of a client with these settings.
    pub(crate) fn of(config: &ClientConfig) -> Self {
        // A list with a NUL was refused when the client was made.
        let brokers = CString::new(config.get("bootstrap.servers").unwrap_or_default()).unwrap_or_default();
        Self { brokers, last: Mutex::default() }
    }

    /// Gives `client`, which no broker answers, its brokers again, unless that was done just now. Brokers that it still knows are not
    /// added twice.
    pub(crate) fn unanswered<C: ClientContext>(&self, client: &Client<C>) {
        if self.is_due(Instant::now()) {
            native::add_brokers(client, &self.brokers);
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= SILENCE);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_given_its_brokers_again_at_most_once_in_ten_seconds() {
        let (rebootstrap, now) = (Rebootstrap::of(&ClientConfig::new()), Instant::now());
        let due = [0, 1, 9, 10, 19, 20].map(|seconds| rebootstrap.is_due(now + Duration::from_secs(seconds)));
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}
