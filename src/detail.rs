//! Makes bounded texts for people, without invisible characters, that say what exactly is wrong.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};

/// A text for people that may quote a message or DNS. Its wording may change between versions.
///
/// It has at most [`Detail::MAX_OCTETS`] octets.
/// Characters that cannot be seen are written as `\u{a0}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Detail(String);

impl Detail {
    /// The limit on the length of a text, in octets.
    pub const MAX_OCTETS: usize = 512;

    /// Returns `text` as a detail, cut if it is too long.
    pub fn new(text: impl Display) -> Self {
        let text = text.to_string();
        let mut text = if text.chars().all(is_visible) { text } else { text.chars().map(visible).collect() };
        cut(&mut text, Self::MAX_OCTETS);
        Self(text)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The limit on the length of a quotation, in octets before they are escaped.
const MAX_QUOTED: usize = 120;

/// Returns `octets` between backquotes, cut after 120 octets.
///
/// Invisible characters are escaped as `\u{a0}`, and octets that are not UTF-8 as `\xa0`.
pub fn quoted(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().min(MAX_QUOTED) + 2);
    text.push('`');
    text.push_str(&escaped(octets.get(..MAX_QUOTED).unwrap_or(octets)));
    text.push_str(if octets.len() > MAX_QUOTED { "…`" } else { "`" });
    text
}

/// Returns `octets` as text.
///
/// Invisible characters are escaped as `\u{a0}`, and octets that are not UTF-8 as `\xa0`.
pub fn escaped(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        text.extend(chunk.valid().chars().map(visible));
        for octet in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{octet:02x}");
        }
    }
    text
}

fn is_visible(character: char) -> bool {
    // `escape_debug` returns a visible character as it is.
    // Only before quotes and backslashes does it put a backslash.
    matches!(character, '"' | '\'' | '\\') || character.escape_debug().len() == 1
}

fn visible(character: char) -> Cow<'static, str> {
    if is_visible(character) { character.to_string().into() } else { character.escape_unicode().to_string().into() }
}

fn cut(text: &mut String, octets: usize) {
    if text.len() > octets {
        text.truncate(text.floor_char_boundary(octets - '…'.len_utf8()));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        for (octets, expected) in [
            (&b"v=spf1 -all"[..], "`v=spf1 -all`"),
            ("a\u{a0}b\u{200b}c\u{feff}\u{202e}\t".as_bytes(), "`a\\u{a0}b\\u{200b}c\\u{feff}\\u{202e}\\u{9}`"),
            (b"a\xa0\xffb", "`a\\xa0\\xffb`"),
            ("b\u{fc}cher \"x\\y\" 'z'".as_bytes(), "`b\u{fc}cher \"x\\y\" 'z'`"),
            (b"", "``"),
        ] {
            assert_eq!(quoted(octets), expected);
        }
        assert_eq!(quoted(&b"x".repeat(121)), format!("`{}…`", "x".repeat(120)));
    }

    proptest! {
        #[test]
        fn a_detail_is_short_and_visible(text in any::<String>(), repeated in 1_usize..200) {
            let detail = Detail::new(text.repeat(repeated));
            prop_assert!(detail.as_str().len() <= Detail::MAX_OCTETS);
            prop_assert!(detail.as_str().chars().all(is_visible));
        }
    }
}
