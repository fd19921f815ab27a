//! Reads from an Authentication-Results value which checks passed, as far as it is readable.
//!
//! Sealers write more than RFC 8601 permits, such as `action=none`.
//! One entry that cannot be read says nothing about the others.
//! Quotes and comments are respected, so that no text that a sender put into a value reads as an
//! entry of its own.

use super::grammar::Cursor;
use crate::dns::Domain;

/// The largest number of entries that are looked at.
const MAX_ENTRIES: usize = 100;

/// A check that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passed {
    /// DMARC for this author domain, or `None` if the entry names no domain.
    Dmarc(Option<Domain>),
    /// SPF for the domain of MAIL FROM.
    Spf(Domain),
    /// A DKIM signature of the domain in `header.d`, or else of that in `header.i`.
    Dkim(Domain),
}

/// Returns what passed according to a value without instance, `authserv-id; entries`.
///
/// An entry whose domain is not a valid name counts for nothing.
pub fn passes(value: &[u8]) -> Vec<Passed> {
    entries(value).skip(1).take(MAX_ENTRIES).filter_map(passed).collect()
}

fn passed(entry: &[u8]) -> Option<Passed> {
    let entry = Cursor::new(entry).lax_method_result(&["header.from", "header.d", "header.i", "smtp.mailfrom"])?;
    if entry.result != "pass" {
        return None;
    }
    let value = |ptype: &str, name: &str| {
        let found = entry.properties.iter().find(|property| property.ptype == ptype && property.property == name);
        found.map(|property| property.value.as_str())
    };
    let domain = |value: &str| Domain::parse(value.rsplit_once('@').map_or(value, |(_, domain)| domain)).ok();
    match entry.method.as_str() {
        "dmarc" => match value("header", "from") {
            None => Some(Passed::Dmarc(None)),
            Some(from) => domain(from).map(|from| Passed::Dmarc(Some(from))),
        },
        "spf" => value("smtp", "mailfrom").and_then(domain).map(Passed::Spf),
        "dkim" => value("header", "d").or_else(|| value("header", "i")).and_then(domain).map(Passed::Dkim),
        _ => None,
    }
}

/// Cuts `value` at the semicolons outside quotes and comments.
fn entries(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut depth, mut escaped) = (false, 0_usize, false);
    value.split(move |byte| {
        let is_escaped = escaped;
        escaped = *byte == b'\\' && !is_escaped && (quoted || depth > 0);
        match byte {
            _ if is_escaped => {}
            b'"' if depth == 0 => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b';' => return !quoted && depth == 0,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    #[test]
    fn what_passed_is_read_from_what_sealers_write() {
        let google = b" mx.google.com;\r\n       dkim=pass header.i=@a.example header.s=s header.b=AbC/+d;\r\n       spf=pass \
            (google.com: domain of u@b.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=u@b.example;\r\n       \
            dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=c.example\r\n";
        assert_eq!(
            passes(google),
            [Passed::Dkim(domain("a.example")), Passed::Spf(domain("b.example")), Passed::Dmarc(Some(domain("c.example")))]
        );
        let microsoft = b" mx.microsoft.com 1; spf=pass smtp.mailfrom=b.example; dmarc=pass action=none header.from=c.example; \
            dkim=pass header.d=a.example; arc=none";
        assert_eq!(
            passes(microsoft),
            [Passed::Spf(domain("b.example")), Passed::Dmarc(Some(domain("c.example"))), Passed::Dkim(domain("a.example"))]
        );
        assert_eq!(passes(b"mx.example; dmarc=pass"), [Passed::Dmarc(None)]);
    }

    #[test]
    fn what_did_not_pass_or_names_no_domain_says_nothing() {
        for value in [
            &b"mx.example; none"[..],
            b"mx.example; dmarc=fail header.from=c.example; spf=softfail smtp.mailfrom=c.example; dkim=neutral header.d=c.example",
            b"dmarc=pass header.from=c.example",
            b"mx.example; dmarc=pass header.from=192.0.2.1",
            b"mx.example; dmarc=pass header.from=",
            b"mx.example; spf=pass; dkim=pass; arc=pass header.d=c.example",
            b"mx.example; spf=pass smtp.helo=c.example",
            b"mx.example (; dmarc=pass header.from=c.example)",
            b"mx.example; spf=fail smtp.mailfrom=\"x; dmarc=pass header.from=c.example; y\"@b.example",
            b"mx.example; spf=fail smtp.mailfrom=\"x\\\"; dmarc=pass header.from=c.example; y\"@b.example",
            b"mx.example; spf=fail (\\); dmarc=pass header.from=c.example)",
            b"mx.example; dkim=pass x=\"y header.d=c.example\"",
            b"",
        ] {
            assert_eq!(passes(value), [], "{}", String::from_utf8_lossy(value));
        }
        let many = [b"mx.example".to_vec(), b"; dmarc=pass".repeat(5000)].concat();
        assert_eq!(passes(&many).len(), MAX_ENTRIES);
    }
}
