//! Serves the consumer's callbacks, and implements the port of the consumer thread with the real
//! client library.
//!
//! The rebalance callback runs inside `poll`, on the consumer thread. The state of that thread is
//! behind a lock only because the library asks for a context that can be shared. The lock is never
//! held during a poll.

use super::consumer_state::ConsumerState;
use super::port::GroupConsumer;
use crate::kafka::base::error::{Error, rebalance};
use crate::kafka::base::log;
use crate::kafka::base::partition::{Partition, add, list, partitions};
use crate::kafka::transaction::membership::Membership;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The consumer's context. A consumer that replaces another one gets the same context.
#[derive(Clone)]
pub(crate) struct Context(Arc<Mutex<ConsumerState<Membership>>>);

impl Context {
    pub(crate) fn new(state: ConsumerState<Membership>) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, ConsumerState<Membership>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn stats_raw(&self, statistics: &[u8]) {
        self.state().observe(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log::client_error("consumer", &error, reason);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log::line(level, facility, message);
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let mut state = self.state();
        let done = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => state.on_assigned(consumer, partitions(list)),
            _ => state.on_revoked(consumer, partitions(list)),
        };
        if let Err(error) = done {
            state.failure.get_or_insert(error);
        }
    }

    fn commit_callback(&self, _: KafkaResult<()>, _: &TopicPartitionList) {}
}

impl GroupConsumer<Membership> for BaseConsumer<Context> {
    fn membership(&self) -> Option<Membership> {
        Membership::of(self)
    }

    fn is_cooperative(&self) -> bool {
        matches!(self.rebalance_protocol(), RebalanceProtocol::Cooperative)
    }

    fn is_assignment_lost(&self) -> bool {
        self.assignment_lost()
    }

    fn has_failed(&self) -> bool {
        self.client().fatal_error().is_some()
    }

    fn assign(&self, partitions: &[(Partition, Option<i64>)]) -> Result<(), Error> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in partitions {
            add(&mut list, partition, offset.map_or(Offset::Beginning, Offset::Offset))?;
        }
        self.incremental_assign(&list).map_err(rebalance)
    }

    fn unassign(&self, partitions: &BTreeSet<Partition>) -> Result<(), Error> {
        self.incremental_unassign(&list(partitions.iter())).map_err(rebalance)
    }

    fn pause(&self, partitions: &BTreeSet<Partition>) -> KafkaResult<()> {
        Consumer::pause(self, &list(partitions.iter()))
    }

    fn resume(&self, partitions: &BTreeSet<Partition>) -> KafkaResult<()> {
        Consumer::resume(self, &list(partitions.iter()))
    }

    fn seek(&self, partition: &Partition, offset: i64) -> KafkaResult<()> {
        Consumer::seek(self, &partition.topic, partition.number, Offset::Offset(offset), Duration::ZERO)
    }

    fn positions(&self) -> Vec<(Partition, i64)> {
        let Ok(list) = self.position() else { return Vec::new() };
        if list.count() == 0 {
            return Vec::new();
        }
        let known = list.elements().into_iter().filter_map(|element| match element.offset() {
            Offset::Offset(position) => {
                Some((Partition { topic: element.topic().into(), number: element.partition() }, position))
            }
            _ => None,
        });
        known.collect()
    }
}
