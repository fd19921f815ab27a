//! The only place that knows the Kafka client library. It never sees mail: records come in, outputs go out.
//!
//! | file | what it holds |
//! |---|---|
//! | `client` | the settings of every client object |
//! | `pipeline` | one consumer thread: poll, dispatch, collect, have written and committed |
//! | `consumer` | what that thread does between two polls and at a rebalance |
//! | `assignment` | the partitions that are ours, their ledgers, the budget |
//! | `budget` | how much may be held in memory, and by which partition |
//! | `places` | who is evaluated next |
//! | `backlog` | what was handed out and nobody has begun |
//! | `start` | where a newly assigned partition is read from |
//! | `state` | what a stateful role keeps of each partition |
//! | `restore` | states from their changelogs |
//! | `ends` | where logs end, open transactions included |
//! | `inquiry` | questions to a thread of their own |
//! | `fetches` | whether what is read can be fetched |
//! | `flow` | how much is held, how far it is behind: figures for monitoring |
//! | `coverage` | whether every partition has an owner, and a rebalance when one has not |
//! | `ledger` | what was read of one partition and how far it is done |
//! | `transaction` | the thread that writes outputs and offsets in one transaction; `session`: the producer under its id |
//! | `traced` | what a trace of a record is told |
//! | `watch` | whether that thread's calls still return |
//! | `membership` | the group membership that fences a transaction; `unsafe` |
//! | `committed` | a committed position and the text that is committed with it |
//! | `log_id` | which topic of a name it is, and whether it still is |
//! | `native` | ids of topics and metadata of positions from the library; `unsafe` |
//! | `group` | a consumer group, and the one whose positions it takes over |
//! | `instance` | what tells this process from its siblings |
//! | `refusals`, `status` | when most records are refused; what other threads may know |
//! | `sentinel`, `failpoint` | violations that must never be counted; where tests have the process die |
//! | `producer` | outputs on their way, counted until each is acknowledged |
//! | `reader` | reading topics without a group, for `tail` and tests |
//! | `range` | reading a topic once, to its end |
//! | `command` | transactions of commands |
//! | `sole` | a command as the only member of a group |
//! | `repair` | positions that do not fit a role's state |
//! | `dead_letters/` | listing, putting back and skipping records |
//! | `connection` | where the brokers are, who we are to them, why they do not answer or refuse |
//! | `log` | what the library has to say, among our log lines |
//! | `secrets` | values that no text of the library may show |
//! | `headers` | record headers to and from the library |
//! | `topics/` | what the topics should be, what they are |
//! | `embedded` | a broker inside the process, for the demo and tests |

mod assignment;
mod backlog;
mod budget;
mod client;
pub mod command;
mod committed;
mod connection;
mod consumer;
mod coverage;
pub mod dead_letters;
pub mod embedded;
mod ends;
mod error;
pub mod failpoint;
mod fetches;
mod flow;
mod group;
mod headers;
mod inquiry;
pub mod instance;
pub mod ledger;
mod log;
mod log_id;
mod membership;
mod native;
mod pipeline;
mod places;
mod producer;
mod range;
mod reader;
mod rebootstrap;
mod refusals;
pub mod repair;
mod restore;
mod secrets;
mod sentinel;
mod sole;
mod start;
mod state;
mod status;
pub mod topics;
mod traced;
mod transaction;
mod watch;

pub use client::check as check_settings;
pub use committed::Committed;
pub use error::Error;
pub use failpoint::Mutant;
pub use group::Group;
pub use instance::Instance;
pub use log::warn_once;
pub use pipeline::{Completions, Handlers, Intake, Outcome, Oversized, Pipeline, Slot, Stop, Tally, Work};
pub use producer::Producer;
pub use range::{Range, Span};
pub use reader::{Reader, Start, existing_topics};
pub use refusals::{REFUSALS_ACCEPTED, REFUSALS_OF};
pub use sentinel::Sentinel;
pub use sole::{GroupError, succeeds};
pub use state::{Applied, PartitionState, Restoring, Stateful};
pub use status::{Phase, Status};
pub use traced::{Trace, Traced};
