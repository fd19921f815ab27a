//! Whether this member has a place in its group.
//!
//! With the classic protocol the library calls back for every assignment, an empty one too. With the one of KIP-848 it does not call back
//! for a member that is given nothing, so that only its place in the group tells that it has joined.

use super::{Context, Desk};
use crate::config::Protocol;
use crate::kafka::membership::Membership;
use rdkafka::consumer::BaseConsumer;
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// The place in the group, as it was seen last.
pub(super) struct Place {
    protocol: Protocol,
    looked: Option<Instant>,
    seen: Option<Instant>,
}

impl Place {
    pub(super) fn of(protocol: Protocol) -> Self {
        Self { protocol, looked: None, seen: None }
    }

    /// When the member had its place last.
    pub(super) fn last_seen(&self) -> Option<Instant> {
        self.seen
    }
}

impl Desk {
    /// Looks whether the member has its place.
    pub(super) fn look_for_place(&mut self, consumer: &BaseConsumer<Context>, now: Instant) {
        if self.place.looked.is_some_and(|looked| now.saturating_duration_since(looked) < LOOK) {
            return;
        }
        self.place.looked = Some(now);
        if Membership::of(consumer).is_some_and(|membership| membership.is_let_in()) {
            self.place.seen = Some(now);
            if self.place.protocol == Protocol::Consumer {
                self.status.assigned();
            }
        }
    }
}
