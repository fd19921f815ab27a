//! Limits how often an action is taken.

use std::time::{Duration, Instant};

/// The time at which the action was last taken; None before the first time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Throttle(Option<Instant>);

impl Throttle {
    /// Returns whether `interval` has passed since the action was last taken.
    /// If so, `now` is noted as the new time.
    pub(crate) fn is_due(&mut self, now: Instant, interval: Duration) -> bool {
        let is_due = self.is_over(now, interval);
        if is_due {
            self.0 = Some(now);
        }
        is_due
    }

    /// Returns whether `interval` has passed since the action was last taken.
    /// True before the first time.
    pub(crate) fn is_over(self, now: Instant, interval: Duration) -> bool {
        self.0.is_none_or(|last| now.saturating_duration_since(last) >= interval)
    }

    /// Notes that the action was taken at `now`.
    pub(crate) fn note(&mut self, now: Instant) {
        self.0 = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_due_at_once_and_then_not_before_its_interval_is_over() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let interval = Duration::from_secs(10);
        let due = [0, 1, 9, 10, 19, 20].map(|seconds| throttle.is_due(now + Duration::from_secs(seconds), interval));
        assert_eq!(due, [true, false, false, true, false, true]);
    }
}
