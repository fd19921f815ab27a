//! A window that takes rows, with the closing of one of its generations.

use super::closing::Closing;
use super::group::Group;
use super::window::{Calendar, Window};
use crate::dns::Domain;
use foldhash::quality::RandomState;
use indexmap::IndexMap;

/// The groups of one generation of a window. The index of a group does not change.
pub(super) type Groups = IndexMap<(Domain, PolicyHash), Group, RandomState>;

/// The digits of `policyHash` as bytes.
pub(super) type PolicyHash = [u8; 16];

/// A window that has rows or was closed before.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// The generation that new rows belong to. Each closing raises it by one.
    pub(super) generation: u32,
    /// When the last closing began, in Unix seconds.
    pub(super) closed: Option<i64>,
    pub(super) groups: Groups,
    pub(super) closing: Option<Closing>,
    /// The end of the log when the window was due, and the time of that, in Unix seconds. The
    /// window closes when everything below that end is counted.
    pub(super) target: Option<(i64, i64)>,
    /// True when an operator or the limit on memory asks for a closing, whatever the clock says.
    pub(super) requested: bool,
}

impl Open {
    /// Returns when the window closes next, in Unix seconds: at its time if it has rows, and for
    /// good when it is over.
    pub(super) fn due(&self, window: Window, calendar: &Calendar) -> i64 {
        let over = calendar.over(window);
        if self.groups.is_empty() { over } else { over.min(calendar.due(window, self.closed)) }
    }

    /// Returns whether the window should close and does not know yet where the log ends.
    pub(super) fn wants_end(&self, window: Window, calendar: &Calendar, now: i64) -> bool {
        self.target.is_none() && self.closing.is_none() && now >= self.due(window, calendar)
    }
}

/// Returns the digits as bytes. Another character counts as 0, but [`super::read`] never accepts
/// one.
pub(super) fn policy_hash(digits: &str) -> PolicyHash {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
    let mut hash = PolicyHash::default();
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = pair.iter().fold(0, |value, digits| value << 4 | digit(*digits));
    }
    hash
}
