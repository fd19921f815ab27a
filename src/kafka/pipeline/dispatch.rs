//! Decides whose record is evaluated next: a partition that waits for answers leaves places to the
//! others.
//!
//! The number of places, and so of evaluations at the same time, is limited. A partition may have
//! `SHARE` times as many places as are free for all partitions (dynamic thresholds: Choudhury and
//! Hahne, IEEE/ACM Transactions on Networking 6 (1998)). So a partition that waits for a slow
//! domain gets most of the places and never all, a second one gets most of the rest, and a
//! partition that is the only one gets every place.
//!
//! A record that waits for about a second is parked: it leaves its place to others (K11). Only a
//! limited number of records can be parked, because each of them holds memory. The others keep
//! their places.
//!
//! Reading pauses for a moment when enough records were handed out whose evaluation has not begun.
//! To read on would only fill memory with records that the processor's caches forget before anybody
//! looks at them. When the budget then pauses the partitions, the library drops the records that it
//! has fetched ahead, and fetches them again.

use crate::event::Record;
use crate::kafka::base::partition::Generation;
use crate::kafka::base::throttle::Throttle;
use crate::kafka::ledger::slot::Slot;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// The number of places that a partition may have, as a multiple of the places that are free.
const SHARE: usize = 4;
/// The number of records for each core that may wait for their evaluation: several milliseconds of
/// work.
const UNBEGUN_PER_CORE: usize = 64;
/// The time that an evaluation has until its record is parked.
const SLOW: Duration = Duration::from_secs(1);
/// The time between two searches for slow evaluations.
const SEARCH: Duration = Duration::from_millis(100);

/// The distribution of places to records.
#[derive(Debug)]
pub(crate) struct Dispatch {
    places: usize,
    taken: usize,
    /// The largest number of records that may be parked.
    most_parked: usize,
    parked: usize,
    /// The evaluations that have not ended.
    running: BTreeMap<(Generation, i64), Running>,
    searched: Throttle,
    /// Bytes of records whose evaluation had begun before their partition was given up.
    orphaned: usize,
    /// The number of records that were handed out. It wraps around, as does the number of
    /// evaluations that have begun.
    handed_out: usize,
    begun: Begun,
    /// The number of records, handed out and not begun, at which reading pauses.
    enough: usize,
}

/// An evaluation that has not ended.
#[derive(Debug)]
struct Running {
    since: Instant,
    /// True when its record has left its place.
    is_parked: bool,
}

/// The number of evaluations that have begun. It is shared with the tasks that evaluate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Begun(Arc<AtomicUsize>);

impl Begun {
    pub(crate) fn note(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The records of one partition that wait for a place, and the places that the partition has.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    taken: usize,
    /// Bytes of the records that have a place.
    bytes: usize,
    waiting: VecDeque<(Slot, Record)>,
}

impl Lane {
    /// Queues a record until its turn.
    pub(crate) fn queue(&mut self, slot: Slot, record: Record) {
        self.waiting.push_back((slot, record));
    }
}

impl Dispatch {
    pub(crate) fn new(places: usize, most_parked: usize, begun: Begun) -> Self {
        let enough = UNBEGUN_PER_CORE * available_parallelism().map_or(1, usize::from);
        Self {
            places: places.max(1),
            taken: 0,
            most_parked,
            parked: 0,
            running: BTreeMap::new(),
            searched: Throttle::default(),
            orphaned: 0,
            handed_out: 0,
            begun,
            enough,
        }
    }

    /// Returns whether so many records wait for their evaluation that nothing needs to be read for
    /// now.
    pub(crate) fn has_enough(&self) -> bool {
        self.handed_out.wrapping_sub(self.begun.0.load(Ordering::Relaxed)) >= self.enough
    }

    /// Notes that a partition was given up. A record whose evaluation has begun keeps its place
    /// until it is done.
    pub(crate) fn give_up(&mut self, lane: &Lane) {
        self.orphaned += lane.bytes;
    }

    /// Returns the bytes of records whose evaluation began before their partition was given up. The
    /// tasks that evaluate them still hold them.
    pub(crate) fn orphaned(&self) -> usize {
        self.orphaned
    }

    /// Gives the place of a record back. `lane` is that of the record's partition; None when the
    /// partition was given up meanwhile.
    pub(crate) fn give_back(&mut self, slot: &Slot, lane: Option<&mut Lane>) {
        let running = self.running.remove(&(slot.generation(), slot.offset()));
        let is_parked = running.is_some_and(|running| running.is_parked);
        let places = if is_parked { &mut self.parked } else { &mut self.taken };
        *places = places.saturating_sub(1);
        match lane {
            Some(lane) => {
                lane.taken = lane.taken.saturating_sub(usize::from(!is_parked));
                lane.bytes = lane.bytes.saturating_sub(slot.weight());
            }
            None => self.orphaned = self.orphaned.saturating_sub(slot.weight()),
        }
    }

    /// Parks the records whose evaluation takes long, as many as may be parked.
    pub(crate) fn park<'l>(&mut self, lanes: impl Iterator<Item = (Generation, &'l mut Lane)>, now: Instant) {
        if !self.searched.is_due(now, SEARCH) {
            return;
        }
        let is_slow = |running: &Running| !running.is_parked && now.saturating_duration_since(running.since) >= SLOW;
        let left = self.most_parked.saturating_sub(self.parked);
        let mut parked: BTreeMap<Generation, usize> = BTreeMap::new();
        for ((generation, _), running) in self.running.iter_mut().filter(|(_, running)| is_slow(running)).take(left) {
            running.is_parked = true;
            self.parked += 1;
            self.taken = self.taken.saturating_sub(1);
            *parked.entry(*generation).or_default() += 1;
        }
        for (generation, lane) in lanes {
            lane.taken = lane.taken.saturating_sub(parked.get(&generation).copied().unwrap_or_default());
        }
    }

    /// Takes the records whose turn it is, and gives each a place. The records of a partition keep
    /// their order.
    pub(crate) fn next<'l>(&mut self, lanes: impl Iterator<Item = &'l mut Lane>, now: Instant) -> Vec<(Slot, Record)> {
        let mut next = Vec::new();
        let mut open: Vec<&mut Lane> = lanes.collect();
        let alone = open.len() == 1;
        open.retain(|lane| !lane.waiting.is_empty());
        // Each partition gets one place in turn, so that the first gets no more of the free places
        // than the last.
        while !open.is_empty() {
            open.retain_mut(|lane| {
                let free = self.places.saturating_sub(self.taken);
                let has_turn = free > 0 && (alone || lane.taken < free.saturating_mul(SHARE));
                let Some(first) = lane.waiting.pop_front_if(|_| has_turn) else { return false };
                lane.taken += 1;
                lane.bytes += first.0.weight();
                self.taken += 1;
                next.push(first);
                true
            });
        }
        let running = |(slot, _): &(Slot, Record)| ((slot.generation(), slot.offset()), Running { since: now, is_parked: false });
        self.running.extend(next.iter().map(running));
        self.handed_out = self.handed_out.wrapping_add(next.len());
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::ledger::Read;

    const UNLIMITED: Read = Read { records: u64::MAX, bytes: u64::MAX };
    use crate::kafka::base::partition::Partition;
    use crate::kafka::ledger::assignment::Assignment;
    use crate::kafka::ledger::budget::Budget;

    struct Fixture {
        dispatch: Dispatch,
        assignment: Assignment<Lane>,
        now: Instant,
    }

    impl Fixture {
        /// Makes a dispatch with `places`, and queues as many records for each partition as
        /// `waiting` says.
        fn new(places: usize, waiting: &[(i32, i64)]) -> Self {
            let budget = Budget { records: 1_000_000, bytes: usize::MAX, partition_records: 1_000_000, ahead: UNLIMITED };
            let mut fixture = Self {
                dispatch: Dispatch::new(places, 3, Begun::default()),
                assignment: Assignment::new(budget),
                now: Instant::now(),
            };
            fixture.assignment.assign(waiting.iter().map(|(number, _)| partition(*number)));
            for (number, count) in waiting {
                fixture.queue(*number, 0..*count);
            }
            fixture
        }

        fn queue(&mut self, number: i32, offsets: std::ops::Range<i64>) {
            for offset in offsets {
                let record = Record {
                    topic: "raw".into(),
                    partition: number,
                    offset,
                    timestamp: None,
                    key: None,
                    value: None,
                    headers: None,
                };
                let slot = self.assignment.charge(&record, 0).unwrap().unwrap();
                self.assignment.get_mut(&partition(number)).unwrap().each.queue(slot, record);
            }
        }

        fn next(&mut self) -> Vec<(Slot, Record)> {
            self.dispatch.next(self.assignment.iter_mut().map(|(_, assigned)| &mut assigned.each), self.now)
        }

        /// Lets time pass, and parks the records that have become slow.
        fn pass(&mut self, time: Duration) {
            self.now += time;
            let lanes = self.assignment.iter_mut().map(|(_, assigned)| (assigned.generation(), &mut assigned.each));
            self.dispatch.park(lanes, self.now);
        }

        fn give_back(&mut self, slot: &Slot) {
            let lane = self.assignment.ours(slot.partition(), slot.generation()).map(|assigned| &mut assigned.each);
            self.dispatch.give_back(slot, lane);
        }
    }

    fn partition(number: i32) -> Partition {
        Partition { topic: "raw".into(), number }
    }

    fn of(number: i32, next: &[(Slot, Record)]) -> usize {
        next.iter().filter(|(_, record)| record.partition == number).count()
    }

    #[test]
    fn a_partition_that_waits_never_has_all_places() {
        let mut fixture = Fixture::new(1_000, &[(0, 5_000), (1, 0), (2, 0)]);
        let stuck = fixture.next();
        assert_eq!(stuck.len(), 800);
        assert!(fixture.next().is_empty());
        fixture.queue(1, 0..150);
        assert_eq!(of(1, &fixture.next()), 150, "all of the other one, at once");
    }

    #[test]
    fn partitions_that_are_all_busy_have_the_same_and_leave_little() {
        let mut fixture = Fixture::new(1_000, &[(0, 5_000), (1, 5_000), (2, 5_000), (3, 5_000)]);
        let next = fixture.next();
        assert!(next.len() >= 900, "{}", next.len());
        assert!((0..4).all(|number| of(number, &next).abs_diff(next.len() / 4) <= 1));
    }

    #[test]
    fn who_is_alone_has_every_place_and_records_keep_their_order() {
        let mut fixture = Fixture::new(10, &[(0, 25)]);
        let mut seen = Vec::new();
        loop {
            let next = fixture.next();
            assert!(next.len() <= 10);
            if next.is_empty() {
                break;
            }
            seen.extend(next.iter().map(|(_, record)| record.offset));
            for (slot, _) in &next {
                fixture.give_back(slot);
            }
        }
        assert_eq!(seen, (0..25).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_begun_before_a_revocation_keeps_its_place_and_no_other() {
        let mut fixture = Fixture::new(10, &[(0, 4), (1, 0)]);
        let old = fixture.next();
        assert_eq!(old.len(), 4);
        assert_eq!(fixture.dispatch.orphaned(), 0);
        fixture.dispatch.give_up(&fixture.assignment.get(&partition(0)).unwrap().each);
        let bytes = old.iter().map(|(slot, _)| slot.weight()).sum::<usize>();
        assert_eq!(fixture.dispatch.orphaned(), bytes);
        fixture.assignment.revoke([&partition(0)]);
        fixture.assignment.assign([partition(0)]);
        fixture.queue(0, 0..10);
        assert_eq!(fixture.next().len(), 5, "six are free; at five taken one is free, and four times one is less than five");
        for (slot, _) in &old {
            fixture.give_back(slot);
        }
        assert_eq!(fixture.next().len(), 3);
        assert_eq!((fixture.dispatch.taken, fixture.dispatch.orphaned()), (8, 0));
    }

    #[test]
    fn k11_a_record_that_waits_long_leaves_its_place_as_long_as_there_is_room_to_park() {
        let mut fixture = Fixture::new(10, &[(0, 20), (1, 0)]);
        let slow = fixture.next();
        assert_eq!(slow.len(), 8);
        fixture.pass(Duration::from_millis(999));
        assert_eq!(fixture.next().len(), 0);
        fixture.pass(Duration::from_millis(100));
        assert_eq!(fixture.next().len(), 3, "three may be parked");
        fixture.pass(Duration::from_secs(5));
        assert_eq!(fixture.next().len(), 0, "the others keep their places");
        for (slot, _) in &slow[..3] {
            fixture.give_back(slot);
        }
        assert_eq!(fixture.next().len(), 0, "they had no places any more");
        fixture.pass(Duration::from_secs(5));
        assert_eq!(fixture.next().len(), 3);
        for (slot, _) in &slow[3..] {
            fixture.give_back(slot);
        }
        assert_eq!((fixture.dispatch.taken, fixture.dispatch.parked), (6, 0));
    }

    #[test]
    fn k11_a_parked_record_of_a_partition_that_was_given_up_takes_no_place_when_it_ends() {
        let mut fixture = Fixture::new(10, &[(0, 2), (1, 0)]);
        let slow = fixture.next();
        fixture.pass(Duration::from_secs(2));
        fixture.dispatch.give_up(&fixture.assignment.get(&partition(0)).unwrap().each);
        fixture.assignment.revoke([&partition(0)]);
        fixture.assignment.assign([partition(0)]);
        fixture.queue(0, 0..1);
        assert_eq!(fixture.next().len(), 1);
        for (slot, _) in &slow {
            fixture.give_back(slot);
        }
        assert_eq!((fixture.dispatch.taken, fixture.dispatch.parked, fixture.dispatch.orphaned()), (1, 0, 0));
    }

    #[test]
    fn reading_can_wait_while_enough_is_handed_out_and_not_begun() {
        let mut fixture = Fixture::new(10_000, &[(0, 0)]);
        let enough = fixture.dispatch.enough;
        fixture.queue(0, 0..i64::try_from(enough).unwrap() - 1);
        fixture.next();
        assert!(!fixture.dispatch.has_enough());
        fixture.queue(0, 10_000..10_001);
        fixture.next();
        assert!(fixture.dispatch.has_enough());
        fixture.dispatch.begun.note();
        assert!(!fixture.dispatch.has_enough());
    }
}
