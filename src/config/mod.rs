//! The settings of the program: typed, every field documented, loaded from defaults, a TOML file
//! and the environment.

mod aggregate;
mod claim_check;
mod contradictions;
mod dns;
mod error;
mod evaluation;
mod health;
mod kafka;
mod load;
mod log;
mod memory;
mod order;
mod print;
mod receiver;
mod reload;
mod reports;
mod settings;
mod size;
mod stop;
mod telemetry;
#[cfg(test)]
mod tests;
mod topics;
mod validation;
mod verdict;
mod words;
mod wrap;

pub use crate::limits::Limits;
pub use aggregate::AggregateRole;
pub use claim_check::ClaimCheck;
pub(crate) use contradictions::{HEADROOM, LATE, QUEUE_KIB};
pub use dns::{Dns, DnsServer};
pub use error::ConfigError;
pub use evaluation::{Discovery, DkimVerdictRule, Evaluation, PermissiveSpf, TestingKey};
pub use health::Health;
pub(crate) use kafka::COMMANDS;
pub use kafka::{Compression, Kafka, Properties, PropertyFiles, Protocol};
pub use load::Source;
pub use log::{Log, LogFormat};
pub use memory::{Memory, Roles};
pub use receiver::Receiver;
pub use reload::Reload;
pub use reports::{Applied, Content, Profile, Reports};
pub use settings::Config;
pub use size::{NoSize, Size};
pub use stop::{longest_stop, too_short};
pub use telemetry::{Export, Headers, OtlpProtocol, Ratio, ResourceAttributes, Telemetry, TraceParent};
pub use topics::Topics;
pub use verdict::{Mail, VerdictRole};
