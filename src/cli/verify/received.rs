//! Takes the envelope from the topmost Received and Return-Path fields, for mail from a mailbox.

use crate::message::{Envelope, HeaderSection, MailFrom};
use std::net::IpAddr;

/// Fills in the parts of `envelope` that are unknown, and returns notes that say where each part
/// was taken from.
pub(super) fn complete(envelope: &mut Envelope, section: &HeaderSection<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some((index, field)) = section.named("Received").next() {
        let value = unfolded(field.value());
        let client = Client::read(&value);
        if let (None, Some(Client { ip, .. })) = (envelope.client_ip, &client) {
            envelope.client_ip = Some(*ip);
            notes.push(format!("client address {ip} taken from the topmost Received field (field {})", index + 1));
        } else if envelope.client_ip.is_none() {
            notes.push(format!(
                "client address unknown: the topmost Received field (field {}) does not say in a known form, and once, who connected",
                index + 1
            ));
        }
        if let (None, Some(helo)) = (&envelope.helo, client.and_then(|client| client.helo)) {
            notes.push(format!("HELO {} taken from the same field", helo.escape_debug()));
            envelope.helo = Some(Envelope::text(helo.as_bytes()));
        }
    }
    if let (MailFrom::Unknown, Some((index, field))) = (&envelope.mail_from, section.named("Return-Path").next()) {
        let value = unfolded(field.value());
        let value = value.trim();
        let path = value.strip_prefix('<').and_then(|value| value.strip_suffix('>')).unwrap_or(value);
        envelope.mail_from = if path.is_empty() { MailFrom::Null } else { MailFrom::Path(Envelope::text(path.as_bytes())) };
        notes.push(format!("MAIL FROM <{}> taken from the topmost Return-Path field (field {})", path.escape_debug(), index + 1));
    }
    if notes.is_empty() {
        notes.push("the message has no Received or Return-Path field to take an envelope from".into());
    }
    notes
}

fn unfolded(value: &[u8]) -> String {
    String::from_utf8_lossy(value).replace(['\r', '\n'], " ")
}

/// The client that connected, as the server that wrote the field saw it.
#[derive(Debug, PartialEq, Eq)]
struct Client<'v> {
    helo: Option<&'v str>,
    ip: IpAddr,
}

impl<'v> Client<'v> {
    /// Reads the text between `from` and `by`, in the forms that servers write:
    /// `HELO (name [address])` (Postfix, Sendmail, Gmail), `HELO (address)` (Exchange),
    /// `name (HELO helo) (address)` (qmail), `name ([address] helo=HELO)` and
    /// `[address] (helo=HELO)` (Exim).
    ///
    /// The sender chooses HELO, so an address in it never counts. When HELO makes the field look
    /// like one of another form, there is a second address, a second `by`, or a parenthesis too
    /// many, and this returns `None`.
    fn read(value: &'v str) -> Option<Self> {
        // The date stands after the last semicolon. HELO may contain other semicolons.
        let parts = parts(value.rsplit_once(';').map_or(value, |(stamp, _)| stamp))?;
        let is_by = |part: &Part<'_>| matches!(part, Part::Word(word) if word.eq_ignore_ascii_case("by"));
        let by = parts.iter().position(is_by)?;
        if parts.iter().filter(|part| is_by(part)).count() > 1 {
            return None;
        }
        let [Part::Word(from), Part::Word(name), comments @ ..] = parts.get(..by)? else { return None };
        if !from.eq_ignore_ascii_case("from") {
            return None;
        }
        let (mut found, mut helo, mut of_literal) = (None, None, false);
        for comment in comments {
            let Part::Comment(text) = comment else { return None };
            match Comment::read(text)? {
                Comment::Remark => {}
                Comment::Helo(name) if helo.is_none() => helo = Some(name),
                Comment::HeloOfLiteral(name) if helo.is_none() => (helo, of_literal) = (Some(name), true),
                Comment::Address(ip) if found.is_none() => found = Some(ip),
                Comment::AddressAndHelo(ip, name) if found.is_none() && helo.is_none() => (found, helo) = (Some(ip), Some(name)),
                _ => return None,
            }
        }
        let ip = if of_literal { literal(name).filter(|_| found.is_none()) } else { found };
        Some(Self { helo: helo.or(Some(name)), ip: ip? })
    }
}

/// A word, or a comment without its parentheses.
enum Part<'v> {
    Word(&'v str),
    Comment(&'v str),
}

/// Returns the words and comments of a field; `None` when a parenthesis is not closed or a
/// character is escaped.
fn parts(text: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = if rest.starts_with('(') {
            let end = comment_end(rest)?;
            parts.push(Part::Comment(rest.get(1..end - 1)?));
            end
        } else {
            let end = rest.find([' ', '\t', '(', ')', '\\']).unwrap_or(rest.len());
            parts.push(Part::Word(rest.get(..end).filter(|word| !word.is_empty())?));
            end
        };
        rest = rest.get(end..)?.trim_start();
    }
    Some(parts)
}

fn comment_end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '\\' => return None,
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at + 1),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The content of a comment after the name.
enum Comment<'v> {
    /// A remark about TLS or authentication, which says nothing about the client.
    Remark,
    /// HELO in the form of qmail, which has the address in another comment.
    Helo(&'v str),
    /// HELO in the form of Exim, which has the address in front of the comment.
    HeloOfLiteral(&'v str),
    Address(IpAddr),
    AddressAndHelo(IpAddr, &'v str),
}

impl<'v> Comment<'v> {
    /// Reads a comment; `None` when it has several addresses, or one in an unknown place.
    fn read(text: &'v str) -> Option<Self> {
        let (own, nested) = text.split_once('(').unwrap_or((text, ""));
        let words: Vec<&str> = own.split_whitespace().collect();
        let exim = words.iter().find_map(|word| word.strip_prefix("helo="));
        if nested.split_whitespace().any(names_address) {
            return None;
        }
        let is_remark = |words: &[&str]| !words.iter().any(|word| !word.starts_with("helo=") && names_address(word));
        match (words.as_slice(), exim) {
            ([verb, helo], None) if ["HELO", "EHLO"].iter().any(|known| verb.eq_ignore_ascii_case(known)) => {
                Some(Self::Helo(helo))
            }
            ([address], None) if address.parse::<IpAddr>().is_ok() => Some(Self::Address(address.parse().ok()?)),
            ([address, rest @ ..], _) if literal(address).is_some() && is_remark(rest) => Some(match exim {
                Some(helo) => Self::AddressAndHelo(literal(address)?, helo),
                None => Self::Address(literal(address)?),
            }),
            ([name, address], None) if !name.contains('[') => {
                literal(address).map(Self::Address).or_else(|| is_remark(&words).then_some(Self::Remark))
            }
            (_, Some(helo)) if is_remark(&words) => Some(Self::HeloOfLiteral(helo)),
            _ => is_remark(&words).then_some(Self::Remark),
        }
    }
}

fn names_address(word: &str) -> bool {
    word.contains('[') || word.parse::<IpAddr>().is_ok()
}

/// Reads `[address]` or `[IPv6:address]`, which Exim may follow with a port; `None` for anything
/// else.
fn literal(word: &str) -> Option<IpAddr> {
    let (inside, port) = word.strip_prefix('[')?.split_once(']')?;
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return None;
    }
    let inside = inside.strip_prefix("IPv6:").or_else(|| inside.strip_prefix("ipv6:")).unwrap_or(inside);
    inside.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_read(table: &[(&str, Option<(&str, &str)>)]) {
        for (value, expected) in table {
            let expected = expected.map(|(helo, ip)| Client { helo: Some(helo), ip: ip.parse().unwrap() });
            assert_eq!(Client::read(value), expected, "{value}");
        }
    }

    #[test]
    fn the_client_is_read_from_what_servers_write() {
        let v4 = |helo| Some((helo, "203.0.113.5"));
        let v6 = |helo| Some((helo, "2001:db8::5"));
        assert_read(&[
            ("from mx.a.example (mx.a.example [203.0.113.5]) by b (Postfix) with ESMTPS id 1 for <u@b>; x", v4("mx.a.example")),
            (
                "from mx (unknown [203.0.113.5])\t(using TLSv1.3 with cipher X (256/256 bits)  key-exchange Y (2048 bits)) (Client CN \"x\", Issuer \"y\" (verified OK)) by b; x",
                v4("mx"),
            ),
            ("from mx (unknown [203.0.113.5]) (Authenticated sender: u) by b; x", v4("mx")),
            ("from mx (a.b [IPv6:2001:db8::5]) by b; x", v6("mx")),
            ("from mx (a.b. [2001:db8::5]) by mx.google.com with ESMTPS id x; y", v6("mx")),
            ("from mx ([203.0.113.5]) by b; x", v4("mx")),
            ("from mx ([IPv6:2001:db8::5]) by b; x", v6("mx")),
            ("from mx (a.b [::ffff:203.0.113.5]) by b; x", Some(("mx", "::ffff:203.0.113.5"))),
            ("from mx (IDENT:u@a.b [203.0.113.5] (may be forged)) (authenticated bits=0) by b (8.17/8.17); x", v4("mx")),
            ("from [203.0.113.5] (helo=mx) by b with esmtp (Exim 4.96) (envelope-from <u@a>) id x; y", v4("mx")),
            ("from [203.0.113.5]:4711 (port=4711 helo=mx) by b; y", v4("mx")),
            ("from a.b ([203.0.113.5]:51234 helo=mx ident=u) by b with esmtps; x", v4("mx")),
            ("from a.b ([203.0.113.5] helo=[198.51.100.9]) by b; x", v4("[198.51.100.9]")),
            ("from mx (203.0.113.5) by b.outlook.com (10.97.5.9) with Microsoft SMTP Server id 15; x", v4("mx")),
            ("from mx (2001:db8::5) by b.outlook.com (2001:db8::9) with Microsoft SMTP Server; x", v6("mx")),
            ("from unknown (HELO mx) (203.0.113.5)   by b with SMTP; x", v4("mx")),
            ("from a.b (EHLO mx) ([203.0.113.5]) by b; x", v4("mx")),
            ("FROM mx (a.b [203.0.113.5]) BY b; x", v4("mx")),
            ("from mx.b ([127.0.0.1]) by mx.b with LMTP id x; y", Some(("mx.b", "127.0.0.1"))),
        ]);
    }

    #[test]
    fn an_address_in_helo_is_never_the_client() {
        let seen = |helo| Some((helo, "203.0.113.5"));
        assert_read(&[
            ("from [198.51.100.9] (unknown [203.0.113.5]) by b; x", seen("[198.51.100.9]")),
            ("from [198.51.100.9] ([203.0.113.5]) by b; x", seen("[198.51.100.9]")),
            ("from [198.51.100.9] (203.0.113.5) by b; x", seen("[198.51.100.9]")),
            ("from [198.51.100.9]x (unknown [203.0.113.5]) by b; x", seen("[198.51.100.9]x")),
            ("from [198.51.100.9] ([203.0.113.5] helo=[198.51.100.9]) by b; x", seen("[198.51.100.9]")),
            ("from unknown (HELO [198.51.100.9]) (203.0.113.5) by b; x", seen("[198.51.100.9]")),
        ]);
    }

    #[test]
    fn what_is_not_plain_is_unknown() {
        for value in [
            "by b with LMTP id 1",
            "(qmail 123 invoked by uid 0); x",
            "from mx by b with LMTP id x; y",
            "from [198.51.100.9] by b; x",
            "from mx [203.0.113.5] by b; x",
            "from mx (a.b [203.0.113.5]); x",
            "from mx (a.b) by b (203.0.113.5); x",
            // HELO was made to look like the text of a server.
            "from a (b [198.51.100.9]) (c [203.0.113.5]) by b; x",
            "from a (198.51.100.9) by c (203.0.113.5) by b; x",
            "from a (198.51.100.9) by c (x (203.0.113.5) by b; x",
            "from a (b [198.51.100.9]) by c; (d [203.0.113.5]) by b; x",
            "from unknown (HELO a) (198.51.100.9) (203.0.113.5) by b; x",
            "from unknown (HELO a (198.51.100.9) (203.0.113.5) by b; x",
            "from unknown (HELO a [198.51.100.9]) (203.0.113.5) by b; x",
            "from [198.51.100.9] (HELO a) by b; x",
            "from [198.51.100.9] (helo=a) ([203.0.113.5]) by b; x",
            "from a (b[198.51.100.9] [203.0.113.5]) by b; x",
            "from a ([198.51.100.9] [203.0.113.5]) by b; x",
            "from a (b 198.51.100.9 [203.0.113.5]) by b; x",
            "from a (b [203.0.113.5] ([198.51.100.9])) by b; x",
            "from a (b \\) [203.0.113.5]) by b; x",
            "from a) (b [203.0.113.5]) by b; x",
        ] {
            assert_eq!(Client::read(value), None, "{value}");
        }
    }
}
