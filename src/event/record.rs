//! Records as they are read and written, without any client library.

use super::Headers;
use jiff::Timestamp;
use std::sync::Arc;

/// Whose clock a record's timestamp is of (`message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The broker's: LogAppendTime.
    Broker,
    /// The producer's, which may say anything: CreateTime.
    Producer,
}

/// A record's timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The time.
    pub time: Timestamp,
    /// Whose it is.
    pub clock: Clock,
}

impl Clock {
    /// The word in headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Producer => "producer",
        }
    }
}

impl Stamp {
    /// A time of the broker's clock.
    pub fn of_broker(time: Timestamp) -> Self {
        Self { time, clock: Clock::Broker }
    }

    /// A time of the producer's clock.
    pub fn of_producer(time: Timestamp) -> Self {
        Self { time, clock: Clock::Producer }
    }
}

/// One record as it was read.
#[derive(Debug, Clone)]
pub struct Record {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The timestamp, none when the record has none.
    pub timestamp: Option<Stamp>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value, none for a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers; none when they cannot be read (a name that is not UTF-8).
    pub headers: Option<Headers>,
}

impl Record {
    /// Bytes that this record holds in memory until it is done, near enough for a budget: its value may stand there decoded and
    /// annotated too.
    pub fn weight(&self) -> usize {
        let bytes = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        RECORD_OVERHEAD + bytes(&self.key) + 3 * bytes(&self.value) + self.headers.as_ref().map_or(0, Headers::weight)
    }
}

/// One record to be written.
#[derive(Debug, Clone)]
pub struct Output {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; none leaves it to the key.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value, none for a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Headers,
}

impl Output {
    /// Bytes that this record holds in memory, near enough for a budget.
    pub fn weight(&self) -> usize {
        let bytes = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        RECORD_OVERHEAD + bytes(&self.key) + bytes(&self.value) + self.headers.weight()
    }
}

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
