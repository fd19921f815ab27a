//! Something that is done now and then.

use std::time::{Duration, Instant};

/// When it was done last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Throttle(Option<Instant>);

impl Throttle {
    /// Whether `interval` is over since it was done last. If so, it counts as done at `now`.
    pub(crate) fn is_due(&mut self, now: Instant, interval: Duration) -> bool {
        let is_due = self.is_over(now, interval);
        if is_due {
            self.0 = Some(now);
        }
        is_due
    }

    /// Whether `interval` is over since it was done last.
    pub(crate) fn is_over(self, now: Instant, interval: Duration) -> bool {
        self.0.is_none_or(|last| now.saturating_duration_since(last) >= interval)
    }

    /// Notes that it was done at `now`.
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
