//! What XML can hold (B6): everything else that a stranger may have put into a name is replaced before it is written.

use std::borrow::Cow;

/// Longest name in bytes: no domain and no selector that DNS can be asked for is longer.
pub(super) const MAX_NAME: usize = 253;
/// Longest free text in bytes.
pub(super) const MAX_TEXT: usize = 256;

/// `text` without characters that XML 1.0 cannot hold (2.2 Char), at most `max` bytes of it.
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
