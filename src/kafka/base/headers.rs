//! Headers to and from the client library.

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

/// The headers, none when one's name is not UTF-8: the library panics over such a name, which Kafka itself lets pass.
fn read(message: &BorrowedMessage<'_>) -> Option<Headers> {
    let Some(headers) = message.headers() else { return Some(Headers::default()) };
    quietly(|| headers.iter().map(|header| (header.key, header.value)).collect())
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What a call returns, none when it panics. It is foreseen that it does, so nothing is printed.
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

/// The headers as the library wants them.
pub(crate) fn write(headers: &Headers) -> OwnedHeaders {
    headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |owned, (key, value)| owned.insert(Header { key, value }))
}
