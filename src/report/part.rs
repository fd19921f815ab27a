//! As many rows as one report takes, as the bytes that are sent (B34, B35).
//!
//! A part is filled from its first row on, until one of the limits is near: the same rows always give the same parts, and what is left
//! after a part gives the next one, whether or not the process was restarted in between.

use super::document::Document;
use super::head::Head;
use super::identity::Identity;
use super::row::ReportRow;
use flate2::{Compression, GzBuilder};
use std::io;

/// What one report may measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Rows.
    pub rows: usize,
    /// Compressed bytes, about: the compressor holds some back until the end, for which room is left.
    pub bytes: usize,
}

/// A finished report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is called.
    pub identity: Identity,
    /// The document, compressed.
    pub bytes: Vec<u8>,
    /// Rows in it, at least one.
    pub rows: usize,
    /// Messages in it: the sum of the rows.
    pub messages: u64,
}

/// More than what the compressor may still write when it is told to finish: its window and its pending blocks.
const HELD_BACK: usize = 256 << 10;
/// Most bytes of a document before it is compressed: a reader has to hold it.
const MAX_DOCUMENT: u64 = 64 << 20;
/// Operating system "unknown" in a gzip header (RFC 1952 2.3.1).
const UNKNOWN_SYSTEM: u8 = 255;

/// Part `part`, counted from 0, with as many of `rows` as it takes. None without rows: a report without records is none (B1).
///
/// # Errors
/// None that depends on the input: the writer writes into memory.
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

/// A writer that knows how much it was given.
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
