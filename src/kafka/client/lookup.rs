//! What brokers are asked about topics and groups: partitions, ends of logs, committed positions.

use super::committed::Committed;
use super::context::LoggingContext;
use super::settings;
use crate::config::Kafka;
use crate::kafka::base::error::{Error, of_topic};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use std::time::Duration;

pub(crate) const METADATA_PATIENCE: Duration = Duration::from_secs(10);
/// Errors that are taken up before it is said why there is no answer.
const SAYINGS: usize = 16;

/// Committed position of `group` in each partition of `topic`, none where nothing is committed.
///
/// # Errors
/// No broker answers, or what was committed cannot be read.
pub(crate) fn committed(kafka: &Kafka, group: &str, topic: &str) -> Result<Vec<Option<Committed>>, Error> {
    let consumer = LoggingContext::consumer(&settings::committed_positions(kafka, group)?)?;
    let mut list = TopicPartitionList::new();
    let count = partitions(&consumer, topic)?;
    for partition in 0..count {
        list.add_partition(topic, partition);
    }
    let committed = consumer.committed_offsets(list, METADATA_PATIENCE);
    let committed = committed.map_err(|error| denied_group(&consumer, group).unwrap_or(Error::Consume(error)))?;
    (0..count).map(|partition| Committed::of(&committed, topic, partition)).collect()
}

/// The oldest offset of a partition and the one behind the newest that this client may see. After an error the partition's leader is
/// asked for anew, for the next try: a client that does not read the topic would go on with the leader that it knew, because the
/// library asks again only for topics that are read.
///
/// A client that gets no answer at all is given its brokers again.
pub(crate) fn log(
    consumer: &BaseConsumer<LoggingContext>,
    topic: &str,
    partition: i32,
    patience: Duration,
) -> Result<(i64, i64), Error> {
    let found = consumer.fetch_watermarks(topic, partition, patience).inspect_err(|_| {
        if consumer.fetch_metadata(Some(topic), patience).is_err() {
            consumer.context().connection.rebootstrap.unanswered(consumer.client());
        }
    });
    found.map_err(of_topic(topic))
}

/// Partitions of a topic that must be there.
pub(crate) fn partitions(consumer: &BaseConsumer<LoggingContext>, topic: &str) -> Result<i32, Error> {
    match count(consumer, topic) {
        Ok(Some(count)) => Ok(count),
        Ok(None) => Err(Error::NoTopic { topic: topic.to_owned() }),
        Err(error) => Err(no_answer(consumer, topic, &error)),
    }
}

/// Why a question about a topic is not answered as it should be. The client must read nothing yet.
pub(crate) fn no_answer(consumer: &BaseConsumer<LoggingContext>, topic: &str, error: &KafkaError) -> Error {
    // What the library has to say comes only to whoever polls.
    let _ = (0..SAYINGS).find(|_| consumer.poll(Duration::from_millis(20)).is_none());
    consumer.context().connection.no_answer(topic, error)
}

/// The refusal of a group, if that is why a question about it has no answer: the library does not say so with the call. The client must
/// read nothing yet.
fn denied_group(consumer: &BaseConsumer<LoggingContext>, group: &str) -> Option<Error> {
    use RDKafkaErrorCode::GroupAuthorizationFailed;
    let mut sayings = (0..SAYINGS).map_while(|_| consumer.poll(Duration::from_millis(20)));
    let denied =
        |said: Result<_, KafkaError>| said.is_err_and(|error| error.rdkafka_error_code() == Some(GroupAuthorizationFailed));
    sayings.any(denied).then(|| consumer.context().connection.denied_group(group))
}

/// Partitions of a topic, none when there is no such topic.
pub(crate) fn count<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str) -> KafkaResult<Option<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), METADATA_PATIENCE)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found.map(|found| (found.error(), found.partitions().len())) {
        Some((Some(error), _)) => Err(KafkaError::MetadataFetch(error.into())),
        Some((None, count)) if count > 0 => Ok(Some(i32::try_from(count).unwrap_or(i32::MAX))),
        _ => Ok(None),
    }
}

/// A client that is told where logs end.
pub(crate) struct UncommittedEnds(BaseConsumer<LoggingContext>);

impl UncommittedEnds {
    pub(crate) fn new(kafka: &Kafka) -> Result<Self, Error> {
        LoggingContext::consumer(&settings::log_ends(kafka)?).map(Self)
    }

    /// The oldest record's offset and the one behind the newest.
    pub(crate) fn log(&self, topic: &str, partition: i32, patience: Duration) -> Result<(i64, i64), Error> {
        // What the library has to say comes only to whoever polls.
        while self.0.poll(Duration::ZERO).is_some() {}
        log(&self.0, topic, partition, patience)
    }

    /// The first offsets that are not older than the times which stand in their place.
    pub(crate) fn at_times(&self, asked: TopicPartitionList, patience: Duration) -> KafkaResult<TopicPartitionList> {
        self.0.offsets_for_times(asked, patience)
    }
}
