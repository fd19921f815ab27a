//! Notes whether this member has a place in its group.
//!
//! With the classic protocol the library calls back for every assignment, even for an empty one.
//! With the protocol of KIP-848 it does not call back for a member without partitions, so only the
//! place in the group shows that the member has joined.

use crate::config::Protocol;
use crate::kafka::base::throttle::Throttle;
use std::time::{Duration, Instant};

/// The time between two looks at the membership.
const LOOK: Duration = Duration::from_secs(1);

/// The member's place in the group, as last seen.
pub(crate) struct GroupPlace {
    protocol: Protocol,
    looks: Throttle,
    seen: Option<Instant>,
}

impl GroupPlace {
    pub(crate) fn of(protocol: Protocol) -> Self {
        Self { protocol, looks: Throttle::default(), seen: None }
    }

    /// Returns when the member was last seen to have its place; None before the first time.
    pub(crate) fn last_seen(&self) -> Option<Instant> {
        self.seen
    }

    /// Returns whether it is time for a look.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        self.looks.is_due(now, LOOK)
    }

    /// Notes that the member has its place. Returns whether that is the only sign that it has
    /// joined.
    pub(crate) fn seen(&mut self, now: Instant) -> bool {
        self.seen = Some(now);
        self.protocol == Protocol::Consumer
    }
}
