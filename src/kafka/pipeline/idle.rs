//! Partitions of which nothing more comes: the position behind their last record is committed too.
//!
//! A transaction ends with a control record, which is never handed out. A position that only answers records would stand before it for
//! ever, and the lag of the group would never read 0. The library's position lies behind everything that it has handed out and behind
//! the control records that follow; what it has fetched and not handed out lies above.

use crate::kafka::base::partition::Partition;
use crate::kafka::base::throttle::Throttle;
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
pub(crate) struct Idle {
    stands: BTreeMap<Partition, (i64, Instant)>,
    looks: Throttle,
    commits: Throttle,
}

impl Idle {
    /// Whether it is time for a look.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.looks.is_over(now, LOOK) && self.commits.is_over(now, EVERY)
    }

    /// Notes that positions of idle partitions are committed.
    pub(crate) fn passed(&mut self, now: Instant) {
        self.commits.note(now);
    }

    /// Notes where partitions stand, and keeps those that have stood there for a while.
    pub(crate) fn look(&mut self, positions: Vec<(Partition, i64)>, now: Instant) -> Vec<(Partition, i64)> {
        self.looks.note(now);
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
        idle.passed(start);
        assert!(!idle.is_due(start + Duration::from_millis(9_999)) && idle.is_due(start + EVERY));
    }
}
