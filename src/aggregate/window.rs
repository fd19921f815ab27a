//! Divides time into windows: which window an arrival belongs to, when that is due, and when it is
//! over. All times are Unix seconds, UTC.

use crate::config::Config;
use crate::report::Period;
use serde::{Deserialize, Serialize};

/// A period of reports: from `begin` to just before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    /// The first second.
    pub begin: i64,
    /// The first second after the window.
    pub end: i64,
}

impl Window {
    /// Returns the period as a report states it, with its last second (B.1: date_range).
    pub fn period(self) -> Period {
        Period { begin: self.begin, end: self.end - 1 }
    }
}

/// The division of time into windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// Seconds of a window, a divisor of a day.
    pub length: u32,
    /// Seconds after its end before a window is closed.
    pub grace: u32,
    /// Seconds after its end during which late failures are still counted.
    pub horizon: u32,
}

impl Calendar {
    /// Takes the division from the configuration.
    pub fn of(config: &Config) -> Self {
        let role = &config.aggregate;
        Self { length: role.window_s, grace: role.grace_s, horizon: role.horizon_s }
    }

    /// Returns the window of an arrival, whatever the clock says now.
    pub fn window(&self, arrival: i64) -> Window {
        let length = i64::from(self.length.max(1));
        let begin = arrival - arrival.rem_euclid(length);
        Window { begin, end: begin + length }
    }

    /// Returns when a window is due that was last closed at `last_closed`. It is first due after
    /// its end and the grace. Late rows are due a window's length after the last closing.
    pub fn due(&self, window: Window, last_closed: Option<i64>) -> i64 {
        let first = window.end + i64::from(self.grace);
        match last_closed {
            Some(closed) if closed >= first => closed + i64::from(self.length),
            _ => first,
        }
    }

    /// Returns when a window is over, so that nothing more is counted for it.
    pub fn over(&self, window: Window) -> i64 {
        window.end + i64::from(self.horizon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAILY: Calendar = Calendar { length: 86_400, grace: 3_600, horizon: 7 * 86_400 };

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_second()
    }

    #[test]
    fn b19_a_day_is_from_midnight_to_the_second_before_the_next() {
        let day = DAILY.window(at("2026-05-04T00:00:00Z"));
        assert_eq!((day.period().begin, day.period().end), (at("2026-05-04T00:00:00Z"), at("2026-05-04T23:59:59Z")));
        assert_eq!(DAILY.window(at("2026-05-04T23:59:59Z")), day);
        assert_eq!(DAILY.window(at("2026-05-05T00:00:00Z")).begin, day.end);
        assert_eq!(DAILY.window(at("2026-05-03T23:59:59Z")).end, day.begin);
        assert_eq!(DAILY.window(-1), Window { begin: -86_400, end: 0 });
    }

    #[test]
    fn a_window_is_due_after_grace_and_what_is_late_after_another_length() {
        let day = DAILY.window(at("2026-05-04T12:00:00Z"));
        let first = at("2026-05-05T01:00:00Z");
        assert_eq!(DAILY.due(day, None), first);
        assert_eq!(DAILY.due(day, Some(first - 7_200)), first, "closed early: the rest at the usual time");
        assert_eq!(DAILY.due(day, Some(first + 5)), first + 5 + 86_400);
        assert_eq!(DAILY.over(day), at("2026-05-12T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn property_windows_of_any_divisor_tile_the_day(arrival in -10_000_000_000_i64..10_000_000_000, length in prop::sample::select(vec![1_u32, 10, 60, 900, 3_600, 21_600, 86_400])) {
            let calendar = Calendar { length, ..DAILY };
            let window = calendar.window(arrival);
            prop_assert!(window.begin <= arrival && arrival < window.end);
            prop_assert_eq!(window.end - window.begin, i64::from(length));
            prop_assert_eq!(window.begin.rem_euclid(86_400) % i64::from(length), 0);
            prop_assert_eq!(calendar.window(window.end - 1), window);
            prop_assert_eq!(calendar.window(window.end).begin, window.end);
        }
    }
}
