//! Holds sums back until the records that they count are committed.

/// Sums of a type whose fields are all staged together, so that none can be shown before its
/// commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Staged<T> {
    now: T,
    cut: T,
    committed: T,
}

impl<T: Copy> Staged<T> {
    /// Returns the sums to count in.
    pub fn count(&mut self) -> &mut T {
        &mut self.now
    }

    /// Notes that a batch was cut, which holds everything that was counted so far.
    pub fn cut(&mut self) {
        self.cut = self.now;
    }

    /// Notes that the batch was committed.
    pub fn commit(&mut self) {
        self.committed = self.cut;
    }

    /// Counts facts that became known only by the commit.
    pub fn committed_too(&mut self, count: impl Fn(&mut T)) {
        for sums in [&mut self.now, &mut self.cut, &mut self.committed] {
            count(sums);
        }
    }

    /// Returns the sums of everything that was committed.
    pub fn committed(&self) -> &T {
        &self.committed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_after_the_cut_is_shown_by_the_next_commit() {
        let mut sums = Staged::<[u64; 2]>::default();
        sums.count()[0] += 1;
        sums.cut();
        sums.count()[0] += 1;
        sums.count()[1] += 1;
        assert_eq!(*sums.committed(), [0, 0]);
        sums.commit();
        assert_eq!(*sums.committed(), [1, 0]);
        sums.cut();
        sums.commit();
        assert_eq!(*sums.committed(), [2, 1]);
    }
}
