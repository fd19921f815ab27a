//! Lists the errors that end a role, and sorts librdkafka's errors by what must be done about them.

use super::secrets;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaConfRes;

/// An error that ends the role.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A client could not be made from its settings. The text holds no value of a property.
    #[error("Kafka client: {0}; check [kafka] and [kafka.properties]")]
    Client(String),
    /// The consumer could not subscribe to its topics.
    #[error("cannot subscribe to {topics}: {reason}")]
    Subscribe {
        /// The topics.
        topics: String,
        /// The cause.
        reason: KafkaError,
    },
    /// The consumer cannot continue.
    #[error("reading failed for good: {0}")]
    Consume(KafkaError),
    /// A record can never be written.
    #[error("cannot write to {topic}: {reason}")]
    Produce {
        /// The topic.
        topic: String,
        /// The cause.
        reason: KafkaError,
    },
    /// A record is larger than its topic accepts, and no smaller record can stand in for it.
    #[error(
        "{topic} refuses a record for its size: raise the topic's max.message.bytes (and kafka.max_record_bytes if that is smaller); \
         nothing of the batch is written, and a restart goes on from there"
    )]
    TooLarge {
        /// The topic.
        topic: String,
    },
    /// A topic cannot be looked up.
    #[error("cannot look up topic {topic}: {reason}")]
    Topic {
        /// The topic.
        topic: String,
        /// The cause.
        reason: String,
    },
    /// A topic does not exist.
    #[error("topic {topic} does not exist: `verdmarc topics create` makes it")]
    NoTopic {
        /// The topic.
        topic: String,
    },
    /// No broker answers.
    #[error("no broker answers at {brokers}: {cause}")]
    NoBroker {
        /// The addresses of the brokers, as configured.
        brokers: String,
        /// The cause, and the settings to check.
        cause: String,
    },
    /// The user of this client lacks a right. The text names the right and the
    /// command that grants it.
    #[error("{0}")]
    Denied(String),
    /// The brokers refuse this client's credentials, or this client does not
    /// trust their certificate.
    #[error(
        "the brokers at {brokers} refuse the connection: {reason}; check security.protocol, sasl.* and ssl.* in [kafka.properties]"
    )]
    Authentication {
        /// The addresses of the brokers, as configured.
        brokers: String,
        /// The cause.
        reason: KafkaError,
    },
    /// The value of a property cannot be read from its file.
    #[error("cannot read kafka.property_files `{property}` from {}: {reason}", path.display())]
    PropertyFile {
        /// The property.
        property: String,
        /// Its file.
        path: std::path::PathBuf,
        /// The cause.
        reason: std::io::Error,
    },
    /// Another process has taken over the transactional id or the group membership of this one.
    #[error("another process with the same instance name has taken over: {0}; give each process its own kafka.instance")]
    Fenced(String),
    /// Another process holds the place of this one in the group, and does not leave it.
    #[error(
        "another process with the same instance name is in the group, and has not left it within {} s: {reason}; give each process its \
         own kafka.instance", waited.as_secs()
    )]
    Occupied {
        /// The time that this process has waited for the place.
        waited: std::time::Duration,
        /// The error that the brokers gave.
        reason: String,
    },
    /// The brokers ended a transaction of this process because it was open for too long.
    #[error(
        "the brokers have ended a transaction that was open for {} s, longer than kafka.transaction_timeout_ms: this process stood \
         still or the brokers were away ({reason}); a restart goes on from what the brokers know", open.as_secs()
    )]
    Expired {
        /// The time that the transaction was open, by the clock of this process.
        open: std::time::Duration,
        /// The error that the brokers gave.
        reason: String,
    },
    /// The group removed this member because its session had ended, and refuses its later requests.
    #[error(
        "the session in the group was over: this process stood still or the brokers were away, and they do not take it back ({0}); \
         a restart goes on from what the brokers know"
    )]
    SessionOver(String),
    /// The outcome of a commit is unknown. What is in memory cannot be trusted then; a restart
    /// learns the outcome from the brokers.
    #[error("the outcome of a transaction is unknown: {0}; a restart goes on from what the brokers know")]
    AmbiguousCommit(String),
    /// A transaction failed with an error that allows neither a retry nor an abort.
    #[error("transactions cannot go on: {0}")]
    Transaction(String),
    /// Topics are missing, or are not as the role needs them.
    #[error(
        "the topics are not as they must be (`verdmarc topics check` shows it, kafka.check_topics = false starts all the same):\n{0}"
    )]
    Topics(String),
    /// The role's group has no positions, but the group that the role had under
    /// another name has some.
    #[error(
        "group {former} has positions in {topic} and group {group}, which is now this role's, has none: set kafka.group_prefix = \"\" to \
         go on with {former}, or kafka.group_prefix to topics.prefix to begin anew, as {group}"
    )]
    FormerGroup {
        /// The group of this role.
        group: String,
        /// The group that the role had before.
        former: String,
        /// The topic.
        topic: String,
    },
    /// The state of a partition cannot be restored or updated, or does not fit
    /// the group's position.
    #[error("partition {partition}: {reason}")]
    State {
        /// The partition.
        partition: i32,
        /// The cause, and what to do.
        reason: String,
    },
    /// Records were deleted before a role that must read every record had read them.
    #[error(
        "what is to be read next is not in the log any more: {0}; records were deleted before they were counted, or the topic was made \
         anew: `verdmarc aggregate repair` shows it, and puts it right"
    )]
    Gone(String),
    /// The metadata of a committed position has this program's format and cannot be read.
    /// So nobody knows which records are done.
    #[error(
        "what was committed with the position of {topic}/{partition} cannot be read: `{text}`; a newer version wrote it, or somebody else: \
         run that version, or set the group's position anew with Kafka's own tool (kafka-consumer-groups --reset-offsets), which drops it"
    )]
    Metadata {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The metadata, escaped to ASCII.
        text: String,
    },
    /// librdkafka refused to take up or give up partitions.
    #[error("rebalance failed: {0}")]
    Rebalance(String),
    /// The bookkeeping of this process contradicts itself.
    #[error("internal inconsistency: {0}")]
    Inconsistent(String),
    /// The embedded broker could not be started.
    #[error("embedded broker: {0}")]
    Embedded(String),
}

/// Returns the error for a client that librdkafka does not make from its settings.
/// librdkafka's own text would show values, and any of them may be a secret.
pub(crate) fn of_client(error: KafkaError) -> Error {
    Error::Client(match error {
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, _, property, _) => {
            format!("librdkafka knows no property `{property}`")
        }
        KafkaError::ClientConfig(_, _, property, _) => format!("librdkafka does not take the value of `{property}`"),
        KafkaError::ClientCreation(reason) => secrets::redact(&reason),
        other => other.to_string(),
    })
}

/// Returns a function that makes the error for a topic that cannot be looked up.
pub(crate) fn of_topic(topic: &str) -> impl Fn(KafkaError) -> Error {
    move |error| Error::Topic { topic: topic.to_owned(), reason: error.to_string() }
}

/// Returns the error for partitions that librdkafka refused to take up or give up.
pub(crate) fn rebalance(error: KafkaError) -> Error {
    Error::Rebalance(error.to_string())
}

/// Returns whether an error says only that one connection failed, or that all of them did.
pub(crate) fn is_lost_connection(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(error.rdkafka_error_code(), Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve))
}

/// Returns whether the same call may succeed later. An error that is not listed
/// here counts as final.
pub(crate) fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let Some(code) = error.rdkafka_error_code() else { return false };
    matches!(
        code,
        Code::MessageTimedOut
            | Code::QueueFull
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::ReplicaNotAvailable
            | Code::BrokerNotAvailable
            | Code::NetworkException
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::RebalanceInProgress
            | Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::StaleMemberEpoch
            | Code::Retry
            | Code::WaitingForCoordinator
            | Code::Resolve
            | Code::KafkaStorageError
            | Code::PurgeInflight
            | Code::PurgeQueue
    )
}

/// A failure of a transaction, as librdkafka classifies it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}: {code}")]
pub(crate) struct TransactionError {
    pub(crate) code: RDKafkaErrorCode,
    pub(crate) text: String,
    /// True when the producer cannot be used any more.
    pub(crate) fatal: bool,
    /// True when the same call may be made again.
    pub(crate) retriable: bool,
    /// True when the transaction must be aborted. The producer can continue after that.
    pub(crate) abortable: bool,
}

/// Converts the error of a call about transactions, and keeps librdkafka's classification.
pub(crate) fn classified(ended: Result<(), KafkaError>) -> Result<(), TransactionError> {
    ended.map_err(|error| transaction_error(&error))
}

/// Returns librdkafka's classification of an error. An error that is not about transactions has
/// none, so it is neither fatal nor retriable nor abortable.
fn transaction_error(error: &KafkaError) -> TransactionError {
    match error {
        KafkaError::Transaction(error) => TransactionError {
            code: error.code(),
            text: error.string(),
            fatal: error.is_fatal(),
            retriable: error.is_retriable(),
            abortable: error.txn_requires_abort(),
        },
        other => TransactionError {
            code: other.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown),
            text: other.to_string(),
            fatal: false,
            retriable: false,
            abortable: false,
        },
    }
}

/// Returns whether the brokers say that a member of the same name holds the place in the group
/// (KIP-848). That member is alive, or has been dead for less than its session time-out.
pub(crate) fn is_occupied(code: RDKafkaErrorCode) -> bool {
    code == RDKafkaErrorCode::UnreleasedInstanceId
}

/// Returns whether another process has the place of this producer or member.
pub(crate) fn is_fenced(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::FencedInstanceId | Code::UnreleasedInstanceId
    )
}
