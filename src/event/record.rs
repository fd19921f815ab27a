//! Records as they are read and written, independent of any client library.

use super::Headers;
use jiff::Timestamp;
use std::sync::Arc;

/// The clock that a record's timestamp comes from (`message.timestamp.type` of the topic).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The broker's clock: LogAppendTime.
    Broker,
    /// The producer's clock, which may say anything: CreateTime.
    Producer,
}

/// A record's timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The time.
    pub time: Timestamp,
    /// The clock that the time comes from.
    pub clock: Clock,
}

impl Clock {
    /// Returns the word that stands for the clock in headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Producer => "producer",
        }
    }
}

impl Stamp {
    /// Returns a timestamp of the broker's clock.
    pub fn of_broker(time: Timestamp) -> Self {
        Self { time, clock: Clock::Broker }
    }

    /// Returns a timestamp of the producer's clock.
    pub fn of_producer(time: Timestamp) -> Self {
        Self { time, clock: Clock::Producer }
    }
}

/// A record that was read.
#[derive(Debug, Clone)]
pub struct Record {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The timestamp; `None` when the record has none.
    pub timestamp: Option<Stamp>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers; `None` when they cannot be read because a name is not UTF-8.
    pub headers: Option<Headers>,
}

impl Record {
    /// Returns the estimated bytes that this record takes in memory until it is done, for a budget.
    /// The value counts three times, because it may also stand in memory decoded and annotated.
    pub fn weight(&self) -> usize {
        let bytes = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        RECORD_OVERHEAD + bytes(&self.key) + 3 * bytes(&self.value) + self.headers.as_ref().map_or(0, Headers::weight)
    }
}

/// A record to be written.
#[derive(Debug, Clone)]
pub struct Output {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; `None` leaves the choice to the key.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Headers,
}

impl Output {
    /// Returns the estimated bytes that this record takes in memory, for a budget.
    pub fn weight(&self) -> usize {
        let bytes = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        RECORD_OVERHEAD + bytes(&self.key) + bytes(&self.value) + self.headers.weight()
    }
}

/// Estimated bytes that a record takes in memory besides its key, value and headers.
const RECORD_OVERHEAD: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_weigh_what_they_hold_in_memory_however_short_they_are() {
        let headers: Headers = (0..10_000).map(|_| ("", None)).collect();
        let held = 10_000 * size_of::<(Box<str>, Option<Box<[u8]>>)>();
        let output = Output { topic: "t".into(), partition: None, key: None, value: None, headers: headers.clone() };
        assert!(output.weight() > held);
        let record = Record {
            topic: "t".into(),
            partition: 0,
            offset: 0,
            timestamp: None,
            key: None,
            value: None,
            headers: Some(headers),
        };
        assert!(record.weight() > held);
    }
}
