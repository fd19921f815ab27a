//! What can go wrong with Kafka, sorted by what is to be done.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// An error that ends the role.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A client could not be made from its settings.
    #[error("Kafka client: {0}; check [kafka] and [kafka.properties]")]
    Client(KafkaError),
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
    /// A topic cannot be looked up.
    #[error("cannot look up topic {topic}: {reason}")]
    Topic {
        /// The topic.
        topic: String,
        /// Why.
        reason: String,
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

/// Whether trying the same again later may succeed. What is not known to pass is taken as final.
pub(super) fn is_passing(error: &KafkaError) -> bool {
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
            | Code::Retry
            | Code::WaitingForCoordinator
            | Code::Resolve
            | Code::KafkaStorageError
            | Code::PurgeInflight
            | Code::PurgeQueue
    )
}
