//! Declares the type of all settings, with one field per table, and values that several tables
//! determine together.

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
    /// Settings that bear on a verdict. The authserv-ids and the trusted networks stand under
    /// `[receiver]`.
    pub evaluation: Evaluation,
    /// The verdict role.
    pub verdict: VerdictRole,
    /// Content and format of aggregate reports.
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
    /// Returns the settings that bear on a verdict: `[evaluation]` combined with `[receiver]`.
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

    /// Returns the id of a role's consumer group, or the corresponding id of a command.
    pub fn group(&self, role: &str) -> String {
        group(self.kafka.group_prefix.as_deref().unwrap_or(&self.topics.prefix), role)
    }

    /// Returns the id of a role's group without the prefix of the topics, under which earlier
    /// installations may have committed. `None` when it is the same, or when `kafka.group_prefix`
    /// is set.
    pub fn former_group(&self, role: &str) -> Option<String> {
        (self.kafka.group_prefix.is_none() && !self.topics.prefix.is_empty()).then(|| group("", role))
    }

    /// Returns whether every setting that reports need is set. Without them there is no aggregate
    /// role.
    pub fn makes_reports(&self) -> bool {
        self.receiver.missing_for_reports().is_empty()
    }
}
