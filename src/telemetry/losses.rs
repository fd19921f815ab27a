//! Counts what was exported, and what was dropped on the way.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A kind of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Metrics.
    Metrics,
    /// Spans.
    Traces,
    /// Log records.
    Logs,
}

impl Signal {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }
}

/// Largest number of spans, or of log records, that wait to be exported. Further ones are dropped.
pub(super) const QUEUE: usize = 2048;
/// Shortest time between two log lines that say that nothing can be exported.
const SILENCE: Duration = Duration::from_mins(1);

/// Numbers of what became of one signal.
#[derive(Debug)]
pub struct Losses {
    signal: Signal,
    waiting: AtomicUsize,
    dropped: AtomicU64,
    exported: AtomicU64,
    failed: AtomicU64,
    said: Mutex<Option<Instant>>,
}

impl Losses {
    pub(super) fn of(signal: Signal) -> Self {
        Self {
            signal,
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            exported: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            said: Mutex::new(None),
        }
    }

    /// Returns the signal.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Returns the number of spans or log records that were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Returns the number of exports that the collector accepted.
    pub fn exported(&self) -> u64 {
        self.exported.load(Ordering::Relaxed)
    }

    /// Returns the number of exports that failed for good.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Returns whether there is room for one more item that waits. Without room the item counts as
    /// dropped.
    pub(super) fn admit(&self) -> bool {
        let has_room = self.waiting.fetch_add(1, Ordering::Relaxed) < QUEUE;
        if !has_room {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    /// Notes that this number of items waits no longer.
    pub(super) fn taken(&self, items: usize) {
        self.waiting.fetch_sub(items, Ordering::Relaxed);
    }

    /// Notes that an export of this number of items ended.
    pub(super) fn ended(&self, items: usize, result: Result<(), &dyn std::fmt::Display>) {
        match result {
            Ok(()) => {
                self.exported.fetch_add(1, Ordering::Relaxed);
                let failed_before = self.said.lock().unwrap_or_else(PoisonError::into_inner).take().is_some();
                if failed_before {
                    tracing::info!(target: "verdmarc::telemetry", signal = self.signal.name(), "telemetry is exported again");
                }
            }
            Err(reason) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                self.dropped.fetch_add(items as u64, Ordering::Relaxed);
                self.say(reason);
            }
        }
    }

    /// Logs from time to time that exports fail. The line itself is not exported, because a thread
    /// that exports writes it.
    fn say(&self, reason: &dyn std::fmt::Display) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() > SILENCE) {
            *said = Some(Instant::now());
            let (signal, dropped) = (self.signal.name(), self.dropped());
            tracing::warn!(
                target: "verdmarc::telemetry", signal, %reason, dropped,
                "telemetry cannot be exported, and what does not fit into memory is dropped; the role is not affected"
            );
        }
    }
}
