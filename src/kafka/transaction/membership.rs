//! Sends offsets under a checked membership of the consumer's group.
//! This is one of the modules with `unsafe`.
//!
//! rdkafka's `ConsumerGroupMetadata` keeps its pointer private, so its content cannot be checked.
//! It must be checked: the brokers accept the offsets of a transaction *without any fence* when the
//! generation is -1 and the member id is empty. librdkafka returns such metadata while a consumer
//! is not in its group, before it joins and after it left.
//! The object that is checked here is the very object that is sent.

#![allow(unsafe_code, reason = "the library's getters have no safe wrapper")]

use super::port::GroupMembership;
use crate::kafka::base::error::TransactionError;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::producer::{Producer, ProducerContext, ThreadedProducer};
use rdkafka::{TopicPartitionList, bindings as native};
use std::ffi::CStr;
use std::ptr::NonNull;
use std::time::Duration;

/// The place of a member in its group at one moment: generation and member id.
#[derive(Debug)]
pub(crate) struct Membership(NonNull<native::rd_kafka_consumer_group_metadata_t>);

// SAFETY: the library copies the metadata into this object, which belongs to nobody else and is
// only read afterwards.
unsafe impl Send for Membership {}

impl Drop for Membership {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `rd_kafka_consumer_group_metadata` and is destroyed once.
        unsafe { native::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) }
    }
}

impl Membership {
    /// Returns the membership at this moment; None while the consumer is not in its group.
    pub(crate) fn of<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> Option<Self> {
        // SAFETY: the consumer lives for the call, and the result is null or ours to destroy.
        let metadata = unsafe { native::rd_kafka_consumer_group_metadata(consumer.client().native_ptr()) };
        NonNull::new(metadata).map(Self).filter(Self::is_fenced)
    }

    /// Returns whether the brokers will check the membership.
    fn is_fenced(&self) -> bool {
        !self.member().is_empty() && self.generation() >= 0
    }

    /// Returns the generation of the group (KIP-848: the epoch of the member).
    pub(crate) fn generation(&self) -> i32 {
        // SAFETY: the object lives.
        unsafe { native::rd_kafka_consumer_group_metadata_generation_id(self.0.as_ptr()) }
    }

    /// Adds `offsets` to the producer's open transaction under this membership.
    pub(crate) fn send_offsets<C: ProducerContext>(
        &self,
        producer: &ThreadedProducer<C>,
        offsets: &TopicPartitionList,
        patience: Duration,
    ) -> Result<(), TransactionError> {
        let millis = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the producer, the list and the metadata live for the call,
        // which keeps none of them.
        let error = unsafe {
            native::rd_kafka_send_offsets_to_transaction(producer.client().native_ptr(), offsets.ptr(), self.0.as_ptr(), millis)
        };
        let Some(error) = NonNull::new(error) else { return Ok(()) };
        // SAFETY: the error belongs to this function. It is read, its text is copied,
        // and then it is destroyed once.
        unsafe {
            let copied = TransactionError {
                code: native::rd_kafka_error_code(error.as_ptr()).into(),
                text: CStr::from_ptr(native::rd_kafka_error_string(error.as_ptr())).to_string_lossy().into_owned(),
                fatal: native::rd_kafka_error_is_fatal(error.as_ptr()) != 0,
                retriable: native::rd_kafka_error_is_retriable(error.as_ptr()) != 0,
                abortable: native::rd_kafka_error_txn_requires_abort(error.as_ptr()) != 0,
            };
            native::rd_kafka_error_destroy(error.as_ptr());
            Err(copied)
        }
    }
}

impl GroupMembership for Membership {
    fn member(&self) -> &CStr {
        // SAFETY: the object lives. The member id is null, or a string that lives
        // as long as the object.
        unsafe {
            let member = native::rd_kafka_consumer_group_metadata_member_id(self.0.as_ptr());
            if member.is_null() { c"" } else { CStr::from_ptr(member) }
        }
    }

    fn is_let_in(&self) -> bool {
        self.generation() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::ClientConfig;

    #[test]
    fn metadata_of_a_consumer_that_never_joined_is_refused() {
        let consumer: BaseConsumer =
            ClientConfig::new().set("group.id", "g").set("bootstrap.servers", "127.0.0.1:1").create().unwrap();
        assert!(consumer.group_metadata().is_some(), "the library itself hands it out");
        assert!(Membership::of(&consumer).is_none());
    }
}
