//! The only place that knows the Kafka client library. It never sees mail: records come in, outputs go out.
//!
//! | file | what it holds |
//! |---|---|
//! | `client` | the settings of every client object |
//! | `pipeline` | one consumer thread: poll, dispatch, collect, write, commit |
//! | `assignment` | the partitions that are ours, their ledgers, the budget, the batch in flight |
//! | `consumer` | the consumer and what happens at a rebalance |
//! | `ledger` | what was read of one partition and how far it is done |
//! | `producer` | outputs on their way, counted until each is acknowledged |
//! | `reader` | reading topics without a group, for `tail` and tests |
//! | `range` | reading a topic once, to its end |
//! | `command` | transactions of commands |
//! | `dead_letters/` | listing, putting back and skipping records |
//! | `headers` | record headers to and from the library |
//! | `topics/` | what the topics should be, what they are |
//! | `embedded` | a broker inside the process, for the demo and tests |

mod assignment;
mod client;
pub mod command;
mod consumer;
pub mod dead_letters;
pub mod embedded;
mod error;
mod headers;
pub mod ledger;
mod pipeline;
mod producer;
mod range;
mod reader;
pub mod topics;

pub use error::Error;
pub use pipeline::{Completions, Intake, Pipeline, Slot, Stop, Tally, Work};
pub use producer::{Batch, Producer};
pub use reader::{Reader, Start};
