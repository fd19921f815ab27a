//! Reading topics from all partitions without a group.

use super::committed::Committed;
use super::connection::{Connection, Right, is_denied};
use super::error::{Error, is_passing, of_client, of_topic};
use super::pipeline::Stop;
use super::{client, headers};
use crate::config::Kafka;
use crate::event::Record;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};
use std::time::Duration;

/// Where reading starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record.
    Beginning,
    /// Behind the newest record.
    End,
}

/// A reader of some topics. It sees committed records only.
pub struct Reader {
    consumer: BaseConsumer<Quiet>,
    topics: Vec<String>,
}

pub(super) const METADATA_PATIENCE: Duration = Duration::from_secs(10);
/// Errors that are taken up before it is said why there is no answer.
const SAYINGS: usize = 16;

impl Reader {
    /// Starts to read `topics`.
    ///
    /// # Errors
    /// No broker answers, or a topic does not exist.
    pub fn new(kafka: &Kafka, topics: &[&str], start: Start) -> Result<Self, Error> {
        let consumer = Quiet::consumer(&client::reader(kafka)?)?;
        let mut list = TopicPartitionList::new();
        for topic in topics {
            for partition in 0..partitions(&consumer, topic)? {
                // Fixed at once: "the end" is resolved by the broker when reading begins, and a record may come before that.
                let offset = match start {
                    Start::Beginning => Offset::Beginning,
                    Start::End => {
                        let (_, high) = log(&consumer, topic, partition, METADATA_PATIENCE)?;
                        Offset::Offset(high)
                    }
                };
                list.add_partition_offset(topic, partition, offset).map_err(Error::Consume)?;
            }
        }
        consumer.assign(&list).map_err(Error::Consume)?;
        Ok(Self { consumer, topics: topics.iter().map(|topic| (*topic).to_owned()).collect() })
    }

    /// The next record, none when there is none within `patience`.
    ///
    /// # Errors
    /// Reading cannot go on.
    pub fn next(&self, patience: Duration) -> Result<Option<Record>, Error> {
        match self.consumer.poll(patience) {
            Some(Ok(message)) => Ok(Some(headers::record(message.topic().into(), &message))),
            None => Ok(None),
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => Err(Error::Consume(error)),
            Some(Err(error)) => {
                if let (Some(code), [topic]) =
                    (error.rdkafka_error_code().filter(|code| is_denied(*code)), self.topics.as_slice())
                {
                    return Err(self.consumer.context().connection.denied(topic, Right::Read, code));
                }
                super::log::reading(&error);
                Ok(None)
            }
        }
    }

    /// Committed position of `group` in each partition of `topic`, none where nothing is committed.
    ///
    /// # Errors
    /// No broker answers, or what was committed cannot be read.
    pub fn committed(kafka: &Kafka, group: &str, topic: &str) -> Result<Vec<Option<Committed>>, Error> {
        let consumer = Quiet::consumer(&client::observer(kafka, group)?)?;
        let mut list = TopicPartitionList::new();
        let count = partitions(&consumer, topic)?;
        for partition in 0..count {
            list.add_partition(topic, partition);
        }
        let committed = consumer.committed_offsets(list, METADATA_PATIENCE);
        let committed = committed.map_err(|error| denied_group(&consumer, group).unwrap_or(Error::Consume(error)))?;
        (0..count).map(|partition| Committed::of(&committed, topic, partition)).collect()
    }
}

/// Those of `wanted` that exist. Waits for the brokers; none when a stop was requested before they answered.
///
/// # Errors
/// Settings that the client library refuses, or brokers that refuse us.
pub fn existing_topics(kafka: &Kafka, stop: &Stop, wanted: &[String]) -> Result<Option<Vec<String>>, Error> {
    let consumer = Quiet::consumer(&client::reader(kafka)?)?;
    while !stop.is_requested() {
        let error = match consumer.fetch_metadata(None, Duration::from_secs(2)) {
            Ok(metadata) => {
                let known = |name: &String| metadata.topics().iter().any(|topic| topic.name() == name && topic.error().is_none());
                return Ok(Some(wanted.iter().filter(|name| known(name)).cloned().collect()));
            }
            Err(error) if is_passing(&error) => error,
            Err(error) => return Err(Error::Consume(error)),
        };
        // Serves what the library has to say, such as a refused password.
        if let Some(Err(reason)) = consumer.poll(Duration::from_millis(500))
            && is_refusal(&reason)
        {
            return Err(Error::Authentication { brokers: kafka.brokers.clone(), reason });
        }
        if super::log::again("waiting for the brokers").is_some() {
            let reason = consumer.context().connection.no_broker();
            tracing::warn!(%error, brokers = kafka.brokers, %reason, "waiting for the brokers");
        }
    }
    Ok(None)
}

/// Whether an error of a connection means that it will be refused again.
fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(error.rdkafka_error_code(), Some(Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL))
}

/// The oldest offset of a partition and the one behind the newest that this client may see. After an error the partition's leader is
/// asked for anew, for the next try: a client that does not read the topic would go on with the leader that it knew, because the
/// library asks again only for topics that are read.
///
/// A client that gets no answer at all is given its brokers again.
pub(super) fn log(consumer: &BaseConsumer<Quiet>, topic: &str, partition: i32, patience: Duration) -> Result<(i64, i64), Error> {
    let found = consumer.fetch_watermarks(topic, partition, patience).inspect_err(|_| {
        if consumer.fetch_metadata(Some(topic), patience).is_err() {
            consumer.context().connection.rebootstrap.unanswered(consumer.client());
        }
    });
    found.map_err(of_topic(topic))
}

/// Partitions of a topic that must be there.
pub(super) fn partitions(consumer: &BaseConsumer<Quiet>, topic: &str) -> Result<i32, Error> {
    match count(consumer, topic) {
        Ok(Some(count)) => Ok(count),
        Ok(None) => Err(Error::NoTopic { topic: topic.to_owned() }),
        Err(error) => Err(no_answer(consumer, topic, &error)),
    }
}

/// Why a question about a topic is not answered as it should be. The client must read nothing yet.
pub(super) fn no_answer(consumer: &BaseConsumer<Quiet>, topic: &str, error: &KafkaError) -> Error {
    // What the library has to say comes only to whoever polls.
    let _ = (0..SAYINGS).find(|_| consumer.poll(Duration::from_millis(20)).is_none());
    consumer.context().connection.no_answer(topic, error)
}

/// The refusal of a group, if that is why a question about it has no answer: the library does not say so with the call. The client must
/// read nothing yet.
fn denied_group(consumer: &BaseConsumer<Quiet>, group: &str) -> Option<Error> {
    use RDKafkaErrorCode::GroupAuthorizationFailed;
    let mut sayings = (0..SAYINGS).map_while(|_| consumer.poll(Duration::from_millis(20)));
    let denied =
        |said: Result<_, KafkaError>| said.is_err_and(|error| error.rdkafka_error_code() == Some(GroupAuthorizationFailed));
    sayings.any(denied).then(|| consumer.context().connection.denied_group(group))
}

/// Partitions of a topic, none when there is no such topic.
pub(super) fn count<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str) -> KafkaResult<Option<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), METADATA_PATIENCE)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found.map(|found| (found.error(), found.partitions().len())) {
        Some((Some(error), _)) => Err(KafkaError::MetadataFetch(error.into())),
        Some((None, count)) if count > 0 => Ok(Some(i32::try_from(count).unwrap_or(i32::MAX))),
        _ => Ok(None),
    }
}

/// A context that passes log lines on, and notes why connections fail.
pub(super) struct Quiet {
    pub(super) connection: Connection,
}

impl Quiet {
    /// For a client with these settings.
    pub(super) fn of(config: &ClientConfig) -> Self {
        Self { connection: Connection::of(config) }
    }

    /// A client with these settings.
    pub(super) fn consumer(config: &ClientConfig) -> Result<BaseConsumer<Self>, Error> {
        config.create_with_context(Self::of(config)).map_err(of_client)
    }
}

impl ClientContext for Quiet {
    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        super::log::client_error("reader", &error, reason);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.connection.line(level, facility, message);
    }
}

impl ConsumerContext for Quiet {}
