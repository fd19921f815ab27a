//! Calculates the hashes that name groups and rows.

use super::about::About;
use sha2::{Digest as _, Sha256};

/// The first 16 bytes of a hash, which serve as a key.
pub(super) type Id = [u8; 16];

/// The place of a row in its report: first by its source, then by its hash.
pub(super) type ReportOrder = ([u8; 16], Id);

/// Returns the hash of a group, over the facts that tell it from every other group.
pub(super) fn group_id(about: &About) -> Id {
    let mut digest = Sha256::new();
    for number in [about.window.begin, about.window.end, i64::from(about.generation)] {
        digest.update(number.to_be_bytes());
    }
    digest.update(about.policy_domain.as_str());
    digest.update([0]);
    digest.update(&about.policy_hash);
    first(digest)
}

/// Returns the hash of a row, over its group and its canonical form.
pub(super) fn row_id(group: &Id, row: &[u8]) -> Id {
    let mut digest = Sha256::new();
    digest.update(group);
    digest.update(row);
    first(digest)
}

fn first(digest: Sha256) -> Id {
    let mut id = Id::default();
    id.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
    id
}
