//! Decides which characters readers of mail may trim or skip.
//!
//! Readers differ. The characters here are those that at least one of them may trim or skip.

/// Returns whether readers may trim this character or not see it.
///
/// These are white space, control and format characters (White_Space, Cc and Cf of Unicode), and
/// characters that are ignorable by default, some of which domain names lose as well (UTS 46).
/// U+FFFD is among them, because it stands for octets that are no text.
pub(super) fn is_passed_over(character: char) -> bool {
    if character.is_ascii() {
        return character == ' ' || character.is_ascii_control();
    }
    character.is_whitespace() || character.is_control() || is_format(character) || is_ignorable(character)
}

/// Returns whether the character has the general category Cf.
fn is_format(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}'
            | '\u{e0020}'..='\u{e007f}'
    )
}

/// Returns whether the character has Default_Ignorable_Code_Point but not Cf, or is U+FFFD.
fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2065}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{fffd}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Returns the text as people see it.
///
/// White space becomes a space, and other characters that readers skip are left out.
pub(super) fn as_seen(text: &str) -> String {
    let seen = text.chars().filter(|character| character.is_whitespace() || !is_passed_over(*character));
    seen.map(|character| if character.is_whitespace() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readers_trim_is_passed_over_and_what_they_show_is_not() {
        let trimmed = "\0\t\n\u{b}\r \u{7f}\u{85}\u{a0}\u{ad}\u{1680}\u{180e}\u{2000}\u{200a}\u{200b}\u{200d}\u{200e}\u{2028}\u{2029}\u{202e}\
            \u{202f}\u{205f}\u{2060}\u{2066}\u{3000}\u{feff}\u{fe0f}\u{3164}\u{e0041}\u{fffd}";
        for character in trimmed.chars() {
            assert!(is_passed_over(character), "{character:?}");
        }
        for character in "!Az~\u{a1}ü\u{301}\u{2010}\u{3001}株\u{ff20}\u{1f600}".chars() {
            assert!(!is_passed_over(character), "{character:?}");
        }
        assert_eq!(as_seen("a\u{a0}b\u{200b}c\r\n\td"), "a bc   d");
    }
}
