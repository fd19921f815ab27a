//! Reads a topic once and completely, from a given start to the end that it has at this moment.

use super::connection::{Right, is_denied};
use super::context::LoggingContext;
use super::lookup::{METADATA_PATIENCE, UncommittedEnds, partitions};
use super::settings;
use crate::config::Kafka;
use crate::event::Record;
use crate::kafka::base::error::{Error, of_topic};
use crate::kafka::base::headers;
use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A reader of the committed records of a topic, from a start to an end in each partition.
///
/// The end is that of all records, committed or not. A reader of committed records sees the
/// beginning of the oldest open transaction as the end, and would miss the records that others have
/// committed after it. So this reader waits for open transactions.
pub struct Range {
    consumer: BaseConsumer<LoggingContext>,
    topic: Arc<str>,
    /// The ends of the partitions that are not read to their end yet.
    ends: BTreeMap<i32, i64>,
    patience: Duration,
    progress: Instant,
}

/// The place where reading starts.
#[derive(Debug, Clone)]
pub enum Span {
    /// The oldest record of every partition.
    Beginning,
    /// In every partition, the first record that is not older than this time.
    Time(Timestamp),
    /// In these partitions only: from the first offset, up to and without the second.
    Offsets(BTreeMap<i32, (i64, i64)>),
}

/// The time of one poll.
const POLL: Duration = Duration::from_millis(100);
/// The time without progress, beyond the brokers' transaction timeout, after which reading fails.
const MARGIN: Duration = Duration::from_secs(10);

impl Range {
    /// Begins to read.
    ///
    /// # Errors
    /// No broker answers, or the topic does not exist.
    pub fn open(kafka: &Kafka, topic: &Arc<str>, span: &Span) -> Result<Self, Error> {
        let consumer = LoggingContext::consumer(&settings::plain_reader(kafka)?)?;
        let mut list = TopicPartitionList::new();
        let mut ends = BTreeMap::new();
        for (partition, (start, end)) in starts(kafka, &consumer, topic, span)? {
            if start < end {
                list.add_partition_offset(topic, partition, Offset::Offset(start)).map_err(Error::Consume)?;
                ends.insert(partition, end);
            }
        }
        if !ends.is_empty() {
            consumer.assign(&list).map_err(Error::Consume)?;
        }
        let patience = Duration::from_millis(kafka.transaction_timeout_ms) + MARGIN;
        Ok(Self { consumer, topic: topic.clone(), ends, patience, progress: Instant::now() })
    }

    /// Returns the next record; None at the end.
    ///
    /// # Errors
    /// Reading cannot continue, or makes no progress for too long.
    #[allow(clippy::should_implement_trait, reason = "it fails, and then ends")]
    pub fn next(&mut self) -> Result<Option<Record>, Error> {
        while !self.ends.is_empty() {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    let end = self.ends.get(&partition).copied().unwrap_or_default();
                    if offset + 1 >= end {
                        self.ends.remove(&partition);
                    }
                    if offset < end {
                        self.progress = Instant::now();
                        return Ok(Some(headers::record(self.topic.clone(), &message)));
                    }
                    // New records of one partition must not hide that another one has reached its
                    // end.
                    drop(message);
                    self.look_around()?;
                }
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(Error::Consume(error)),
                Some(Err(error)) if let Some(code) = error.rdkafka_error_code().filter(|code| is_denied(*code)) => {
                    return Err(self.consumer.context().connection.denied(&self.topic, Right::Read, code));
                }
                Some(Err(error)) => tracing::debug!(%error, "reading"),
                None => self.look_around()?,
            }
        }
        Ok(None)
    }

    /// Finds the partitions that have reached their end without another record, because they end
    /// with records of aborted transactions or with the ends of transactions.
    ///
    /// # Errors
    /// There was no progress for too long.
    fn look_around(&mut self) -> Result<(), Error> {
        let positions = self.consumer.position().map_err(Error::Consume)?;
        let before = self.ends.len();
        let position = |partition| match positions.find_partition(&self.topic, partition)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        self.ends.retain(|partition, end| position(*partition).is_none_or(|position| position < *end));
        if self.ends.len() < before {
            self.progress = Instant::now();
        }
        match self.ends.first_key_value() {
            Some((partition, end)) if self.progress.elapsed() > self.patience => Err(Error::Topic {
                topic: self.topic.to_string(),
                reason: format!(
                    "partition {partition} cannot be read to its end ({end}): a transaction is open there, or its broker does not \
                     answer; try again later"
                ),
            }),
            _ => Ok(()),
        }
    }
}

/// Looks up the start and the end of each partition.
fn starts(
    kafka: &Kafka,
    consumer: &BaseConsumer<LoggingContext>,
    topic: &str,
    span: &Span,
) -> Result<BTreeMap<i32, (i64, i64)>, Error> {
    let failed = of_topic(topic);
    let observer = UncommittedEnds::new(kafka)?;
    let mut ranges = BTreeMap::new();
    for partition in 0..partitions(consumer, topic)? {
        if matches!(span, Span::Offsets(wanted) if !wanted.contains_key(&partition)) {
            continue;
        }
        let (low, high) = observer.log(topic, partition, METADATA_PATIENCE)?;
        let range = match span {
            Span::Offsets(wanted) => {
                wanted.get(&partition).map_or((high, high), |(start, end)| (low.max(*start), high.min(*end)))
            }
            Span::Beginning | Span::Time(_) => (low, high),
        };
        ranges.insert(partition, range);
    }
    if let Span::Time(time) = span {
        let mut asked = TopicPartitionList::new();
        for partition in ranges.keys() {
            asked.add_partition_offset(topic, *partition, Offset::Offset(time.as_millisecond())).map_err(&failed)?;
        }
        let answered = observer.at_times(asked, METADATA_PATIENCE).map_err(&failed)?;
        for (partition, (start, end)) in &mut ranges {
            match answered.find_partition(topic, *partition).map(|found| found.offset()) {
                Some(Offset::Offset(offset)) => *start = (*start).max(offset),
                // Every record is older.
                Some(Offset::End) => *start = *end,
                _ => {}
            }
        }
    }
    Ok(ranges)
}
