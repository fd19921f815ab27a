//! Writes the relaxed canonical body (RFC 6376 3.4.4).
//!
//! Most signatures cover this form, and after hashing it is the largest part of the work.

#![expect(clippy::inline_always, reason = "inlined, so that it is compiled for the registers of the caller")]

use super::canonicalization::is_wsp;
use super::octets::{BLOCK, Work, widest};
use super::sink::Sink;

/// The size in octets up to which small pieces are gathered.
///
/// A call to the hash costs more than copying them.
const GATHERED: usize = 4096;
/// The length in octets from which a run goes to the sink without being copied.
const LONG_RUN: usize = 512;

/// Writes the canonical form of `body` into `sink`.
///
/// A block in which nothing changes costs a few comparisons.
/// In the other blocks, only the octets that change are looked at one by one.
pub(super) fn relaxed(body: &[u8], sink: &mut impl Sink) {
    let content = without_trailing_blank_lines(body);
    if !content.is_empty() {
        widest(Relaxed { content, sink });
    }
}

/// Returns `body` without the white space and the empty lines at its end (G1).
fn without_trailing_blank_lines(mut body: &[u8]) -> &[u8] {
    loop {
        while let [rest @ .., b' ' | b'\t'] = body {
            body = rest;
        }
        match body.strip_suffix(b"\r\n") {
            Some(rest) => body = rest,
            None => return body,
        }
    }
}

struct Relaxed<'c, 's, S> {
    content: &'c [u8],
    sink: &'s mut S,
}

impl<S: Sink> Work for Relaxed<'_, '_, S> {
    #[inline(always)]
    fn run(self, finder: impl Fn(&[u8; BLOCK], u8) -> u64) {
        let Self { content, sink } = self;
        let mut pieces = Pieces { content, gathered: [0; ROOM], length: 0, sink };
        let mut unchanged = 0;
        for (start, block) in (0..).step_by(BLOCK).zip(content.chunks(BLOCK)) {
            let mut padded = [b'x'; BLOCK];
            let whole = block.first_chunk().unwrap_or_else(|| {
                padded.iter_mut().zip(block).for_each(|(to, from)| *to = *from);
                &padded
            });
            let Some((gone, tabs)) = changes(whole, &finder, || content.get(start + BLOCK..).unwrap_or_default()) else {
                continue;
            };
            let mut changed = gone | tabs;
            while changed != 0 {
                let bit = changed.trailing_zeros();
                let at = start + bit as usize;
                pieces.put(unchanged, at);
                let run = (gone >> bit).trailing_ones();
                if run == 0 {
                    pieces.space();
                }
                unchanged = at + run.max(1) as usize;
                changed &= u64::MAX.checked_shl(bit + run.max(1)).unwrap_or(0);
            }
        }
        pieces.put(unchanged, content.len());
        pieces.flush();
        pieces.sink.put(b"\r\n");
    }
}

/// Returns the octets of a block that are left out, and the tabs, as one bit for each octet.
///
/// Of a run of white space the last octet stays, as a space, unless CRLF follows it.
/// `after` returns the octets after the block.
/// Returns `None` if the block has no white space.
#[inline(always)]
fn changes<'c>(
    block: &[u8; BLOCK],
    finder: impl Fn(&[u8; BLOCK], u8) -> u64,
    after: impl Fn() -> &'c [u8],
) -> Option<(u64, u64)> {
    let tabs = finder(block, b'\t');
    let white = finder(block, b' ') | tabs;
    if white == 0 {
        return None;
    }
    let after = after();
    let behind = |within: u64, after: bool| within >> 1 | u64::from(after) << (BLOCK - 1);
    let before_cr = white & behind(finder(block, b'\r'), after.first() == Some(&b'\r'));
    let mut gone = white & behind(white, after.first().copied().is_some_and(is_wsp));
    if before_cr != 0 {
        let ends = behind(behind(finder(block, b'\n'), after.first() == Some(&b'\n')), after.get(1) == Some(&b'\n'));
        gone |= before_cr & ends;
    }
    Some((gone, tabs))
}

/// The size in octets that holds the gathered pieces, and one copy of fixed size after them.
const ROOM: usize = GATHERED + BLOCK;

/// The octets for the sink, gathered into larger pieces.
struct Pieces<'c, 's, S> {
    content: &'c [u8],
    gathered: [u8; ROOM],
    length: usize,
    sink: &'s mut S,
}

impl<S: Sink> Pieces<'_, '_, S> {
    /// Passes `from..to` of the content on to the sink.
    #[inline(always)]
    fn put(&mut self, from: usize, to: usize) {
        let length = to - from;
        if self.length + length > GATHERED || length >= LONG_RUN {
            self.flush();
        }
        // A copy of fixed size is cheaper than one of the exact size.
        let (source, target) = (self.content.get(from..from + BLOCK), self.gathered.get_mut(self.length..self.length + BLOCK));
        if let (true, Some(source), Some(target)) = (length <= BLOCK, source, target) {
            target.copy_from_slice(source);
            self.length += length;
        } else {
            self.put_any(self.content.get(from..to).unwrap_or_default());
        }
    }

    fn put_any(&mut self, piece: &[u8]) {
        match self.gathered.get_mut(self.length..self.length + piece.len()) {
            Some(target) if piece.len() < LONG_RUN => {
                target.copy_from_slice(piece);
                self.length += piece.len();
            }
            _ => self.sink.put(piece),
        }
    }

    #[inline(always)]
    fn space(&mut self) {
        if let Some(next) = self.gathered.get_mut(self.length) {
            *next = b' ';
            self.length += 1;
        }
    }

    fn flush(&mut self) {
        self.sink.put(self.gathered.get(..self.length).unwrap_or_default());
        self.length = 0;
    }
}
