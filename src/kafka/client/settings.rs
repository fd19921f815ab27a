//! Builds the settings of every client. Each setting that the promises depend on is set here,
//! whatever librdkafka's default is.

use super::instance::Instance;
use crate::config::{Kafka, Protocol, QUEUE_KIB};
use crate::kafka::base::error::Error;
use crate::kafka::base::secrets;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use std::time::Duration;

/// The time between two statistics of a consumer.
pub(crate) const STATISTICS_INTERVAL: Duration = Duration::from_secs(2);
/// The KiB that librdkafka fetches ahead, over all partitions.
const PREFETCH_KIB: usize = 16 << 10;

/// Returns the settings for cluster and authentication, which every client has, with `extra`,
/// the settings of one kind of client.
fn client(kafka: &Kafka, extra: &[(&str, String)]) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &kafka.brokers)
        .set("client.id", &kafka.client_id)
        .set("socket.keepalive.enable", "true")
        .set("enable.metrics.push", "true")
        .set_log_level(if kafka.properties.0.contains_key("debug") { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
    if let Some(rack) = &kafka.rack {
        config.set("client.rack", rack);
    }
    for (name, value) in extra {
        config.set(*name, value);
    }
    for (name, value) in &kafka.properties.0 {
        secrets::hide(value);
        config.set(name, value);
    }
    for (property, path) in &kafka.property_files.0 {
        let value = std::fs::read_to_string(path).map_err(|reason| Error::PropertyFile {
            property: property.clone(),
            path: path.clone(),
            reason,
        })?;
        let value = value.trim_end_matches(['\r', '\n']);
        secrets::hide(value);
        config.set(property, value);
    }
    Ok(config)
}

/// Returns the settings of a member of the group of a role that counts. Its reading ends with an
/// error where the next record to read is gone.
pub(crate) fn role_consumer_strict(kafka: &Kafka, group: &str, instance: &Instance) -> Result<ClientConfig, Error> {
    let mut config = role_consumer(kafka, group, instance)?;
    config.set("auto.offset.reset", "error");
    Ok(config)
}

/// Returns the settings of a member of a role's group. Only this program commits offsets.
/// A partition without a committed offset is read from its beginning.
pub(crate) fn role_consumer(kafka: &Kafka, group: &str, instance: &Instance) -> Result<ClientConfig, Error> {
    let mut extra = vec![
        ("group.id", group.to_owned()),
        ("enable.auto.commit", "false".to_owned()),
        ("enable.auto.offset.store", "false".to_owned()),
        ("auto.offset.reset", "earliest".to_owned()),
        ("isolation.level", "read_committed".to_owned()),
        ("max.poll.interval.ms", kafka.max_poll_interval_ms.to_string()),
        ("allow.auto.create.topics", "false".to_owned()),
        ("enable.partition.eof", "false".to_owned()),
        ("statistics.interval.ms", STATISTICS_INTERVAL.as_millis().to_string()),
        ("queued.min.messages", "10000".to_owned()),
        ("queued.max.messages.kbytes", PREFETCH_KIB.to_string()),
        ("fetch.message.max.bytes", "1048576".to_owned()),
        ("fetch.queue.backoff.ms", "20".to_owned()),
    ];
    match kafka.protocol {
        // librdkafka refuses these under the other protocol, where the brokers set them.
        Protocol::Classic => extra.extend([
            ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
            ("session.timeout.ms", kafka.session_timeout_ms.to_string()),
            ("heartbeat.interval.ms", kafka.heartbeat_interval_ms.to_string()),
        ]),
        Protocol::Consumer => extra.push(("group.protocol", "consumer".to_owned())),
    }
    if is_static(kafka, instance) {
        extra.push(("group.instance.id", instance.name.clone()));
    }
    client(kafka, &extra)
}

/// Returns whether a member keeps its partitions over a restart.
pub(crate) fn is_static(kafka: &Kafka, instance: &Instance) -> bool {
    kafka.static_membership && instance.lasts
}

/// Returns the settings of a client that asks for the offsets of a group and is no member of it.
pub(crate) fn committed_positions(kafka: &Kafka, group: &str) -> Result<ClientConfig, Error> {
    let extra = [
        ("group.id", group.to_owned()),
        ("enable.auto.commit", "false".to_owned()),
        // With this the brokers answer only when no open transaction holds a position.
        ("isolation.level", "read_committed".to_owned()),
    ];
    client(kafka, &extra)
}

/// Returns the settings of a client that sees where logs end, open transactions included.
/// It reads no records.
pub(crate) fn log_ends(kafka: &Kafka) -> Result<ClientConfig, Error> {
    let mut config = plain_reader(kafka)?;
    config.set("isolation.level", "read_uncommitted");
    Ok(config)
}

/// Returns the settings of a reader that joins no group and commits nothing.
pub(crate) fn plain_reader(kafka: &Kafka) -> Result<ClientConfig, Error> {
    client(
        kafka,
        &[
            ("group.id", format!("{}verdmarc-reader", kafka.group_prefix.as_deref().unwrap_or_default())),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
            ("auto.offset.reset", "earliest".to_owned()),
            ("isolation.level", "read_committed".to_owned()),
            ("allow.auto.create.topics", "false".to_owned()),
            ("enable.partition.eof", "false".to_owned()),
            ("fetch.queue.backoff.ms", "20".to_owned()),
        ],
    )
}

/// Returns the settings of a reader of one partition of a changelog. `at_once` such readers read at
/// the same time and share the memory.
pub(crate) fn changelog_reader(kafka: &Kafka, at_once: usize) -> Result<ClientConfig, Error> {
    let mut config = plain_reader(kafka)?;
    config.set("fetch.message.max.bytes", "1048576").set("queued.max.messages.kbytes", (PREFETCH_KIB * 2 / at_once).to_string());
    Ok(config)
}

/// Returns the settings of a client that asks the brokers about topics, settings and
/// groups, for commands.
pub(crate) fn admin(kafka: &Kafka) -> Result<ClientConfig, Error> {
    client(kafka, &[])
}

/// Returns the settings of a writer. All in-sync replicas acknowledge its records, in order and
/// each once per session. A record goes to the partition that Java's clients would choose.
pub(crate) fn writer(kafka: &Kafka) -> Result<ClientConfig, Error> {
    client(kafka, &writer_settings(kafka))
}

/// Returns the settings of a writer of transactions under this id.
pub(crate) fn transactional_writer(kafka: &Kafka, id: &str) -> Result<ClientConfig, Error> {
    let mut extra = writer_settings(kafka);
    extra.push(("transactional.id", id.to_owned()));
    extra.push(("transaction.timeout.ms", kafka.transaction_timeout_ms.to_string()));
    client(kafka, &extra)
}

fn writer_settings(kafka: &Kafka) -> Vec<(&'static str, String)> {
    vec![
        ("acks", "all".to_owned()),
        ("enable.idempotence", "true".to_owned()),
        ("partitioner", "murmur2_random".to_owned()),
        ("compression.type", kafka.compression.as_str().to_owned()),
        ("linger.ms", kafka.linger_ms.to_string()),
        ("message.timeout.ms", kafka.delivery_timeout_ms.to_string()),
        ("message.max.bytes", kafka.max_record_bytes.to_string()),
        ("queue.buffering.max.messages", "100000".to_owned()),
        ("queue.buffering.max.kbytes", QUEUE_KIB.to_string()),
    ]
}
