//! Names of OpenTelemetry's semantic conventions, those for messaging in status Development.

/// The version of the conventions that defines these names.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// Name of the program.
pub const SERVICE_NAME: &str = "service.name";
/// Version of the program.
pub const SERVICE_VERSION: &str = "service.version";
/// Id of one instance among several of the program.
pub const SERVICE_INSTANCE_ID: &str = "service.instance.id";

/// The messaging system.
pub const MESSAGING_SYSTEM: &str = "messaging.system";
/// Name of Kafka as a messaging system.
pub const KAFKA: &str = "kafka";
/// Operation on messages, in the word of the messaging system.
pub const MESSAGING_OPERATION_NAME: &str = "messaging.operation.name";
/// Operation on messages, a word of a closed list.
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
/// Identifier of a message.
pub const MESSAGING_MESSAGE_ID: &str = "messaging.message.id";
/// Number of messages in a batch.
pub const MESSAGING_BATCH_MESSAGE_COUNT: &str = "messaging.batch.message_count";
/// Kind of the error that ended an operation.
pub const ERROR_TYPE: &str = "error.type";
