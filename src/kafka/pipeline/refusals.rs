//! Counts how many of the last records were refused, and stops the role when they are too many.

use std::collections::VecDeque;

/// The number of outcomes that are considered.
pub const REFUSALS_OF: usize = 100;
/// The largest number of refusals among them that is accepted; one more stops the role.
pub const REFUSALS_ACCEPTED: usize = 50;

/// The last outcomes. Once too many of them were refusals, the role stays stopped until the process
/// ends.
#[derive(Debug)]
pub(crate) struct Refusals {
    /// False when the setting turns the stop off.
    stops: bool,
    last: VecDeque<bool>,
    refused: usize,
    stopped: bool,
}

impl Refusals {
    pub(crate) fn new(stops: bool) -> Self {
        Self { stops, last: VecDeque::new(), refused: 0, stopped: false }
    }

    /// Notes an outcome. Returns true when it is the refusal that stops the role.
    pub(crate) fn note(&mut self, refused: bool) -> bool {
        self.last.push_back(refused);
        self.refused += usize::from(refused);
        if self.last.len() > REFUSALS_OF {
            self.refused -= usize::from(self.last.pop_front() == Some(true));
        }
        let too_many = self.stops && self.refused > REFUSALS_ACCEPTED && !self.stopped;
        self.stopped |= too_many;
        too_many
    }

    /// Returns whether the role has stopped.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_of_a_hundred_are_accepted_and_one_more_is_not() {
        let mut refusals = Refusals::new(true);
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
        let mut refusals = Refusals::new(true);
        assert_eq!((1..=100).find(|_| refusals.note(true)), Some(51));
    }

    #[test]
    fn without_the_stop_everything_may_be_refused() {
        let mut refusals = Refusals::new(false);
        assert!(!(0..1000).any(|_| refusals.note(true)) && !refusals.stopped());
    }

    #[test]
    fn the_manual_says_the_same_number() {
        let sentence = format!("more than {REFUSALS_ACCEPTED} of the last {REFUSALS_OF} records");
        let manual = include_str!("../../../README.md").replace('\n', " ");
        assert!(manual.contains(&sentence), "`{sentence}` is missing in README.md");
    }
}
