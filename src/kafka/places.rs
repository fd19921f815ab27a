//! Who is evaluated next: a partition that waits for answers leaves places to the others.
//!
//! There are so many places for evaluations at once. A partition may have some times as many as are free for all (dynamic
//! thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6 (1998)). So one that waits for a slow domain gets most of
//! them and never all, a second one most of the rest, and whoever is alone gets every one.

use super::assignment::{Partition, Slot};
use super::ledger::Generation;
use crate::event::Record;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Times what is free that a partition may have.
const SHARE: usize = 4;

/// The places, and what waits for one.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    taken: usize,
    /// Bytes of records that were begun and whose partition was given up since.
    orphaned: usize,
    lanes: BTreeMap<Partition, Lane>,
}

#[derive(Debug)]
struct Lane {
    generation: Generation,
    taken: usize,
    /// Bytes of those that have a place.
    bytes: usize,
    waiting: VecDeque<(Slot, Record)>,
}

impl Places {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), taken: 0, orphaned: 0, lanes: BTreeMap::new() }
    }

    /// Notes partitions that are ours from now on.
    pub(super) fn assign(&mut self, assigned: &[(Partition, Generation)]) {
        for (partition, generation) in assigned {
            self.lanes.insert(partition.clone(), Lane { generation: *generation, taken: 0, bytes: 0, waiting: VecDeque::new() });
        }
    }

    /// Forgets partitions and what waits of them. What was begun keeps its place until it is done.
    pub(super) fn revoke(&mut self, partitions: &BTreeSet<Partition>) {
        for partition in partitions {
            self.orphaned += self.lanes.remove(partition).map_or(0, |lane| lane.bytes);
        }
    }

    /// Bytes of records that were begun and whose partition was given up since: they are still held by whoever evaluates them.
    pub(super) fn orphaned(&self) -> usize {
        self.orphaned
    }

    /// Lets a record wait for its turn.
    pub(super) fn queue(&mut self, slot: Slot, record: Record) {
        if let Some(lane) = self.lanes.get_mut(slot.partition()) {
            lane.waiting.push_back((slot, record));
        }
    }

    /// Gives the place of a record back.
    pub(super) fn give_back(&mut self, slot: &Slot) {
        self.taken = self.taken.saturating_sub(1);
        match self.lanes.get_mut(slot.partition()).filter(|lane| lane.generation == slot.generation()) {
            Some(lane) => {
                lane.taken = lane.taken.saturating_sub(1);
                lane.bytes = lane.bytes.saturating_sub(slot.weight());
            }
            None => self.orphaned = self.orphaned.saturating_sub(slot.weight()),
        }
    }

    /// Records whose turn it is, each with its place; those of a partition in their order.
    pub(super) fn next(&mut self) -> Vec<(Slot, Record)> {
        let mut next = Vec::new();
        let alone = self.lanes.len() == 1;
        let mut open: Vec<&mut Lane> = self.lanes.values_mut().filter(|lane| !lane.waiting.is_empty()).collect();
        // One of each after the other, so that the first partition has no more of what is free than the last.
        while !open.is_empty() {
            open.retain_mut(|lane| {
                let free = self.limit.saturating_sub(self.taken);
                let has_turn = free > 0 && (alone || lane.taken < free.saturating_mul(SHARE));
                let Some(first) = lane.waiting.pop_front_if(|_| has_turn) else { return false };
                lane.taken += 1;
                lane.bytes += first.0.weight();
                self.taken += 1;
                next.push(first);
                true
            });
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::super::assignment::Assignment;
    use super::super::budget::Budget;
    use super::*;

    fn partition(number: i32) -> Partition {
        Partition { topic: "raw".into(), number }
    }

    fn record(number: i32, offset: i64) -> Record {
        Record { topic: "raw".into(), partition: number, offset, timestamp: None, key: None, value: None, headers: None }
    }

    /// Places, and records of these partitions that wait for one.
    fn places(limit: usize, waiting: &[(i32, i64)]) -> (Places, Assignment) {
        let mut assignment = Assignment::new(Budget { records: 1_000_000, bytes: usize::MAX, partition_records: 1_000_000 });
        let mut places = Places::new(limit);
        let assigned = assignment.assign(waiting.iter().map(|(number, _)| partition(*number)));
        places.assign(&assigned);
        for (number, count) in waiting {
            queue(&mut places, &mut assignment, *number, 0..*count);
        }
        (places, assignment)
    }

    fn queue(places: &mut Places, assignment: &mut Assignment, number: i32, offsets: std::ops::Range<i64>) {
        for offset in offsets {
            let record = record(number, offset);
            let slot = assignment.charge(&record, 0).unwrap().unwrap();
            places.queue(slot, record);
        }
    }

    fn of(number: i32, next: &[(Slot, Record)]) -> usize {
        next.iter().filter(|(_, record)| record.partition == number).count()
    }

    #[test]
    fn a_partition_that_waits_never_has_all_places() {
        let (mut places, mut assignment) = places(1_000, &[(0, 5_000), (1, 0), (2, 0)]);
        let stuck = places.next();
        assert_eq!(stuck.len(), 800);
        assert!(places.next().is_empty());
        queue(&mut places, &mut assignment, 1, 0..150);
        assert_eq!(of(1, &places.next()), 150, "all of the other one, at once");
    }

    #[test]
    fn partitions_that_are_all_busy_have_the_same_and_leave_little() {
        let (mut places, _assignment) = places(1_000, &[(0, 5_000), (1, 5_000), (2, 5_000), (3, 5_000)]);
        let next = places.next();
        assert!(next.len() >= 900, "{}", next.len());
        assert!((0..4).all(|number| of(number, &next).abs_diff(next.len() / 4) <= 1));
    }

    #[test]
    fn who_is_alone_has_every_place_and_records_keep_their_order() {
        let (mut places, _assignment) = places(10, &[(0, 25)]);
        let mut seen = Vec::new();
        loop {
            let next = places.next();
            assert!(next.len() <= 10);
            if next.is_empty() {
                break;
            }
            seen.extend(next.iter().map(|(_, record)| record.offset));
            for (slot, _) in &next {
                places.give_back(slot);
            }
        }
        assert_eq!(seen, (0..25).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_begun_before_a_revocation_keeps_its_place_and_no_other() {
        let (mut places, mut assignment) = places(10, &[(0, 4), (1, 0)]);
        let old = places.next();
        assert_eq!(old.len(), 4);
        assert_eq!(places.orphaned(), 0);
        places.revoke(&BTreeSet::from([partition(0)]));
        let bytes = old.iter().map(|(slot, _)| slot.weight()).sum::<usize>();
        assert_eq!(places.orphaned(), bytes);
        assignment.revoke([&partition(0)]);
        let again = assignment.assign([partition(0)]);
        places.assign(&again);
        queue(&mut places, &mut assignment, 0, 0..10);
        assert_eq!(places.next().len(), 5, "six are free; at five taken one is free, and four times one is less than five");
        for (slot, _) in &old {
            places.give_back(slot);
        }
        assert_eq!(places.next().len(), 3);
        assert_eq!((places.taken, places.orphaned()), (8, 0));
    }
}
