//! Whether the calls of the transaction thread still return.
//!
//! Each has a time limit, and the library can miss it: `rd_kafka_send_offsets_to_transaction` waits without a limit when the
//! group's coordinator moves at the wrong moment (2.12.1, `rdkafka_coord.c`: only a broker's connection that comes or goes wakes
//! the search up). Nothing can be done about such a call from outside, so the process ends, and its next start goes on from what the
//! brokers know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts the calls that returned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beats(Arc<AtomicU64>);

impl Beats {
    pub(crate) fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Looks at the count from another thread.
#[derive(Debug)]
pub(crate) struct Watchdog {
    beats: Beats,
    counted: u64,
    since: Instant,
    looked: Instant,
}

/// Longest time for a call: several times what it is given.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// Whoever did not look for so long was frozen, and the thread that it looks at with it.
const FROZEN: Duration = Duration::from_secs(1);

impl Watchdog {
    pub(crate) fn new(beats: Beats, now: Instant) -> Self {
        Self { beats, counted: 0, since: now, looked: now }
    }

    /// Whether no call has returned for too long. To be asked all the time while the thread has something in hand.
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
