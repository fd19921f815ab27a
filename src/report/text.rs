//! Makes text safe for XML (B6): every character that XML cannot hold is replaced before it is
//! written, because strangers choose names.

use std::borrow::Cow;

/// Longest name in bytes: DNS can be asked for no longer domain or selector.
pub(super) const MAX_NAME: usize = 253;
/// Longest free text in bytes.
pub(super) const MAX_TEXT: usize = 256;

/// Returns the first `max` bytes of `text` at most. Characters that XML 1.0 cannot hold (2.2 Char)
/// are replaced.
pub(super) fn safe(text: &str, max: usize) -> Cow<'_, str> {
    let text = &text[..text.floor_char_boundary(max)];
    if text.chars().all(is_char) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|character| if is_char(character) { character } else { '\u{FFFD}' }).collect())
}

fn is_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..) && character != '\u{7f}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b6_characters_that_xml_cannot_hold_are_replaced() {
        for (text, safe_text) in [
            ("plain ü", "plain ü"),
            ("a\0b\u{7}c", "a\u{FFFD}b\u{FFFD}c"),
            ("\u{FFFE}\u{FFFF}", "\u{FFFD}\u{FFFD}"),
            ("tab\tline\n", "tab\tline\n"),
            ("return\r", "return\u{FFFD}"),
            ("\u{10FFFF}", "\u{10FFFF}"),
        ] {
            assert_eq!(safe(text, MAX_TEXT), safe_text);
        }
    }

    #[test]
    fn b6_lengths_are_capped_at_a_character() {
        assert_eq!(safe("aü", 2), "a");
        assert_eq!(safe(&"x".repeat(300), MAX_NAME).len(), 253);
    }
}
