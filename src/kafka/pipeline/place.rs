//! Whether this member has a place in its group.
//!
//! With the classic protocol the library calls back for every assignment, an empty one too. With the one of KIP-848 it does not call back
//! for a member that is given nothing, so that only its place in the group tells that it has joined.

use crate::config::Protocol;
use crate::kafka::base::throttle::Throttle;
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// The place in the group, as it was seen last.
pub(crate) struct Place {
    protocol: Protocol,
    looks: Throttle,
    seen: Option<Instant>,
}

impl Place {
    pub(crate) fn of(protocol: Protocol) -> Self {
        Self { protocol, looks: Throttle::default(), seen: None }
    }

    /// When the member had its place last; None before it had one.
    pub(crate) fn last_seen(&self) -> Option<Instant> {
        self.seen
    }

    /// Whether it is time for a look.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        self.looks.is_due(now, LOOK)
    }

    /// Notes that the member has its place; whether that is the only sign of it.
    pub(crate) fn seen(&mut self, now: Instant) -> bool {
        self.seen = Some(now);
        self.protocol == Protocol::Consumer
    }
}
