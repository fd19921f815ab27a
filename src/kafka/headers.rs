//! Headers to and from the client library.

use crate::event::{Headers, Record};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};
use std::panic::catch_unwind;
use std::sync::Arc;

/// Copies a record out of the client library's memory.
pub(super) fn record(topic: Arc<str>, message: &BorrowedMessage<'_>) -> Record {
    Record {
        topic,
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok()),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: read(message),
    }
}

/// The headers, none when one's name is not UTF-8: the library panics over such a name, which Kafka itself lets pass.
fn read(message: &BorrowedMessage<'_>) -> Option<Headers> {
    let Some(headers) = message.headers() else { return Some(Headers::default()) };
    catch_unwind(std::panic::AssertUnwindSafe(|| headers.iter().map(|header| (header.key, header.value)).collect())).ok()
}

/// The headers as the library wants them.
pub(super) fn write(headers: &Headers) -> OwnedHeaders {
    headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |owned, (key, value)| owned.insert(Header { key, value }))
}
