//! Explains to people why From gives no author domain, and where reading it stopped.

use super::{AddressList, AuthorError, Domain, Kind, Token, is_blank, last_brackets};
use crate::detail::{Detail, quoted};
use crate::message::HeaderSection;
use crate::message::unfold::unfold;
use memchr::memrchr;
use std::ops::Range;

/// The longest value that is read a second time for an explanation, in bytes. People write shorter
/// ones, and a sender must not double the work on a longer one.
const MAX_EXPLAINED: usize = 10 << 10;

/// Returns the details of an error, or `None` if there is nothing to show.
pub fn explain_author(section: &HeaderSection<'_>, error: AuthorError) -> Option<Detail> {
    let mut fields = section.named("From");
    let (_, first) = fields.next()?;
    let value = unfold(first.value());
    let shown = quoted(value.trim_ascii());
    match error {
        AuthorError::Missing | AuthorError::HeadersMalformed => None,
        AuthorError::MultipleFields => {
            let (_, second) = fields.next()?;
            let second = quoted(unfold(second.value()).trim_ascii());
            Some(Detail::new(format_args!("the first From is {shown}, the second {second}")))
        }
        AuthorError::MultipleDomains | AuthorError::Unparsable if value.len() > MAX_EXPLAINED => Some(Detail::new(format_args!(
            "From is {shown}: a field of {} bytes is not explained further",
            value.trim_ascii().len()
        ))),
        AuthorError::MultipleDomains => {
            let domains: Vec<_> = AddressList::of(&value).first_domains().iter().map(Domain::to_string).collect();
            Some(Detail::new(format_args!("From is {shown}: its addresses are of {}", domains.join(" and of "))))
        }
        AuthorError::Unparsable => {
            let (at, why) = stop(&value);
            let rest = value.get(at..).unwrap_or_default();
            let place = if rest.is_empty() { "its end".to_owned() } else { quoted(rest) };
            Some(Detail::new(format_args!("From is {shown}: reading stopped at {place}: {why}")))
        }
    }
}

/// Returns the position at which reading stopped, and the reason.
fn stop(value: &[u8]) -> (usize, &'static str) {
    if let Some(at) = value.iter().position(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return (at, "a CR, LF or NUL may not stand there");
    }
    let list = AddressList::of(value);
    let Some(first) = list.next_holder(0) else {
        return (value.len(), "no address stands outside of quotes and comments");
    };
    let mut next = match list.next_holder(first.end) {
        None => Some(0..value.len()),
        Some(_) => Some(first),
    };
    while let Some(part) = next {
        if list.mailbox(part.clone()).is_none() {
            return list.stop_in(part);
        }
        next = list.next_holder(part.end);
    }
    let open = last_brackets(value).map_or(0, |(open, _)| open);
    (open, "some software takes this for the address")
}

impl AddressList<'_> {
    /// Returns the position at which reading stopped in a part that is no mailbox, and the reason.
    fn stop_in(&self, part: Range<usize>) -> (usize, &'static str) {
        let is_margin = |token: &Token| token.kind.separates() || token.kind == Kind::Comment || self.is_blank(token);
        let Some(last) = self.tokens.within(part.clone()).rev().find(|token| !is_margin(token)) else {
            return (part.start, "no address stands there");
        };
        let address = |token: &Token| token.kind == Kind::Angle && self.tokens.bytes(token).contains(&b'@');
        let mut angles = self.tokens.within(part.start..last.span.end).filter(address);
        if self.shows_address(last.span.end..part.end) {
            return (last.span.end, "a comment holds an address in angle brackets");
        }
        if last.kind != Kind::Angle {
            return match angles.next() {
                Some(angle) => (angle.span.end, "nothing may follow the address in angle brackets"),
                None => self.stop_at(part.start..last.span.end),
            };
        }
        if self.is_phrase(part.start..last.span.start) {
            return self.stop_at(last.span.start + 1..last.span.end - 1);
        }
        let before = angles.next().map_or(part.start, |angle| angle.span.start);
        (before, "an address stands before the one in the last angle brackets")
    }

    /// Returns the position at which reading stopped in a bare address, and the reason.
    fn stop_at(&self, span: Range<usize>) -> (usize, &'static str) {
        let text = self.tokens.text.get(span.clone()).unwrap_or_default();
        let start = span.start + text.iter().take_while(|byte| is_blank(**byte)).count();
        let Some(at) = memrchr(b'@', text) else { return (start, "no `@` stands there") };
        let domain = text.get(at + 1..).map(<[u8]>::trim_ascii).unwrap_or_default();
        let is_domain = std::str::from_utf8(domain).is_ok_and(|domain| Domain::parse(domain).is_ok());
        if is_domain { (start, "the local part cannot be read") } else { (span.start + at + 1, "no domain name stands there") }
    }

    /// Returns the first two domains of the addresses.
    fn first_domains(&self) -> Vec<Domain> {
        let mut domains: Vec<Domain> = Vec::new();
        let mut next = self.next_holder(0);
        while let Some(piece) = next.filter(|_| domains.len() < 2) {
            let mailbox = self.mailbox(piece.clone()).map(|mailbox| mailbox.domain);
            for domain in mailbox.into_iter().chain(self.domains_in(piece.clone())) {
                if domains.len() < 2 && !domains.contains(&domain) {
                    domains.push(domain);
                }
            }
            next = self.next_holder(piece.end);
        }
        domains
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::message::author;

    fn explained(fields: &str) -> String {
        let message = format!("{fields}\r\n\r\n");
        let section = HeaderSection::parse(message.as_bytes(), &Limits::default());
        explain_author(&section, author(&section).unwrap_err()).unwrap().to_string()
    }

    #[test]
    fn the_place_where_reading_from_stopped_is_named() {
        for (value, place) in [
            ("nobody", "its end: no address stands outside of quotes and comments"),
            ("a@192.0.2.1", "`192.0.2.1`: no domain name stands there"),
            ("Ann <a@b..example>", "`b..example>`: no domain name stands there"),
            ("Ann <a b@c.example>", "`a b@c.example>`: the local part cannot be read"),
            ("<a@b.example>ceo@c.example", "`ceo@c.example`: nothing may follow the address in angle brackets"),
            ("Joe <a@b.example> and more", "` and more`: nothing may follow the address in angle brackets"),
            (
                "<a@b.example><c@d.example>",
                "`<a@b.example><c@d.example>`: an address stands before the one in the last angle brackets",
            ),
            ("a@b.example (<c@d.example>)", "`(<c@d.example>)`: a comment holds an address in angle brackets"),
            ("a@b.example, x y@b.example", "`x y@b.example`: the local part cannot be read"),
        ] {
            assert_eq!(explained(&format!("From: {value}")), format!("From is `{value}`: reading stopped at {place}"), "{value}");
        }
        assert_eq!(
            explained("From: \u{a0}nobody"),
            "From is `\\u{a0}nobody`: reading stopped at its end: no address stands outside of quotes and comments"
        );
    }

    #[test]
    fn a_long_field_is_not_read_a_second_time() {
        let explained = |length: usize| explained(&format!("From: {}", "<".repeat(length)));
        assert!(explained(9_000).ends_with("no address stands outside of quotes and comments"));
        assert!(explained(11_000).ends_with("a field of 11000 bytes is not explained further"), "{}", explained(11_000));
    }

    #[test]
    fn several_fields_and_domains_are_shown() {
        assert_eq!(
            explained("From: a@b.example\r\nX: y\r\nFrom: c@d.example"),
            "the first From is `a@b.example`, the second `c@d.example`"
        );
        assert_eq!(
            explained("From: a@b.example, c@d.example, e@f.example"),
            "From is `a@b.example, c@d.example, e@f.example`: its addresses are of b.example and of d.example"
        );
    }
}
