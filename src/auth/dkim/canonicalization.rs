//! Names the canonicalizations of RFC 6376 3.4 and the white space that the relaxed one reduces.

/// The way in which octets are made comparable before they are signed (RFC 6376 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canonicalization {
    /// The octets stay as they are.
    Simple,
    /// Differences in white space are removed.
    Relaxed,
}

impl Canonicalization {
    pub(super) fn read(name: &[u8]) -> Option<Self> {
        match name {
            _ if name.eq_ignore_ascii_case(b"simple") => Some(Self::Simple),
            _ if name.eq_ignore_ascii_case(b"relaxed") => Some(Self::Relaxed),
            _ => None,
        }
    }
}

/// Returns whether an octet is white space within a line.
pub(super) fn is_wsp(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}
