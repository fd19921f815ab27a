//! Reads tag lists strictly (RFC 6376 3.2): those of signatures, of keys and of ARC's fields.

use crate::detail::quoted;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::borrow::Cow;
use std::ops::Range;

/// A tag list without syntax errors and without doubled tags (F-42).
#[derive(Debug, Clone)]
pub(crate) struct TagList<'a> {
    tags: Vec<Tag<'a>>,
}

#[derive(Debug, Clone)]
struct Tag<'a> {
    name: &'a [u8],
    value: &'a [u8],
    /// The position of the value in the text, with the white space around it.
    span: Range<usize>,
}

/// The reason why a text is no tag list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TagListError {
    /// The text has an octet that no value may hold.
    #[error("octet {octet:#04x} at position {at} may not stand in a tag list")]
    Octet {
        /// The octet.
        octet: u8,
        /// The position of the octet, from 0.
        at: usize,
    },
    /// A semicolon follows another one, or is at the beginning.
    #[error("nothing stands before the semicolon at position {at}")]
    Empty {
        /// The position of the semicolon, from 0.
        at: usize,
    },
    /// A part has no `=`, or something other than a name before it.
    #[error("{part} is not a tag with its value")]
    NotATag {
        /// The part, quoted.
        part: String,
    },
    /// A tag occurs twice (F-42).
    #[error("the tag {name} stands twice")]
    Doubled {
        /// The name of the tag, quoted.
        name: String,
    },
}

impl<'a> TagList<'a> {
    /// Reads `text`, which is a field's value without its final CRLF, or a DNS record.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, TagListError> {
        if let Some(at) = invalid_octet(text) {
            return Err(TagListError::Octet { octet: text.get(at).copied().unwrap_or_default(), at });
        }
        let mut tags = Vec::with_capacity(12);
        let mut start = 0;
        let ends = memchr::memchr_iter(b';', text).chain(std::iter::once(text.len()));
        for end in ends {
            let spec = text.get(start..end).unwrap_or_default();
            if trim_fws(spec).is_empty() {
                // Only the last semicolon may have nothing behind it.
                if end < text.len() || tags.is_empty() {
                    return Err(TagListError::Empty { at: end });
                }
                break;
            }
            let not_a_tag = || TagListError::NotATag { part: quoted(trim_fws(spec)) };
            let equals = memchr::memchr(b'=', spec).ok_or_else(not_a_tag)?;
            let (name, value) = spec.split_at(equals);
            let name = trim_fws(name);
            if !is_tag_name(name) {
                return Err(not_a_tag());
            }
            tags.push(Tag { name, value: trim_fws(value.get(1..).unwrap_or_default()), span: start + equals + 1..end });
            start = end + 1;
        }
        match doubled(&tags) {
            Some(name) => Err(TagListError::Doubled { name: quoted(name) }),
            None => Ok(Self { tags }),
        }
    }

    /// Returns the value of a tag without white space around it. Names are case-sensitive.
    pub(crate) fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.tag(name).map(|tag| tag.value)
    }

    /// Returns the position of a tag's value in the text, with the white space around it.
    pub(crate) fn span(&self, name: &str) -> Option<Range<usize>> {
        self.tag(name).map(|tag| tag.span.clone())
    }

    /// Returns the name of the first tag.
    pub(crate) fn first_name(&self) -> Option<&'a [u8]> {
        self.tags.first().map(|tag| tag.name)
    }

    /// Returns the number in a tag, or `None` if the tag is absent.
    ///
    /// Returns an error if the value is not made of digits.
    /// A number that is too large becomes the largest one.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, InvalidNumber> {
        self.get(name).map(number).transpose()
    }

    fn tag(&self, name: &str) -> Option<&Tag<'a>> {
        self.tags.iter().find(|tag| tag.name == name.as_bytes())
    }
}

/// The error for a tag that should hold a decimal number and holds something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidNumber;

pub(crate) fn number(digits: &[u8]) -> Result<u64, InvalidNumber> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(InvalidNumber);
    }
    Ok(digits.iter().fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

/// Returns the position of the first octet that no value may hold.
///
/// Values hold visible octets, folding white space, and by RFC 8616 octets above 127.
fn invalid_octet(text: &[u8]) -> Option<usize> {
    // Counting without an early exit takes only a few instructions for many octets.
    let bad = |octet: u8| usize::from((octet < b' ' && octet != b'\t') || octet == 0x7f);
    let is_valid = |run: &[u8]| run.iter().map(|&octet| bad(octet)).sum::<usize>() == 0;
    let mut rest = text;
    loop {
        let (run, fold) = rest.split_at(memchr::memchr(b'\r', rest).unwrap_or(rest.len()));
        let start = text.len() - rest.len();
        if !is_valid(run) {
            return run.iter().position(|&octet| bad(octet) > 0).map(|at| start + at);
        }
        match fold {
            [] => return None,
            [b'\r', b'\n', b' ' | b'\t', after @ ..] => rest = after,
            _ => return Some(start + run.len()),
        }
    }
}

fn is_tag_name(name: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_alphabetic) && name.iter().all(|&octet| octet.is_ascii_alphanumeric() || octet == b'_')
}

/// Returns a name that two tags have.
fn doubled<'a>(tags: &[Tag<'a>]) -> Option<&'a [u8]> {
    const FEW: usize = 24;
    if tags.len() <= FEW {
        let mut all = tags.iter().enumerate();
        return all.find(|(at, tag)| tags.iter().skip(at + 1).any(|other| other.name == tag.name)).map(|(_, tag)| tag.name);
    }
    let mut names: Vec<_> = tags.iter().map(|tag| tag.name).collect();
    names.sort_unstable();
    names.iter().zip(names.iter().skip(1)).find(|(a, b)| a == b).map(|(name, _)| *name)
}

fn is_fws(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// Returns `text` without the folding white space around it.
pub(crate) fn trim_fws(text: &[u8]) -> &[u8] {
    let mut text = trim_fws_start(text);
    while let [rest @ .., last] = text
        && is_fws(*last)
    {
        text = rest;
    }
    text
}

fn trim_fws_start(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_fws(*first)
    {
        text = rest;
    }
    text
}

/// Returns `text` without the folding white space in it.
///
/// A value of a tag list holds CR and LF only in folds.
pub(crate) fn without_fws(text: &[u8]) -> Cow<'_, [u8]> {
    let next = |text: &[u8]| memchr::memchr3(b' ', b'\t', b'\r', text);
    let Some(mut end) = next(text) else { return Cow::Borrowed(text) };
    let (mut kept, mut rest) = (Vec::with_capacity(text.len()), text);
    loop {
        let (run, after) = rest.split_at(end);
        kept.extend_from_slice(run);
        rest = trim_fws_start(after);
        match next(rest) {
            Some(at) => end = at,
            None => break,
        }
    }
    kept.extend_from_slice(rest);
    Cow::Owned(kept)
}

/// Returns the elements of a colon-separated list, without the white space around them.
pub(crate) fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&octet| octet == b':').map(trim_fws)
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// Decodes base64 with or without padding, and with white space in it.
///
/// `base64string` of RFC 6376 3.5 permits that. Returns `None` if the text is invalid or empty.
pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(without_fws(text)).ok().filter(|octets| !octets.is_empty())
}
