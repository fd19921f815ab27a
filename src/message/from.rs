//! Reads the author domain from From (A4 to A7, F-1 to F-12).
//!
//! The text before the address is read as laxly as people write mail, and the address strictly.
//! Where two readings would show different addresses to people, there is no author domain.
//! A lax reading never yields a domain other than the one between the last angle brackets.

mod explain;
mod tokens;

pub use explain::explain_author;

use super::invisible::as_seen;
use super::path::{Dots, split_mailbox};
use super::section::{Defect, HeaderSection};
use super::summary::decode;
use super::unfold::unfold;
use crate::dns::Domain;
use memchr::{memchr, memchr_iter, memchr2, memmem, memrchr};
use std::ops::Range;
use tokens::Token;
pub(super) use tokens::{Kind, Tokens};

/// The display text that is decoded, in bytes: more than anybody is shown.
const MAX_ENCODED: usize = 10 << 10;

/// The author domain, and the remarkable properties of the From field that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The domain of RFC5322.From.
    pub domain: Domain,
    /// True when the field holds several mailboxes, all of this domain (`from_not_unique`).
    pub several_mailboxes: bool,
    /// True when a display name or comment holds an address of another domain
    /// (`from_display_address`).
    pub display_address: bool,
    /// True when there are several mailboxes, but no Sender field, which RFC 5322 3.6.2 requires.
    pub sender_missing: bool,
}

/// The reason why a message has no author domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthorError {
    /// There is no From field.
    #[error("there is no From field")]
    Missing,
    /// The From field holds no address that can be read without doubt, or too many.
    #[error("the From field holds no unambiguous address")]
    Unparsable,
    /// There are several From fields (RFC 5322 3.6 permits one).
    #[error("there are several From fields")]
    MultipleFields,
    /// The From field names several domains.
    #[error("the From field names several domains")]
    MultipleDomains,
    /// The header section is broken in a From field, or where one could hide (F-9).
    #[error("the header section is broken where From stands or could hide")]
    HeadersMalformed,
}

/// Returns the author domain of a message.
///
/// # Errors
/// Returns the reason if there is none, or if different readers could see different ones.
pub fn author(section: &HeaderSection<'_>) -> Result<Author, AuthorError> {
    if section.has(Defect::MalformedFrom) {
        return Err(AuthorError::HeadersMalformed);
    }
    let mut fields = section.named("From");
    let (_, field) = fields.next().ok_or(AuthorError::Missing)?;
    if fields.next().is_some() {
        return Err(AuthorError::MultipleFields);
    }
    let mut author = read(field.value())?;
    author.sender_missing = author.several_mailboxes && section.named("Sender").next().is_none();
    Ok(author)
}

/// Reads the value of a From field. `sender_missing` stays false.
///
/// Every mailbox counts, however many there are: a sender must not escape from a policy by
/// repeating an address.
fn read(value: &[u8]) -> Result<Author, AuthorError> {
    let value = unfold(value);
    if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(AuthorError::Unparsable);
    }
    let mut list = AddressList::of(&value);
    let domain = list.read_mailboxes()?;
    let named = list.names_other_domain(&domain);
    // Some software knows no quotes, comments or groups.
    // It takes what the last brackets enclose for the author's address.
    let strange = last_brackets(&value).is_some_and(|(open, enclosed)| {
        !list.opens_mailbox(open) && enclosed.map_or(named, |address| domain_of(address).as_ref() != Some(&domain))
    });
    // Other software may close a quote, comment or bracket elsewhere.
    // It would then see the other address outside of them.
    if strange || named && list.tokens.has_stray() {
        return Err(AuthorError::Unparsable);
    }
    let display_address = named || list.shows_other_domain(&domain);
    Ok(Author { domain, several_mailboxes: list.mailboxes > 1, display_address, sender_missing: false })
}

/// Finds the last angle bracket that an `@` follows, whatever it is a part of (F-3, F-4).
///
/// Returns its position, and the text that it encloses if that text holds the `@`.
fn last_brackets(value: &[u8]) -> Option<(usize, Option<&[u8]>)> {
    let open = value.get(..memrchr(b'@', value)?).and_then(|before| memrchr(b'<', before))?;
    let rest = value.get(open + 1..)?;
    let enclosed = memchr(b'>', rest).and_then(|close| rest.get(..close));
    Some((open, enclosed.filter(|enclosed| enclosed.contains(&b'@'))))
}

fn domain_of(address: &[u8]) -> Option<Domain> {
    split_mailbox(address.trim_ascii(), Dots::Anywhere).map(|(_, domain)| domain)
}

/// An address that was read strictly.
struct Mailbox {
    domain: Domain,
    /// The position of the addr-spec in the value.
    span: Range<usize>,
}

struct AddressList<'v> {
    tokens: Tokens<'v>,
    /// The number of mailboxes, once they are read. The tokens mark their positions.
    mailboxes: usize,
}

impl<'v> AddressList<'v> {
    fn of(value: &'v [u8]) -> Self {
        Self { tokens: Tokens::of(value), mailboxes: 0 }
    }

    /// Reads every mailbox. Returns their domain if they have only one.
    fn read_mailboxes(&mut self) -> Result<Domain, AuthorError> {
        let first = self.next_holder(0).ok_or(AuthorError::Unparsable)?;
        if self.next_holder(first.end).is_some() {
            return self.read_several(first);
        }
        let mailbox = self.mailbox(0..self.tokens.text.len()).ok_or(AuthorError::Unparsable)?;
        self.add(mailbox.span);
        Ok(mailbox.domain)
    }

    /// Does the work of [`Self::read_mailboxes`] if several pieces hold an address.
    ///
    /// `first` is the first of these pieces.
    fn read_several(&mut self, first: Range<usize>) -> Result<Domain, AuthorError> {
        let mut only: Option<Domain> = None;
        let mut is_other = |domain: &Domain| only.get_or_insert_with(|| domain.clone()) != domain;
        let mut all_read = true;
        let mut next = Some(first);
        while let Some(piece) = next {
            let mailbox = self.mailbox(piece.clone());
            let several = match &mailbox {
                Some(mailbox) => is_other(&mailbox.domain),
                None => self.domains_in(piece.clone()).any(|domain| is_other(&domain)),
            };
            if several {
                return Err(AuthorError::MultipleDomains);
            }
            match mailbox {
                Some(mailbox) => self.add(mailbox.span),
                None => all_read = false,
            }
            next = self.next_holder(piece.end);
        }
        only.filter(|_| all_read).ok_or(AuthorError::Unparsable)
    }

    fn add(&mut self, address: Range<usize>) {
        self.tokens.mark_address(address);
        self.mailboxes += 1;
    }

    /// Returns the first piece from `at` on that holds an address.
    ///
    /// Commas and semicolons separate the pieces. A separator belongs to the piece that it ends.
    fn next_holder(&self, mut at: usize) -> Option<Range<usize>> {
        let end = self.tokens.text.len();
        while at < end {
            let piece = at..self.tokens.separator(at).map_or(end, |separator| separator + 1);
            if self.holds_address(piece.clone()) {
                return Some(piece);
            }
            at = piece.end;
        }
        None
    }

    /// Returns whether software could see an addr-spec outside quoted strings and comments.
    fn holds_address(&self, piece: Range<usize>) -> bool {
        let start = self
            .tokens
            .within(piece.clone())
            .find(|token| !self.is_blank(token))
            .map(|token| token.span.start + self.tokens.bytes(&token).iter().take_while(|byte| is_blank(**byte)).count());
        self.tokens.within(piece).any(|token| match token.kind {
            Kind::Angle => self.tokens.bytes(&token).contains(&b'@'),
            Kind::Text => self.at_signs(token.span).any(|at| start.is_some_and(|start| self.is_address_sign(start, at))),
            _ => false,
        })
    }

    fn at_signs(&self, span: Range<usize>) -> impl Iterator<Item = usize> + use<'_, 'v> {
        let start = span.start;
        memchr_iter(b'@', self.tokens.text.get(span).unwrap_or_default()).map(move |at| start + at)
    }

    /// Returns whether a local part may precede this `@`, and a domain follow it.
    ///
    /// RFC 5322 permits comments and white space around `@`. With white space, only a name of
    /// several labels counts, so that `Joe @ Work, Inc. <…>` stays a phrase.
    fn is_address_sign(&self, piece_start: usize, at: usize) -> bool {
        let text = self.tokens.text;
        let domain_at = self.tokens.skip_comments(at + 1);
        let name = host_like(text.get(domain_at..).unwrap_or_default());
        let attached = domain_at == at + 1 && !text.get(..at).and_then(<[u8]>::last).is_some_and(|byte| is_blank(*byte));
        at > piece_start && !name.is_empty() && (attached || name.contains(&b'.'))
    }

    /// Returns the domain after each `@` of a piece that is no mailbox.
    fn domains_in(&self, piece: Range<usize>) -> impl Iterator<Item = Domain> + '_ {
        self.tokens
            .within(piece)
            .filter(|token| matches!(token.kind, Kind::Text | Kind::Angle))
            .flat_map(|token| self.at_signs(token.span))
            .filter_map(|at| domain_like(self.tokens.text.get(self.tokens.skip_comments(at + 1)..).unwrap_or_default()))
    }

    /// Reads `part` as a mailbox. Returns `None` if it is none.
    ///
    /// A mailbox is a bare addr-spec, or a phrase with the only `<addr-spec>` at its end.
    /// Comments may precede and follow it.
    fn mailbox(&self, part: Range<usize>) -> Option<Mailbox> {
        let is_margin = |token: &Token| token.kind.separates() || token.kind == Kind::Comment || self.is_blank(token);
        let last = self.tokens.within(part.clone()).rev().find(|token| !is_margin(token))?;
        if self.shows_address(last.span.end..part.end) {
            return None;
        }
        if last.kind == Kind::Angle {
            let is_phrase = self.is_phrase(part.start..last.span.start);
            return if is_phrase { self.strict(last.span.start + 1..last.span.end - 1) } else { None };
        }
        let first = self.tokens.within(part.start..last.span.end).find(|token| !is_margin(token))?;
        if self.shows_address(part.start..first.span.start) {
            return None;
        }
        let span = first.span.start..last.span.end;
        self.strict(span.clone()).or_else(|| {
            if self.semicolon_follows(span.end) { self.strict(self.after_group_name(span.clone())?..span.end) } else { None }
        })
    }

    /// Returns whether comments hold an angle bracket that an `@` follows.
    ///
    /// Software that knows no comments takes the last angle brackets, wherever they are.
    /// A bracket without an `@` is only a heart or an arrow.
    fn shows_address(&self, margin: Range<usize>) -> bool {
        let text = self.tokens.text.get(margin).unwrap_or_default();
        memchr(b'<', text).and_then(|open| text.get(open..)).is_some_and(|behind| behind.contains(&b'@'))
    }

    /// Returns whether the text before the address can be no address of its own.
    fn is_phrase(&self, part: Range<usize>) -> bool {
        let mut open = false;
        self.tokens.within(part).all(|token| match token.kind {
            Kind::Angle => !self.tokens.bytes(&token).contains(&b'@'),
            Kind::StrayAngle => {
                open = true;
                true
            }
            Kind::Text => !(open && self.tokens.bytes(&token).contains(&b'@')),
            _ => true,
        })
    }

    fn semicolon_follows(&self, position: usize) -> bool {
        self.tokens.last_semicolon().is_some_and(|semicolon| semicolon >= position)
    }

    /// Returns the position at which the members of a group begin (RFC 6854).
    ///
    /// Returns `None` if the text is no group, or if the group's name holds an `@` outside quotes
    /// and comments.
    fn after_group_name(&self, part: Range<usize>) -> Option<usize> {
        for token in self.tokens.within(part).filter(|token| token.kind == Kind::Text) {
            let bytes = self.tokens.bytes(&token);
            let colon = memchr(b':', bytes);
            if bytes.get(..colon.unwrap_or(bytes.len())).is_some_and(|name| name.contains(&b'@')) {
                return None;
            }
            if let Some(colon) = colon {
                return Some(token.span.start + colon + 1);
            }
        }
        None
    }

    /// Reads the addr-spec at `span`, without the white space around it.
    ///
    /// It refuses angle brackets in a quoted local part.
    /// For software that does not read quotes, they would be the last ones of the field.
    fn strict(&self, span: Range<usize>) -> Option<Mailbox> {
        let bytes = self.tokens.text.get(span.clone())?;
        let start = span.start + bytes.iter().take_while(|byte| is_blank(**byte)).count();
        let end = bytes.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
        let address = self.tokens.text.get(start..span.start + end)?;
        if memchr2(b'<', b'>', address).is_some() {
            return None;
        }
        let (_, domain) = split_mailbox(address, Dots::Anywhere)?;
        Some(Mailbox { domain, span: start..start + address.len() })
    }

    /// Returns whether the bracket at `open` is the one before a mailbox.
    fn opens_mailbox(&self, open: usize) -> bool {
        let blanks = self.tokens.text.iter().skip(open + 1).take_while(|byte| is_blank(**byte)).count();
        self.tokens.is_in_address(open + 1 + blanks)
    }

    /// Returns whether an address of another domain occurs outside the mailboxes.
    ///
    /// It may be in a phrase, a quoted string or a comment.
    fn names_other_domain(&self, domain: &Domain) -> bool {
        let text = self.tokens.text;
        memchr_iter(b'@', text).any(|at| !self.tokens.is_in_address(at) && is_other_address(text, at, domain))
    }

    /// Returns whether the text outside the mailboxes shows people an address of another domain.
    ///
    /// Encoded words are decoded, and invisible characters are left out.
    /// Characters that people take for an `@` count as one.
    fn shows_other_domain(&self, domain: &Domain) -> bool {
        let mut room = MAX_ENCODED;
        self.tokens.outside_addresses().any(|part| {
            if is_seen_as_written(part) {
                return false;
            }
            let part = part.get(..room).unwrap_or(part);
            room -= part.len();
            let seen = as_seen(&decode(part)).replace(['\u{ff20}', '\u{fe6b}'], "@");
            memchr_iter(b'@', seen.as_bytes()).any(|at| is_other_address(seen.as_bytes(), at, domain))
        })
    }

    fn is_blank(&self, token: &Token) -> bool {
        token.kind == Kind::Text && self.tokens.bytes(token).iter().copied().all(is_blank)
    }
}

/// Returns whether people see the text as it is written: visible ASCII without encoded words.
fn is_seen_as_written(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) && memmem::find(text, b"=?").is_none()
}

/// Returns whether an address of a domain other than `domain` is around the `@` at `at`.
fn is_other_address(text: &[u8], at: usize, domain: &Domain) -> bool {
    let attached = at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(|byte| !is_blank(*byte));
    attached
        && domain_like(text.get(at + 1..).unwrap_or_default()).is_some_and(|other| other != *domain && other.label_count() > 1)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Returns the domain at the beginning of `text`, as far as its characters go.
fn domain_like(text: &[u8]) -> Option<Domain> {
    let name = host_like(text);
    let name = name.get(..name.iter().rposition(|byte| !matches!(byte, b'.' | b'-')).map_or(0, |last| last + 1))?;
    let parse = |name: &[u8]| Domain::parse(std::str::from_utf8(name).ok()?).ok();
    // A word in another script may directly follow a name.
    parse(name).or_else(|| parse(name.split(|byte| !byte.is_ascii()).next()?))
}

/// Returns the bytes of a host name, or of a word in another script, at the beginning of `text`.
fn host_like(text: &[u8]) -> &[u8] {
    let end =
        text.iter().position(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_' | b'.'));
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests;
