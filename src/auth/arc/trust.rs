//! How far trust in sealers reaches, and what the set where it ends says (Decisions: trusted sealers).
//!
//! An attacker can put a genuine set of a trusted sealer under one of his own. So trust begins at the newest set and ends above the
//! first sealer that is not trusted; what stands below is anybody's word.

use super::set::ArcSet;
use crate::dns::Domain;
use crate::message::{Passed, passes};

/// The oldest set that trust reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// Its instance.
    pub instance: u32,
    /// What passed according to its ARC-Authentication-Results.
    pub passed: Vec<Passed>,
}

/// The word of trusted sealers about a message whose chain `sets`, from instance 1 up, passes. The newest message signature has to cover
/// From: otherwise it says nothing about this author domain.
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
