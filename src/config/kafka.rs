//! The table `[kafka]`: settings for the connection to Kafka, and the properties that users must
//! not set.

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How to reach Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kafka {
    /// Brokers to start from: `host:port`, separated by commas. No default; `run`, `send` and
    /// `tail` need it.
    #[schemars(example = "kafka-1:9092,kafka-2:9092")]
    pub brokers: String,
    /// Prefix of the group ids, which are `verdmarc-ROLE`. Default the prefix of the topics,
    /// `topics.prefix`.
    #[schemars(example = "staging.")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_prefix: Option<String>,
    /// Name of this client in the brokers' logs and quotas. Default `verdmarc`.
    pub client_id: String,
    /// Name of this process that tells it from its siblings for as long as it lives, and across
    /// restarts. It makes the transactional id, which fences a predecessor that has not quite
    /// ended. Two processes of one group that share the name stop each other. In Kubernetes give
    /// namespace and pod, for example `mail.verdmarc-verdict-0`, so that installations of several
    /// namespaces on one Kafka never share it; 1 to 249 letters, digits, `.`, `_` and `-`. Default:
    /// the pod's name (POD_NAME, or HOSTNAME in Kubernetes; only in a StatefulSet does it last),
    /// else the host's name and a random part, with a warning.
    #[schemars(example = "mail.verdmarc-verdict-0")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Whether a known instance keeps its partitions over a restart within the session timeout
    /// (static membership). Default true.
    pub static_membership: bool,
    /// Group protocol: `classic` with cooperative-sticky assignment, or `consumer` (KIP-848,
    /// brokers from 4.0), where the brokers set the timeouts. Default `classic`.
    pub protocol: Protocol,
    /// Milliseconds after which the brokers end a transaction that its owner left open.
    /// Default 15 000.
    pub transaction_timeout_ms: u64,
    /// Whether a start first checks the topics and reports what is wrong with them. Default true.
    pub check_topics: bool,
    /// Rack of this client; with it brokers serve reads from the nearest replica. Default none.
    #[schemars(example = "eu-central-1a")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// Milliseconds without a heartbeat after which a consumer's partitions go to another.
    /// Default 45 000.
    pub session_timeout_ms: u64,
    /// Milliseconds between two heartbeats, at most a third of the session timeout. Default 3 000.
    pub heartbeat_interval_ms: u64,
    /// Milliseconds without a poll after which a consumer's partitions go to another.
    /// Default 300 000.
    pub max_poll_interval_ms: u64,
    /// Milliseconds for which a record's delivery is tried before its batch is aborted and written
    /// again. Default 10 000.
    pub delivery_timeout_ms: u64,
    /// Milliseconds that a record waits for others to share a request. Default 20, because brokers
    /// seldom take longer to answer: librdkafka polls without a pause while a record that has
    /// waited so long stands behind an unanswered request of its partition.
    pub linger_ms: u64,
    /// Compression of what is written: `none`, `gzip`, `snappy`, `lz4` or `zstd`. Default `lz4`.
    pub compression: Compression,
    /// Largest record that is written, in bytes; the topics must take as much. Default 57 MiB,
    /// which is 1 MiB more than mail.raw takes.
    pub max_record_bytes: u32,
    /// Properties of librdkafka, set last, for TLS, SASL and everything else that it knows.
    /// Default none.
    #[schemars(example = serde_json::json!({"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "verdmarc"}))]
    pub properties: Properties,
    /// Properties whose value is the content of a file, without the line end, for secrets.
    /// Default none.
    #[schemars(example = serde_json::json!({"sasl.password": "/run/secrets/kafka"}))]
    pub property_files: PropertyFiles,
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: String::new(),
            group_prefix: None,
            client_id: "verdmarc".into(),
            instance: None,
            static_membership: true,
            protocol: Protocol::Classic,
            transaction_timeout_ms: 15_000,
            check_topics: true,
            rack: None,
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 3_000,
            max_poll_interval_ms: 300_000,
            delivery_timeout_ms: 10_000,
            linger_ms: 20,
            compression: Compression::Lz4,
            max_record_bytes: 57 << 20,
            properties: Properties::default(),
            property_files: PropertyFiles::default(),
        }
    }
}

/// The way in which members of a group agree on partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The members agree among themselves, with cooperative-sticky assignment.
    Classic,
    /// The coordinator decides (KIP-848).
    Consumer,
}

/// Compression of the records that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the words of Kafka
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    /// Returns the word that librdkafka uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Properties that would break a guarantee if users set them, each with the setting to use instead,
/// if there is one.
const OURS: [(&str, Option<&str>); 22] = [
    // For a consumer this property also limits how much one answer may hold of all partitions.
    ("message.max.bytes", Some("max_record_bytes")),
    ("transactional.id", Some("instance")),
    ("transaction.timeout.ms", Some("transaction_timeout_ms")),
    ("message.timeout.ms", Some("delivery_timeout_ms")),
    ("delivery.timeout.ms", Some("delivery_timeout_ms")),
    ("auto.offset.reset", None),
    ("group.id", Some("group_prefix")),
    ("group.instance.id", Some("instance")),
    ("group.protocol", Some("protocol")),
    ("session.timeout.ms", Some("session_timeout_ms")),
    ("heartbeat.interval.ms", Some("heartbeat_interval_ms")),
    ("max.poll.interval.ms", Some("max_poll_interval_ms")),
    ("partition.assignment.strategy", None),
    ("enable.auto.commit", None),
    ("enable.auto.offset.store", None),
    ("enable.partition.eof", None),
    // The statistics tell whether the role is ready.
    ("statistics.interval.ms", None),
    ("isolation.level", None),
    ("partitioner", None),
    ("acks", None),
    ("request.required.acks", None),
    ("enable.idempotence", None),
];

/// Commands that write with the id of a group and their own name in place of an instance.
pub(crate) const COMMANDS: [&str; 2] = ["skip", "repair"];

/// Longest instance in bytes. Kafka's own clients take as much for a group.instance.id, and it has
/// room for a prefix, a namespace and a pod of 63 characters each.
const LONGEST_INSTANCE: usize = 249;

fn is_instance(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=LONGEST_INSTANCE).contains(&name.len()) && name.bytes().all(is_legal) && name != "." && name != ".."
}

/// Returns the beginning of a text, without characters that could move a terminal's cursor.
fn brief(text: &str) -> String {
    const SHOWN: usize = 80;
    let end = if text.chars().count() > SHOWN { "…" } else { "" };
    format!("{}{end}", text.chars().take(SHOWN).collect::<String>().escape_debug())
}

impl Kafka {
    pub(super) fn validate(&self, problems: &mut Vec<String>) {
        if self.heartbeat_interval_ms.saturating_mul(3) > self.session_timeout_ms {
            problems.push("kafka.heartbeat_interval_ms must be at most a third of kafka.session_timeout_ms".to_owned());
        }
        if self.session_timeout_ms > self.max_poll_interval_ms {
            problems.push("kafka.session_timeout_ms must not exceed kafka.max_poll_interval_ms".to_owned());
        }
        if self.delivery_timeout_ms >= self.transaction_timeout_ms {
            problems.push(format!(
                "kafka.delivery_timeout_ms ({}) must be below kafka.transaction_timeout_ms ({}): otherwise a transaction ends while \
                 its records are still tried",
                self.delivery_timeout_ms, self.transaction_timeout_ms
            ));
        }
        if let Some(name) = self.instance.as_deref().filter(|name| !is_instance(name)) {
            problems.push(format!(
                "kafka.instance has {} characters, `{}`: it must be 1 to {LONGEST_INSTANCE} letters, digits, `.`, `_` and `-`",
                name.chars().count(),
                brief(name)
            ));
        }
        if let Some(name) = self.instance.as_deref().filter(|name| COMMANDS.contains(name)) {
            problems
                .push(format!("kafka.instance must not be `{name}`: the command of that name would be taken for this process"));
        }
        for name in self.property_files.0.keys().filter(|name| self.properties.0.contains_key(*name)) {
            problems.push(format!("kafka.property_files: `{name}` stands in kafka.properties too: remove one"));
        }
        for (name, setting) in OURS {
            let instead = setting.map_or("remove it".to_owned(), |setting| format!("remove it and use kafka.{setting}"));
            let tables = [
                ("properties", self.properties.0.contains_key(name)),
                ("property_files", self.property_files.0.contains_key(name)),
            ];
            for (table, _) in tables.into_iter().filter(|(_, there)| *there) {
                problems.push(format!("kafka.{table}: `{name}` is set by verdmarc and must stay as it is: {instead}"));
            }
        }
    }
}

/// Properties of librdkafka by name. Nested tables are read as dotted names, because TOML reads
/// `ssl.ca.location = "…"` as nested tables.
///
/// Any value may be a secret, even that of a misspelt name which nobody knows, so no value is ever
/// shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Properties(pub BTreeMap<String, String>);

impl std::fmt::Debug for Properties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Files that hold the values of librdkafka's properties, by property. Nested tables are read as in
/// [`Properties`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct PropertyFiles(pub BTreeMap<String, PathBuf>);

impl<'de> Deserialize<'de> for PropertyFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Properties(flat) = Properties::deserialize(deserializer)?;
        Ok(Self(flat.into_iter().map(|(name, path)| (name, path.into())).collect()))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Table(BTreeMap<String, Value>),
}

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut flat = BTreeMap::new();
        let mut open: Vec<(String, Value)> = BTreeMap::<String, Value>::deserialize(deserializer)?.into_iter().collect();
        while let Some((name, value)) = open.pop() {
            let text = match value {
                Value::Bool(value) => value.to_string(),
                Value::Integer(value) => value.to_string(),
                Value::Float(value) => value.to_string(),
                Value::Text(value) => value,
                Value::Table(table) => {
                    open.extend(table.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
                    continue;
                }
            };
            flat.insert(name, text);
        }
        Ok(Self(flat))
    }
}
