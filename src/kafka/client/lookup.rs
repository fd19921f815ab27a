//! Asks brokers for the partitions of topics, the ends of logs and the positions of groups.

use super::committed::Commit;
use super::context::LoggingContext;
use super::settings;
use crate::config::Kafka;
use crate::kafka::base::error::{Error, of_topic};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use std::time::Duration;

/// The longest wait for an answer about a topic or a group.
pub(crate) const METADATA_PATIENCE: Duration = Duration::from_secs(10);
/// The number of errors that are taken from librdkafka before this module says
/// why there is no answer.
const SAYINGS: usize = 16;

/// Returns what `group` has committed in each partition of `topic`; None where nothing is
/// committed.
///
/// # Errors
/// No broker answers, the brokers refuse the group, or the metadata of a position cannot be read.
pub(crate) fn committed(kafka: &Kafka, group: &str, topic: &str) -> Result<Vec<Option<Commit>>, Error> {
    let consumer = LoggingContext::consumer(&settings::committed_positions(kafka, group)?)?;
    let mut list = TopicPartitionList::new();
    let count = partitions(&consumer, topic)?;
    for partition in 0..count {
        list.add_partition(topic, partition);
    }
    let committed = consumer.committed_offsets(list, METADATA_PATIENCE);
    let committed = committed.map_err(|error| denied_group(&consumer, group).unwrap_or(Error::Consume(error)))?;
    (0..count).map(|partition| Commit::of(&committed, topic, partition)).collect()
}

/// Returns the oldest offset of a partition, and one past the newest record that
/// this client may see.
///
/// After an error the function asks for the partition's leader again, so that the next try may
/// succeed. librdkafka asks again only for topics that are read; a client that does not read the
/// topic would continue with the leader that it knew.
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

/// Returns the number of partitions of a topic, which must exist.
pub(crate) fn partitions(consumer: &BaseConsumer<LoggingContext>, topic: &str) -> Result<i32, Error> {
    match count(consumer, topic) {
        Ok(Some(count)) => Ok(count),
        Ok(None) => Err(Error::NoTopic { topic: topic.to_owned() }),
        Err(error) => Err(no_answer(consumer, topic, &error)),
    }
}

/// Returns the error for a question about a topic that failed. The client must not read anything
/// yet, because the function polls it.
pub(crate) fn no_answer(consumer: &BaseConsumer<LoggingContext>, topic: &str, error: &KafkaError) -> Error {
    // librdkafka reports errors only to a client that is polled.
    let _ = (0..SAYINGS).find(|_| consumer.poll(Duration::from_millis(20)).is_none());
    consumer.context().connection.no_answer(topic, error)
}

/// Returns the refusal of a group; None when that is not why a question about the group has
/// no answer. librdkafka does not return the refusal from the call itself.
/// The client must not read anything yet, because the function polls it.
fn denied_group(consumer: &BaseConsumer<LoggingContext>, group: &str) -> Option<Error> {
    use RDKafkaErrorCode::GroupAuthorizationFailed;
    let mut sayings = (0..SAYINGS).map_while(|_| consumer.poll(Duration::from_millis(20)));
    let denied =
        |said: Result<_, KafkaError>| said.is_err_and(|error| error.rdkafka_error_code() == Some(GroupAuthorizationFailed));
    sayings.any(denied).then(|| consumer.context().connection.denied_group(group))
}

/// Returns the number of partitions of a topic; None when there is no such topic.
pub(crate) fn count<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str) -> KafkaResult<Option<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), METADATA_PATIENCE)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found.map(|found| (found.error(), found.partitions().len())) {
        Some((Some(error), _)) => Err(KafkaError::MetadataFetch(error.into())),
        Some((None, count)) if count > 0 => Ok(Some(i32::try_from(count).unwrap_or(i32::MAX))),
        _ => Ok(None),
    }
}

/// A client that sees where logs end, open transactions included.
pub(crate) struct UncommittedEnds(BaseConsumer<LoggingContext>);

impl UncommittedEnds {
    pub(crate) fn new(kafka: &Kafka) -> Result<Self, Error> {
        LoggingContext::consumer(&settings::log_ends(kafka)?).map(Self)
    }

    /// Returns the offset of the oldest record, and one past the newest.
    pub(crate) fn log(&self, topic: &str, partition: i32, patience: Duration) -> Result<(i64, i64), Error> {
        // librdkafka reports errors only to a client that is polled.
        while self.0.poll(Duration::ZERO).is_some() {}
        log(&self.0, topic, partition, patience)
    }

    /// Returns for each partition the first offset whose record is not older than the time that
    /// `asked` has in the place of an offset.
    pub(crate) fn at_times(&self, asked: TopicPartitionList, patience: Duration) -> KafkaResult<TopicPartitionList> {
        self.0.offsets_for_times(asked, patience)
    }
}
