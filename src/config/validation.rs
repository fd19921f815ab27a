//! Checks the settings of each table, and whether the tables go together.

use super::contradictions;
use super::error::ConfigError;
use super::settings::Config;

impl Config {
    /// Checks that nothing is missing or contradictory in settings that are each valid.
    ///
    /// # Errors
    /// Lists every contradiction, with the keys to change.
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

    /// Returns warnings about settings that work.
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
