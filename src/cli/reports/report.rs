//! Reads a report from a record of mail.reports.

use crate::cli::Failure;
use crate::event::{Record, ReportAttributes};
use flate2::read::GzDecoder;
use jiff::Timestamp;
use std::io::Read as _;

/// A report from a record of mail.reports.
pub(in crate::cli) struct Report {
    pub(in crate::cli) attributes: ReportAttributes,
    pub(super) time: Option<Timestamp>,
    pub(super) bytes: Vec<u8>,
}

impl Report {
    /// Returns the report in a record; `None` when the record is something else.
    pub(in crate::cli) fn of(record: Record) -> Option<Self> {
        let attributes = ReportAttributes::read(record.headers.as_ref()?)?;
        Some(Self { attributes, time: record.timestamp.map(|stamp| stamp.time), bytes: record.value? })
    }

    /// Returns the document, unpacked.
    pub(super) fn xml(&self) -> Result<String, Failure> {
        // verdmarc itself writes to the topic, but a reader still takes no more bytes than a report
        // may have.
        const MOST: u64 = 1 << 30;
        let mut xml = String::new();
        let read = GzDecoder::new(self.bytes.as_slice()).take(MOST).read_to_string(&mut xml);
        read.map_err(|error| Failure::usage(format!("report {} cannot be read: {error}", self.attributes.id.escape_debug())))?;
        Ok(xml)
    }
}
