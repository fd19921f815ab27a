//! Converts LF to CRLF, and drops an mbox line on top (F-20, G.4).

use memchr::{memchr, memchr_iter};
use std::borrow::Cow;

/// A message after normalisation. Its lines end in CRLF unless line ends are mixed or kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalised<'m> {
    /// The message.
    pub bytes: Cow<'m, [u8]>,
    /// True when every LF was made CRLF, because there was no CRLF.
    pub converted: bool,
    /// True when the mbox line on top was dropped.
    pub mbox_line_dropped: bool,
}

/// Normalises the line ends and the first line of a message.
///
/// With `convert_bare_lf`, each LF of a message without a single CRLF becomes CRLF.
/// With `strip_mbox_line`, one mbox line on top is dropped: `From ` after any number of `>`.
/// Mixed line ends stay as they are, because DKIM signed these bytes.
pub fn normalise(message: &[u8], convert_bare_lf: bool, strip_mbox_line: bool) -> Normalised<'_> {
    let stripped = if strip_mbox_line { without_mbox_line(message) } else { message };
    let mbox_line_dropped = stripped.len() != message.len();
    // The first CRLF ends the search, and is usually at the end of the first line.
    let converted = convert_bare_lf && !has_crlf(stripped) && memchr(b'\n', stripped).is_some();
    let bytes = if converted { Cow::Owned(with_crlf(stripped)) } else { Cow::Borrowed(stripped) };
    Normalised { bytes, converted, mbox_line_dropped }
}

fn has_crlf(message: &[u8]) -> bool {
    memchr_iter(b'\n', message).any(|at| message.get(..at).is_some_and(|before| before.ends_with(b"\r")))
}

fn without_mbox_line(message: &[u8]) -> &[u8] {
    let quotes = message.iter().take_while(|byte| **byte == b'>').count();
    if !message.get(quotes..).is_some_and(|line| line.starts_with(b"From ")) {
        return message;
    }
    memchr(b'\n', message).and_then(|end| message.get(end + 1..)).unwrap_or(message)
}

fn with_crlf(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(message.len() + memchr_iter(b'\n', message).count());
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(text) => {
                bytes.extend_from_slice(text);
                bytes.extend_from_slice(b"\r\n");
            }
            None => bytes.extend_from_slice(line),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f20_a_message_with_lf_only_gets_crlf() {
        let normalised = normalise(b"A: 1\nB: 2\n\nbody\rx\n\n", true, false);
        assert_eq!(&*normalised.bytes, b"A: 1\r\nB: 2\r\n\r\nbody\rx\r\n\r\n");
        assert!(normalised.converted);
        assert!(!normalise(b"A: 1\nB: 2\n", false, false).converted);
    }

    #[test]
    fn f20_mixed_ends_and_messages_without_line_ends_stay() {
        for message in [&b"A: 1\nB: 2\n\nbody\r\n"[..], b"A: 1\r\nB: 2\n", b"A: 1", b"A: 1\rB", b"", b"\r\n"] {
            let normalised = normalise(message, true, true);
            assert!(matches!(normalised.bytes, Cow::Borrowed(bytes) if bytes == message));
            assert!(!normalised.converted);
        }
    }

    #[test]
    fn g4_one_mbox_line_is_dropped_by_option_only() {
        let message = b"From a@b.example Mon\r\nFrom c\r\nA: 1\r\n";
        let normalised = normalise(message, true, true);
        assert_eq!(&*normalised.bytes, b"From c\r\nA: 1\r\n");
        assert!(normalised.mbox_line_dropped);
        assert_eq!(&*normalise(message, true, false).bytes, message);
        assert_eq!(&*normalise(b"From a\nA: 1\n", true, true).bytes, b"A: 1\r\n");
        for quoted in [&b">From a@b.example Mon\r\nA: 1\r\n"[..], b">>From a@b.example Mon\r\nA: 1\r\n"] {
            assert_eq!(&*normalise(quoted, true, true).bytes, b"A: 1\r\n");
            assert_eq!(&*normalise(quoted, true, false).bytes, quoted);
        }
        assert!(!normalise(b">Fromage: 1\r\n", true, true).mbox_line_dropped);
        assert!(!normalise(b"From: a@b.example\r\n", true, true).mbox_line_dropped);
        assert!(!normalise(b"From a without end", true, true).mbox_line_dropped);
    }
}
