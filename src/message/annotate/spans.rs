//! Keeps the positions of parts of a message, in a few bytes each.

use std::ops::Range;

/// A list of spans from the top that do not overlap.
///
/// Each span is written as two numbers: its distance from the span above, and its length.
/// Numbers are written in groups of seven bits (LEB128). Spans without a distance become one span.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Spans {
    /// The spans in written form, all but the last.
    written: Vec<u8>,
    /// The end of the last span in written form.
    end: usize,
    last: Range<usize>,
}

impl Spans {
    /// Adds a span below all others.
    pub(super) fn push(&mut self, span: &Range<usize>) {
        if span.start == self.last.end {
            self.last.end = span.end;
            return;
        }
        if !self.last.is_empty() {
            write(&mut self.written, self.last.start.saturating_sub(self.end));
            write(&mut self.written, self.last.len());
            self.end = self.last.end;
        }
        self.last = span.clone();
    }

    /// Returns the spans from the top.
    pub(super) fn iter(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut bytes = self.written.iter();
        let mut end = 0;
        let written = std::iter::from_fn(move || {
            let start = end + read(&mut bytes)?;
            end = start + read(&mut bytes)?;
            Some(start..end)
        });
        written.chain((!self.last.is_empty()).then(|| self.last.clone()))
    }
}

fn write(bytes: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

fn read(bytes: &mut std::slice::Iter<'_, u8>) -> Option<usize> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = *bytes.next()?;
        number |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_side_by_side_cost_nothing() {
        let mut spans = Spans::default();
        (0..1_000_000).for_each(|at| spans.push(&(100 + at * 4..104 + at * 4)));
        assert_eq!((spans.written.len(), spans.last), (0, 100..4_000_100));
    }

    proptest! {
        #[test]
        fn spans_come_back(parts in proptest::collection::vec((0_usize..1 << 22, 1_usize..1 << 22), 0..30)) {
            let (mut spans, mut pushed, mut at) = (Spans::default(), Vec::<Range<usize>>::new(), 0);
            for (distance, length) in parts {
                let span = at + distance..at + distance + length;
                at = span.end;
                spans.push(&span);
                match pushed.last_mut() {
                    Some(last) if distance == 0 => last.end = span.end,
                    _ => pushed.push(span),
                }
            }
            prop_assert_eq!(spans.iter().collect::<Vec<_>>(), pushed);
        }
    }
}
