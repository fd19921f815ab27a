//! Writes the topics as resources of the Strimzi operator.

use super::plan::{Layout, Topic, plan};
use crate::config::Config;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Writes KafkaTopic resources, one YAML document each, for the Kafka cluster that Strimzi knows as
/// `cluster`.
pub fn strimzi(config: &Config, layout: &Layout, cluster: &str) -> String {
    plan(config).iter().map(|topic| resource(topic, config.kafka.max_record_bytes, layout, cluster)).collect()
}

fn resource(topic: &Topic, largest: u32, layout: &Layout, cluster: &str) -> String {
    let mut text = format!(
        "---\napiVersion: kafka.strimzi.io/v1beta2\nkind: KafkaTopic\nmetadata:\n  name: {}\n  labels:\n    \
         strimzi.io/cluster: {}\nspec:\n  topicName: {}\n  partitions: {}\n  replicas: {}\n  config:\n",
        quoted(&resource_name(&topic.name)),
        quoted(cluster),
        quoted(&topic.name),
        layout.partitions,
        layout.replication
    );
    for (name, value) in topic.settings(largest, layout) {
        let value = if value.parse::<f64>().is_ok() { value } else { quoted(&value) };
        let _ = writeln!(text, "    {name}: {value}");
    }
    text
}

/// Quotes a string. A JSON string is also a YAML string, whatever it holds.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns the name of a topic's resource. It is the topic's name where Kubernetes accepts that
/// (RFC 1123 subdomain). Otherwise the characters that Kubernetes refuses are replaced, and a hash
/// is added, so that two names that become the same stay different.
fn resource_name(topic: &str) -> String {
    let safe: String = topic
        .to_ascii_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' })
        .collect();
    let labels: Vec<&str> = safe.split('.').map(|label| label.trim_matches('-')).filter(|label| !label.is_empty()).collect();
    let safe = labels.join(".");
    if safe == topic && safe.len() <= NAME_LENGTH {
        return safe;
    }
    let digest = format!("{:x}", Sha256::digest(topic));
    let kept: String = safe.chars().take(NAME_LENGTH - 9).collect();
    let name = format!("{}-{}", kept.trim_end_matches(['.', '-']), digest.get(..8).unwrap_or_default());
    name.trim_start_matches('-').to_owned()
}

/// The largest number of characters in the name of a resource.
const NAME_LENGTH: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_for_kubernetes_and_stay_apart() {
        assert_eq!(resource_name("mail.dead-letters"), "mail.dead-letters");
        for topic in ["Mail.Raw", "mail_raw", "-mail", "..", "a..b", "mail-", &"x".repeat(300), "_"] {
            let name = resource_name(topic);
            let legal = |label: &str| {
                let inner = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
                inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
            };
            assert!(name.len() <= 253 && name.split('.').all(legal), "{topic} gives {name}");
        }
        assert_ne!(resource_name("mail_raw"), resource_name("Mail-raw"));
        assert_ne!(resource_name("mail_raw"), resource_name("mail-raw"));
    }

    #[test]
    fn a_resource_says_what_create_would_make() {
        let text = strimzi(&Config::default(), &Layout::default(), "main");
        let first: Vec<&str> = text.lines().take(17).collect();
        insta::assert_snapshot!(first.join("\n"), @r#"
        ---
        apiVersion: kafka.strimzi.io/v1beta2
        kind: KafkaTopic
        metadata:
          name: "mail.raw"
          labels:
            strimzi.io/cluster: "main"
        spec:
          topicName: "mail.raw"
          partitions: 12
          replicas: 3
          config:
            cleanup.policy: "delete"
            max.message.bytes: 58720256
            message.timestamp.type: "LogAppendTime"
            min.insync.replicas: 2
            retention.ms: 604800000
        "#);
    }
}
