//! Settings: typed, every field documented; defaults, then a TOML file, then the environment.

mod aggregate;
mod claim_check;
mod contradictions;
mod dns;
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
mod stop;
mod telemetry;
#[cfg(test)]
mod tests;
mod topics;
mod verdict;
mod words;
mod wrap;

pub use crate::limits::Limits;
pub use aggregate::AggregateRole;
pub use claim_check::ClaimCheck;
pub(crate) use contradictions::{HEADROOM, LATE, QUEUE_KIB};
pub use dns::{Dns, DnsServer};
pub use evaluation::{Discovery, DkimVerdictRule, Evaluation, PermissiveSpf, TestingKey};
pub use health::Health;
pub(crate) use kafka::COMMANDS;
pub use kafka::{Compression, Kafka, Properties, PropertyFiles, Protocol};
pub use load::{ConfigError, Source};
pub use log::{Log, LogFormat};
pub use memory::{Memory, NoSize, Roles, Size};
pub use receiver::Receiver;
pub use reload::Reload;
pub use reports::{Applied, Content, Profile, Reports};
pub use stop::{longest_stop, too_short};
pub use telemetry::{Export, Headers, OtlpProtocol, Ratio, ResourceAttributes, Telemetry, TraceParent};
pub use topics::Topics;
pub use verdict::{Mail, VerdictRole};

use serde::{Deserialize, Serialize};

/// All settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How to reach Kafka.
    pub kafka: Kafka,
    /// Names of the topics.
    pub topics: Topics,
    /// Where DNS answers come from.
    pub dns: Dns,
    /// Who receives the mail.
    pub receiver: Receiver,
    /// What bears on a verdict. The authserv-ids and the trusted networks stand under `[receiver]`.
    pub evaluation: Evaluation,
    /// The verdict role.
    pub verdict: VerdictRole,
    /// What aggregate reports say, and how.
    pub reports: Reports,
    /// The aggregate role.
    pub aggregate: AggregateRole,
    /// Messages in an object store.
    pub claim_check: ClaimCheck,
    /// The endpoint for supervisors and monitoring.
    pub health: Health,
    /// Files that change while roles run.
    pub reload: Reload,
    /// Log lines on standard error.
    pub log: Log,
    /// Metrics, traces and logs for an OpenTelemetry collector.
    pub telemetry: Telemetry,
}

fn group(prefix: &str, role: &str) -> String {
    format!("{prefix}verdmarc-{role}")
}

impl Config {
    /// What bears on a verdict: `[evaluation]` with what `[receiver]` says.
    pub fn evaluation(&self) -> Evaluation {
        let mut evaluation = self.evaluation.clone();
        if let Some(domain) = &self.receiver.domain {
            evaluation.authserv_id = domain.to_string();
        }
        if let Some(networks) = &self.receiver.trusted_networks {
            evaluation.trusted_networks.clone_from(networks);
        }
        evaluation.own_authserv_ids.extend(self.receiver.own_authserv_ids.iter().cloned());
        evaluation
    }

    /// The id of a role's consumer group, or what a command is called among them.
    pub fn group(&self, role: &str) -> String {
        group(self.kafka.group_prefix.as_deref().unwrap_or(&self.topics.prefix), role)
    }

    /// The id that a role's group had before `kafka.group_prefix` was that of the topics; none when it is the same, or was chosen.
    pub fn former_group(&self, role: &str) -> Option<String> {
        (self.kafka.group_prefix.is_none() && !self.topics.prefix.is_empty()).then(|| group("", role))
    }

    /// Whether everything is set that stands in every report, without which there is no aggregate role.
    pub fn makes_reports(&self) -> bool {
        self.receiver.missing_for_reports().is_empty()
    }

    /// What is missing or contradictory in settings that are each valid by themselves.
    ///
    /// # Errors
    /// Every contradiction, with the keys to change.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        if self.verdict.annotated && self.receiver.domain.is_none() {
            problems
                .push("verdict.annotated needs receiver.domain: the domain stands in the message's new header fields".to_owned());
        }
        self.dns.validate(&mut problems);
        for (key, revoke_ms) in [("verdict", self.verdict.revoke_ms), ("aggregate", self.aggregate.revoke_ms)] {
            if revoke_ms >= self.kafka.max_poll_interval_ms {
                problems.push(format!(
                    "{key}.revoke_ms must be below kafka.max_poll_interval_ms: nothing is polled while a revocation waits"
                ));
            }
        }
        self.evaluation.validate(&mut problems);
        self.kafka.validate(&mut problems);
        self.verdict.validate(&mut problems);
        self.receiver.validate(&mut problems);
        self.aggregate.validate(&mut problems);
        self.topics.validate(&mut problems);
        self.claim_check.validate(&mut problems);
        self.telemetry.validate(&mut problems);
        contradictions::errors(self, &mut problems);
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Contradictory(problems)) }
    }

    /// What is worth a warning.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = contradictions::doubts(self);
        if self.receiver.domain.is_none() {
            warnings.push(format!(
                "receiver.domain is not set: Authentication-Results carry the authserv-id `{}`, which a sender can guess",
                self.evaluation.authserv_id
            ));
        }
        warnings.extend(self.telemetry.warnings());
        warnings
    }
}
