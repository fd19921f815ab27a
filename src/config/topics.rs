//! The table `[topics]`: names of the topics.

use serde::{Deserialize, Serialize};

/// Names of the topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Topics {
    /// Prefix of every name below. Default empty.
    #[schemars(example = "staging.")]
    pub prefix: String,
    /// Raw messages. Default `mail.raw`.
    pub raw: String,
    /// Verdicts. Default `mail.verdicts`.
    pub verdicts: String,
    /// Messages with the verdict in their header. Default `mail.annotated`.
    pub annotated: String,
    /// Failures, from which aggregate reports are made. Default `mail.failures`.
    pub failures: String,
    /// Rows that are being counted: the aggregate role's state. Default `mail.windows`.
    pub windows: String,
    /// Aggregate reports. Default `mail.reports`.
    pub reports: String,
    /// Messages to evaluate again later, in one topic per delay, numbered: `mail.retries.1`, …
    /// Default `mail.retries`.
    pub retries: String,
    /// Refused records. Default `mail.dead-letters`.
    pub dead_letters: String,
}

/// Largest number of delays, and so of topics for retries.
pub(super) const MOST_RETRIES: usize = 9;

impl Default for Topics {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            raw: "mail.raw".into(),
            verdicts: "mail.verdicts".into(),
            annotated: "mail.annotated".into(),
            failures: "mail.failures".into(),
            windows: "mail.windows".into(),
            reports: "mail.reports".into(),
            retries: "mail.retries".into(),
            dead_letters: "mail.dead-letters".into(),
        }
    }
}

impl Topics {
    /// Returns the full name of one of the topics.
    pub fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Returns the full name of the topic that holds retries after the delay with this number,
    /// counted from one.
    pub fn retry(&self, number: usize) -> String {
        format!("{}.{number}", self.full(&self.retries))
    }

    /// Returns the full names of all topics that may hold retries, whatever number of delays is
    /// set. With retries on, each of them that exists is read.
    pub fn all_retries(&self) -> impl Iterator<Item = String> {
        (1..=MOST_RETRIES).map(|number| self.retry(number))
    }

    /// Returns the keys and names of all topics but those for retries.
    pub fn named(&self) -> [(&'static str, &str); 7] {
        [
            ("raw", &self.raw),
            ("verdicts", &self.verdicts),
            ("annotated", &self.annotated),
            ("failures", &self.failures),
            ("windows", &self.windows),
            ("reports", &self.reports),
            ("dead_letters", &self.dead_letters),
        ]
    }

    pub(super) fn validate(&self, problems: &mut Vec<String>) {
        let names = self.named();
        // The longest name stands for all topics for retries, which have the same form.
        let retries = format!("{}.{MOST_RETRIES}", self.retries);
        if let Some((key, name)) = names.iter().find(|(_, name)| self.all_retries().any(|retry| retry == self.full(name))) {
            problems.push(format!("topics.{key} is `{name}`, which is a topic of topics.retries: give each its own topic"));
        }
        let names: Vec<_> = names.into_iter().chain([("retries", retries.as_str())]).collect();
        for (index, (key, name)) in names.iter().enumerate() {
            let full = self.full(name);
            let legal = !name.is_empty() && full.len() <= 249 && full != "." && full != "..";
            if !legal || !full.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
                problems.push(format!("topics.{key}: `{full}` is no topic name: 1 to 249 letters, digits, `.`, `_` and `-`"));
            }
            if let Some((other, _)) = names.iter().take(index).find(|(_, earlier)| earlier == name) {
                problems.push(format!("topics.{other} and topics.{key} are both `{name}`: give each its own topic"));
            }
        }
    }
}
