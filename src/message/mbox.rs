//! Splits an mbox file into its messages, for the command line (RFC 4155, in the mboxrd form).

use memchr::memmem;
use std::borrow::Cow;

/// Returns the messages of an mbox file.
///
/// Their `From ` lines are left out, and their `>From ` lines are restored.
/// A file that does not begin with `From ` is one message, and stays as it is.
pub fn split(mbox: &[u8]) -> Vec<Cow<'_, [u8]>> {
    if !mbox.starts_with(b"From ") {
        return vec![Cow::Borrowed(mbox)];
    }
    let mut starts = vec![0];
    starts.extend(memmem::find_iter(mbox, b"\nFrom ").map(|at| at + 1).filter(|at| follows_empty_line(mbox, *at)));
    let ends = starts.iter().skip(1).copied().chain([mbox.len()]);
    starts.iter().zip(ends).filter_map(|(start, end)| mbox.get(*start..end)).map(message).collect()
}

fn follows_empty_line(mbox: &[u8], at: usize) -> bool {
    mbox.get(..at).is_some_and(|before| before.ends_with(b"\n\n") || before.ends_with(b"\n\r\n"))
}

/// Returns the message of one entry.
///
/// It lacks the first line, and the empty line that separates the entry from the next one.
fn message(entry: &[u8]) -> Cow<'_, [u8]> {
    let text = memchr::memchr(b'\n', entry).and_then(|end| entry.get(end + 1..)).unwrap_or_default();
    let text = match text.strip_suffix(b"\n") {
        Some(shorter) if shorter.ends_with(b"\n") => shorter,
        Some(shorter) if shorter.ends_with(b"\n\r") => shorter.get(..shorter.len() - 1).unwrap_or_default(),
        _ => text,
    };
    if !text.starts_with(b">") && memmem::find(text, b"\n>").is_none() {
        return Cow::Borrowed(text);
    }
    let mut restored = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let quotes = line.iter().take_while(|byte| **byte == b'>').count();
        let escaped = quotes > 0 && line.get(quotes..).is_some_and(|rest| rest.starts_with(b"From "));
        restored.extend_from_slice(line.get(usize::from(escaped)..).unwrap_or_default());
    }
    Cow::Owned(restored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_split_at_from_lines_behind_empty_lines() {
        let mbox = b"From a Mon\nA: 1\n\nbody\nFrom here on\n\nFrom b Tue\nB: 2\n\nx\n";
        let messages = split(mbox);
        assert_eq!(messages, [&b"A: 1\n\nbody\nFrom here on\n"[..], b"B: 2\n\nx\n"]);
    }

    #[test]
    fn crlf_files_split_alike() {
        let messages = split(b"From a Mon\r\nA: 1\r\n\r\nx\r\n\r\nFrom b Tue\r\nB: 2\r\n\r\n");
        assert_eq!(messages, [&b"A: 1\r\n\r\nx\r\n"[..], b"B: 2\r\n"]);
    }

    #[test]
    fn mboxrd_quotes_are_taken_back_by_one() {
        let messages = split(b"From a Mon\nA: 1\n\n>From x\n>>From y\n> From z\n>Fromage\n");
        assert_eq!(messages, [&b"A: 1\n\nFrom x\n>From y\n> From z\n>Fromage\n"[..]]);
    }

    #[test]
    fn a_file_without_from_line_is_one_message() {
        assert_eq!(split(b"A: 1\r\n\r\nFrom x\r\n"), [&b"A: 1\r\n\r\nFrom x\r\n"[..]]);
    }
}
