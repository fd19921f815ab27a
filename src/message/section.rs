//! The header section cut into fields.
//!
//! One rule (F-9): the section ends at the first empty line, that is at the first CRLF CRLF, or at the start when the message begins
//! with CRLF. Within it a field begins with a name and a colon and goes on over lines that begin with space or tab. A line that is
//! neither is a defect, and the section goes on behind it.

use crate::config::Limits;
use memchr::{memchr, memchr3, memmem};
use std::ops::Range;

/// One header field as it stands in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'m> {
    /// Everything, from the name to the final CRLF.
    pub raw: &'m [u8],
    /// Position of the colon in `raw`.
    pub colon: usize,
}

impl<'m> Field<'m> {
    /// The name without white space before the colon.
    pub fn name(&self) -> &'m [u8] {
        self.raw_name().trim_ascii_end()
    }

    /// What stands before the colon, white space included: DKIM's simple canonicalisation signs it.
    pub fn raw_name(&self) -> &'m [u8] {
        self.raw.get(..self.colon).unwrap_or_default()
    }

    /// What stands behind the colon, the final CRLF included; the last line of a message may lack it.
    pub fn value(&self) -> &'m [u8] {
        self.raw.get(self.colon + 1..).unwrap_or_default()
    }

    /// Whether the field has this name, in any case.
    pub fn is(&self, name: &str) -> bool {
        // The length settles nearly all of the questions asked about one message.
        self.colon >= name.len() && self.name().eq_ignore_ascii_case(name.as_bytes())
    }
}

/// What is wrong with a header section. None of them ends the evaluation by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// A line that is neither field nor continuation, or a CR or LF alone, where no From field can hide.
    Malformed,
    /// The same, in a From field or where one could hide (F-9): the author domain cannot be had.
    MalformedFrom,
    /// White space between a field's name and its colon.
    SpaceBeforeColon,
    /// More bytes or fields than the limits allow: every field is still there, DKIM and ARC are not evaluated.
    OverLimit,
}

/// A message cut into header fields and body.
#[derive(Debug, Clone)]
pub struct HeaderSection<'m> {
    message: &'m [u8],
    fields: Vec<Field<'m>>,
    body: usize,
    defects: Vec<Defect>,
    broken: Vec<Broken>,
}

/// A part of the header section that other software may cut in another way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// Where it stands in the message, continuation lines included.
    pub(super) span: Range<usize>,
    /// Number of fields above it.
    pub(super) index: usize,
    /// Whether it is the field of that index; otherwise it is in no field.
    pub(super) is_field: bool,
}

impl<'m> HeaderSection<'m> {
    /// Cuts `message`, which is normalised already. One pass, linear, over any input.
    pub fn parse(message: &'m [u8], limits: &Limits) -> Self {
        let mut section =
            Self { message, fields: Vec::with_capacity(48), body: message.len(), defects: Vec::new(), broken: Vec::new() };
        if message.starts_with(b"\r\n") {
            section.body = 2;
            section.judge_leading_empty_line();
            return section;
        }
        let mut run: Option<Run> = None;
        let mut at = 0;
        while let Some(&first) = message.get(at) {
            let line = Line::find(message, at);
            if message.get(at..line.end) == Some(b"\r\n") {
                section.body = line.end;
                break;
            }
            match &mut run {
                Some(run) if matches!(first, b' ' | b'\t') => run.extend(&line),
                _ => {
                    if let Some(finished) = run.replace(Run { start: at, end: line.end, stray: line.stray }) {
                        section.finish(&finished, limits);
                    }
                }
            }
            at = line.end;
        }
        if let Some(last) = run {
            section.finish(&last, limits);
        }
        if at > limits.header_section_bytes || section.fields.len() > limits.header_fields {
            section.note(Defect::OverLimit);
        }
        section
    }

    /// The whole message.
    pub fn message(&self) -> &'m [u8] {
        self.message
    }

    /// The fields, from the top.
    pub fn fields(&self) -> &[Field<'m>] {
        &self.fields
    }

    /// The body: what follows the empty line.
    pub fn body(&self) -> &'m [u8] {
        self.message.get(self.body..).unwrap_or_default()
    }

    /// What is wrong with it, each kind once.
    pub fn defects(&self) -> &[Defect] {
        &self.defects
    }

    /// Whether it has this defect.
    pub fn has(&self, defect: Defect) -> bool {
        self.defects.contains(&defect)
    }

    /// The fields with this name, from the top, each with its index.
    pub fn named<'s>(&'s self, name: &'s str) -> impl DoubleEndedIterator<Item = (usize, Field<'m>)> + 's {
        self.fields.iter().copied().enumerate().filter(move |(_, field)| field.is(name))
    }

    /// What other software may cut in another way, from the top.
    pub(super) fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// Where the field of this index stands in the message.
    pub(super) fn span(&self, index: usize) -> Range<usize> {
        // Every field is a part of the message, so that the difference is its position.
        self.fields.get(index).map_or(0..0, |field| {
            let start = field.raw.as_ptr().addr().saturating_sub(self.message.as_ptr().addr());
            start..start + field.raw.len()
        })
    }

    fn note(&mut self, defect: Defect) {
        if !self.has(defect) {
            self.defects.push(defect);
        }
    }

    /// Takes a run of lines, which is one field or, when it has no proper name, is skipped.
    fn finish(&mut self, run: &Run, limits: &Limits) {
        let message = self.message;
        let Some(raw) = message.get(run.start..run.end) else { return };
        if raw.len() > limits.header_field_bytes {
            self.note(Defect::OverLimit);
        }
        let Some(field) = named_field(raw) else {
            self.note(if looks_like_from(raw) { Defect::MalformedFrom } else { Defect::Malformed });
            self.broken.push(Broken { span: run.start..run.end, index: self.fields.len(), is_field: false });
            return;
        };
        if let Some(stray) = run.stray {
            let hidden = message.get(stray..run.end).unwrap_or_default();
            self.note(if field.is("From") || looks_like_from(hidden) { Defect::MalformedFrom } else { Defect::Malformed });
            self.broken.push(Broken { span: run.start..run.end, index: self.fields.len(), is_field: true });
        }
        if field.name().len() != field.colon {
            self.note(Defect::SpaceBeforeColon);
        }
        self.fields.push(field);
    }

    /// A message that begins with an empty line has no fields; what follows up to the next empty line may have been meant as such.
    fn judge_leading_empty_line(&mut self) {
        let body = self.body();
        let end = memmem::find(body, b"\r\n\r\n").unwrap_or(body.len());
        if looks_like_from(body.get(..end).unwrap_or_default()) {
            self.note(Defect::MalformedFrom);
        }
    }
}

/// A line and the continuation lines below it.
struct Run {
    start: usize,
    end: usize,
    stray: Option<usize>,
}

impl Run {
    fn extend(&mut self, line: &Line) {
        self.end = line.end;
        self.stray = self.stray.or(line.stray);
    }
}

/// A line up to and including its CRLF.
struct Line {
    end: usize,
    /// The first CR or LF that stands alone, or NUL.
    stray: Option<usize>,
}

impl Line {
    fn find(message: &[u8], start: usize) -> Self {
        let mut stray = None;
        let mut at = start;
        while let Some(hit) = message.get(at..).and_then(|rest| memchr3(b'\r', b'\n', 0, rest)) {
            let hit = at + hit;
            if message.get(hit..hit + 2) == Some(b"\r\n") {
                return Self { end: hit + 2, stray };
            }
            stray = stray.or(Some(hit));
            at = hit + 1;
        }
        Self { end: message.len(), stray }
    }
}

/// The field that begins with a name of printable ASCII (RFC 5322 3.6.8), perhaps white space, and a colon.
fn named_field(raw: &[u8]) -> Option<Field<'_>> {
    let colon = memchr(b':', raw)?;
    let field = Field { raw, colon };
    let name = field.name();
    // White space that was trimmed may be a CRLF: then the colon stands in a continuation line.
    let on_one_line = field.raw_name().iter().skip(name.len()).all(|byte| matches!(byte, b' ' | b'\t'));
    (on_one_line && !name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(field)
}

/// Whether `text` holds `from` and later a colon, whatever control and 8-bit octets stand in between.
fn looks_like_from(text: &[u8]) -> bool {
    let mut matched = 0;
    for byte in text.iter().map(u8::to_ascii_lowercase).filter(|byte| matches!(byte, b' '..=b'~')) {
        matched = match (matched, byte) {
            (4, b':') => return true,
            (4, _) => 4,
            (1, b'r') => 2,
            (2, b'o') => 3,
            (3, b'm') => 4,
            (_, b'f') => 1,
            _ => 0,
        };
    }
    false
}

#[cfg(test)]
mod tests;
