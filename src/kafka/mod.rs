//! Runs the roles on Kafka: reads records, hands them out, and commits their outputs and
//! positions in transactions.
//! Only this module uses the Kafka client library, and it never looks at the mail in a record.
//!
//! ```text
//!         consumer thread                       tokio tasks        transaction thread
//!         poll ── charge ──── work ───────────► decode, evaluate
//!           ▲                                        │
//!           │◄──────────── outcome ──────────────────┘
//!           │ cut: the done records of each partition, and the group membership of this moment
//!           ├───────────────── batch ────────────────────────────► begin, produce, offsets, commit
//!           │◄──────────────── written | aborted | failed ────────────┘
//! ```
//!
//! | folder | what it holds | imports |
//! |---|---|---|
//! | `base` | errors, log lines, partitions, headers | |
//! | `client` | the settings of clients, and the questions that they ask brokers | `testing` |
//! | `ledger` | the records that were read and how far they are done; the budget | `client` |
//! | `transaction` | the transaction thread: outputs and offsets in one transaction | `ledger` |
//! | `state` | the states of a stateful role's partitions, and their restore | `transaction` |
//! | `pipeline` | the consumer thread: poll, dispatch, collect, cut; rebalances | `state` |
//! | `commands` | the parts of commands: repairs, dead letters, joining a group alone | `topics` |
//! | `topics` | the topics as they should be, and their checks | `transaction` |
//! | `testing` | an embedded broker, and the failpoints of tests | `base` |

mod base;
mod client;
mod commands;
mod ledger;
mod pipeline;
mod state;
mod testing;
pub mod topics;
mod transaction;

pub use base::error::Error;
pub use base::log::warn_once;
pub use base::stop::Stop;
pub use client::committed::Committed;
pub use client::group::{Group, succeeds};
pub use client::instance::Instance;
pub use client::read_range::{Range, Span};
pub use commands::check_settings::check_settings;
pub use commands::follow::{Reader, Start};
pub use commands::sole_member::GroupError;
pub use commands::{dead_letters, repair, transaction as command};
pub use ledger::sentinel::Sentinel;
pub use ledger::traced::{Trace, Traced};
pub use pipeline::Pipeline;
pub use pipeline::contract::{Completion, Completions, Intake, Role, Slot, Work};
pub use pipeline::refusals::{REFUSALS_ACCEPTED, REFUSALS_OF};
pub use pipeline::status::{Phase, Status};
pub use pipeline::tally::Tally;
pub use state::contract::{Applied, PartitionState, Restoring, Stateful};
pub use testing::{embedded, failpoint};
pub use topics::existing::existing_topics;
pub use transaction::delivery::Producer;
