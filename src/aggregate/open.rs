//! A window that takes rows, and the closing of one of its generations.

use super::closing::Closing;
use super::group::Group;
use super::window::{Calendar, Window};
use crate::dns::Domain;
use foldhash::quality::RandomState;
use indexmap::IndexMap;

/// A group's place within its window.
pub(super) type Groups = IndexMap<(Domain, PolicyHash), Group, RandomState>;

/// The digits of `policyHash` as bytes.
pub(super) type PolicyHash = [u8; 16];

/// A window that something is known of.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// The generation that new rows belong to: closings so far.
    pub(super) generation: u32,
    /// When the last closing began.
    pub(super) closed: Option<i64>,
    pub(super) groups: Groups,
    pub(super) closing: Option<Closing>,
    /// The end of the log when it became due, and when that was: the window closes when everything below is counted.
    pub(super) target: Option<(i64, i64)>,
    /// An operator or the limit on memory wants it closed, whatever the clock says.
    pub(super) requested: bool,
}

impl Open {
    /// When the window is closed next: at its time when it has rows, and for good when it is over.
    pub(super) fn due(&self, window: Window, calendar: &Calendar) -> i64 {
        let over = calendar.over(window);
        if self.groups.is_empty() { over } else { over.min(calendar.due(window, self.closed)) }
    }

    /// Whether it should be closed and is not told yet where the log ends.
    pub(super) fn wants_end(&self, window: Window, calendar: &Calendar, now: i64) -> bool {
        self.target.is_none() && self.closing.is_none() && now >= self.due(window, calendar)
    }
}

/// The digits as bytes; what is none counts as 0, which [`super::read`] never lets through.
pub(super) fn policy_hash(digits: &str) -> PolicyHash {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
    let mut hash = PolicyHash::default();
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = pair.iter().fold(0, |value, digits| value << 4 | digit(*digits));
    }
    hash
}
