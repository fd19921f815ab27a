//! The clock of the consumer thread, which the simulation turns by hand.

use jiff::Timestamp;
use std::sync::Arc;
use std::time::Instant;

/// A moment on both clocks of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// For how long something took.
    pub(crate) instant: Instant,
    /// For what the time of day is.
    pub(crate) time: Timestamp,
}

/// Tells the time.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    /// The machine's.
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
