//! Reads Authentication-Results (RFC 8601): the writer of a field, as far as the removal of forged
//! fields needs it (D-9), and whole values strictly.

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

/// The writer of an Authentication-Results field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthservId {
    /// The authserv-id in lower case, without comments and quotes.
    Known(String),
    /// No authserv-id can be read.
    /// The field does not begin as RFC 8601 2.2 requires, or its id is longer than any real one.
    Unreadable,
}

/// The longest authserv-id that is read, in octets.
const MAX_ID: usize = 4096;

/// The longest value that is read as its readers may see it, in octets.
///
/// In a longer value, this receiver's id must not occur at all.
const MAX_SEEN: usize = 16 << 10;

/// Returns the authserv-id of a field's value.
///
/// It takes linear time on any input, and reads only the part up to the first semicolon.
pub fn authserv_id(value: &[u8]) -> AuthservId {
    read_authserv_id(value).map_or(AuthservId::Unreadable, |id| AuthservId::Known(id.to_lowercase()))
}

/// Returns whether a field claims to be written by one of `own_ids` (D-9).
///
/// It does if it names one of them, or if it names no readable id but holds one of them.
/// Case, comments, quotes and version do not matter, and A-labels equal their U-labels.
/// It does too if some software would see one of them there: software that skips characters, takes
/// white space of other scripts for white space, or decodes encoded words.
pub fn claims(value: &[u8], own_ids: &[impl AsRef<str>]) -> bool {
    names_or_holds(value, own_ids) || (!is_seen_as_written(value) && is_seen_to_claim(value, own_ids))
}

/// Returns whether everybody reads the value as it is written.
///
/// Such a value is ASCII without an encoded word. Each control character in it is a tab, or belongs
/// to a CRLF before white space or at the end.
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

/// Returns `text` with `other` in place of each character that readers may skip.
///
/// Space and tab stay, because the grammar knows them.
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

/// Returns whether one of `own_ids` occurs anywhere in `value`, as A-labels or U-labels.
///
/// Comments, quotes, white space, and characters that readers skip may interrupt it.
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

/// Returns whether one of `forms` occurs in the text.
///
/// Only a few kibibytes of the text are held at a time.
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

/// Returns the characters outside parentheses. An unclosed parenthesis hides the rest.
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

/// Reads `[CFWS] value [CFWS 1*DIGIT] [CFWS]` up to a semicolon or the end.
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
