//! Partitions that come and go: what the library's callback does, inside `poll`.

use super::{Desk, list};
use crate::event::Record;
use crate::kafka::assignment::Partition;
use crate::kafka::error::{Error, rebalance};
use crate::kafka::failpoint::Mutant;
use crate::kafka::ledger::Regressed;
use crate::kafka::log;
use crate::kafka::membership::Membership;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use std::collections::BTreeSet;
use std::ffi::CStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

impl Desk {
    /// Takes partitions up. The library learns of them when it is known where they start.
    fn assign(&mut self, consumer: &BaseConsumer<Context>, list: &TopicPartitionList) -> Result<(), Error> {
        if !matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative) {
            return Err(Error::Rebalance(
                "only cooperative assignment is supported: remove partition.assignment.strategy".to_owned(),
            ));
        }
        consumer.incremental_assign(&TopicPartitionList::new()).map_err(rebalance)?;
        let (partitions, others) = self.read_of(list);
        if !others.is_empty() {
            tracing::info!(partitions = %names(&others), "assigned by an older subscription, and not read");
        }
        self.session_over = false;
        tracing::info!(partitions = %names(&partitions), "assigned");
        self.is_taken_in_anew(Membership::of(consumer).as_ref());
        let assigned = self.assignment.assign(partitions);
        self.places.assign(&assigned);
        self.starts.ask(assigned);
        self.rights.assigned(Instant::now());
        self.fetches.assigned(self.assignment.partitions());
        self.status.assigned();
        // A member that the group has not taken in yet may have a twin that lives.
        self.fence()
    }

    /// Gives partitions up. A batch that holds records of them is ended first, because once they are given up another member may
    /// read them: aborting is always right, committing under a generation that has passed is not.
    fn revoke(&mut self, consumer: &BaseConsumer<Context>, list: &TopicPartitionList) -> Result<(), Error> {
        let (partitions, _) = self.read_of(list);
        let lost = consumer.assignment_lost();
        self.session_over |= lost && consumer.client().fatal_error().is_none();
        // Whatever comes of it, the library must be told that the partitions are given up: it waits for that, when it is closed too.
        let ended = self.end_batch_of(&partitions, lost);
        let (left, given_up) = self.let_go(consumer, &partitions);
        tracing::info!(partitions = %names(&partitions), lost, left, "revoked");
        given_up.and(ended)
    }

    /// The partitions of topics that are read, and the others: a static member that comes back with another subscription is handed
    /// what it had with the one before (kafka.md 1.16).
    fn read_of(&self, list: &TopicPartitionList) -> (BTreeSet<Partition>, BTreeSet<Partition>) {
        partitions(list).into_iter().partition(|partition| self.topics.iter().any(|topic| **topic == *partition.topic))
    }

    /// Gives up what the library holds of partitions, and forgets them; how many records that leaves, and whether the library took it.
    fn let_go(&mut self, consumer: &BaseConsumer<Context>, partitions: &BTreeSet<Partition>) -> (usize, Result<(), Error>) {
        let started = partitions.iter().filter(|partition| self.starts.has_started(partition));
        let started = self::list(started);
        // The library keeps a pause over an assignment: were the partition ours again, nothing of it would be read.
        let to_resume = self::list(self.paused.intersection(partitions));
        if to_resume.count() > 0
            && let Err(error) = consumer.resume(&to_resume)
        {
            tracing::warn!(%error, "resuming what is given up");
        }
        let left = self.forget(partitions);
        (left, consumer.incremental_unassign(&started).map_err(rebalance))
    }

    /// A record lies below what was read before of its partition. The log may be another, or may have been cut off: which one shows
    /// when the partition is begun again.
    pub(super) fn doubt(&mut self, record: &Record, regressed: &Regressed) {
        let partition = Partition { topic: record.topic.clone(), number: record.partition };
        if self.starts.has_started(&partition) && self.doubtful.insert(partition) {
            let Record { topic, partition, .. } = record;
            tracing::warn!(%topic, partition, "{regressed}: it is looked up which log this is");
        }
    }

    /// Whether the group knows this process under another member id than before. What is held is begun again then: the group had
    /// removed the member, and others may have read and committed meanwhile. A static member is not told of that by the library when
    /// it learns of it while it rejoins (librdkafka 2.12.1, `rd_kafka_cgrp_handle_JoinGroup`): it keeps its partitions, and the
    /// brokers would accept their stale positions under the new membership.
    pub(super) fn is_taken_in_anew(&mut self, membership: Option<&Membership>) -> bool {
        let member = membership.map(Membership::member);
        if member == self.member.as_deref() || Mutant::FormerMember.is_on() {
            return false;
        }
        let had = std::mem::replace(&mut self.member, member.map(CStr::to_owned));
        self.doubtful.extend(self.assignment.partitions().cloned());
        let is_anew = !self.doubtful.is_empty();
        if is_anew {
            tracing::warn!(
                had = had.unwrap_or_default().to_string_lossy().as_ref(),
                "the group has taken this member in anew: others may have had its partitions meanwhile"
            );
        }
        is_anew
    }

    /// Begins partitions again whose log may not be the one that it was, as if they were assigned now. Between two batches: what one
    /// commits must be known before it is asked for the position.
    pub(super) fn begin_again(&mut self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        if self.doubtful.is_empty() {
            return Ok(());
        }
        let partitions = std::mem::take(&mut self.doubtful);
        let (left, given_up) = self.let_go(consumer, &partitions);
        given_up?;
        tracing::warn!(partitions = %names(&partitions), left, "begun again");
        self.tally.begun_again += partitions.len() as u64;
        let assigned = self.assignment.assign(partitions);
        self.places.assign(&assigned);
        self.starts.ask(assigned);
        self.fetches.assigned(self.assignment.partitions());
        Ok(())
    }

    /// Gives up all that a consumer held that can do nothing any more.
    pub(in crate::kafka) fn lose_all(&mut self) {
        let partitions: BTreeSet<Partition> = self.assignment.partitions().cloned().collect();
        if partitions.is_empty() {
            return;
        }
        self.transactions.request_abort();
        let left = self.forget(&partitions);
        tracing::info!(partitions = %names(&partitions), left, "lost");
    }

    /// Leaves what is held of these partitions to their next owner; returns how many records that are.
    fn forget(&mut self, partitions: &BTreeSet<Partition>) -> usize {
        let left = self.assignment.revoke(partitions);
        self.starts.forget(partitions);
        self.fetches.assigned(self.assignment.partitions());
        if let Some(states) = &mut self.states {
            states.forget(partitions);
        }
        self.places.revoke(partitions);
        self.waits.forget(partitions);
        self.doubtful.retain(|partition| !partitions.contains(partition));
        self.paused.retain(|partition| !partitions.contains(partition));
        self.tally.left += left as u64;
        left
    }

    /// Ends the batch that holds records of these partitions.
    fn end_batch_of(&mut self, partitions: &BTreeSet<Partition>, lost: bool) -> Result<(), Error> {
        if self.in_flight.as_ref().is_some_and(|cut| cut.touches(partitions)) {
            self.transactions.request_abort();
            let patience = if lost || self.closing { Duration::ZERO } else { self.revoke_patience };
            if let Some(ended) = self.transactions.outcome(patience) {
                self.settle(ended)?;
            }
        }
        Ok(())
    }
}

fn partitions(list: &TopicPartitionList) -> BTreeSet<Partition> {
    if list.count() == 0 {
        return BTreeSet::new();
    }
    list.elements().iter().map(|element| Partition { topic: element.topic().into(), number: element.partition() }).collect()
}

fn names(partitions: &BTreeSet<Partition>) -> String {
    let names: Vec<String> = partitions.iter().map(|partition| format!("{}/{}", partition.topic, partition.number)).collect();
    names.join(" ")
}

/// The consumer's context: its callbacks. A consumer that takes the place of another one gets the same.
#[derive(Clone)]
pub(in crate::kafka) struct Context(Arc<Mutex<Desk>>);

impl Context {
    pub(in crate::kafka) fn new(desk: Desk) -> Self {
        Self(Arc::new(Mutex::new(desk)))
    }

    pub(in crate::kafka) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn stats_raw(&self, statistics: &[u8]) {
        self.desk().observe(statistics);
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
        let mut desk = self.desk();
        let done = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => desk.assign(consumer, list),
            _ => desk.revoke(consumer, list),
        };
        if let Err(error) = done {
            desk.failure.get_or_insert(error);
        }
    }

    fn commit_callback(&self, _: KafkaResult<()>, _: &TopicPartitionList) {}
}
