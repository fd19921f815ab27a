//! Copies a message with this receiver's fields on top and without forged ones (D-9, F-29).
//!
//! The raw message stays as it is.

mod spans;

use super::invisible::is_passed_over;
use super::results::claims;
use super::section::{Defect, HeaderSection, Part};
use bstr::ByteSlice as _;
use memchr::{memchr, memchr_iter};
use serde::{Deserialize, Serialize};
use spans::Spans;
use std::ops::Range;

const AUTHENTICATION_RESULTS: &str = "Authentication-Results";

/// The names after the prefix of the fields that only this receiver writes.
const VERDICT_FIELDS: [&str; 4] = ["SPF-Verdict", "DKIM-Verdict", "DMARC-Verdict", "DMARC-Policy"];

/// A part of the incoming header section that the annotated message does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// The position among the incoming header fields, from 0 at the top.
    /// A line that is in no field has the position of the next field below it.
    pub index: usize,
    /// The name of the field that the part was, or could be taken for.
    /// It is empty for [`RemovalReason::LeadingContinuation`].
    pub name: String,
    /// The reason of the removal.
    pub reason: RemovalReason,
    /// The position in the message.
    #[serde(skip)]
    span: Range<usize>,
}

/// The reason why a part of the header section was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemovalReason {
    /// An Authentication-Results field claims to be this receiver's own.
    OwnAuthservId,
    /// The field is Received-SPF.
    ReceivedSpf,
    /// The field is Return-Path.
    ReturnPath,
    /// The field has a name under which this receiver publishes verdicts.
    VerdictField,
    /// Other software may see one of these fields in a broken line or field.
    HiddenField,
    /// A line in no field begins with white space, control characters aside.
    /// It could continue a field of this receiver.
    LeadingContinuation,
}

/// The largest number of removed parts that are described one by one.
const MAX_LISTED: usize = 100;

/// The parts that the annotated message leaves out, from the top.
///
/// Only the first hundred parts are described. Of the others it keeps the positions, in a few bytes
/// each, because a sender may send millions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Removal {
    listed: Vec<Removed>,
    count: usize,
    others: Spans,
}

impl Removal {
    /// Returns the first hundred parts.
    pub fn iter(&self) -> std::slice::Iter<'_, Removed> {
        self.listed.iter()
    }

    /// Returns the number of all parts.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether nothing is removed.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn spans(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.listed.iter().map(|part| part.span.clone()).chain(self.others.iter())
    }

    fn add(&mut self, index: usize, name: &[u8], reason: RemovalReason, span: Range<usize>) {
        self.count += 1;
        if self.listed.len() < MAX_LISTED {
            self.listed.push(Removed { index, name: String::from_utf8_lossy(name).into_owned(), reason, span });
        } else {
            self.others.push(&span);
        }
    }
}

impl<'r> IntoIterator for &'r Removal {
    type Item = &'r Removed;
    type IntoIter = std::slice::Iter<'r, Removed>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Returns the fields of an incoming message that only this receiver may write, from the top.
///
/// `own_ids` are this receiver's authserv-ids, and `prefix` is that of the verdict fields.
/// It walks over the header section once, however many fields there are.
pub fn forged<I: AsRef<str>>(section: &HeaderSection<'_>, own_ids: &[I], prefix: &str) -> Removal {
    let names = Names { own_ids, prefix };
    let mut removal = Removal::default();
    if section.has(Defect::Malformed) || section.has(Defect::MalformedFrom) {
        let mut name = Vec::new();
        for part in section.parts() {
            if let Some(reason) = names.of_part(section.message(), &part, &mut name) {
                removal.add(part.index, &name, reason, part.span);
            }
        }
    } else {
        for (index, field) in section.all_fields().enumerate() {
            if let Some(reason) = names.reason(field.name(), field.value()) {
                removal.add(index, field.name(), reason, section.span(&field));
            }
        }
    }
    removal
}

/// Returns the message with `new_fields` on top and without `removal`.
///
/// `new_fields` are complete header lines with CRLF. All other bytes stay as they are.
pub fn annotated(section: &HeaderSection<'_>, new_fields: &[u8], removal: &Removal) -> Vec<u8> {
    let message = section.message();
    let mut copy = Vec::with_capacity(new_fields.len() + message.len());
    copy.extend_from_slice(new_fields);
    let mut at = 0;
    for span in removal.spans() {
        copy.extend_from_slice(message.get(at..span.start).unwrap_or_default());
        at = span.end;
    }
    copy.extend_from_slice(message.get(at..).unwrap_or_default());
    copy
}

struct Names<'a, I> {
    own_ids: &'a [I],
    prefix: &'a str,
}

impl<I: AsRef<str>> Names<'_, I> {
    fn reason(&self, name: &[u8], value: &[u8]) -> Option<RemovalReason> {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        if is(AUTHENTICATION_RESULTS) {
            claims(value, self.own_ids).then_some(RemovalReason::OwnAuthservId)
        } else if is("Received-SPF") {
            Some(RemovalReason::ReceivedSpf)
        } else if is("Return-Path") {
            Some(RemovalReason::ReturnPath)
        } else {
            let (prefix, rest) = name.split_at_checked(self.prefix.len())?;
            let ours = prefix.eq_ignore_ascii_case(self.prefix.as_bytes())
                && VERDICT_FIELDS.iter().any(|verdict| rest.eq_ignore_ascii_case(verdict.as_bytes()));
            ours.then_some(RemovalReason::VerdictField)
        }
    }

    /// Returns the reason why a part of a broken section is removed, or `None` if it is kept.
    ///
    /// `name` becomes the name of the field that the part is or could be taken for.
    /// Software that ends lines at CR or LF, or that skips control characters, sees fields in
    /// broken parts.
    fn of_part(&self, message: &[u8], part: &Part, name: &mut Vec<u8>) -> Option<RemovalReason> {
        name.clear();
        let text = message.get(part.span.clone()).unwrap_or_default();
        let Some(field) = &part.field else {
            if begins_with_white_space(text) {
                return Some(RemovalReason::LeadingContinuation);
            }
            return self.hides(text, name).then_some(RemovalReason::HiddenField);
        };
        if let Some(reason) = self.reason(field.name(), field.value()) {
            name.extend_from_slice(field.name());
            return Some(reason);
        }
        (part.stray && self.hides(text, name)).then_some(RemovalReason::HiddenField)
    }

    /// Returns whether `text` hides a field that only this receiver writes; the first gives `name`.
    ///
    /// It hides one if the field is there when any CR or LF ends a line, or when control characters
    /// are skipped.
    fn hides(&self, text: &[u8], name: &mut Vec<u8>) -> bool {
        let longest = self.prefix.len() + AUTHENTICATION_RESULTS.len();
        fields_by_line_ends(text).chain(fields_by_line_feeds(text)).any(|field| {
            let Some((before, value)) = memchr(b':', field).and_then(|colon| field.split_at_checked(colon)) else { return false };
            name.clear();
            name.extend(before.iter().copied().filter(u8::is_ascii_graphic).take(longest + 1));
            name.len() <= longest && self.reason(name, value.get(1..).unwrap_or_default()).is_some()
        })
    }
}

/// Cuts `text` before each line that does not begin with white space; any CR or LF ends a line.
fn fields_by_line_ends(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.chunk_by(|before, byte| !matches!(before, b'\r' | b'\n') || matches!(byte, b'\r' | b'\n' | b' ' | b'\t'))
}

/// Cuts `text` likewise, where only LF ends a line and other control characters are skipped.
fn fields_by_line_feeds(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let begins_field = |end: &usize| {
        let visible = text.iter().skip(*end).find(|byte| matches!(byte, b'\n' | b'\t') || !byte.is_ascii_control());
        visible.is_some_and(|byte| !matches!(byte, b'\n' | b'\t' | b' '))
    };
    let mut start = 0;
    let starts = memchr_iter(b'\n', text).map(|end| end + 1).filter(begins_field).chain(std::iter::once(text.len()));
    starts.map(move |end| text.get(std::mem::replace(&mut start, end)..end).unwrap_or_default())
}

/// Returns whether the first character that no software skips is white space other than a line end.
fn begins_with_white_space(text: &[u8]) -> bool {
    let is_blank = |character: char| character == '\t' || (character.is_whitespace() && !character.is_control());
    text.chars().find(|character| is_blank(*character) || !is_passed_over(*character)).is_some_and(is_blank)
}

#[cfg(test)]
mod tests;
