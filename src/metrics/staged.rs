//! Sums that are shown when what they count is committed.

/// Sums of a type of which all fields are staged together, so that none can be shown before its commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Staged<T> {
    now: T,
    cut: T,
    committed: T,
}

impl<T: Copy> Staged<T> {
    /// What is counted.
    pub fn count(&mut self) -> &mut T {
        &mut self.now
    }

    /// A batch is cut: it holds what was counted up to here.
    pub fn cut(&mut self) {
        self.cut = self.now;
    }

    /// The batch is committed.
    pub fn commit(&mut self) {
        self.committed = self.cut;
    }

    /// Counts what became known by the commit itself.
    pub fn committed_too(&mut self, count: impl Fn(&mut T)) {
        for sums in [&mut self.now, &mut self.cut, &mut self.committed] {
            count(sums);
        }
    }

    /// What is committed.
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
