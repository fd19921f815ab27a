//! Makes aggregate reports: turns a closed group of rows into the exact bytes that are sent.
//!
//! The rules are in RFC 9990; B.1 to B.3, B.7.
//!
//! | file | contents |
//! |---|---|
//! | `head` | the description of a report, besides its rows |
//! | `row` | one record of a report |
//! | `identity` | report id, file name, subject |
//! | `document` | the XML of both profiles |
//! | `text` | text that is safe for XML |
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
