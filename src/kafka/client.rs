//! Settings of every client object. What bears on the promises is set on purpose, whatever the library's default.

use crate::config::Kafka;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// Cluster and authentication, the same for every client; `extra` are the settings of one kind of client.
fn client(kafka: &Kafka, extra: &[(&str, String)]) -> ClientConfig {
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
        config.set(name, value);
    }
    config
}

/// A member of the role's consumer group. Offsets are committed by us alone, and read from the start when there are none.
pub(super) fn consumer(kafka: &Kafka, group: &str) -> ClientConfig {
    client(
        kafka,
        &[
            ("group.id", group.to_owned()),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
            ("auto.offset.reset", "earliest".to_owned()),
            ("isolation.level", "read_committed".to_owned()),
            ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
            ("session.timeout.ms", kafka.session_timeout_ms.to_string()),
            ("heartbeat.interval.ms", kafka.heartbeat_interval_ms.to_string()),
            ("max.poll.interval.ms", kafka.max_poll_interval_ms.to_string()),
            ("allow.auto.create.topics", "false".to_owned()),
            ("enable.partition.eof", "false".to_owned()),
            ("queued.min.messages", "10000".to_owned()),
            ("queued.max.messages.kbytes", "65536".to_owned()),
            ("fetch.queue.backoff.ms", "20".to_owned()),
        ],
    )
}

/// A reader without a group, which commits nothing.
pub(super) fn reader(kafka: &Kafka) -> ClientConfig {
    client(
        kafka,
        &[
            ("group.id", format!("{}verdmarc-reader", kafka.group_prefix)),
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

/// What a command asks the brokers beside records: topics, settings, groups.
pub(super) fn admin(kafka: &Kafka) -> ClientConfig {
    client(kafka, &[])
}

/// A writer whose records are acknowledged by all replicas in sync, in order, each once per session, on the partition that
/// Java's clients would choose.
pub(super) fn producer(kafka: &Kafka) -> ClientConfig {
    client(
        kafka,
        &[
            ("acks", "all".to_owned()),
            ("enable.idempotence", "true".to_owned()),
            ("partitioner", "murmur2_random".to_owned()),
            ("compression.type", kafka.compression.as_str().to_owned()),
            ("linger.ms", kafka.linger_ms.to_string()),
            ("message.timeout.ms", kafka.delivery_timeout_ms.to_string()),
            ("message.max.bytes", kafka.max_record_bytes.to_string()),
            ("queue.buffering.max.messages", "100000".to_owned()),
            ("queue.buffering.max.kbytes", "262144".to_owned()),
        ],
    )
}

/// A writer of transactions under this id.
pub(super) fn transactional(kafka: &Kafka, id: &str) -> ClientConfig {
    let mut config = producer(kafka);
    config.set("transactional.id", id).set("transaction.timeout.ms", kafka.transaction_timeout_ms.to_string());
    config
}
