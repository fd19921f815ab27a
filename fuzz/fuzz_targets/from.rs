//! The author domain is a name, and the one that every reader of the From field would find (F-1 to F-11).

#![no_main]

use libfuzzer_sys::fuzz_target;
use verdmarc::config::Limits;
use verdmarc::dns::Domain;
use verdmarc::message::{Author, AuthorError, HeaderSection, author};

fuzz_target!(|data: &[u8]| {
    // As a whole message, so that fields above and below take part.
    if let Ok(author) = read(data) {
        is_name(&author.domain);
    }
    let field = |name: &str, value: &[u8]| [name.as_bytes(), b": ", value, b"\r\n"].concat();
    let from = field("From", data);
    let found = read(&[&from, &b"\r\n"[..]].concat());
    assert_eq!(found, read(&[&from, &b"\r\n"[..]].concat()), "the same message, the same author");

    // Further lines in the value would be fields of their own.
    if data.iter().any(|octet| matches!(octet, b'\r' | b'\n')) {
        return;
    }
    let two = read(&[&from, &from, &b"\r\n"[..]].concat());
    assert!(matches!(two, Err(AuthorError::MultipleFields | AuthorError::HeadersMalformed)));
    let below = read(&[&b"Subject: x\r\n"[..], &field("fROM", data), b"\r\nFrom: z@body.example\r\n"].concat());
    assert_eq!(below, found, "neither the position of the field nor the case of its name matters");
    let mut folded = Vec::new();
    for octet in data {
        folded.extend_from_slice(if *octet == b' ' { b"\r\n " } else { std::slice::from_ref(octet) });
    }
    assert_eq!(read(&[&field("From", &folded), &b"\r\n"[..]].concat()), found, "folding does not matter");

    let Ok(found) = found else { return };
    is_name(&found.domain);
    is_what_the_brackets_say(data, &found);
    let commented = [data, b" (comment)"].concat();
    if let Ok(commented) = read(&[&field("From", &commented), &b"\r\n"[..]].concat()) {
        assert_eq!(commented.domain, found.domain, "a comment at the end names nobody else");
    }
    if !found.several_mailboxes {
        assert!(!found.sender_missing);
    }
});

fn read(message: &[u8]) -> Result<Author, AuthorError> {
    let limits = Limits::default();
    author(&HeaderSection::parse(message, &limits))
}

fn is_name(domain: &Domain) {
    let name = domain.as_str();
    let is_ldh =
        |label: &str| !label.is_empty() && label.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    assert!(name.split('.').all(is_ldh), "{name:?} is no name in A-labels");
    assert_eq!(Domain::parse(name).as_ref(), Ok(domain));
}

/// Whoever takes the last angle brackets, or without any what surrounds an `@`, comes to the same domain.
fn is_what_the_brackets_say(value: &[u8], author: &Author) {
    let in_brackets = value.iter().rposition(|octet| *octet == b'<').and_then(|open| {
        let rest = &value[open + 1..];
        // With several mailboxes a bracket that is never closed may stand before one of the others.
        let address = if author.several_mailboxes { closed(rest)? } else { closed(rest).unwrap_or_else(|| member(rest)) };
        address.contains(&b'@').then(|| trim(address))
    });
    if let Some(address) = in_brackets {
        assert_eq!(only_domain(address).as_ref(), Some(&author.domain));
    } else {
        let ends = |octet: &u8| matches!(octet, b' ' | b'\t' | b',' | b';' | b':' | b'(' | b')' | b'<' | b'>');
        let found = value.iter().enumerate().any(|(at, octet)| {
            let end = value[at..].iter().position(ends).map_or(value.len(), |length| at + length);
            *octet == b'@' && at > 0 && domain(&value[at + 1..end]).is_some_and(|domain| domain == author.domain)
        });
        assert!(found, "no address of this domain stands there");
    }
}

/// What stands before the bracket that closes.
fn closed(rest: &[u8]) -> Option<&[u8]> {
    rest.iter().position(|octet| *octet == b'>').map(|close| &rest[..close])
}

/// A bracket that nothing closes may be a part of a group's name: what counts then is the group's member.
fn member(rest: &[u8]) -> &[u8] {
    let start = rest.iter().rposition(|octet| *octet == b':').map_or(0, |colon| colon + 1);
    let end = rest[start..].iter().position(|octet| matches!(octet, b',' | b';')).map_or(rest.len(), |length| start + length);
    &rest[start..end]
}

/// The domain of an address that has exactly one `@` outside of quotes.
fn only_domain(address: &[u8]) -> Option<Domain> {
    let mut rest = address;
    if let [b'"', quoted @ ..] = address {
        let mut escaped = false;
        let end = quoted.iter().position(|octet| {
            let closes = *octet == b'"' && !escaped;
            escaped = *octet == b'\\' && !escaped;
            closes
        })?;
        rest = &quoted[end + 1..];
    }
    let at = rest.iter().position(|octet| *octet == b'@')?;
    let name = &rest[at + 1..];
    if name.contains(&b'@') { None } else { domain(name) }
}

/// Without the white space of RFC 5322 around it.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

fn domain(name: &[u8]) -> Option<Domain> {
    Domain::parse(std::str::from_utf8(name).ok()?).ok()
}
