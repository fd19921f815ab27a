//! Finds idle partitions, so that the position past their last record and its control records is
//! committed too.
//!
//! A transaction ends with a control record, which the library never hands out. A position that
//! only follows records would stay before the control record for ever, and the lag of the group
//! would never read 0. The library's position lies past every record that it has handed out, and
//! past the control records that follow. Records that it has fetched and not handed out lie at or
//! above its position.

use crate::kafka::base::partition::Partition;
use crate::kafka::base::throttle::Throttle;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The time between two commits for idle partitions, however many there are.
const EVERY: Duration = Duration::from_secs(10);
/// The time between two looks at the positions.
const LOOK: Duration = Duration::from_secs(1);
/// The time after which a partition counts as idle when its position has not moved.
const QUIET: Duration = Duration::from_secs(2);

/// The position of each partition, and the time since which it stands there.
#[derive(Default)]
pub(crate) struct Idle {
    stands: BTreeMap<Partition, (i64, Instant)>,
    looks: Throttle,
    commits: Throttle,
}

impl Idle {
    /// Returns whether it is time to look at the positions.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.looks.is_over(now, LOOK) && self.commits.is_over(now, EVERY)
    }

    /// Notes that positions of idle partitions are being committed.
    pub(crate) fn passed(&mut self, now: Instant) {
        self.commits.note(now);
    }

    /// Notes the positions of partitions, and returns those that have not moved for a while.
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
