//! Decides how far trust in sealers reaches, and reads the oldest set within it.
//!
//! An attacker can put a genuine set of a trusted sealer under a set of the attacker's own.
//! So trust begins at the newest set and ends above the first sealer that is not trusted.
//! Anybody may have written the sets below (Decisions: trusted sealers).

use super::set::ArcSet;
use crate::dns::Domain;
use crate::message::{Passed, passes};

/// The oldest set that trust reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// The instance of the set.
    pub instance: u32,
    /// The checks that passed according to the set's ARC-Authentication-Results.
    pub passed: Vec<Passed>,
}

/// Returns the oldest set that trust reaches, or `None` if the newest sealer is not trusted.
///
/// `sets` is a chain that passes, from instance 1 upwards.
/// The newest message signature must cover From: otherwise the chain says nothing about this
/// author domain, and the result is `None` too.
pub(super) fn vouched(sets: &[ArcSet<'_>], trusted: &[Domain]) -> Option<Vouched> {
    let newest = sets.last()?;
    if !newest.message.as_ref().is_ok_and(|signature| signature.signs("from")) {
        return None;
    }
    let reached = sets.iter().rev().take_while(|set| trusted.contains(&set.seal.domain)).count();
    let oldest = sets.len().checked_sub(reached).filter(|_| reached > 0)?;
    let set = sets.get(oldest)?;
    Some(Vouched { instance: u32::try_from(oldest + 1).unwrap_or(u32::MAX), passed: passes(set.results_value()) })
}
