//! Unfolds the values of header fields.

use memchr::memchr;
use std::borrow::Cow;

/// Returns a value without the line breaks of folding (RFC 5322 2.2.3), and without the final one.
pub(super) fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.strip_suffix(b"\r\n").unwrap_or(value);
    if memchr(b'\r', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut unfolded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr(b'\r', rest) {
        let (before, after) = rest.split_at(at);
        unfolded.extend_from_slice(before);
        rest = if matches!(after, [b'\r', b'\n', b' ' | b'\t', ..]) {
            after.get(2..).unwrap_or_default()
        } else {
            unfolded.push(b'\r');
            after.get(1..).unwrap_or_default()
        };
    }
    unfolded.extend_from_slice(rest);
    Cow::Owned(unfolded)
}
