//! Body canonicalisation (RFC 6376 3.4.3, 3.4.4) and its hashes, each computed at most once a message.
//!
//! Only CRLF ends a line. A CR or LF alone is an octet like any other, so that inserting one breaks the signature (G2).

use super::Canonicalization;
use aws_lc_rs::digest::{Context, SHA256};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// SHA-256 of one canonical form of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyHash {
    /// The digest.
    pub digest: [u8; 32],
    /// Octets of the canonical form: what `l=` counts.
    pub length: u64,
}

/// The hashes of one message's body, shared by everything that signs it: one hash a canonicalisation (G14).
#[derive(Debug)]
pub struct BodyHashes<'m> {
    body: &'m [u8],
    simple: OnceLock<BodyHash>,
    relaxed: OnceLock<BodyHash>,
    relaxed_length: OnceLock<u64>,
    hashed: AtomicU64,
}

impl<'m> BodyHashes<'m> {
    /// Hashes of `body`; nothing is computed before it is asked for.
    pub fn new(body: &'m [u8]) -> Self {
        Self {
            body,
            simple: OnceLock::new(),
            relaxed: OnceLock::new(),
            relaxed_length: OnceLock::new(),
            hashed: AtomicU64::new(0),
        }
    }

    /// The hash of the whole canonical body.
    pub fn hash(&self, canonicalization: Canonicalization) -> BodyHash {
        let cell = match canonicalization {
            Canonicalization::Simple => &self.simple,
            Canonicalization::Relaxed => &self.relaxed,
        };
        *cell.get_or_init(|| {
            let mut sink = Hasher::new();
            canonicalize(self.body, canonicalization, &mut sink);
            let hash = sink.finish();
            self.hashed.fetch_add(hash.length, Ordering::Relaxed);
            hash
        })
    }

    /// Octets of the canonical body, without hashing it: what `l=` is compared with.
    pub fn length(&self, canonicalization: Canonicalization) -> u64 {
        match canonicalization {
            Canonicalization::Simple => without_trailing_lines(self.body).len() as u64 + 2,
            Canonicalization::Relaxed => match self.relaxed.get() {
                Some(hash) => hash.length,
                None => *self.relaxed_length.get_or_init(|| {
                    let mut length = Counter(0);
                    canonicalize(self.body, canonicalization, &mut length);
                    length.0
                }),
            },
        }
    }

    /// Octets hashed so far, for tests and metrics.
    pub fn hashed_octets(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }
}

/// Where canonical octets go.
pub(super) trait Sink {
    fn put(&mut self, octets: &[u8]);
}

struct Counter(u64);

impl Sink for Counter {
    fn put(&mut self, octets: &[u8]) {
        self.0 += octets.len() as u64;
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, octets: &[u8]) {
        self.extend_from_slice(octets);
    }
}

struct Hasher {
    context: Context,
    length: u64,
}

impl Hasher {
    fn new() -> Self {
        Self { context: Context::new(&SHA256), length: 0 }
    }

    fn finish(self) -> BodyHash {
        let mut digest = [0; 32];
        digest.iter_mut().zip(self.context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        BodyHash { digest, length: self.length }
    }
}

impl Sink for Hasher {
    fn put(&mut self, octets: &[u8]) {
        self.length += octets.len() as u64;
        self.context.update(octets);
    }
}

/// Writes the canonical form of `body` into `sink`.
pub(super) fn canonicalize(body: &[u8], canonicalization: Canonicalization, sink: &mut impl Sink) {
    match canonicalization {
        Canonicalization::Simple => {
            sink.put(without_trailing_lines(body));
            sink.put(b"\r\n");
        }
        Canonicalization::Relaxed => relaxed(body, sink),
    }
}

fn without_trailing_lines(mut body: &[u8]) -> &[u8] {
    while let Some(rest) = body.strip_suffix(b"\r\n") {
        body = rest;
    }
    body
}

/// Octets judged together, and those and the two behind them that decide what they become.
const BLOCK: usize = 32;
const WINDOW: usize = BLOCK + 2;
/// Small pieces are gathered up to this size, because a call of the hash costs more than copying them.
const GATHERED: usize = 4096;
/// A run at least this long goes to the sink from where it stands.
const LONG_RUN: usize = 512;

/// RFC 6376 3.4.4, block by block: blocks that stay as they are pass through in runs, the others are written anew. Nothing
/// branches on what a single octet is, so that no body is much slower than another.
fn relaxed(body: &[u8], sink: &mut impl Sink) {
    let content = without_trailing_blank_lines(body);
    if content.is_empty() {
        return;
    }
    let mut gathered = Vec::with_capacity(GATHERED);
    let mut unchanged = 0;
    for start in (0..content.len()).step_by(BLOCK) {
        let rest = content.get(start..).unwrap_or_default();
        let mut padded = [b'x'; WINDOW];
        let window = rest.first_chunk().unwrap_or_else(|| {
            padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            &padded
        });
        if may_change(window) {
            put_run(content.get(unchanged..start).unwrap_or_default(), &mut gathered, sink);
            let (written, count) = rewritten(window, rest.len());
            let length = gathered.len() + count;
            // A copy of fixed size is cheaper than one of the right size.
            gathered.extend_from_slice(&written);
            gathered.truncate(length);
            unchanged = content.len().min(start + BLOCK);
        }
    }
    put_run(content.get(unchanged..).unwrap_or_default(), &mut gathered, sink);
    sink.put(&gathered);
    sink.put(b"\r\n");
}

/// Hands on a run that stays as it is, behind what was gathered, and leaves room for a block.
fn put_run(run: &[u8], gathered: &mut Vec<u8>, sink: &mut impl Sink) {
    if run.len() >= LONG_RUN || gathered.len() + run.len() + BLOCK > GATHERED {
        sink.put(gathered);
        gathered.clear();
    }
    if run.len() >= LONG_RUN {
        sink.put(run);
    } else {
        gathered.extend_from_slice(run);
    }
}

/// Ends behind the last octet that is neither white space nor part of a trailing empty line (G1).
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

/// Whether the block holds a tab, or a space before white space or a control character.
fn may_change(window: &[u8; WINDOW]) -> bool {
    let (block, nexts) = (window.get(..BLOCK).unwrap_or_default(), window.get(1..=BLOCK).unwrap_or_default());
    let change = |octet: u8, next: u8| u8::from(octet == b'\t') | (u8::from(octet == b' ') & u8::from(next <= b' '));
    block.iter().zip(nexts).fold(0, |found, (&octet, &next)| found | change(octet, next)) != 0
}

/// The first `length` octets of the window without the white space that goes, and how many are left. Of a run of white space
/// the last octet stays, as a space, unless CRLF follows it: two octets ahead tell.
fn rewritten(window: &[u8; WINDOW], length: usize) -> ([u8; BLOCK], usize) {
    let wsp = |octet: u8| u8::from(octet == b' ') | u8::from(octet == b'\t');
    let from = |at: usize| window.get(at..at + BLOCK).unwrap_or_default();
    let mut stays = [0; BLOCK];
    for (stays, ((&octet, &next), &after)) in stays.iter_mut().zip(from(0).iter().zip(from(1)).zip(from(2))) {
        *stays = 1 - (wsp(octet) & (wsp(next) | (u8::from(next == b'\r') & u8::from(after == b'\n'))));
    }
    let mut spaced = [0; BLOCK];
    for (spaced, &octet) in spaced.iter_mut().zip(from(0)) {
        *spaced = if octet == b'\t' { b' ' } else { octet };
    }
    let mut written = [0; BLOCK];
    let mut count = 0;
    for (&octet, &stays) in spaced.iter().zip(&stays).take(length) {
        if let Some(slot) = written.get_mut(count % BLOCK) {
            *slot = octet;
        }
        count += usize::from(stays);
    }
    (written, count)
}

pub(super) fn is_wsp(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}
