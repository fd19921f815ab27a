//! Fills one report with as many rows as it takes, and compresses it to the bytes that are sent
//! (B34, B35).
//!
//! A part is filled from its first row on, until one of the limits is near. The same rows always
//! give the same parts. The rows that remain after a part give the next one, whether or not the
//! process was restarted in between.

use super::document::Document;
use super::head::Head;
use super::identity::Identity;
use super::row::ReportRow;
use flate2::{Compression, GzBuilder};
use std::io;

/// The largest size of one report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Number of rows.
    pub rows: usize,
    /// Approximate number of compressed bytes. The compressor holds some bytes back until the end,
    /// for which room is left.
    pub bytes: usize,
}

/// A finished report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The id of the report, and the names that follow from it.
    pub identity: Identity,
    /// The compressed document.
    pub bytes: Vec<u8>,
    /// Number of rows in it, at least one.
    pub rows: usize,
    /// Number of messages in it, which is the sum over the rows.
    pub messages: u64,
}

/// More bytes than the compressor may still write when it is told to finish: its window and its
/// pending blocks.
const HELD_BACK: usize = 256 << 10;
/// Largest number of bytes of a document before compression, because a reader has to hold it in
/// memory.
const MAX_DOCUMENT: u64 = 64 << 20;
/// The operating system "unknown" in a gzip header (RFC 1952 2.3.1).
const UNKNOWN_SYSTEM: u8 = 255;

/// Returns part `part`, counted from 0, with as many of `rows` as it takes. Returns `None` without
/// rows, because a report must have records (B1).
///
/// # Errors
/// None depends on the input, because the writer writes to memory.
pub fn next_part<'r>(
    head: &Head<'_>,
    part: u32,
    limits: Limits,
    rows: impl IntoIterator<Item = ReportRow<'r>>,
) -> io::Result<Option<Part>> {
    let mut rows = rows.into_iter().take(limits.rows.max(1)).peekable();
    if rows.peek().is_none() {
        return Ok(None);
    }
    let identity = Identity::of(head, part);
    let compressor =
        GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM).write(Vec::with_capacity(16 << 10), Compression::default());
    let mut document = Document::begin(Counted { writer: compressor, bytes: 0 }, head, &identity)?;
    let (mut taken, mut messages) = (0, 0_u64);
    for row in rows {
        document.row(&row)?;
        taken += 1;
        messages += row.count;
        let Counted { writer, bytes } = document.writer();
        if writer.get_ref().len() + HELD_BACK >= limits.bytes || *bytes >= MAX_DOCUMENT {
            break;
        }
    }
    let bytes = document.end()?.writer.finish()?;
    Ok(Some(Part { identity, bytes, rows: taken, messages }))
}

/// A writer that counts the bytes that it was given.
struct Counted<W> {
    writer: W,
    bytes: u64,
}

impl<W: io::Write> io::Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
