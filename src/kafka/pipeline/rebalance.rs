//! Partitions that come and go: what the library's callback does, inside `poll`.

use super::consumer_state::ConsumerState;
use super::port::{GroupConsumer, GroupMembership};
use crate::event::Record;
use crate::kafka::base::error::Error;
use crate::kafka::base::partition::{Partition, names};
use crate::kafka::client::start_position::Question;
use crate::kafka::ledger::Regressed;
use crate::kafka::testing::failpoint::Mutant;
use crate::kafka::transaction::abort::Cause;
use std::collections::BTreeSet;
use std::ffi::CStr;

impl<M: GroupMembership> ConsumerState<M> {
    /// Takes partitions up. The library learns of them when it is known where they start.
    pub(crate) fn on_assigned(&mut self, consumer: &dyn GroupConsumer<M>, assigned: BTreeSet<Partition>) -> Result<(), Error> {
        if !consumer.is_cooperative() {
            return Err(Error::Rebalance(
                "only cooperative assignment is supported: remove partition.assignment.strategy".to_owned(),
            ));
        }
        consumer.assign(&[])?;
        let (partitions, others) = self.read_of(assigned);
        if !others.is_empty() {
            tracing::info!(partitions = %names(&others), "assigned by an older subscription, and not read");
        }
        self.session_over = false;
        tracing::info!(partitions = %names(&partitions), "assigned");
        self.is_taken_in_anew(consumer.membership().as_ref());
        self.ask_positions(partitions);
        self.rights.assigned(self.clock.now().instant);
        self.status.assigned();
        // A member that the group has not taken in yet may have a twin that lives.
        self.fence()
    }

    /// Gives partitions up. A batch that holds records of them is ended first, because once they are given up another member may
    /// read them: aborting is always right, committing under a generation that has passed is not.
    pub(crate) fn on_revoked(&mut self, consumer: &dyn GroupConsumer<M>, revoked: BTreeSet<Partition>) -> Result<(), Error> {
        let (partitions, _) = self.read_of(revoked);
        let lost = consumer.is_assignment_lost();
        self.session_over |= lost && !consumer.has_failed();
        // Whatever comes of it, the library must be told that the partitions are given up: it waits for that, when it is closed too.
        let ended = self.end_batch_of(&partitions, lost);
        let (left, given_up) = self.give_up(consumer, &partitions);
        tracing::info!(partitions = %names(&partitions), lost, left, "revoked");
        given_up.and(ended)
    }

    /// Has it asked where partitions start that are ours from now on.
    fn ask_positions(&mut self, partitions: BTreeSet<Partition>) {
        self.partitions.assign(partitions.iter().cloned());
        for partition in partitions {
            if let Some(assigned) = self.partitions.get(&partition) {
                let (generation, lease) = (assigned.generation(), assigned.lease().watch());
                self.positions.ask(Question { partition, generation, lease, since: self.clock.now().instant });
            }
        }
        self.fetches.assigned(self.partitions.partitions());
    }

    /// The partitions of topics that are read, and the others: a static member that comes back with another subscription is handed
    /// what it had with the one before (K16).
    fn read_of(&self, partitions: BTreeSet<Partition>) -> (BTreeSet<Partition>, BTreeSet<Partition>) {
        partitions.into_iter().partition(|partition| self.topics.iter().any(|topic| **topic == *partition.topic))
    }

    /// Gives up what the library holds of partitions, and forgets them; how many records that leaves, and whether the library took it.
    fn give_up(&mut self, consumer: &dyn GroupConsumer<M>, partitions: &BTreeSet<Partition>) -> (usize, Result<(), Error>) {
        let has_started =
            |partition: &&Partition| self.partitions.get(partition).is_none_or(|assigned| assigned.each.has_started());
        let started: BTreeSet<Partition> = partitions.iter().filter(has_started).cloned().collect();
        // The library keeps a pause over an assignment: were the partition ours again, nothing of it would be read.
        let to_resume: BTreeSet<Partition> = self.paused().intersection(partitions).cloned().collect();
        if !to_resume.is_empty()
            && let Err(error) = consumer.resume(&to_resume)
        {
            tracing::warn!(%error, "resuming what is given up");
        }
        let left = self.forget(partitions);
        (left, consumer.unassign(&started))
    }

    /// Notes that a record lies below what was read before of its partition. The log may be another, or may have been cut off: which
    /// one shows when the partition is begun again.
    pub(crate) fn doubt(&mut self, record: &Record, regressed: &Regressed) {
        let Some(assigned) = self.partitions.get_mut(&Partition::of(record)) else { return };
        if assigned.each.has_started() && !assigned.each.is_doubtful {
            assigned.each.is_doubtful = true;
            let Record { topic, partition, .. } = record;
            tracing::warn!(%topic, partition, "{regressed}: it is looked up which log this is");
        }
    }

    /// Whether the group knows this process under another member id than before. What is held is begun again then: the group had
    /// removed the member, and others may have read and committed meanwhile. A static member is not told of that by the library when
    /// it learns of it while it rejoins (librdkafka 2.12.1, `rd_kafka_cgrp_handle_JoinGroup`): it keeps its partitions, and the
    /// brokers would accept their stale positions under the new membership.
    pub(crate) fn is_taken_in_anew(&mut self, membership: Option<&M>) -> bool {
        let member = membership.map(GroupMembership::member);
        if member == self.member.as_deref() || Mutant::FormerMember.is_on() {
            return false;
        }
        let had = std::mem::replace(&mut self.member, member.map(CStr::to_owned));
        let mut is_anew = false;
        for (_, assigned) in self.partitions.iter_mut() {
            (assigned.each.is_doubtful, is_anew) = (true, true);
        }
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
    pub(crate) fn begin_again(&mut self, consumer: &dyn GroupConsumer<M>) -> Result<(), Error> {
        let doubtful = self.partitions.iter().filter(|(_, assigned)| assigned.each.is_doubtful);
        let partitions: BTreeSet<Partition> = doubtful.map(|(partition, _)| partition.clone()).collect();
        if partitions.is_empty() {
            return Ok(());
        }
        let (left, given_up) = self.give_up(consumer, &partitions);
        given_up?;
        tracing::warn!(partitions = %names(&partitions), left, "begun again");
        self.tally.begun_again += partitions.len() as u64;
        self.ask_positions(partitions);
        Ok(())
    }

    /// Gives up all that a consumer held that can do nothing any more.
    pub(crate) fn lose_all(&mut self) {
        let partitions: BTreeSet<Partition> = self.partitions.partitions().cloned().collect();
        if partitions.is_empty() {
            return;
        }
        self.request_abort(Cause::PartitionLost);
        let left = self.forget(&partitions);
        tracing::info!(partitions = %names(&partitions), left, "lost");
    }

    /// Leaves what is held of these partitions to their next owner; returns how many records that are.
    fn forget(&mut self, partitions: &BTreeSet<Partition>) -> usize {
        for partition in partitions {
            if let Some(assigned) = self.partitions.get(partition) {
                self.dispatch.give_up(&assigned.each.lane);
            }
        }
        let left = self.partitions.revoke(partitions);
        self.fetches.assigned(self.partitions.partitions());
        self.tally.left += left as u64;
        left
    }
}
