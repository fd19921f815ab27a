//! Decodes encoded words (RFC 2047) in such a way that the result reads as it was meant.

use super::super::from::{Kind, Tokens};
use bstr::ByteSlice as _;
use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;
use memchr::memmem;
use std::borrow::Cow;
use std::ops::Range;

/// Decodes text for people.
pub(in crate::message) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let text = bytes.to_str_lossy();
    if memmem::find(bytes, b"=?").is_none() {
        return text;
    }
    // The parser reads a field up to a line end that no white space follows.
    let in_line = text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte });
    let mut line = Vec::with_capacity(text.len() + 1);
    line.extend(in_line.chain(std::iter::once(b'\n')));
    match MessageStream::new(&line).parse_unstructured() {
        HeaderValue::Text(decoded) => Cow::Owned(decoded.into_owned()),
        _ => text,
    }
}

/// Decodes an element of an address list where encoded words may occur.
///
/// They may occur in names, quoted or not, and in comments.
/// The decoded text is written so that it can be nothing else: a name with special characters
/// becomes a quoted-string, and in comments and quoted-strings these characters are escaped.
/// The address itself stays as it is, in brackets or not.
/// So does an element with a quote, parenthesis or bracket that is unmatched, because nobody knows
/// what is quoted in it.
pub(super) fn address(element: &[u8]) -> Cow<'_, str> {
    let text = element.to_str_lossy();
    if memmem::find(element, b"=?").is_none() {
        return text;
    }
    let tokens = Tokens::of(element);
    if tokens.has_stray() {
        return text;
    }
    let in_brackets = tokens.all().any(|token| token.kind == Kind::Angle && tokens.bytes(&token).contains(&b'@'));
    let mut written = String::with_capacity(element.len());
    for token in tokens.all() {
        let part = tokens.bytes(&token);
        match (encoded(part), token.kind) {
            (Some(words), Kind::Text) if in_brackets || !part.contains(&b'@') => {
                write(&mut written, part, words, |words, out| write_phrase(out, &decode(words)));
            }
            (Some(words), Kind::Quoted) => write(&mut written, part, words, |words, out| {
                write_escaped(out, &decode(&without_escapes(words)), &['"', '\\']);
            }),
            (Some(words), Kind::Comment) => write(&mut written, part, words, |words, out| {
                write_escaped(out, &decode(&without_escapes(words)), &['(', ')', '\\']);
            }),
            _ => written.push_str(&part.to_str_lossy()),
        }
    }
    Cow::Owned(written)
}

/// Returns the range from the beginning of the first encoded word to the end of the last one.
///
/// It covers the whole words that contain them. Words end at white space, at the delimiters of
/// quoted-strings and comments, and at the colon after a group's name.
/// A backslash belongs to the character that it escapes.
fn encoded(text: &[u8]) -> Option<Range<usize>> {
    let (begin, end) = (memmem::find(text, b"=?")?, memmem::rfind(text, b"?=")? + 2);
    let delimits = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'(' | b')' | b':');
    let start = text.get(..begin)?.iter().rposition(delimits).map_or(0, |blank| blank + 1);
    let length = text.get(end..)?.iter().position(|byte| delimits(byte) || *byte == b'\\').unwrap_or(text.len() - end);
    (begin < end).then_some(start..end + length)
}

fn write(written: &mut String, part: &[u8], words: Range<usize>, decode: impl FnOnce(&[u8], &mut String)) {
    written.push_str(&part.get(..words.start).unwrap_or_default().to_str_lossy());
    decode(part.get(words.clone()).unwrap_or_default(), written);
    written.push_str(&part.get(words.end..).unwrap_or_default().to_str_lossy());
}

/// Writes a phrase of atoms as it is, and any other one as a quoted-string (RFC 5322 3.2.5).
fn write_phrase(written: &mut String, phrase: &str) {
    let is_plain = |character: char| {
        !character.is_ascii() || character.is_ascii_alphanumeric() || " \t!#$%&'*+-/=?^_`{|}~".contains(character)
    };
    if phrase.chars().all(is_plain) {
        written.push_str(phrase);
        return;
    }
    written.push('"');
    write_escaped(written, phrase, &['"', '\\']);
    written.push('"');
}

fn write_escaped(written: &mut String, text: &str, special: &[char]) {
    for character in text.chars() {
        if special.contains(&character) {
            written.push('\\');
        }
        written.push(character);
    }
}

/// Returns the text without the backslashes of quoted-pairs.
fn without_escapes(text: &[u8]) -> Vec<u8> {
    let mut escaped = false;
    let is_content = |byte: &u8| {
        escaped = *byte == b'\\' && !escaped;
        !escaped
    };
    text.iter().copied().filter(is_content).collect()
}

/// Returns the text with U+FFFD in place of characters that mislead.
///
/// These are control characters except tab, line separators, and overrides of the direction of
/// writing.
pub(super) fn without_controls(text: Cow<'_, str>) -> Cow<'_, str> {
    let misleads = |character: char| {
        character != '\t' && (character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202d}' | '\u{202e}'))
    };
    if text.contains(misleads) { Cow::Owned(text.replace(misleads, "\u{fffd}")) } else { text }
}

/// Returns every octet of `text` in the Q encoding.
#[cfg(test)]
pub(in crate::message) fn in_q(text: &str) -> String {
    let digits = |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default());
    text.bytes().flat_map(|byte| std::iter::once('=').chain(digits(byte))).map(|digit| digit.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::summary::elements::elements;
    use proptest::prelude::*;

    #[test]
    fn rfc2047_6_2_a_decoded_name_reads_as_a_name() {
        for (element, expected) in [
            ("=?utf-8?q?ceo=40legit.test=2C?= <x@attack.test>", "\"ceo@legit.test,\" <x@attack.test>"),
            ("=?utf-8?q?J=C3=BCrgen?= <a@b.example>", "Jürgen <a@b.example>"),
            ("=?utf-8?q?J=C3=BCrgen?= von =?utf-8?q?M=C3=BCller?= <a@b.example>", "Jürgen von Müller <a@b.example>"),
            ("Dr. =?utf-8?q?M=C3=BCller=2C_J=2E?= <a@b.example>", "Dr. \"Müller, J.\" <a@b.example>"),
            ("=?utf-8?q?a=22=5C?= <a@b.example>", "\"a\\\"\\\\\" <a@b.example>"),
            ("=?utf-8?q?=3Cceo=40legit.test=3E?= <x@attack.test>", "\"<ceo@legit.test>\" <x@attack.test>"),
            ("\"=?utf-8?q?=22_ceo=40legit.test=2C_=22?=\" <x@attack.test>", "\"\\\" ceo@legit.test, \\\"\" <x@attack.test>"),
            ("\"A \\\"=?utf-8?q?B?=\\\"\" <a@b.example>", "\"A \\\"B\\\"\" <a@b.example>"),
            ("x@attack.test (=?utf-8?q?=29_ceo=40legit.test_=28?=)", "x@attack.test (\\) ceo@legit.test \\()"),
            ("=?utf-8?q?Team=2C?=: Ann <a@b.example>", "\"Team,\": Ann <a@b.example>"),
            ("=?utf-8?q?ceo=40legit.test?=", "\"ceo@legit.test\""),
            ("\"x\\=?utf-8?q?=22?= ceo@legit.test\" <x@attack.test>", "\"x \\\" ceo@legit.test\" <x@attack.test>"),
            // These are no names: they are the address, or a text that nobody knows how to read.
            ("<=?utf-8?q?ceo=40legit.test?=>", "<=?utf-8?q?ceo=40legit.test?=>"),
            ("=?utf-8?q?ceo?=@attack.test", "=?utf-8?q?ceo?=@attack.test"),
            ("\" =?utf-8?q?ceo=40legit.test?= <x@attack.test>", "\" =?utf-8?q?ceo=40legit.test?= <x@attack.test>"),
            ("(=?utf-8?q?ceo=40legit.test?= <x@attack.test>", "(=?utf-8?q?ceo=40legit.test?= <x@attack.test>"),
        ] {
            assert_eq!(address(element.as_bytes()), expected, "{element}");
        }
    }

    #[test]
    fn what_turns_writing_over_or_ends_lines_is_replaced() {
        assert_eq!(without_controls("a\tb\u{e9}\u{200d}".into()), "a\tb\u{e9}\u{200d}");
        for character in ['\0', '\r', '\n', '\u{7f}', '\u{85}', '\u{2028}', '\u{2029}', '\u{202d}', '\u{202e}'] {
            assert_eq!(without_controls(format!("a{character}b").into()), "a\u{fffd}b", "{character:?}");
        }
    }

    proptest! {
        #[test]
        fn rfc2047_6_2_property_no_name_changes_where_the_address_is(
            name in "[a@.,;:<>()\"\\\\ ü\\[\\]]{1,12}",
            form in 0..4_usize,
        ) {
            let word = format!("=?utf-8?q?{}?=", in_q(&name));
            let (before, after) = match form {
                0 => (format!("{word} "), String::new()),
                1 => (format!("\"x {word}\" "), String::new()),
                2 => (format!("({word}) "), String::new()),
                _ => ("Joe ".to_owned(), format!(" ({word})")),
            };
            let element = format!("{before}<x@attack.test>{after}");
            let decoded = address(element.as_bytes());
            prop_assert_eq!(elements(decoded.as_bytes()).len(), 1, "{}", decoded);
            let tokens = Tokens::of(decoded.as_bytes());
            prop_assert!(!tokens.has_stray(), "{}", decoded);
            let angles: Vec<_> = tokens.all().filter(|token| token.kind == Kind::Angle).map(|token| tokens.bytes(&token)).collect();
            prop_assert_eq!(angles, [b"<x@attack.test>"], "{}", decoded);
            let in_the_open = tokens.all().any(|token| token.kind == Kind::Text && tokens.bytes(&token).contains(&b'@'));
            prop_assert!(!in_the_open, "{}", decoded);
        }
    }
}
