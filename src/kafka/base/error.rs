//! What can go wrong with Kafka, sorted by what is to be done.

use super::secrets;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaConfRes;

/// An error that ends the role.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A client could not be made from its settings. No value of a property stands in the text.
    #[error("Kafka client: {0}; check [kafka] and [kafka.properties]")]
    Client(String),
    /// Subscribing failed.
    #[error("cannot subscribe to {topics}: {reason}")]
    Subscribe {
        /// The topics.
        topics: String,
        /// Why.
        reason: KafkaError,
    },
    /// The consumer cannot go on.
    #[error("reading failed for good: {0}")]
    Consume(KafkaError),
    /// A record can never be written.
    #[error("cannot write to {topic}: {reason}")]
    Produce {
        /// The topic.
        topic: String,
        /// Why.
        reason: KafkaError,
    },
    /// A record is larger than its topic takes, and nothing can stand in for it.
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
        /// Why.
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
        /// Where they were said to be.
        brokers: String,
        /// Why, and what to look at.
        cause: String,
    },
    /// The user of this client may not do something: which right is missing, and the command that gives it.
    #[error("{0}")]
    Denied(String),
    /// The brokers refuse this client's credentials, or their certificate is not trusted.
    #[error(
        "the brokers at {brokers} refuse the connection: {reason}; check security.protocol, sasl.* and ssl.* in [kafka.properties]"
    )]
    Authentication {
        /// Where the brokers were said to be.
        brokers: String,
        /// Why.
        reason: KafkaError,
    },
    /// A property's value cannot be read from its file.
    #[error("cannot read kafka.property_files `{property}` from {}: {reason}", path.display())]
    PropertyFile {
        /// The property.
        property: String,
        /// Its file.
        path: std::path::PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// Another process has taken this one's place: the same transactional id, or the same member of the group.
    #[error("another process with the same instance name has taken over: {0}; give each process its own kafka.instance")]
    Fenced(String),
    /// Another process holds this one's place in the group, and does not leave it.
    #[error(
        "another process with the same instance name is in the group, and has not left it within {} s: {reason}; give each process its \
         own kafka.instance", waited.as_secs()
    )]
    Occupied {
        /// How long it was waited for.
        waited: std::time::Duration,
        /// What the brokers say.
        reason: String,
    },
    /// The brokers ended a transaction of ours for its age.
    #[error(
        "the brokers have ended a transaction that was open for {} s, longer than kafka.transaction_timeout_ms: this process stood \
         still or the brokers were away ({reason}); a restart goes on from what the brokers know", open.as_secs()
    )]
    Expired {
        /// How long it was open by our clock.
        open: std::time::Duration,
        /// What the brokers say.
        reason: String,
    },
    /// The group has taken this member for dead, and what it asked for since has come too late.
    #[error(
        "the session in the group was over: this process stood still or the brokers were away, and they do not take it back ({0}); \
         a restart goes on from what the brokers know"
    )]
    SessionOver(String),
    /// Whether a transaction committed cannot be known. Nothing in memory may be believed then; a restart finds out.
    #[error("the outcome of a transaction is unknown: {0}; a restart goes on from what the brokers know")]
    AmbiguousCommit(String),
    /// A transaction failed in a way that is neither to be retried nor aborted.
    #[error("transactions cannot go on: {0}")]
    Transaction(String),
    /// Topics are missing, or not as they must be.
    #[error(
        "the topics are not as they must be (`verdmarc topics check` shows it, kafka.check_topics = false starts all the same):\n{0}"
    )]
    Topics(String),
    /// The group has another name than the one whose positions are there.
    #[error(
        "group {former} has positions in {topic} and group {group}, which is now this role's, has none: set kafka.group_prefix = \"\" to \
         go on with {former}, or kafka.group_prefix to topics.prefix to begin anew, as {group}"
    )]
    FormerGroup {
        /// The group of this role.
        group: String,
        /// The one that it had.
        former: String,
        /// The topic.
        topic: String,
    },
    /// The state of a partition cannot be had, or does not fit what Kafka knows of the group.
    #[error("partition {partition}: {reason}")]
    State {
        /// The partition.
        partition: i32,
        /// Why, and what to do.
        reason: String,
    },
    /// Records were deleted before they were read, by a role that must read all.
    #[error(
        "what is to be read next is not in the log any more: {0}; records were deleted before they were counted, or the topic was made \
         anew: `verdmarc aggregate repair` shows it, and puts it right"
    )]
    Gone(String),
    /// What a group has committed with a position is ours and cannot be read, so that nobody knows what is done.
    #[error(
        "what was committed with the position of {topic}/{partition} cannot be read: `{text}`; a newer version wrote it, or somebody else: \
         run that version, or set the group's position anew with Kafka's own tool (kafka-consumer-groups --reset-offsets), which drops it"
    )]
    Metadata {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The text, in ASCII.
        text: String,
    },
    /// Partitions were assigned or revoked and the library did not take it.
    #[error("rebalance failed: {0}")]
    Rebalance(String),
    /// Our own bookkeeping contradicts itself.
    #[error("internal inconsistency: {0}")]
    Inconsistent(String),
    /// The embedded broker could not be started.
    #[error("embedded broker: {0}")]
    Embedded(String),
}

/// The library makes no client of the settings. Its own text would show values, and any of them may be a secret.
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

/// A topic cannot be looked up, because of this.
pub(crate) fn of_topic(topic: &str) -> impl Fn(KafkaError) -> Error {
    move |error| Error::Topic { topic: topic.to_owned(), reason: error.to_string() }
}

/// The library did not take what was assigned or given up.
pub(crate) fn rebalance(error: KafkaError) -> Error {
    Error::Rebalance(error.to_string())
}

/// Whether it says no more than that a connection failed, or all.
pub(crate) fn is_lost_connection(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(error.rdkafka_error_code(), Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve))
}

/// Whether trying the same again later may succeed. What is not known to pass is taken as final.
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

/// A failure of a transaction, as the library classifies it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}: {code}")]
pub(crate) struct TransactionError {
    pub(crate) code: RDKafkaErrorCode,
    pub(crate) text: String,
    /// The producer cannot be used any more.
    pub(crate) fatal: bool,
    /// The same call may be made again.
    pub(crate) retriable: bool,
    /// The transaction must be aborted, then the producer may go on.
    pub(crate) abortable: bool,
}

/// How a transaction's call ended, as the library classifies it.
pub(crate) fn classified(ended: Result<(), KafkaError>) -> Result<(), TransactionError> {
    ended.map_err(|error| transaction_error(&error))
}

/// The library's own classification of a transaction's failure.
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

/// Whether a member of the same name holds its place in the group (KIP-848): alive, or dead for less than its session time-out.
pub(crate) fn is_occupied(code: RDKafkaErrorCode) -> bool {
    code == RDKafkaErrorCode::UnreleasedInstanceId
}

/// Whether this producer's or member's place was taken.
pub(crate) fn is_fenced(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::FencedInstanceId | Code::UnreleasedInstanceId
    )
}
