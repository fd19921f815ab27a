//! What reports and windows have in common in tables for people.

use crate::auth::dmarc::ReportAddress;
use jiff::Timestamp;

/// A time, from Unix seconds.
pub(super) fn time(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| "?".to_owned(), |time| format!("{time:.0}"))
}

/// Reporting addresses, with nothing in them that could move a terminal's cursor.
pub(super) fn addresses(all: &[ReportAddress], between: &str) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    all.join(between).escape_debug().to_string()
}

/// A number of things, in words: `1 report`, `2 reports`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A note behind what was counted late.
pub(super) fn late(generation: u32) -> String {
    if generation > 0 { format!(" (late, {generation})") } else { String::new() }
}
