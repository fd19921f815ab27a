//! Gives a client the brokers of `bootstrap.servers` again when no broker has
//! answered it for a while.
//!
//! When all brokers of a cluster are fenced at the same time, for example after its machines were
//! frozen, their metadata names topics and no broker.
//! librdkafka 2.12 then forgets every broker that it knew, those of `bootstrap.servers` too,
//! and may never connect again (librdkafka#5301).

use super::native;
use crate::kafka::base::throttle::Throttle;
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::ClientConfig;
use std::ffi::CString;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time without an answer after which a client is given its brokers again, and the shortest
/// time until it is given them once more. librdkafka keeps each list that it is given,
/// so it should not get many.
pub(crate) const SILENCE: Duration = Duration::from_secs(10);

/// The brokers that a client starts from, and when it was last given them again.
#[derive(Debug)]
pub(crate) struct Rebootstrap {
    brokers: CString,
    last: Mutex<Throttle>,
}

impl Rebootstrap {
    /// Returns the brokers of a client with these settings.
    pub(crate) fn of(config: &ClientConfig) -> Self {
        // librdkafka makes no client from a list with a NUL.
        let brokers = CString::new(config.get("bootstrap.servers").unwrap_or_default()).unwrap_or_default();
        Self { brokers, last: Mutex::default() }
    }

    /// Gives `client`, which no broker answers, its brokers again, unless that was done less than
    /// [`SILENCE`] ago. librdkafka does not add brokers twice that it still knows.
    pub(crate) fn unanswered<C: ClientContext>(&self, client: &Client<C>) {
        if self.is_due(Instant::now()) {
            native::add_brokers(client, &self.brokers);
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).is_due(now, SILENCE)
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
