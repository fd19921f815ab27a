//! Notices when a call of the transaction thread does not return.
//!
//! Each call has a time limit, but librdkafka can miss it: `rd_kafka_send_offsets_to_transaction`
//! waits without a limit when the group's coordinator moves at the wrong moment (2.12.1,
//! `rdkafka_coord.c`: the search wakes up only when a connection to a broker comes or goes).
//! Nothing can be done about such a call from outside. So the process ends, and its next start
//! continues from what the brokers know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The count of the calls that returned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beats(Arc<AtomicU64>);

impl Beats {
    pub(crate) fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The observer of the count on another thread.
#[derive(Debug)]
pub(crate) struct Watchdog {
    beats: Beats,
    counted: u64,
    since: Instant,
    looked: Instant,
}

/// The longest time for a call: several times the time that the call is given.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// The time between two looks from which the observing thread must have been frozen, and the
/// observed thread with it.
const FROZEN: Duration = Duration::from_secs(1);

impl Watchdog {
    pub(crate) fn new(beats: Beats, now: Instant) -> Self {
        Self { beats, counted: 0, since: now, looked: now }
    }

    /// Returns whether the thread is stuck, because no call has returned for longer than [`LIMIT`].
    /// The owner must ask this all the time while the thread has a batch.
    pub(crate) fn is_stuck(&mut self, now: Instant) -> bool {
        let counted = self.beats.0.load(Ordering::Relaxed);
        if counted != self.counted || now.duration_since(self.looked) > FROZEN {
            (self.counted, self.since) = (counted, now);
        }
        self.looked = now;
        now.duration_since(self.since) > LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_does_not_return_is_noticed_and_neither_a_slow_one_nor_a_frozen_process_is() {
        let (beats, start) = (Beats::default(), Instant::now());
        let mut watch = Watchdog::new(beats.clone(), start);
        let looks = |watch: &mut Watchdog, from: u64, to: u64| {
            (from..to).any(|half| watch.is_stuck(start + Duration::from_millis(half * 500)))
        };
        assert!(!looks(&mut watch, 0, 38));
        beats.beat();
        assert!(!looks(&mut watch, 38, 76), "a call returned");
        assert!(!looks(&mut watch, 200, 238), "frozen in between");
        assert!(looks(&mut watch, 238, 250));
    }
}
