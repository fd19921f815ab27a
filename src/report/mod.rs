//! Aggregate reports: what a closed group of rows comes to, byte for byte (RFC 9990; B.1 to B.3, B.7).
//!
//! | file | what it holds |
//! |---|---|
//! | `head` | what a report says besides its rows |
//! | `row` | one record of a report |
//! | `identity` | report id, file name, subject |
//! | `document` | the XML of both profiles |
//! | `text` | what XML can hold |
//! | `part` | as many rows as one report takes, as compressed bytes |

mod document;
mod head;
mod identity;
mod part;
mod row;
#[cfg(test)]
mod tests;
mod text;

pub use head::{Head, Period, Submitter};
pub use identity::{Identity, ReportId, shortened};
pub use part::{Limits, Part, next_part};
pub use row::{Collapse, ReportRow, Signature, Spf};
