//! Partitions of which nothing more comes: the position behind their last record is committed too.
//!
//! A transaction ends with a control record, which is never handed out. A position that only answers records would stand before it for
//! ever, and the lag of the group would never read 0. The library's position lies behind everything that it has handed out and behind
//! the control records that follow; what it has fetched and not handed out lies above.

use super::{Context, Desk};
use crate::kafka::assignment::Partition;
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two commits because of idle partitions, however many there are.
const EVERY: Duration = Duration::from_secs(10);
/// Between two looks at the positions.
const LOOK: Duration = Duration::from_secs(1);
/// A partition is idle when its position has stood still for so long.
const QUIET: Duration = Duration::from_secs(2);

/// Where each partition stands, and since when.
#[derive(Default)]
pub(super) struct Idle {
    stands: BTreeMap<Partition, (i64, Instant)>,
    looked: Option<Instant>,
    passed: Option<Instant>,
}

impl Idle {
    /// Whether it is time for a look.
    fn is_due(&self, now: Instant) -> bool {
        let is_over = |since: Option<Instant>, time| since.is_none_or(|since| now.saturating_duration_since(since) >= time);
        is_over(self.looked, LOOK) && is_over(self.passed, EVERY)
    }

    /// Notes where partitions stand, and keeps those that have stood there for a while.
    fn look(&mut self, positions: Vec<(Partition, i64)>, now: Instant) -> Vec<(Partition, i64)> {
        self.looked = Some(now);
        let before = std::mem::take(&mut self.stands);
        let since = |partition: &Partition, position| match before.get(partition) {
            Some((stood, since)) if *stood == position => *since,
            _ => now,
        };
        let mut quiet = Vec::new();
        for (partition, position) in positions {
            let since = since(&partition, position);
            self.stands.insert(partition.clone(), (position, since));
            if now.saturating_duration_since(since) >= QUIET {
                quiet.push((partition, position));
            }
        }
        quiet
    }
}

impl Desk {
    /// Has the positions of idle partitions committed.
    pub(super) fn pass_idle(&mut self, consumer: &BaseConsumer<Context>, now: Instant) {
        // Once reading has stopped the library's position lies behind records that were let go.
        if self.intake_stopped || self.refusals.stopped() || !self.idle.is_due(now) {
            return;
        }
        let quiet = self.idle.look(self.positions(consumer), now);
        let mut passed = false;
        for (partition, position) in quiet {
            passed |= self.assignment.pass(&partition, position);
        }
        if passed {
            self.idle.passed = Some(now);
        }
    }

    /// The library's positions of the partitions that it has. One is unknown until something has come.
    fn positions(&self, consumer: &BaseConsumer<Context>) -> Vec<(Partition, i64)> {
        let Ok(list) = consumer.position() else { return Vec::new() };
        if list.count() == 0 {
            return Vec::new();
        }
        let known = list.elements().into_iter().filter_map(|element| match element.offset() {
            Offset::Offset(position) => {
                Some((Partition { topic: element.topic().into(), number: element.partition() }, position))
            }
            _ => None,
        });
        // Of one that is being started the library may still know the position before.
        known.filter(|(partition, _)| self.starts.has_started(partition)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: i64) -> (Partition, i64) {
        (Partition { topic: "a".into(), number: 0 }, position)
    }

    #[test]
    fn a_partition_is_idle_when_its_position_stands_still() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut idle = Idle::default();
        for (second, position, is_idle) in
            [(0, 5, false), (1, 5, false), (2, 5, true), (3, 6, false), (4, 6, false), (5, 6, true)]
        {
            let quiet = idle.look(vec![at(position)], after(second));
            assert_eq!(quiet, if is_idle { vec![at(position)] } else { Vec::new() }, "{second}");
        }
        assert_eq!(idle.look(Vec::new(), after(6)), []);
        assert_eq!(idle.look(vec![at(6)], after(7)), [], "it was not ours in between");
    }

    #[test]
    fn idle_partitions_are_looked_for_each_second_and_committed_at_most_once_in_ten() {
        let start = Instant::now();
        let mut idle = Idle::default();
        assert!(idle.is_due(start));
        idle.look(Vec::new(), start);
        assert!(!idle.is_due(start + Duration::from_millis(999)) && idle.is_due(start + LOOK));
        idle.passed = Some(start);
        assert!(!idle.is_due(start + Duration::from_millis(9_999)) && idle.is_due(start + EVERY));
    }
}
