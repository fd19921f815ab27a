//! RFC 5321 paths, read strictly (F-15).

use crate::dns::Domain;

/// A path of MAIL FROM: local part and domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The local part as written, quotes included. Any octets that RFC 5321 and RFC 6531 permit.
    pub local_part: Vec<u8>,
    /// The domain.
    pub domain: Domain,
}

impl Path {
    /// Reads a path without brackets: a dot-string or quoted-string, `@`, a domain. No route, no comment, no domain literal.
    pub fn parse(path: &[u8]) -> Option<Self> {
        split_mailbox(path).map(|(local_part, domain)| Self { local_part: local_part.to_vec(), domain })
    }
}

/// The domain that HELO or EHLO names; none when it is an address literal, has a single label or is no domain name (RFC 7208 2.3).
pub fn helo_domain(helo: &[u8]) -> Option<Domain> {
    let domain = Domain::parse(std::str::from_utf8(helo).ok()?).ok()?;
    (domain.label_count() > 1).then_some(domain)
}

/// Local part and domain of an RFC 5321 Mailbox, with the UTF-8 of RFC 6531; an RFC 5322 addr-spec without comments and white
/// space is the same.
pub(super) fn split_mailbox(mailbox: &[u8]) -> Option<(&[u8], Domain)> {
    let text = std::str::from_utf8(mailbox).ok()?;
    let (local_part, domain) = if text.starts_with('"') {
        text.split_at_checked(quoted_string_length(text)?)?
    } else {
        text.split_at_checked(text.find('@')?)?
    };
    if !local_part.starts_with('"') && !is_dot_string(local_part) {
        return None;
    }
    Some((local_part.as_bytes(), Domain::parse(domain.strip_prefix('@')?).ok()?))
}

fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_text))
}

/// atext of RFC 5322 3.2.3 and UTF-8 that can be seen (RFC 6531 3.3).
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

/// Bytes of the quoted-string that `text` begins with (RFC 5321 4.1.2).
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
            "a..b@c.example",
            ".a@c.example",
            "a.@c.example",
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
