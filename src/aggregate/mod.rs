//! Counts failures and makes exact reports of them. This module decides what is counted, when a
//! window is closed, and which records are written.
//!
//! It is pure: the clock, the end of the log and the outcome of transactions are passed in. One
//! [`State`] holds what was counted from one partition of mail.failures.
//!
//! | file | contents |
//! |---|---|
//! | `settings` | the settings of counting and closing |
//! | `window` | the window of an arrival, when it is due, and when it is over |
//! | `names` | names that are stored once |
//! | `memory` | the memory that the rows of a process take |
//! | `row` | a row in memory, its canonical form, and collapsed forms |
//! | `about` | the description of a report, besides its rows |
//! | `id` | the hashes that name groups and rows |
//! | `group` | the rows of one report |
//! | `intake` | a record of mail.failures: a failure, a control record, or neither |
//! | `open` | a window that takes rows |
//! | `state` | the windows of one partition; `state/transaction` cuts and settles outputs |
//! | `totals` | sums of one partition, and the numbers of what it holds |
//! | `closing` | a frozen window while it is reported |
//! | `changelog` | the state as records of mail.windows |
//! | `restore` | the restore of the state from those records |
//! | `links` | the traces of the failures in a report |
//! | `listing` | a list of the groups that are being counted, for people |
//! | `outputs` | records of mail.reports |

mod about;
pub mod changelog;
mod closing;
mod group;
mod id;
mod intake;
mod links;
mod listing;
mod memory;
mod names;
mod open;
mod outputs;
mod restore;
mod row;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod totals;
mod window;

pub use intake::{Intake, Unreadable, read};
pub use links::{Linked, Links, MAX_LINKS};
pub use listing::OpenGroup;
pub use restore::{Restore, Unrestorable};
pub use settings::{Missing, Settings, Targets};
pub use state::State;
pub use totals::{Counts, Totals};
pub use window::{Calendar, Window};
