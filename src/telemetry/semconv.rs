//! Names of OpenTelemetry's semantic conventions, those for messaging in status Development.

/// The version of the conventions that these names are of.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// What runs.
pub const SERVICE_NAME: &str = "service.name";
/// Its version.
pub const SERVICE_VERSION: &str = "service.version";
/// Which of several it is.
pub const SERVICE_INSTANCE_ID: &str = "service.instance.id";

/// The messaging system.
pub const MESSAGING_SYSTEM: &str = "messaging.system";
/// Its name for Kafka.
pub const KAFKA: &str = "kafka";
/// What is done with messages, in the system's own word.
pub const MESSAGING_OPERATION_NAME: &str = "messaging.operation.name";
/// What is done with messages, of a closed list.
pub const MESSAGING_OPERATION_TYPE: &str = "messaging.operation.type";
/// The topic.
pub const MESSAGING_DESTINATION_NAME: &str = "messaging.destination.name";
/// The partition.
pub const MESSAGING_DESTINATION_PARTITION_ID: &str = "messaging.destination.partition.id";
/// The consumer group.
pub const MESSAGING_CONSUMER_GROUP_NAME: &str = "messaging.consumer.group.name";
/// The offset.
pub const MESSAGING_KAFKA_OFFSET: &str = "messaging.kafka.offset";
/// Bytes of a message.
pub const MESSAGING_MESSAGE_BODY_SIZE: &str = "messaging.message.body.size";
/// What identifies a message.
pub const MESSAGING_MESSAGE_ID: &str = "messaging.message.id";
/// How many messages a batch has.
pub const MESSAGING_BATCH_MESSAGE_COUNT: &str = "messaging.batch.message_count";
/// What kind of error ended an operation.
pub const ERROR_TYPE: &str = "error.type";
