//! All settings, a table each.

use super::aggregate::AggregateRole;
use super::claim_check::ClaimCheck;
use super::dns::Dns;
use super::evaluation::Evaluation;
use super::health::Health;
use super::kafka::Kafka;
use super::log::Log;
use super::receiver::Receiver;
use super::reload::Reload;
use super::reports::Reports;
use super::telemetry::Telemetry;
use super::topics::Topics;
use super::verdict::VerdictRole;
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
}
