//! Canonicalizes and hashes bodies (RFC 6376 3.4.3, 3.4.4), each form at most once a message.
//!
//! Only CRLF ends a line.
//! A bare CR or LF is an octet like any other, so that inserting one breaks the signature (G2).

use super::canonicalization::Canonicalization;
use super::relaxed::relaxed;
use super::sink::Sink;
use aws_lc_rs::digest::{Context, SHA256};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The SHA-256 hash of one canonical form of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyHash {
    /// The digest of the canonical form.
    pub digest: [u8; 32],
    /// The length of the canonical form in octets, which `l=` counts.
    pub length: u64,
}

/// The hashes of one message's body, one for each canonicalization, which all signatures share
/// (G14).
#[derive(Debug)]
pub struct BodyHashes<'m> {
    body: &'m [u8],
    simple: OnceLock<BodyHash>,
    relaxed: OnceLock<BodyHash>,
    relaxed_length: OnceLock<u64>,
    /// Kept because a sender may end a body with millions of empty lines, and each signature with
    /// `l=` asks for the length without them.
    simple_length: OnceLock<u64>,
    hashed: AtomicU64,
}

impl<'m> BodyHashes<'m> {
    /// Creates the hashes of `body`, none of which is computed before it is asked for.
    pub fn new(body: &'m [u8]) -> Self {
        Self {
            body,
            simple: OnceLock::new(),
            relaxed: OnceLock::new(),
            relaxed_length: OnceLock::new(),
            simple_length: OnceLock::new(),
            hashed: AtomicU64::new(0),
        }
    }

    /// Returns the hash of the whole canonical body.
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

    /// Returns the length of the canonical body in octets, which `l=` is compared with.
    ///
    /// It does not hash the body.
    pub fn length(&self, canonicalization: Canonicalization) -> u64 {
        match canonicalization {
            Canonicalization::Simple => *self.simple_length.get_or_init(|| without_trailing_lines(self.body).len() as u64 + 2),
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

    /// Returns the number of octets hashed so far, for tests and metrics.
    pub fn hashed_octets(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }
}

struct Counter(u64);

impl Sink for Counter {
    fn put(&mut self, octets: &[u8]) {
        self.0 += octets.len() as u64;
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
    // Many at a time, because a sender may write millions of them.
    const LINES: &[u8; 32] = b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    while let Some(rest) = body.strip_suffix(LINES) {
        body = rest;
    }
    while let Some(rest) = body.strip_suffix(b"\r\n") {
        body = rest;
    }
    body
}
