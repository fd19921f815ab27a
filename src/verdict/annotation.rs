//! Writes the fields on top of the annotated message (Decisions: header fields).

use super::field::FieldWriter;
use crate::auth::cause::SesStatus;
use crate::auth::dmarc::Policy;
use crate::message::{Envelope, MailFrom, Path};

/// Returns the fields that this program writes.
///
/// From top to bottom they are Return-Path, Authentication-Results, Received-SPF, the verdicts, and
/// the policy.
pub(super) fn fields(
    envelope: &Envelope,
    authentication_results: FieldWriter,
    received_spf: FieldWriter,
    prefix: &str,
    statuses: [(&str, SesStatus); 3],
    policy: Option<Policy>,
) -> Vec<u8> {
    let (results, spf) = (authentication_results.finish(), received_spf.finish());
    let mut fields = String::with_capacity(results.len() + spf.len() + 512);
    fields.push_str(&return_path(envelope).unwrap_or_default());
    fields.push_str(&results);
    fields.push_str(&spf);
    let mut verdict =
        |name: &str, value: &str| [prefix, name, ": ", value, "\r\n"].iter().for_each(|piece| fields.push_str(piece));
    for (name, status) in statuses {
        verdict(name, status.as_str());
    }
    if let Some(policy) = policy {
        verdict("DMARC-Policy", &policy.as_str().to_ascii_uppercase());
    }
    fields.into_bytes()
}

/// The longest line of a header field in octets, without its CRLF (RFC 5322 2.1.1, RFC 6532 3.4).
const MAX_LINE: usize = 998;

/// Returns the Return-Path field of RFC 5322.
///
/// Returns `None` if MAIL FROM is unknown, is no path, or is too long for a line.
/// A local part in UTF-8 is written as it is (RFC 6532 3.2): there is no other way to write it, and
/// mail to it needs SMTPUTF8 in any case.
/// A local part with other dots than a dot-atom becomes a quoted-string, which means the same
/// (RFC 5321 4.1.2).
fn return_path(envelope: &Envelope) -> Option<String> {
    let MailFrom::Path(path) = &envelope.mail_from else {
        return (envelope.mail_from == MailFrom::Null).then(|| "Return-Path: <>\r\n".into());
    };
    let Path { local_part, domain } = Path::parse(path.as_bytes())?;
    let local_part = String::from_utf8(local_part).ok()?;
    let has_odd_dots = !local_part.starts_with('"') && local_part.split('.').any(str::is_empty);
    let quote = if has_odd_dots { "\"" } else { "" };
    let field = format!("Return-Path: <{quote}{local_part}{quote}@{domain}>\r\n");
    (field.len() <= MAX_LINE + 2).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::HeaderSection;

    fn written(mail_from: MailFrom) -> Option<String> {
        return_path(&Envelope { mail_from, ..Envelope::default() })
    }

    #[test]
    fn the_return_path_is_a_valid_field_or_there_is_none() {
        let long = |length: usize| format!("{}@b.example", "a".repeat(length - "@b.example".len()));
        let longest = MAX_LINE - "Return-Path: <>".len();
        for (path, expected) in [
            ("a@b.example", Some("a@b.example")),
            ("a@B.example.", Some("a@b.example")),
            ("\"a \\\" b\"@b.example", Some("\"a \\\" b\"@b.example")),
            ("jürgen@bücher.example", Some("jürgen@xn--bcher-kva.example")),
            ("a@bücher.example", Some("a@xn--bcher-kva.example")),
            ("a..b@c.example", Some("\"a..b\"@c.example")),
            (".a@c.example", Some("\".a\"@c.example")),
            (&long(longest), Some(&long(longest))),
            (&long(longest + 1), None),
            ("a", None),
            ("a@[192.0.2.1]", None),
            ("a@b.example\r\nX: y", None),
            ("a\u{fffd}@b\u{0}.example", None),
        ] {
            let field = written(MailFrom::Path(path.into()));
            let expected = expected.map(|path| format!("Return-Path: <{path}>\r\n"));
            assert_eq!(field, expected, "{path}");
            let Some(field) = field else { continue };
            let limits = crate::config::Limits::default();
            let section = HeaderSection::parse(field.as_bytes(), &limits);
            assert!(section.fields().len() == 1 && section.defects().is_empty(), "{field}");
            let inside = field.trim_end().strip_prefix("Return-Path: <").and_then(|rest| rest.strip_suffix('>')).unwrap();
            assert!(Path::parse_strictly(inside.as_bytes()).is_some(), "{inside} is a path");
        }
        assert_eq!(written(MailFrom::Null).as_deref(), Some("Return-Path: <>\r\n"));
        assert_eq!(written(MailFrom::Unknown), None);
    }
}
