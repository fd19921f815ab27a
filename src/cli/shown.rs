//! Formats values that appear in the tables of both reports and windows.

use crate::auth::dmarc::ReportAddress;
use jiff::Timestamp;

/// Formats a time that is given in Unix seconds.
pub(super) fn time(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| "?".to_owned(), |time| format!("{time:.0}"))
}

/// Formats reporting addresses, without characters that could move a terminal's cursor.
pub(super) fn addresses(all: &[ReportAddress], between: &str) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    all.join(between).escape_debug().to_string()
}

/// Formats a number of things in words: `1 report`, `2 reports`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Returns a note for messages that were counted late; empty for the first report.
pub(super) fn late(generation: u32) -> String {
    if generation > 0 { format!(" (late, {generation})") } else { String::new() }
}
