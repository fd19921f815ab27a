//! Authentication-Results (RFC 8601): whose they are, as far as removing forged ones needs (D-9), and a strict reader.

mod grammar;
mod passes;

use super::invisible::is_passed_over;
use super::summary::decode;
use crate::dns::Domain;
use bstr::ByteSlice as _;
use memchr::memmem;
use std::borrow::Cow;

pub use grammar::{AuthResults, InvalidAuthResults, MethodResult, Property, parse};
pub use passes::{Passed, passes};

/// Who wrote an Authentication-Results field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthservId {
    /// The authserv-id in lower case, without comments and quotes.
    Known(String),
    /// None can be read: the field does not begin as RFC 8601 2.2 has it, or with one longer than any.
    Unreadable,
}

/// Longest authserv-id that is read, in octets.
const MAX_ID: usize = 4096;

/// Longest value that is read as its readers may see it, in octets. In a longer one our id may stand nowhere.
const MAX_SEEN: usize = 16 << 10;

/// The authserv-id of a field's value. Linear over any input; only the part up to the first semicolon is read.
pub fn authserv_id(value: &[u8]) -> AuthservId {
    read_authserv_id(value).map_or(AuthservId::Unreadable, |id| AuthservId::Known(id.to_lowercase()))
}

/// Whether a field claims to be written by one of `own_ids` (D-9): it names one, or names none that can be read but holds one.
/// Case, comments, quotes and version do not matter, and A-labels equal their U-labels. Software that passes over characters, takes
/// white space of other scripts for white space, or decodes encoded words must not see one of them either.
pub fn claims(value: &[u8], own_ids: &[impl AsRef<str>]) -> bool {
    names_or_holds(value, own_ids) || (!is_seen_as_written(value) && is_seen_to_claim(value, own_ids))
}

/// Whether everybody reads the value as it is written: ASCII, where every control character is a tab or in a CRLF before white space or
/// at the end, and no encoded word.
fn is_seen_as_written(value: &[u8]) -> bool {
    let is_plain = |(byte, at): (&u8, usize)| match byte {
        b'\r' => matches!(value.get(at + 1..), Some([b'\n'] | [b'\n', b' ' | b'\t', ..])),
        b'\n' => at > 0 && value.get(at - 1) == Some(&b'\r'),
        byte => matches!(byte, b'\t' | b' '..=b'~'),
    };
    value.iter().zip(0..).all(is_plain) && !has_encoded_word(value)
}

fn is_seen_to_claim(value: &[u8], own_ids: &[impl AsRef<str>]) -> bool {
    if value.len() > MAX_SEEN {
        return has_encoded_word(value) || holds(value, own_ids);
    }
    let claims = |text: &str| {
        [None, Some(' ')].into_iter().any(|other| names_or_holds(with_passed_over_as(other, text).as_bytes(), own_ids))
    };
    claims(&value.to_str_lossy()) || (has_encoded_word(value) && claims(&decode(value)))
}

/// `text` with each character that readers may pass over made `other`; space and tab, which the grammar knows, stay.
fn with_passed_over_as(other: Option<char>, text: &str) -> String {
    let seen = |character| if is_in_the_way(character) { other } else { Some(character) };
    text.chars().filter_map(seen).collect()
}

fn is_in_the_way(character: char) -> bool {
    !matches!(character, ' ' | '\t') && is_passed_over(character)
}

fn has_encoded_word(value: &[u8]) -> bool {
    memmem::find(value, b"=?").is_some()
}

fn names_or_holds(value: &[u8], own_ids: &[impl AsRef<str>]) -> bool {
    match authserv_id(value) {
        AuthservId::Known(id) => {
            let trimmed = id.trim_matches(is_passed_over);
            own_ids.iter().map(AsRef::as_ref).any(|own| is_same_id(&id, own) || (trimmed != id && is_same_id(trimmed, own)))
        }
        AuthservId::Unreadable => holds(value, own_ids),
    }
}

fn is_same_id(id: &str, own: &str) -> bool {
    if id.eq_ignore_ascii_case(own) {
        return true;
    }
    let plain = |text: &str| text.is_ascii() && !text.ends_with('.');
    if plain(id) && plain(own) {
        return false;
    }
    id == own.to_lowercase() || Domain::parse(id).is_ok_and(|id| Domain::parse(own).is_ok_and(|own| id == own))
}

/// Whether one of `own_ids` stands anywhere in `value`, as A-labels or U-labels, whatever comments, quotes, white space and characters
/// that are passed over are in it.
fn holds(value: &[u8], own_ids: &[impl AsRef<str>]) -> bool {
    let forms: Vec<String> = own_ids
        .iter()
        .map(|own| lower_case(own.as_ref().chars()).collect::<String>())
        .flat_map(|own| {
            let a_label = Domain::parse(&own).map(|domain| domain.to_string()).unwrap_or_default();
            let u_label = idna::domain_to_unicode(&own).0;
            [own, a_label, u_label]
        })
        .filter(|form| !form.is_empty())
        .collect();
    let bare =
        outside_comments(value.chars()).filter(|character| !matches!(character, '"' | '\\') && !is_passed_over(*character));
    contains_any(lower_case(value.chars()), &forms) || contains_any(lower_case(bare), &forms)
}

fn lower_case(characters: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    characters.flat_map(char::to_lowercase)
}

/// Whether one of `forms` stands in the text. Of the text only a few kibibytes are there at a time.
fn contains_any(text: impl Iterator<Item = char>, forms: &[String]) -> bool {
    const AT_A_TIME: usize = 4096;
    let longest = forms.iter().map(String::len).max().unwrap_or_default();
    let has_one = |window: &str| forms.iter().any(|form| memmem::find(window.as_bytes(), form.as_bytes()).is_some());
    let mut window = String::new();
    for character in text {
        window.push(character);
        if window.len() >= longest + AT_A_TIME {
            if has_one(&window) {
                return true;
            }
            window.drain(..window.floor_char_boundary(window.len() - longest));
        }
    }
    has_one(&window)
}

/// What stands outside parentheses; an unclosed one hides the rest.
fn outside_comments(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let (mut depth, mut escaped) = (0_usize, false);
    text.filter(move |character| {
        let is_escaped = escaped;
        escaped = *character == '\\' && !is_escaped;
        match character {
            '(' if !is_escaped => depth += 1,
            ')' if !is_escaped && depth > 0 => {
                depth -= 1;
                return false;
            }
            _ => {}
        }
        depth == 0
    })
}

/// `[CFWS] value [CFWS 1*DIGIT] [CFWS]` up to a semicolon or the end.
fn read_authserv_id(value: &[u8]) -> Option<Cow<'_, str>> {
    let mut cursor = grammar::Cursor::new(value);
    cursor.cfws().ok()?;
    let id = cursor.authserv_id(MAX_ID).ok()?;
    let spaced = cursor.cfws().ok()?;
    if spaced && cursor.digits().is_some() {
        cursor.cfws().ok()?;
    }
    matches!(cursor.peek(), None | Some(b';')).then_some(id)
}

#[cfg(test)]
mod tests;
