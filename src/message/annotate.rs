//! The message with our fields on top and forged ones removed (D-9, F-29). A copy: the raw message stays as it is.

use super::results::claims;
use super::section::HeaderSection;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Header fields with our prefix that only we write.
const VERDICT_FIELDS: [&str; 4] = ["SPF-Verdict", "DKIM-Verdict", "DMARC-Verdict", "DMARC-Policy"];

/// A part of the incoming header section that the annotated message does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// Position among the incoming header fields, from 0 at the top; for a line that is in no field, of the next field below it.
    pub index: usize,
    /// Name of the field that it was, or could be taken for; empty for [`RemovalReason::LeadingContinuation`].
    pub name: String,
    /// Why.
    pub reason: RemovalReason,
    /// Where it stands in the message.
    #[serde(skip)]
    span: Range<usize>,
}

/// Why a header field was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemovalReason {
    /// An Authentication-Results field that claims to be ours.
    OwnAuthservId,
    /// Received-SPF.
    ReceivedSpf,
    /// Return-Path.
    ReturnPath,
    /// A field of a name under which we publish verdicts.
    VerdictField,
    /// A broken line or field in which other software may see one of these fields.
    HiddenField,
    /// A line that begins with white space, control characters aside, and is in no field: it could continue one of ours.
    LeadingContinuation,
}

/// The fields of an incoming message that only this receiver may write, from the top. `prefix` is that of the verdict fields.
///
/// One walk over the header section, whatever its number of fields.
pub fn forged<I: AsRef<str>>(section: &HeaderSection<'_>, own_ids: &[I], prefix: &str) -> Vec<Removed> {
    let names = Names { own_ids, prefix };
    let mut removed: Vec<Removed> = section
        .fields()
        .iter()
        .enumerate()
        .filter_map(|(index, field)| {
            let reason = names.reason(field.name(), field.value())?;
            Some(Removed { index, name: lossy(field.name()), reason, span: section.span(index) })
        })
        .collect();
    let hidden = names.hidden(section, &removed);
    if !hidden.is_empty() {
        removed.extend(hidden);
        removed.sort_by_key(|part| part.span.start);
    }
    removed
}

/// The message with `new_fields`, complete header lines with CRLF, on top and without `removed`; all else byte for byte.
pub fn annotated(section: &HeaderSection<'_>, new_fields: &[u8], removed: &[Removed]) -> Vec<u8> {
    let message = section.message();
    let mut copy = Vec::with_capacity(new_fields.len() + message.len());
    copy.extend_from_slice(new_fields);
    let mut at = 0;
    for part in removed {
        copy.extend_from_slice(message.get(at..part.span.start).unwrap_or_default());
        at = part.span.end;
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
        if is("Authentication-Results") {
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

    /// What stands in broken parts: software that ends lines at CR or LF, or passes over control characters, sees fields there.
    fn hidden(&self, section: &HeaderSection<'_>, removed: &[Removed]) -> Vec<Removed> {
        let message = section.message();
        let mut hidden = Vec::new();
        for broken in section.broken() {
            if broken.is_field && removed.binary_search_by_key(&broken.index, |part| part.index).is_ok() {
                continue;
            }
            let text = message.get(broken.span.clone()).unwrap_or_default();
            let found = if !broken.is_field && is_continuation(text) {
                Some((String::new(), RemovalReason::LeadingContinuation))
            } else {
                self.hidden_name(text).map(|name| (name, RemovalReason::HiddenField))
            };
            hidden.extend(found.map(|(name, reason)| Removed { index: broken.index, name, reason, span: broken.span.clone() }));
        }
        hidden
    }

    /// The first name of ours that `text` holds when any CR or LF ends a line, or when control characters are not there.
    fn hidden_name(&self, text: &[u8]) -> Option<String> {
        self.lax_name(text).or_else(|| self.lax_name(&visible_lines(text)))
    }

    fn lax_name(&self, text: &[u8]) -> Option<String> {
        lax_fields(text).find_map(|field| {
            let colon = memchr::memchr(b':', field)?;
            let (name, value) = field.split_at_checked(colon)?;
            let name: Vec<u8> = name.iter().copied().filter(u8::is_ascii_graphic).collect();
            self.reason(&name, value.get(1..)?).map(|_| lossy(&name))
        })
    }
}

/// `text` cut before each line that does not begin with white space, where any CR or LF ends a line.
fn lax_fields(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.chunk_by(|before, byte| !matches!(before, b'\r' | b'\n') || matches!(byte, b'\r' | b'\n' | b' ' | b'\t'))
}

/// `text` without control characters other than LF and tab.
fn visible_lines(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| matches!(byte, b'\n' | b'\t') || !byte.is_ascii_control()).collect()
}

fn is_continuation(text: &[u8]) -> bool {
    let visible = text.iter().find(|byte| **byte == b'\t' || !byte.is_ascii_control());
    matches!(visible, Some(b' ' | b'\t'))
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests;
