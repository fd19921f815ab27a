//! Converts records and headers from the types of the client library, and headers back to them.

use crate::event::{Headers, Record, Stamp};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Arc, Once};

/// Copies a record out of the client library's memory.
pub(crate) fn record(topic: Arc<str>, message: &BorrowedMessage<'_>) -> Record {
    Record {
        topic,
        partition: message.partition(),
        offset: message.offset(),
        timestamp: stamp(message.timestamp()),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: read(message),
    }
}

fn stamp(timestamp: rdkafka::Timestamp) -> Option<Stamp> {
    use rdkafka::Timestamp as Found;
    let time = |millis| jiff::Timestamp::from_millisecond(millis).ok();
    match timestamp {
        Found::NotAvailable => None,
        Found::CreateTime(millis) => time(millis).map(Stamp::of_producer),
        Found::LogAppendTime(millis) => time(millis).map(Stamp::of_broker),
    }
}

/// Returns the headers of a message, or None when the name of a header is not UTF-8.
/// Kafka lets such a name pass, and rdkafka panics over it.
fn read(message: &BorrowedMessage<'_>) -> Option<Headers> {
    let Some(headers) = message.headers() else { return Some(Headers::default()) };
    quietly(|| headers.iter().map(|header| (header.key, header.value)).collect())
}

thread_local! {
    /// True while this thread makes a call whose panic is not printed.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Returns the result of a call, or None when it panics.
/// The panic is expected, so it is not printed.
fn quietly<T>(call: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                others(panic);
            }
        }));
    });
    QUIET.set(true);
    let returned = catch_unwind(AssertUnwindSafe(call));
    QUIET.set(false);
    returned.ok()
}

/// Converts headers to the type that rdkafka sends.
pub(crate) fn write(headers: &Headers) -> OwnedHeaders {
    headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |owned, (key, value)| owned.insert(Header { key, value }))
}
