//! Accepts assigned partitions and gives up revoked ones, in the library's callback inside `poll`.

use super::consumer_state::ConsumerState;
use super::port::GroupConsumer;
use crate::event::Record;
use crate::kafka::base::error::Error;
use crate::kafka::base::partition::{Partition, names};
use crate::kafka::client::start_position::Question;
use crate::kafka::transaction::abort::Cause;
use crate::kafka::transaction::port::GroupMembership;
use std::collections::BTreeSet;
use std::ffi::CStr;

impl<M: GroupMembership> ConsumerState<M> {
    /// Accepts newly assigned partitions. The library gets each of them later, when its start
    /// position is known.
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
        // A member that the group has not taken in yet may have a twin that is alive.
        self.fence()
    }

    /// Gives partitions up. A batch that holds records of them ends first, because another member
    /// may read the partitions as soon as they are given up: to abort is always right, and to
    /// commit under a generation that has passed is not.
    pub(crate) fn on_revoked(&mut self, consumer: &dyn GroupConsumer<M>, revoked: BTreeSet<Partition>) -> Result<(), Error> {
        let (partitions, _) = self.read_of(revoked);
        let lost = consumer.is_assignment_lost();
        self.session_over |= lost && !consumer.has_failed();
        // Even after an error the library must be told that the partitions are given up, because it
        // waits for that, also when it is closed.
        let ended = self.end_batch_of(&partitions, lost);
        let (left, given_up) = self.give_up(consumer, &partitions);
        tracing::info!(partitions = %names(&partitions), lost, left, "revoked");
        given_up.and(ended)
    }

    /// Asks where these partitions start, which belong to this member from this moment.
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

    /// Separates the partitions of the topics that the pipeline reads from all others. A static
    /// member that comes back with another subscription gets the partitions that it had under the
    /// one before (K16).
    fn read_of(&self, partitions: BTreeSet<Partition>) -> (BTreeSet<Partition>, BTreeSet<Partition>) {
        partitions.into_iter().partition(|partition| self.topics.iter().any(|topic| **topic == *partition.topic))
    }

    /// Takes partitions from the library, and forgets them. Returns how many records that leaves to
    /// the next owner, and whether the library succeeded.
    fn give_up(&mut self, consumer: &dyn GroupConsumer<M>, partitions: &BTreeSet<Partition>) -> (usize, Result<(), Error>) {
        let has_started =
            |partition: &&Partition| self.partitions.get(partition).is_none_or(|assigned| assigned.each.has_started());
        let started: BTreeSet<Partition> = partitions.iter().filter(has_started).cloned().collect();
        // The library keeps a pause over an assignment. If the partition came back, nothing of it
        // would be read.
        let to_resume: BTreeSet<Partition> = self.paused().intersection(partitions).cloned().collect();
        if !to_resume.is_empty()
            && let Err(error) = consumer.resume(&to_resume)
        {
            tracing::warn!(%error, "resuming what is given up");
        }
        let left = self.forget(partitions);
        (left, consumer.unassign(&started))
    }

    /// Notes that the log of a record may be another one than before, or may have been cut off.
    /// Which of the two is true shows when the partition is begun again.
    pub(crate) fn doubt(&mut self, record: &Record, why: &str) {
        let Some(assigned) = self.partitions.get_mut(&Partition::of(record)) else { return };
        if assigned.each.has_started() && !assigned.each.is_doubtful {
            assigned.each.is_doubtful = true;
            let Record { topic, partition, .. } = record;
            tracing::warn!(%topic, partition, "{why}: it is looked up which log this is");
        }
    }

    /// Returns whether the group knows this process under another member id than before. The
    /// partitions that are held are then begun again: the group had removed the member, and others
    /// may have read and committed meanwhile. A static member that learns of its new id while it
    /// rejoins is not told by the library (librdkafka 2.12.1, `rd_kafka_cgrp_handle_JoinGroup`): it
    /// keeps its partitions, and the brokers would accept their stale positions under the new
    /// membership.
    pub(crate) fn is_taken_in_anew(&mut self, membership: Option<&M>) -> bool {
        let member = membership.map(GroupMembership::member);
        if member == self.member.as_deref() {
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

    /// Begins doubtful partitions again, as if they were assigned at this moment. The caller does
    /// this between two batches, because the position can be asked for only when the last commit
    /// has ended.
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

    /// Gives up all partitions of a consumer that cannot do anything more with them.
    pub(crate) fn lose_all(&mut self) {
        let partitions: BTreeSet<Partition> = self.partitions.partitions().cloned().collect();
        if partitions.is_empty() {
            return;
        }
        self.request_abort(Cause::PartitionLost);
        let left = self.forget(&partitions);
        tracing::info!(partitions = %names(&partitions), left, "lost");
    }

    /// Leaves the records that are held of these partitions to the next owner, and returns their
    /// number.
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
