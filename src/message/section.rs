//! Cuts the header section into fields.
//!
//! One rule finds the end of the section (F-9). It ends at the first empty line: at the first CRLF
//! CRLF, or at the start if the message begins with CRLF.
//! Within it, a field begins with a name and a colon, and continues over lines that begin with
//! space or tab. A line that is neither is a defect, and the section continues after it.

use crate::limits::Limits;
use memchr::{memchr3, memmem};
use std::ops::Range;

/// One header field as it is in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'m> {
    /// The whole field, from the name to the final CRLF.
    pub raw: &'m [u8],
    /// The position of the colon in `raw`.
    pub colon: usize,
}

impl<'m> Field<'m> {
    /// Returns the name without white space before the colon.
    pub fn name(&self) -> &'m [u8] {
        self.raw_name().trim_ascii_end()
    }

    /// Returns the text before the colon with its white space, which DKIM's simple form signs.
    pub fn raw_name(&self) -> &'m [u8] {
        self.raw.get(..self.colon).unwrap_or_default()
    }

    /// Returns the text after the colon with the final CRLF, which a message's last line may lack.
    pub fn value(&self) -> &'m [u8] {
        self.raw.get(self.colon + 1..).unwrap_or_default()
    }

    /// Returns whether the field has this name, in any case.
    pub fn is(&self, name: &str) -> bool {
        // The length alone answers nearly all of the questions about one message.
        self.colon >= name.len() && self.name().eq_ignore_ascii_case(name.as_bytes())
    }
}

/// A defect of a header section. No defect ends the evaluation on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// A line is neither field nor continuation, or holds a bare CR or LF.
    /// No From field can hide there.
    Malformed,
    /// The same is wrong in a From field, or where one could hide (F-9): there is no author domain.
    MalformedFrom,
    /// There is white space between a field's name and its colon.
    SpaceBeforeColon,
    /// The section has more bytes or fields than the limits allow.
    /// From is still looked for in all of it, but DKIM and ARC are not evaluated.
    OverLimit,
}

/// The names of the fields that are looked for.
///
/// Of each name, two fields are kept beyond the limit on fields.
/// That suffices to tell that there are several.
const SOUGHT: [&str; 8] = [
    "From",
    "Sender",
    "DKIM-Signature",
    "ARC-Authentication-Results",
    "ARC-Message-Signature",
    "ARC-Seal",
    "Received",
    "Return-Path",
];

/// A message cut into header fields and body.
#[derive(Debug, Clone)]
pub struct HeaderSection<'m> {
    message: &'m [u8],
    fields: Vec<Field<'m>>,
    /// The number of the topmost fields in `fields`, which follow each other without a gap.
    topmost: usize,
    /// The position at which the fields below the topmost ones begin.
    rest: usize,
    body: usize,
    defects: Vec<Defect>,
}

/// A part of the header section: a field, or lines that are in none.
#[derive(Debug, Clone)]
pub(super) struct Part<'m> {
    /// The position in the message, continuation lines included.
    pub(super) span: Range<usize>,
    /// The number of fields above it.
    pub(super) index: usize,
    /// The field, if the part is one.
    pub(super) field: Option<Field<'m>>,
    /// True when the part holds NUL, or a bare CR or LF.
    /// Other software may cut such a part in another way.
    pub(super) stray: bool,
    /// The defect of the part, if it is malformed.
    pub(super) broken: Option<Defect>,
}

impl<'m> HeaderSection<'m> {
    /// Cuts `message`, which must be normalised.
    ///
    /// It takes one pass in linear time on any input. The limits bound what is kept.
    pub fn parse(message: &'m [u8], limits: &Limits) -> Self {
        let fields = Vec::with_capacity(48);
        let mut section = Self { message, fields, topmost: 0, rest: message.len(), body: message.len(), defects: Vec::new() };
        if message.starts_with(b"\r\n") {
            section.body = 2;
            section.judge_leading_empty_line();
            return section;
        }
        let mut runs = Runs { message, at: 0 };
        let mut count = 0;
        let mut sought = [0_u8; SOUGHT.len()];
        for run in runs.by_ref() {
            let Some(field) = section.judge(&run, limits) else { continue };
            if count < limits.header_fields {
                section.fields.push(field);
                section.topmost += 1;
            } else {
                section.rest = section.rest.min(run.start);
                let known = SOUGHT.iter().zip(&mut sought).find(|(name, _)| field.is(name));
                if let Some((_, kept)) = known.filter(|(_, kept)| **kept < 2) {
                    *kept += 1;
                    section.fields.push(field);
                }
            }
            count += 1;
        }
        let end = runs.at;
        section.body = if end < message.len() { end + 2 } else { end };
        if end > limits.header_section_bytes || count > limits.header_fields {
            section.note(Defect::OverLimit);
        }
        section
    }

    /// Returns the whole message.
    pub fn message(&self) -> &'m [u8] {
        self.message
    }

    /// Returns the fields from the top, as many as the limit allows.
    ///
    /// Of those below, it returns the first two of each name that is looked for.
    pub fn fields(&self) -> &[Field<'m>] {
        &self.fields
    }

    /// Returns every field from the top. Those beyond the limit are cut again.
    pub fn all_fields(&self) -> impl Iterator<Item = Field<'m>> + '_ {
        let below = Runs { message: self.message, at: self.rest };
        let topmost = self.fields.iter().take(self.topmost).copied();
        topmost.chain(below.filter_map(|run| named_field(self.message.get(run.start..run.end)?)))
    }

    /// Returns the body: the text after the empty line.
    pub fn body(&self) -> &'m [u8] {
        self.message.get(self.body..).unwrap_or_default()
    }

    /// Returns the defects of the section, each kind once.
    pub fn defects(&self) -> &[Defect] {
        &self.defects
    }

    /// Returns whether the section has this defect.
    pub fn has(&self, defect: Defect) -> bool {
        self.defects.contains(&defect)
    }

    /// Returns those of [`Self::fields`] with this name, each with its position among them.
    pub fn named<'s>(&'s self, name: &'s str) -> impl DoubleEndedIterator<Item = (usize, Field<'m>)> + 's {
        self.fields.iter().copied().enumerate().filter(move |(_, field)| field.is(name))
    }

    /// Returns all parts of the section from the top, by cutting it again.
    ///
    /// Of a broken section, nothing is kept that a sender could multiply.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'m>> + '_ {
        let message = self.message;
        let mut index = 0;
        Runs { message, at: 0 }.map(move |run| {
            let field = message.get(run.start..run.end).and_then(named_field);
            let broken = broken(message, &run, field.as_ref());
            let part = Part { span: run.start..run.end, index, field, stray: run.stray.is_some(), broken };
            index += usize::from(field.is_some());
            part
        })
    }

    /// Returns the position of a field of this section in the message.
    pub(super) fn span(&self, field: &Field<'m>) -> Range<usize> {
        // Every field is a part of the message, so the difference of the addresses is its position.
        let start = field.raw.as_ptr().addr().saturating_sub(self.message.as_ptr().addr());
        start..start + field.raw.len()
    }

    fn note(&mut self, defect: Defect) {
        if !self.has(defect) {
            self.defects.push(defect);
        }
    }

    /// Notes the defects of a run of lines, and returns the field if it is one with a proper name.
    fn judge(&mut self, run: &Run, limits: &Limits) -> Option<Field<'m>> {
        let raw = self.message.get(run.start..run.end)?;
        if raw.len() > limits.header_field_bytes {
            self.note(Defect::OverLimit);
        }
        let field = named_field(raw);
        if let Some(defect) = broken(self.message, run, field.as_ref()) {
            self.note(defect);
        }
        let field = field?;
        if field.name().len() != field.colon {
            self.note(Defect::SpaceBeforeColon);
        }
        Some(field)
    }

    /// Judges a message that begins with an empty line, and so has no fields.
    ///
    /// The text up to the next empty line may have been meant as fields.
    fn judge_leading_empty_line(&mut self) {
        let body = self.body();
        let end = memmem::find(body, b"\r\n\r\n").unwrap_or(body.len());
        if hides_from(body.get(..end).unwrap_or_default(), Indented::MayBegin) {
            self.note(Defect::MalformedFrom);
        }
    }
}

/// Returns the defect of a run of lines, if it is malformed.
///
/// It is malformed if it is no field, or if it holds NUL, or a bare CR or LF.
fn broken(message: &[u8], run: &Run, field: Option<&Field<'_>>) -> Option<Defect> {
    let hides = match (field, run.stray) {
        (None, _) => hides_from(message.get(run.start..run.end)?, Indented::MayBegin),
        (Some(field), Some(stray)) => field.is("From") || hides_from(message.get(stray..run.end)?, Indented::Continues),
        (Some(_), None) => return None,
    };
    Some(if hides { Defect::MalformedFrom } else { Defect::Malformed })
}

/// An iterator over the runs of lines up to the empty line.
struct Runs<'m> {
    message: &'m [u8],
    /// The position of the next run. At the end it is that of the empty line or the message's end.
    at: usize,
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let start = self.at;
        if start >= self.message.len() {
            return None;
        }
        let line = Line::find(self.message, start);
        if self.message.get(start..line.end) == Some(b"\r\n") {
            return None;
        }
        let mut run = Run { start, end: line.end, stray: line.stray };
        while matches!(self.message.get(run.end), Some(b' ' | b'\t')) {
            let line = Line::find(self.message, run.end);
            run.end = line.end;
            run.stray = run.stray.or(line.stray);
        }
        self.at = run.end;
        Some(run)
    }
}

/// A line with the continuation lines below it.
struct Run {
    start: usize,
    end: usize,
    stray: Option<usize>,
}

/// A line up to and including its CRLF.
struct Line {
    end: usize,
    /// The position of the first NUL, or of the first bare CR or LF.
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

/// Returns the field if `raw` begins with a name, perhaps white space, and a colon.
///
/// The name consists of printable ASCII (RFC 5322 3.6.8).
fn named_field(raw: &[u8]) -> Option<Field<'_>> {
    let end = raw.iter().position(|byte| *byte == b':' || !byte.is_ascii_graphic())?;
    let blanks = raw.get(end..)?.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let colon = end + blanks;
    (end > 0 && raw.get(colon) == Some(&b':')).then_some(Field { raw, colon })
}

/// The meaning of an indented line to other software.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Indented {
    /// The line can only continue the field that it is in.
    Continues,
    /// The line may begin a field, because there is none that it could continue.
    MayBegin,
}

/// Returns whether a From field could begin in `text`.
///
/// That is `from`, white space and a colon at the beginning of a line.
/// Other software may end lines at any CR, LF or NUL.
/// It may also skip these, and other control and 8-bit octets, wherever they are.
fn hides_from(text: &[u8], indented: Indented) -> bool {
    // The octets of the name before the current octet, and whether a line could begin at it.
    let (mut matched, mut line_begins) = (0, true);
    for byte in text.iter().map(u8::to_ascii_lowercase) {
        match byte {
            b'\r' | b'\n' | 0 => line_begins = true,
            b' ' | b'\t' => {
                line_begins &= indented == Indented::MayBegin;
                if byte == b' ' && matched < 4 {
                    matched = 0;
                }
            }
            b'!'..=b'~' => {
                matched = match (matched, byte) {
                    (4, b':') => return true,
                    (1, b'r') => 2,
                    (2, b'o') => 3,
                    (3, b'm') => 4,
                    (_, b'f') if line_begins => 1,
                    _ => 0,
                };
                line_begins = false;
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests;
