//! The tokens of a source file that bear on names.

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    /// `::`
    Colons,
    Mark(char),
}

/// The tokens that bear on names; comments, strings, characters and lifetimes are none.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut index = 0;
    while index < chars.len() {
        match (at(index), at(index + 1)) {
            ('/', '/') => index += chars.iter().skip(index).take_while(|c| **c != '\n').count(),
            ('/', '*') => index = after_comment(&chars, index),
            ('"', _) => index = after_string(&chars, index + 1),
            ('\'', '\\') => index += 3 + chars.iter().skip(index + 3).take_while(|c| **c != '\'').count() + 1,
            ('\'', _) if at(index + 2) == '\'' => index += 3,
            // A lifetime.
            ('\'', _) => index += 1 + word_length(&chars, index + 1),
            ('r', '#') if is_of_word(at(index + 2)) => index += 2,
            (first, _) if is_of_word(first) => {
                let length = word_length(&chars, index);
                let word: String = chars.iter().skip(index).take(length).collect();
                index += length;
                let hashes = chars.iter().skip(index).take_while(|c| **c == '#').count();
                if matches!(word.as_str(), "r" | "br" | "cr") && at(index + hashes) == '"' {
                    index = after_raw_string(&chars, index + hashes + 1, hashes);
                } else {
                    tokens.push(Token::Word(word));
                }
            }
            (':', ':') => {
                tokens.push(Token::Colons);
                index += 2;
            }
            (mark, _) => {
                if !mark.is_whitespace() {
                    tokens.push(Token::Mark(mark));
                }
                index += 1;
            }
        }
    }
    tokens
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word_length(chars: &[char], start: usize) -> usize {
    chars.iter().skip(start).take_while(|c| is_of_word(**c)).count()
}

fn after_comment(chars: &[char], start: usize) -> usize {
    let (mut index, mut depth) = (start + 2, 1);
    while depth > 0 && index < chars.len() {
        match chars.get(index..index + 2) {
            Some(['/', '*']) => (index, depth) = (index + 2, depth + 1),
            Some(['*', '/']) => (index, depth) = (index + 2, depth - 1),
            _ => index += 1,
        }
    }
    index
}

fn after_string(chars: &[char], start: usize) -> usize {
    let mut index = start;
    while let Some(c) = chars.get(index) {
        match c {
            '"' => return index + 1,
            '\\' => index += 2,
            _ => index += 1,
        }
    }
    index
}

fn after_raw_string(chars: &[char], start: usize, hashes: usize) -> usize {
    let ends = |index: usize| {
        chars.get(index) == Some(&'"') && chars.iter().skip(index + 1).take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (start..chars.len()).find(|index| ends(*index)).map_or(chars.len(), |index| index + 1 + hashes)
}
