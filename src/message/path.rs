//! Reads RFC 5321 paths strictly (F-15).

use crate::dns::Domain;

/// A path of MAIL FROM: its local part and its domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The local part as written, quotes included, in any octets that RFC 5321 and RFC 6531 permit.
    pub local_part: Vec<u8>,
    /// The domain of the path.
    pub domain: Domain,
}

impl Path {
    /// Reads a path without brackets as mail has it: a dot-string or quoted-string, `@`, a domain.
    ///
    /// Returns `None` for anything else, such as a route, a comment or a domain literal.
    /// Dots may occur anywhere in a local part without quotes.
    /// Carriers have issued such addresses, and the domain is beyond doubt.
    pub fn parse(path: &[u8]) -> Option<Self> {
        Self::read(path, Dots::Anywhere)
    }

    /// Reads a path as [`Self::parse`] does, but with dots only where RFC 5321 permits them.
    ///
    /// It is for addresses that mail is sent to.
    pub fn parse_strictly(path: &[u8]) -> Option<Self> {
        Self::read(path, Dots::BetweenAtoms)
    }

    fn read(path: &[u8], dots: Dots) -> Option<Self> {
        split_mailbox(path, dots).map(|(local_part, domain)| Self { local_part: local_part.to_vec(), domain })
    }
}

/// The places where dots may occur in a local part without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dots {
    /// Only between atoms (RFC 5321 4.1.2).
    BetweenAtoms,
    /// Also at the beginning and the end, and side by side.
    Anywhere,
}

/// Returns the domain that HELO or EHLO names (RFC 7208 2.3).
///
/// Returns `None` if it is an address literal, has a single label, or is no domain name.
pub fn helo_domain(helo: &[u8]) -> Option<Domain> {
    let domain = Domain::parse(std::str::from_utf8(helo).ok()?).ok()?;
    (domain.label_count() > 1).then_some(domain)
}

/// Splits an RFC 5321 Mailbox, with the UTF-8 of RFC 6531, into local part and domain.
///
/// An RFC 5322 addr-spec without comments and white space has the same form.
/// Returns `None` for anything else.
pub(super) fn split_mailbox(mailbox: &[u8], dots: Dots) -> Option<(&[u8], Domain)> {
    let text = std::str::from_utf8(mailbox).ok()?;
    let (local_part, domain) = if text.starts_with('"') {
        text.split_at_checked(quoted_string_length(text)?)?
    } else {
        text.split_at_checked(text.find('@')?)?
    };
    if !local_part.starts_with('"') && !is_dot_string(local_part, dots) {
        return None;
    }
    Some((local_part.as_bytes(), Domain::parse(domain.strip_prefix('@')?).ok()?))
}

/// Returns whether `text` is a local part without quotes.
pub(super) fn is_dot_string(text: &str, dots: Dots) -> bool {
    let dots_are_right = match dots {
        Dots::BetweenAtoms => text.split('.').all(|atom| !atom.is_empty()),
        Dots::Anywhere => !text.is_empty(),
    };
    dots_are_right && text.chars().all(|character| character == '.' || is_atom_text(character))
}

/// Returns whether a character is atext (RFC 5322 3.2.3) or visible UTF-8 (RFC 6531 3.3).
fn is_atom_text(character: char) -> bool {
    if character.is_ascii() {
        character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character)
    } else {
        is_utf8_text(character)
    }
}

fn is_utf8_text(character: char) -> bool {
    !character.is_ascii() && !character.is_control() && !character.is_whitespace() && character != '\u{feff}'
}

/// Returns the bytes of the quoted-string at the beginning of `text` (RFC 5321 4.1.2), if any.
fn quoted_string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            ' '..='~' if escaped => escaped = false,
            '"' => return Some(at + 1),
            '\\' => escaped = true,
            ' '..='~' => {}
            _ if !escaped && is_utf8_text(character) => {}
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain_of(path: &str) -> Option<String> {
        Path::parse(path.as_bytes()).map(|path| path.domain.to_string())
    }

    #[test]
    fn f15_paths_are_read() {
        for (path, domain) in [
            ("a@b.example", "b.example"),
            ("a.b+c=d@B.Example", "b.example"),
            ("bounce/x!y%z@b.example", "b.example"),
            ("\"a@x.example\"@b.example", "b.example"),
            ("\"a \\\" b\"@b.example", "b.example"),
            ("\"\"@b.example", "b.example"),
            ("jürgen@bücher.example", "xn--bcher-kva.example"),
            ("a@b.example.", "b.example"),
            ("a@_spf.b.example", "_spf.b.example"),
            ("a@localhost", "localhost"),
            ("'a@b.example", "b.example"),
        ] {
            assert_eq!(domain_of(path).as_deref(), Some(domain), "{path}");
        }
        let path = Path::parse(b"\"a b\"@c.example").unwrap();
        assert_eq!(path.local_part, b"\"a b\"");
    }

    #[test]
    fn f15_anything_else_is_no_path() {
        for path in [
            "",
            "a",
            "@b.example",
            "a@",
            "any@victim.com(a.evil.com",
            "(any@victim.com",
            "any@victim.com'",
            "a(x)@b.example",
            "@victim.com:u@evil.com",
            "a@b@c.example",
            "a b@c.example",
            " a@b.example",
            "a@b.example ",
            "<a@b.example>",
            "a@[192.0.2.1]",
            "a@b..example",
            "\"a@b.example",
            "\"a\"b@c.example",
            "\"a\"",
            "\"a\u{0}\"@c.example",
            "a\u{0}@c.example",
            "a@b\r\n.example",
            "a\u{85}@b.example",
            "a\u{a0}@b.example",
            "a@b.example\u{0}.victim.example",
        ] {
            assert_eq!(domain_of(path), None, "{path:?}");
        }
        assert_eq!(Path::parse(b"a\xff@b.example"), None);
        assert_eq!(Path::parse(b"a@b\xe9.example"), None);
    }

    #[test]
    fn f15_dots_may_stand_anywhere_in_a_local_part_but_where_mail_is_sent() {
        for path in ["a..b@c.example", ".a@c.example", "a.@c.example", "a...b.@c.example", "ü..@c.example"] {
            assert_eq!(domain_of(path).as_deref(), Some("c.example"), "{path}");
            assert_eq!(Path::parse_strictly(path.as_bytes()), None, "{path}");
        }
        for path in ["a.b@c.example", "\"a..b\"@c.example"] {
            assert_eq!(Path::parse_strictly(path.as_bytes()), Path::parse(path.as_bytes()), "{path}");
        }
        for path in ["@c.example", "a@c..example", "a@.c.example", ".a b@c.example", "..(x)@c.example"] {
            assert_eq!(domain_of(path), None, "{path}");
        }
    }

    #[test]
    fn rfc7208_2_3_helo_is_a_domain_of_several_labels_or_nothing() {
        for (helo, domain) in [
            (&b"Mail.Example.COM"[..], Some("mail.example.com")),
            (b"mail.example.com.", Some("mail.example.com")),
            (b"[192.0.2.1]", None),
            (b"[IPv6:2001:db8::1]", None),
            (b"localhost", None),
            (b"", None),
            (b"a..b", None),
            (b"a b.example", None),
            (b"mail\xff.example", None),
        ] {
            assert_eq!(helo_domain(helo).as_ref().map(Domain::as_str), domain, "{:?}", bstr::BStr::new(helo));
        }
    }
}
