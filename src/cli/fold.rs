//! Folds long lines for a terminal, which would otherwise break them in the middle of a word.

use std::borrow::Cow;
use std::io::{IsTerminal as _, stdout};

/// Largest number of columns of a folded line: wider lines are hard to read.
const WIDEST: usize = 120;

/// Returns the text in the best form for standard output. On a terminal, lines are folded at its
/// width, with their continuation indented. Other readers get each line unfolded.
pub(super) fn for_terminal(text: &str, indent: usize) -> Cow<'_, str> {
    let columns = terminal_size::terminal_size().filter(|_| stdout().is_terminal()).map(|(width, _)| usize::from(width.0));
    columns.map_or(Cow::Borrowed(text), |columns| Cow::Owned(folded(text, columns.min(WIDEST), indent)))
}

fn folded(text: &str, columns: usize, indent: usize) -> String {
    let mut folded = String::with_capacity(text.len());
    for line in text.lines() {
        let mut used = 0;
        // The first word keeps its indentation.
        let blank = line.len() - line.trim_start_matches(' ').len();
        for (number, word) in line[blank..].split(' ').enumerate() {
            let width = width(word);
            if number == 0 {
                folded.push_str(&line[..blank]);
                used = blank;
            } else if used + 1 + width > columns && indent + width <= columns {
                folded.push('\n');
                folded.extend(std::iter::repeat_n(' ', indent));
                used = indent;
            } else {
                folded.push(' ');
                used += 1;
            }
            folded.push_str(word);
            used += width;
        }
        folded.push('\n');
    }
    folded
}

/// Returns the number of columns of a word, without its escape sequences for colours.
fn width(word: &str) -> usize {
    let mut characters = word.chars();
    let mut width = 0;
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            width += 1;
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_goes_on_below_its_text() {
        let text = "DMARC FAIL\n\n  result  fail: no identifier is aligned\n  dns     one-word-that-is-much-too-long a b\n";
        let expected = "DMARC FAIL\n\n  result  fail: no\n          identifier is\n          aligned\n  dns     one-word-that-is-much-too-long\n          a b\n";
        assert_eq!(folded(text, 24, 10), expected);
        assert_eq!(folded(text, 80, 10), text);
        assert_eq!(folded("", 24, 10), "");
    }

    #[test]
    fn colours_take_no_room_and_no_word_is_lost() {
        let line = "  \u{1b}[1mresult\u{1b}[0m  \u{1b}[2mabc def ghi\u{1b}[0m\n";
        assert_eq!(folded(line, 21, 10), line);
        assert_eq!(folded(line, 20, 10), "  \u{1b}[1mresult\u{1b}[0m  \u{1b}[2mabc def\n          ghi\u{1b}[0m\n");
        let joined = folded(line, 20, 10).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(joined, line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}
