//! Explains to people which line of a header section is malformed, and why.

use super::HeaderSection;
use super::section::{Defect, Part};
use crate::detail::{Detail, quoted};
use memchr::memmem;

/// Describes the first malformed line or field, and first of all one in which From could hide.
///
/// Returns `None` if no line is malformed.
pub fn explain_malformed(section: &HeaderSection<'_>) -> Option<Detail> {
    let message = section.message();
    if message.starts_with(b"\r\n") {
        return Some(Detail::new("the message begins with an empty line, so that it has no header fields"));
    }
    let worst = if section.has(Defect::MalformedFrom) { Defect::MalformedFrom } else { Defect::Malformed };
    let part = section.parts().find(|part| part.broken == Some(worst))?;
    let text = message.get(part.span.clone()).unwrap_or_default();
    let line = memmem::find_iter(message.get(..part.span.start).unwrap_or_default(), b"\r\n").count() + 1;
    let shown = quoted(text.strip_suffix(b"\r\n").unwrap_or(text));
    Some(Detail::new(format_args!("line {line}, {shown}, {}", problem(&part, text, line))))
}

fn problem(part: &Part<'_>, text: &[u8], line: usize) -> &'static str {
    let quotes = text.iter().take_while(|byte| **byte == b'>').count();
    let is_mbox = text.get(quotes..).is_some_and(|rest| rest.starts_with(b"From "));
    if part.field.is_some() {
        "holds a CR, LF or NUL that ends no line"
    } else if is_mbox && line == 1 {
        "is the mbox line of a stored message: evaluation.strip_mbox_line leaves it out"
    } else if is_mbox {
        "is the mbox line of a stored message, and not the first line"
    } else if matches!(text.first(), Some(b' ' | b'\t')) {
        "begins with white space and continues no field"
    } else if !text.contains(&b':') {
        "has no colon, so that it is no field"
    } else {
        "does not begin with a field name and a colon"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn the_line_that_is_malformed_is_named_with_its_cause() {
        for (message, expected) in [
            (
                &b"From a@b.example Mon Jun  1\r\nFrom: a@b.example\r\n\r\n"[..],
                "line 1, `From a@b.example Mon Jun  1`, is the mbox line of a stored message: evaluation.strip_mbox_line leaves it out",
            ),
            (
                b"From: a@b.example\r\n>From x\r\n\r\n",
                "line 2, `>From x`, is the mbox line of a stored message, and not the first line",
            ),
            (b"A: 1\r\nB: 2\r\n 3\r\nnothing\r\n\r\n", "line 4, `nothing`, has no colon, so that it is no field"),
            (b" x\r\nA: 1\r\n\r\n", "line 1, ` x`, begins with white space and continues no field"),
            (b"A b: 1\r\n\r\n", "line 1, `A b: 1`, does not begin with a field name and a colon"),
            (b"A: 1\r2\r\n\r\n", "line 1, `A: 1\\u{d}2`, holds a CR, LF or NUL that ends no line"),
            (b"nothing\r\nX: a\rFrom: b\r\n\r\n", "line 2, `X: a\\u{d}From: b`, holds a CR, LF or NUL that ends no line"),
            (b"\r\nFrom: a@b.example\r\n\r\n", "the message begins with an empty line, so that it has no header fields"),
        ] {
            let section = HeaderSection::parse(message, &Limits::default());
            let found = explain_malformed(&section).map(|detail| detail.to_string());
            assert_eq!(found.as_deref(), Some(expected), "{}", String::from_utf8_lossy(message));
        }
        assert_eq!(explain_malformed(&HeaderSection::parse(b"A: 1\r\n\r\n", &Limits::default())), None);
    }
}
