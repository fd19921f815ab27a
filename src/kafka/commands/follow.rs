//! Reads all partitions of some topics without a group, and follows them as they grow.

use crate::config::Kafka;
use crate::event::Record;
use crate::kafka::base::error::Error;
use crate::kafka::base::{headers, log};
use crate::kafka::client::connection::{Right, is_denied};
use crate::kafka::client::context::LoggingContext;
use crate::kafka::client::lookup::{self, METADATA_PATIENCE, partitions};
use crate::kafka::client::settings;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};
use std::time::Duration;

/// The place where reading starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The oldest record.
    Beginning,
    /// The end, after the newest record.
    End,
}

/// A reader of some topics, which sees only committed records.
pub struct Reader {
    consumer: BaseConsumer<LoggingContext>,
    topics: Vec<String>,
}

impl Reader {
    /// Starts to read `topics`.
    ///
    /// # Errors
    /// No broker answers, or a topic does not exist.
    pub fn new(kafka: &Kafka, topics: &[&str], start: Start) -> Result<Self, Error> {
        let consumer = LoggingContext::consumer(&settings::plain_reader(kafka)?)?;
        let mut list = TopicPartitionList::new();
        for topic in topics {
            for partition in 0..partitions(&consumer, topic)? {
                // The end is looked up here, because the broker would resolve "the end" only when
                // reading begins, and a record could be written before that.
                let offset = match start {
                    Start::Beginning => Offset::Beginning,
                    Start::End => {
                        let (_, high) = lookup::log(&consumer, topic, partition, METADATA_PATIENCE)?;
                        Offset::Offset(high)
                    }
                };
                list.add_partition_offset(topic, partition, offset).map_err(Error::Consume)?;
            }
        }
        consumer.assign(&list).map_err(Error::Consume)?;
        Ok(Self { consumer, topics: topics.iter().map(|topic| (*topic).to_owned()).collect() })
    }

    /// Returns the next record; None when there is none within `patience`.
    ///
    /// # Errors
    /// Reading cannot continue.
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
                log::reading(&error);
                Ok(None)
            }
        }
    }
}
