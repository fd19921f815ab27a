//! Authentication-Results (RFC 8601): whose they are, as far as removing forged ones needs (D-9), and a strict reader.

mod grammar;
mod passes;

use crate::dns::Domain;
use memchr::memmem;

pub use grammar::{AuthResults, InvalidAuthResults, MethodResult, Property, parse};
pub use passes::{Passed, passes};

/// Who wrote an Authentication-Results field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthservId {
    /// The authserv-id in lower case, without comments and quotes.
    Known(String),
    /// None can be read: the field does not begin as RFC 8601 2.2 has it.
    Unreadable,
}

/// The authserv-id of a field's value. Linear over any input; only the part up to the first semicolon is read.
pub fn authserv_id(value: &[u8]) -> AuthservId {
    read_authserv_id(value).map_or(AuthservId::Unreadable, |id| AuthservId::Known(id.to_lowercase()))
}

/// Whether a field claims to be written by one of `own_ids` (D-9): it names one, or names none that can be read but holds one.
/// Case, comments, quotes and version do not matter, and A-labels equal their U-labels. Software that passes over control characters
/// must not see one of them either.
pub fn claims(value: &[u8], own_ids: &[impl AsRef<str>]) -> bool {
    names_or_holds(value, own_ids) || (!has_only_folds(value) && names_or_holds(&visible(value), own_ids))
}

/// Whether every control character is a tab or in a CRLF before white space or at the end.
fn has_only_folds(value: &[u8]) -> bool {
    value.iter().zip(0..).all(|(byte, at)| match byte {
        b'\r' => matches!(value.get(at + 1..), Some([b'\n'] | [b'\n', b' ' | b'\t', ..])),
        b'\n' => at > 0 && value.get(at - 1) == Some(&b'\r'),
        byte => *byte == b'\t' || !byte.is_ascii_control(),
    })
}

fn visible(value: &[u8]) -> Vec<u8> {
    value.iter().copied().filter(|byte| *byte == b'\t' || !byte.is_ascii_control()).collect()
}

fn names_or_holds(value: &[u8], own_ids: &[impl AsRef<str>]) -> bool {
    match authserv_id(value) {
        AuthservId::Known(id) => own_ids.iter().any(|own| is_same_id(&id, own.as_ref())),
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

/// Whether one of `own_ids` stands anywhere in `value`, as A-labels or U-labels, whatever comments, quotes and white space are in it.
fn holds(value: &[u8], own_ids: &[impl AsRef<str>]) -> bool {
    let raw = String::from_utf8_lossy(value).to_lowercase();
    let bare: String = without_comments(&raw)
        .chars()
        .filter(|character| !matches!(character, '"' | '\\' | ' ') && !character.is_ascii_control())
        .collect();
    own_ids.iter().map(AsRef::as_ref).filter(|own| !own.is_empty()).any(|own| {
        let own = own.to_lowercase();
        let a_label = Domain::parse(&own).map(|domain| domain.to_string()).unwrap_or_default();
        let u_label = idna::domain_to_unicode(&own).0;
        [own, a_label, u_label]
            .iter()
            .filter(|form| !form.is_empty())
            .any(|form| [&raw, &bare].iter().any(|text| memmem::find(text.as_bytes(), form.as_bytes()).is_some()))
    })
}

/// What stands outside parentheses; an unclosed one hides the rest.
fn without_comments(text: &str) -> String {
    let (mut depth, mut escaped) = (0_usize, false);
    text.chars()
        .filter(|character| {
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
        .collect()
}

/// `[CFWS] value [CFWS 1*DIGIT] [CFWS]` up to a semicolon or the end.
fn read_authserv_id(value: &[u8]) -> Option<String> {
    let mut cursor = grammar::Cursor::new(value);
    cursor.cfws().ok()?;
    let id = cursor.value_or_utf8().ok()?;
    let spaced = cursor.cfws().ok()?;
    if spaced && cursor.digits().is_some() {
        cursor.cfws().ok()?;
    }
    matches!(cursor.peek(), None | Some(b';')).then_some(id)
}

#[cfg(test)]
mod tests;
