//! The description of a report: everything that it says besides its rows, and where it goes.

use super::window::Window;
use crate::auth::dmarc::{RecordFault, ReportAddress};
use crate::config::Discovery;
use crate::dns::Domain;
use crate::event::{FailureEvent, PublishedPolicy};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Estimated bytes of a group without rows: itself, its policy, its tables and its place in one.
const GROUP_BYTES: usize = 1_024;

/// The description of a group's report: everything besides its rows, and where it goes.
/// `policy.rua` is the list that was last seen; it does not tell groups apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) window: Window,
    pub(super) generation: u32,
    pub(super) policy_domain: Domain,
    pub(super) policy_hash: String,
    pub(super) policy: PublishedPolicy,
    pub(super) discovery: Discovery,
    pub(super) errors: BTreeSet<RecordFault>,
}

impl About {
    pub(super) fn of(event: &FailureEvent, window: Window, generation: u32) -> Self {
        let mut policy = event.policy.clone();
        policy.rua.clone_from(&event.report_addresses);
        Self {
            window,
            generation,
            policy_domain: event.policy_domain.clone(),
            policy_hash: event.policy_hash.clone(),
            policy,
            discovery: event.discovery,
            errors: event.record_errors.iter().copied().collect(),
        }
    }

    /// Returns the estimated bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        let addresses = self.policy.rua.iter().map(|address| address.local_part.len() + address.domain.as_str().len() + 96);
        GROUP_BYTES + self.policy_domain.as_str().len() + addresses.sum::<usize>()
    }

    /// Takes over the addresses and faults, which may change within a group. Returns whether
    /// anything changed.
    pub(super) fn update(&mut self, addresses: &[ReportAddress], errors: &[RecordFault]) -> bool {
        let mut changed = false;
        for fault in errors {
            changed |= self.errors.insert(*fault);
        }
        if self.policy.rua != addresses {
            self.policy.rua = addresses.to_vec();
            changed = true;
        }
        changed
    }
}
