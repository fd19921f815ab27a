//! How many of the last records were refused.

use std::collections::VecDeque;

/// The last outcomes. Once too many of them are refusals it says so until the process ends.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    last: VecDeque<bool>,
    refused: usize,
    stopped: bool,
}

impl Refusals {
    /// Outcomes that are looked at.
    pub(super) const WINDOW: usize = 100;
    /// Refusals among them that are accepted.
    pub(super) const LIMIT: usize = 50;

    /// Notes an outcome. True when it is the one that is too many.
    pub(super) fn note(&mut self, refused: bool) -> bool {
        self.last.push_back(refused);
        self.refused += usize::from(refused);
        if self.last.len() > Self::WINDOW {
            self.refused -= usize::from(self.last.pop_front() == Some(true));
        }
        let too_many = self.refused > Self::LIMIT && !self.stopped;
        self.stopped |= too_many;
        too_many
    }

    /// Whether there were too many.
    pub(super) fn stopped(&self) -> bool {
        self.stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_of_a_hundred_are_accepted_and_one_more_is_not() {
        let mut refusals = Refusals::default();
        for number in 0..1000 {
            assert!(!refusals.note(number % 2 == 0));
        }
        refusals.note(true);
        assert!(!refusals.stopped());
        assert!(refusals.note(true) && refusals.stopped());
        assert!(!refusals.note(true), "it is said once");
        (0..200).for_each(|_| assert!(!refusals.note(false)));
        assert!(refusals.stopped(), "until a restart");
    }

    #[test]
    fn nothing_but_refusals_stops_at_the_fifty_first() {
        let mut refusals = Refusals::default();
        assert_eq!((1..=100).find(|_| refusals.note(true)), Some(51));
    }
}
