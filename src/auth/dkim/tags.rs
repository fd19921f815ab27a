//! Tag lists (RFC 6376 3.2), read strictly: of signatures, of keys and of ARC's fields.

use super::body::is_wsp;
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
    /// Where the value stands in the text, with the white space around it.
    span: Range<usize>,
}

impl<'a> TagList<'a> {
    /// Reads `text`, a field's value without its final CRLF, or a DNS record.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        if !has_only_valid_octets(text) {
            return None;
        }
        let mut tags = Vec::with_capacity(12);
        let mut start = 0;
        let ends = memchr::memchr_iter(b';', text).chain(std::iter::once(text.len()));
        for end in ends {
            let spec = text.get(start..end)?;
            if trim_fws(spec).is_empty() {
                // Only the last semicolon may have nothing behind it.
                if end < text.len() || tags.is_empty() {
                    return None;
                }
                break;
            }
            let equals = memchr::memchr(b'=', spec)?;
            let name = trim_fws(spec.get(..equals)?);
            if !is_tag_name(name) {
                return None;
            }
            let span = start + equals + 1..end;
            tags.push(Tag { name, value: trim_fws(text.get(span.clone())?), span });
            start = end + 1;
        }
        (!has_doubles(&tags)).then_some(Self { tags })
    }

    /// The value of a tag, without white space around it. Names are case-sensitive.
    pub(crate) fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.tag(name).map(|tag| tag.value)
    }

    /// Where the value of a tag stands in the text, with the white space around it.
    pub(crate) fn span(&self, name: &str) -> Option<Range<usize>> {
        self.tag(name).map(|tag| tag.span.clone())
    }

    /// The name of the first tag.
    pub(crate) fn first_name(&self) -> Option<&'a [u8]> {
        self.tags.first().map(|tag| tag.name)
    }

    /// The number in a tag: none when it is absent, an error when it is not made of digits. What is too large is the largest number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, InvalidNumber> {
        self.get(name).map(number).transpose()
    }

    fn tag(&self, name: &str) -> Option<&Tag<'a>> {
        self.tags.iter().find(|tag| tag.name == name.as_bytes())
    }
}

/// A tag that should hold a decimal number holds something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidNumber;

pub(crate) fn number(digits: &[u8]) -> Result<u64, InvalidNumber> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(InvalidNumber);
    }
    Ok(digits.iter().fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

/// Values hold visible octets and folding white space; octets above 127 come with RFC 8616.
fn has_only_valid_octets(text: &[u8]) -> bool {
    if text.iter().all(|&octet| octet >= b' ' && octet != 0x7f) {
        return true;
    }
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return true,
            [b'\r', b'\n', next, ..] if is_wsp(*next) => rest.get(3..).unwrap_or_default(),
            [octet, tail @ ..] if is_wsp(*octet) || (*octet > b' ' && *octet != 0x7f) => tail,
            _ => return false,
        };
    }
}

fn is_tag_name(name: &[u8]) -> bool {
    name.first().is_some_and(u8::is_ascii_alphabetic) && name.iter().all(|&octet| octet.is_ascii_alphanumeric() || octet == b'_')
}

fn has_doubles(tags: &[Tag]) -> bool {
    const FEW: usize = 24;
    if tags.len() <= FEW {
        return tags.iter().enumerate().any(|(at, tag)| tags.iter().skip(at + 1).any(|other| other.name == tag.name));
    }
    let mut names: Vec<_> = tags.iter().map(|tag| tag.name).collect();
    names.sort_unstable();
    names.iter().zip(names.iter().skip(1)).any(|(a, b)| a == b)
}

fn is_fws(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// Without the folding white space around it.
pub(crate) fn trim_fws(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_fws(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_fws(*last)
    {
        text = rest;
    }
    text
}

/// Without any folding white space.
pub(crate) fn without_fws(text: &[u8]) -> Cow<'_, [u8]> {
    if text.iter().any(|&octet| is_fws(octet)) {
        Cow::Owned(text.iter().copied().filter(|&octet| !is_fws(octet)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The elements of a colon-separated list, without the white space around them.
pub(crate) fn elements(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&octet| octet == b':').map(trim_fws)
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// Decodes base64 with white space in it, as `base64string` of RFC 6376 3.5 permits: with padding or without. Never empty.
pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(without_fws(text)).ok().filter(|octets| !octets.is_empty())
}
