//! Tells the consumer thread the time; the simulation replaces the clock by one of its own.

use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// A moment on both clocks of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// The time by which durations are measured.
    pub(crate) instant: Instant,
    /// The time of day.
    pub(crate) time: Timestamp,
}

/// A clock that the simulation can replace.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    /// Returns the clock of the machine.
    pub(crate) fn of_machine() -> Self {
        Self::of(|| Now { instant: Instant::now(), time: Timestamp::now() })
    }

    pub(crate) fn of(now: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Now {
        (self.0)()
    }
}
