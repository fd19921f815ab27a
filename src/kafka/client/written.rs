//! Keeps the offsets above a position whose outputs are written already (K11).
//!
//! A slow record holds the position of its partition back, but not the records behind it: their
//! outputs are written, and the position is committed together with the set of their offsets. The
//! next owner of the partition passes over them.
//!
//! ```text
//! set = gap "," run *("," gap "," run)
//! ```
//!
//! A gap counts the offsets that are not written, a run those that are. The first gap begins at the
//! position. Offsets without a record, such as transaction markers, may be in either.

use std::ops::Range;

/// A set of offsets, in ranges that rise and do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written(Vec<Range<i64>>);

impl Written {
    /// Returns whether the set has no offset.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of offsets in the set.
    pub(crate) fn len(&self) -> i64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Returns whether the set has this offset.
    pub(crate) fn contains(&self, offset: i64) -> bool {
        self.first_outside(offset) != offset
    }

    /// Adds offsets that lie above all others. Empty ranges add nothing.
    pub(crate) fn push(&mut self, range: Range<i64>) {
        if range.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => self.0.push(range),
        }
    }

    /// Returns the part of the set in a range of offsets.
    pub(crate) fn within(&self, offsets: Range<i64>) -> Self {
        let cut = |range: &Range<i64>| range.start.max(offsets.start)..range.end.min(offsets.end);
        Self(self.0.iter().map(cut).filter(|range| !range.is_empty()).collect())
    }

    /// Drops the offsets below this one.
    pub(crate) fn drop_below(&mut self, offset: i64) {
        let gone = self.0.partition_point(|range| range.end <= offset);
        self.0.drain(..gone);
        if let Some(first) = self.0.first_mut() {
            first.start = first.start.max(offset);
        }
    }

    /// Returns the set with this offset too.
    pub(crate) fn with(&self, offset: i64) -> Self {
        let mut set = self.within(i64::MIN..offset);
        set.push(offset..offset + 1);
        self.within(offset + 1..i64::MAX).0.into_iter().for_each(|range| set.push(range));
        set
    }

    /// Returns the first offset from this one on that is not in the set.
    pub(crate) fn first_outside(&self, offset: i64) -> i64 {
        let below = self.0.partition_point(|range| range.end <= offset);
        self.0.get(below).filter(|range| range.start <= offset).map_or(offset, |range| range.end)
    }

    /// Returns the ranges, rising.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<i64>> + '_ {
        self.0.iter().cloned()
    }

    /// Writes the set as text. All of its offsets lie at or above `position`.
    pub(crate) fn text(&self, position: i64) -> String {
        let mut at = position;
        let mut runs = Vec::with_capacity(self.0.len());
        for range in &self.0 {
            runs.push(format!("{},{}", range.start - at, range.end - range.start));
            at = range.end;
        }
        runs.join(",")
    }

    /// Reads a set that was written as text. Returns None when the text is not one that
    /// [`Self::text`] writes.
    pub(crate) fn parse(text: &str, position: i64) -> Option<Self> {
        let mut set = Self::default();
        let mut at = position;
        let mut numbers = text.split(',').map(number);
        while let Some(gap) = numbers.next() {
            let (gap, run) = (gap?, numbers.next()??);
            let start = at.checked_add(gap)?;
            at = start.checked_add(run)?;
            if run == 0 || gap == 0 && !set.is_empty() {
                return None;
            }
            set.push(start..at);
        }
        Some(set)
    }
}

/// Reads a number without a sign and without leading zeros.
fn number(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "a set may have one range")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(ranges: &[Range<i64>]) -> Written {
        let mut set = Written::default();
        ranges.iter().cloned().for_each(|range| set.push(range));
        set
    }

    proptest! {
        #[test]
        fn k11_a_set_is_read_again_from_its_text(position in 0..i64::MAX / 2, runs in proptest::collection::vec((1..99_i64, 1..999_i64), 0..50)) {
            let mut at = position;
            let mut written = Written::default();
            for (gap, run) in runs {
                written.push(at + gap..at + gap + run);
                at += gap + run;
            }
            prop_assert_eq!(Written::parse(&written.text(position), position), (!written.is_empty()).then_some(written));
        }

        #[test]
        fn k11_no_text_panics_and_what_is_read_is_written_the_same(text in "[0-9,+ -]{0,40}", position in 0..i64::MAX) {
            if let Some(read) = Written::parse(&text, position) {
                prop_assert_eq!(read.text(position), text);
            }
        }
    }

    #[test]
    fn k11_texts_that_no_set_has_are_refused() {
        for text in ["", "1", "1,2,3", "1,0", "1,2,0,3", "-1,2", "+1,2", "01,2", "1,,2", "1,2,", " 1,2", "9223372036854775807,1"]
        {
            assert_eq!(Written::parse(text, 7), None, "{text:?}");
        }
        assert_eq!(Written::parse("0,2", 7), Some(set(&[7..9])));
        assert_eq!(Written::parse("3,2,1,4", 7), Some(set(&[10..12, 13..17])));
    }

    #[test]
    fn k11_a_set_knows_its_offsets() {
        let written = set(&[3..5, 5..6, 6..6, 9..10]);
        assert_eq!(written, set(&[3..6, 9..10]));
        assert_eq!((0..12).filter(|offset| written.contains(*offset)).collect::<Vec<_>>(), [3, 4, 5, 9]);
        assert_eq!(written.within(4..9), set(&[4..6]));
        assert_eq!(written.within(6..9), Written::default());
        assert_eq!(written.text(2), "1,3,3,1");
        assert_eq!([2, 3, 5, 6, 9, 10].map(|offset| written.first_outside(offset)), [2, 6, 6, 6, 10, 10]);
        assert_eq!(written.with(6), set(&[3..7, 9..10]));
        assert_eq!(written.with(8).with(1).with(4), set(&[1..2, 3..6, 8..10]));
    }
}
