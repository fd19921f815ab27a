//! Failures in, exact reports out: what is counted, when it is closed, and what is written of it.
//!
//! Pure: the clock, the log's end and the outcome of transactions are passed in. One [`State`] holds what one partition of
//! mail.failures came to.
//!
//! | file | what it holds |
//! |---|---|
//! | `settings` | what bears on counting and closing |
//! | `window` | which period an arrival belongs to, when it is due, when it is over |
//! | `names` | names kept once |
//! | `memory` | how much the rows of a process take |
//! | `row` | a row in memory, its canonical form, what it may give up |
//! | `about` | what a report says besides its rows |
//! | `id` | the hashes that name groups and rows |
//! | `group` | the rows of one report |
//! | `intake` | a record of mail.failures: a failure, a control record, or neither |
//! | `open` | a window that takes rows |
//! | `state` | the windows of one partition: counting, closing; `state/transaction` cuts and settles |
//! | `totals` | sums of one partition, and what it holds |
//! | `closing` | a frozen window on its way out |
//! | `changelog` | the state as records of mail.windows |
//! | `restore` | the state again, from those records |
//! | `links` | the traces of the failures in a report |
//! | `listing` | what is being counted now, for people |
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
