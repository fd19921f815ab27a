//! Writes header fields, out of which no value from a message or from DNS can break (D-7, F-25).

/// The column at which lines are folded (RFC 5322 2.1.1).
const FOLD_AT: usize = 78;

/// The octets that suffice for most fields of this program.
const TYPICAL: usize = 640;

/// A writer of one header field, which folds the field at the spaces between its parts.
#[derive(Debug)]
pub struct FieldWriter {
    folded: String,
    /// The value on one line.
    unfolded: String,
    /// The length of the current line, in octets.
    column: usize,
}

impl FieldWriter {
    /// Begins the field `name`.
    pub fn new(name: &str) -> Self {
        let mut folded = String::with_capacity(TYPICAL);
        folded.push_str(name);
        folded.push(':');
        Self { column: folded.len(), folded, unfolded: String::with_capacity(TYPICAL) }
    }

    /// Adds a part after a space, or on a new line if it does not fit.
    ///
    /// The pieces are written as they are: they are tokens of this program, or [`pvalue`] made
    /// them.
    /// One column stays free for a semicolon that is glued after the part.
    pub fn part(&mut self, pieces: &[&str]) -> &mut Self {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if self.column + 1 + length >= FOLD_AT && self.column > 1 {
            self.fold();
        } else {
            self.push(" ");
        }
        for piece in pieces {
            self.push(piece);
        }
        self
    }

    /// Adds a part on a new line.
    pub fn line(&mut self, pieces: &[&str]) -> &mut Self {
        self.fold();
        for piece in pieces {
            self.push(piece);
        }
        self
    }

    /// Adds text directly after the last part.
    pub fn glue(&mut self, text: &str) -> &mut Self {
        self.push(text);
        self
    }

    fn push(&mut self, text: &str) {
        self.folded.push_str(text);
        self.unfolded.push_str(text);
        self.column += text.len();
    }

    fn fold(&mut self) {
        self.folded.push_str("\r\n");
        self.column = 0;
        self.push(" ");
    }

    /// Returns the value on one line.
    pub fn unfolded(&self) -> String {
        self.unfolded.trim_start().to_owned()
    }

    /// Returns the whole field with its line end.
    pub fn finish(mut self) -> String {
        self.folded.push_str("\r\n");
        self.folded
    }
}

/// Returns `text` as a value of RFC 8601 2.2.
///
/// A token or a domain name stays as it is, and any other text becomes a quoted-string.
/// Control and non-ASCII characters become `?`. A text longer than `max` characters is cut.
pub fn pvalue(text: &str, max: usize) -> std::borrow::Cow<'_, str> {
    let plain = !text.is_empty() && text.len() <= max && text.bytes().all(is_token_byte);
    if plain {
        return text.into();
    }
    let mut quoted = String::with_capacity(text.len().min(max) + 2);
    quoted.push('"');
    if text.len() <= max && text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        quoted.push_str(text);
        quoted.push('"');
        return quoted.into();
    }
    for character in text.chars().take(max) {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted.into()
}

/// Returns whether `byte` may be part of a token of RFC 2045.
///
/// Characters to which Authentication-Results gives a meaning may not.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'{' | b'|' | b'}' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn d7_tokens_stay_and_everything_else_is_quoted() {
        for (text, expected) in [
            ("example.com", "example.com"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("x\r\nEvil: y", "\"x??Evil: y\""),
            ("b\u{fc}cher", "\"b?cher\""),
            ("a;b=c", "\"a;b=c\""),
        ] {
            assert_eq!(pvalue(text, 253), expected, "{text:?}");
        }
    }

    #[test]
    fn d7_lines_are_folded_with_crlf_and_a_space() {
        let mut field = FieldWriter::new("X");
        for _ in 0..40 {
            field.part(&["0123456789"]);
        }
        let field = field.finish();
        assert!(field.ends_with("\r\n"));
        for line in field.trim_end().split("\r\n") {
            assert!(line.len() <= FOLD_AT, "{line}");
        }
        assert_eq!(field.matches("0123456789").count(), 40);
    }

    #[test]
    fn d7_a_glued_semicolon_does_not_make_a_line_too_long() {
        for length in 1..FOLD_AT - 1 {
            let mut field = FieldWriter::new("Received-SPF");
            field.part(&["pass"]).part(&[&"x".repeat(length)]).glue(";").part(&["y"]);
            let field = field.finish();
            assert!(field.trim_end().split("\r\n").all(|line| line.len() <= FOLD_AT), "{field}");
        }
    }

    proptest! {
        #[test]
        fn f25_no_value_breaks_out_of_its_field(text in any::<String>()) {
            let value = pvalue(&text, 100);
            prop_assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let mut field = FieldWriter::new("X");
            field.part(&[&value]);
            let field = field.finish();
            prop_assert_eq!(field.matches("\r\n").count(), 1 + field.matches("\r\n ").count());
        }
    }
}
