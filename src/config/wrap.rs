//! Fills paragraphs of text into lines of a given width.

/// Returns the lines of a text whose paragraphs are filled again, with an empty line between two
/// paragraphs. No line ends within backticks, between a number and its unit, or after `Default`.
pub(super) fn lines(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split("\n\n") {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let mut line = String::new();
        for word in words(paragraph) {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > columns {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        lines.push(line);
    }
    lines
}

fn words(paragraph: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match words.last_mut().filter(|before| belongs_to(before, word)) {
            Some(before) => {
                before.push(' ');
                before.push_str(word);
            }
            None => words.push(word.to_owned()),
        }
    }
    words
}

fn belongs_to(before: &str, word: &str) -> bool {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let is_unit = ["KiB", "MiB", "GiB"].iter().any(|unit| word.starts_with(unit));
    let is_quoted = before.matches('`').count() % 2 == 1;
    is_quoted || before == "Default" || (digits == 3 || is_unit) && before.ends_with(|last: char| last.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_filled_and_what_belongs_together_stays_together() {
        let text = "one two\nthree\n\nfour `verdmarc config check` 86 400,\nfive";
        assert_eq!(lines(text, 9), ["one two", "three", "", "four", "`verdmarc config check`", "86 400,", "five"]);
        assert_eq!(lines(text, 80), ["one two three", "", "four `verdmarc config check` 86 400, five"]);
        assert_eq!(lines("two words. Default 64 MiB.", 18), ["two words.", "Default 64 MiB."]);
        assert_eq!(lines("", 80), [""]);
    }
}
