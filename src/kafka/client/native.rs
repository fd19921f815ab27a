//! Calls functions of librdkafka that its Rust wrapper does not offer: the id of a topic,
//! the metadata of a position as octets, and more brokers to connect to.
//! This is one of the modules with `unsafe`.

#![allow(unsafe_code, reason = "the library's functions have no safe wrapper")]

use crate::event::TopicId;
use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{TopicPartitionList, bindings as native};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

/// The topic that has a certain name now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Present {
    /// The topic with this id.
    Is(TopicId),
    /// A topic whose id the brokers do not report.
    Unidentified,
    /// No topic.
    Missing,
}

/// The topics that have certain names now, by name.
pub(crate) type Presence = BTreeMap<Arc<str>, Present>;

/// A question for the topics that have certain names. It is sent when it is made.
/// When it is dropped, its answer is dropped too.
pub(crate) struct Question {
    queue: NonNull<native::rd_kafka_queue_t>,
    names: BTreeMap<CString, Arc<str>>,
    /// The client that the queue belongs to, which must outlive the queue.
    _client: Arc<dyn Any + Send + Sync>,
}

impl Drop for Question {
    fn drop(&mut self) {
        // SAFETY: the queue came from `rd_kafka_queue_new`, its client still lives,
        // and it is destroyed once. An answer that comes later goes to librdkafka's own
        // reference to the queue.
        unsafe { native::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

impl Question {
    /// Asks the brokers, which have `patience` to answer. Returns None when a name holds a NUL,
    /// or when librdkafka does not take the question.
    pub(crate) fn ask<C: ConsumerContext + 'static>(
        client: &Arc<BaseConsumer<C>>,
        topics: &BTreeSet<Arc<str>>,
        patience: Duration,
    ) -> Option<Self> {
        let names: BTreeMap<CString, Arc<str>> =
            topics.iter().map(|topic| Some((CString::new(topic.as_bytes()).ok()?, topic.clone()))).collect::<Option<_>>()?;
        let mut pointers: Vec<*const c_char> = names.keys().map(|name| name.as_ptr()).collect();
        let handle = client.client().native_ptr();
        // SAFETY: the client lives in the question that is made of it. librdkafka copies the names
        // and the options, which live for the calls; both are destroyed once, here.
        unsafe {
            let queue = NonNull::new(native::rd_kafka_queue_new(handle))?;
            let question = Self { queue, names, _client: client.clone() };
            let topics = NonNull::new(native::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()))?;
            let options =
                native::rd_kafka_AdminOptions_new(handle, native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
            // librdkafka refuses only a time longer than an hour.
            // The client's own limit holds then.
            native::rd_kafka_AdminOptions_set_request_timeout(options, millis(patience), std::ptr::null_mut(), 0);
            native::rd_kafka_DescribeTopics(handle, topics.as_ptr(), options, queue.as_ptr());
            native::rd_kafka_AdminOptions_destroy(options);
            native::rd_kafka_TopicCollection_destroy(topics.as_ptr());
            Some(question)
        }
    }

    /// Waits at most `patience` for the answer, and returns it.
    pub(crate) fn answer(&self, patience: Duration) -> Answer {
        // SAFETY: the queue lives.
        let event = unsafe { native::rd_kafka_queue_poll(self.queue.as_ptr(), millis(patience)) };
        let Some(event) = NonNull::new(event) else { return Answer::NotYet };
        // SAFETY: the event belongs to this function. Its content is read and copied before the
        // event is destroyed, once.
        unsafe {
            let presence = self.presence(event);
            native::rd_kafka_event_destroy(event.as_ptr());
            presence.map_or(Answer::Nothing, Answer::Is)
        }
    }

    /// Reads an answer. Returns None when the request failed, or when the answer does not say of
    /// every topic whether it is there.
    ///
    /// # Safety
    /// The event lives for the call.
    unsafe fn presence(&self, event: NonNull<native::rd_kafka_event_t>) -> Option<Presence> {
        let mut presence = Presence::new();
        // SAFETY: the event lives, and so does what is reached through it. librdkafka checks
        // that the event is of the right kind, and returns no result for another kind.
        // After an error of the request there are no topics.
        unsafe {
            let result = native::rd_kafka_event_DescribeTopics_result(event.as_ptr());
            if result.is_null() || native::rd_kafka_event_error(event.as_ptr()) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
            let mut count = 0;
            let topics = native::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
            for index in 0..count {
                let topic = *topics.add(index);
                let name = CStr::from_ptr(native::rd_kafka_TopicDescription_name(topic));
                presence.insert(self.names.get(name)?.clone(), present(topic)?);
            }
        }
        (presence.len() == self.names.len()).then_some(presence)
    }
}

/// The answer to a question, as far as there is one.
#[derive(Debug)]
pub(crate) enum Answer {
    /// No answer has come yet.
    NotYet,
    /// These topics are there, or are missing.
    Is(Presence),
    /// The question failed, or the answer says nothing of some topic.
    Nothing,
}

/// Reads a description of a topic. Returns None when it does not say whether the topic is there.
///
/// # Safety
/// The description lives for the call.
unsafe fn present(topic: *const native::rd_kafka_TopicDescription_t) -> Option<Present> {
    // SAFETY: the description lives, and so do its id and its error, which is null when there is
    // none. The name of an error belongs to librdkafka and lasts. The code of an error is not read,
    // because brokers may send one that the bindings do not know.
    let (error, halves) = unsafe {
        let error = native::rd_kafka_TopicDescription_error(topic);
        let id = native::rd_kafka_TopicDescription_topic_id(topic);
        let halves = [native::rd_kafka_Uuid_most_significant_bits(id), native::rd_kafka_Uuid_least_significant_bits(id)];
        ((!error.is_null()).then(|| CStr::from_ptr(native::rd_kafka_error_name(error))), halves)
    };
    match error {
        None => {
            let mut octets = [0; 16];
            octets.iter_mut().zip(halves.into_iter().flat_map(i64::to_be_bytes)).for_each(|(to, from)| *to = from);
            Some(TopicId::new(octets).map_or(Present::Unidentified, Present::Is))
        }
        Some(name) if name == c"UNKNOWN_TOPIC_OR_PART" => Some(Present::Missing),
        Some(_) => None,
    }
}

/// Returns the metadata of a position as octets, because the wrapper panics on metadata that is not
/// UTF-8. It is empty when the list has no such position.
pub(crate) fn metadata(list: &TopicPartitionList, topic: &str, partition: i32) -> Vec<u8> {
    let Ok(topic) = CString::new(topic) else { return Vec::new() };
    // SAFETY: the list and the name live for the call. The element is null or belongs to the list.
    // Its metadata is null or has as many octets as the element says.
    unsafe {
        let element = native::rd_kafka_topic_partition_list_find(list.ptr(), topic.as_ptr(), partition);
        let Some(element) = element.as_ref().filter(|element| !element.metadata.is_null()) else { return Vec::new() };
        std::slice::from_raw_parts(element.metadata.cast::<u8>(), element.metadata_size).to_vec()
    }
}

/// Makes a client connect to these brokers too, unless it knows them.
pub(crate) fn add_brokers<C: ClientContext>(client: &Client<C>, brokers: &CStr) {
    // SAFETY: the client and the list live for the call, and librdkafka copies the list.
    unsafe { native::rd_kafka_brokers_add(client.native_ptr(), brokers.as_ptr()) };
}

fn millis(duration: Duration) -> c_int {
    c_int::try_from(duration.as_millis()).unwrap_or(c_int::MAX)
}
