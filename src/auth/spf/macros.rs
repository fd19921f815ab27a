//! Reads domain-specs and expands their macros (RFC 7208 section 7).

use super::identity::Identity;
use crate::dns::QueryName;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

/// The longest value of the sender that is put into a name, in octets.
///
/// No SMTP command line carries more octets (RFC 5321 4.5.3.1.4).
/// The limit bounds the work that a record full of macros can cause.
const MAX_VALUE_OCTETS: usize = 512;

/// A domain-spec of correct syntax that is not yet expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DomainSpec<'r> {
    text: &'r str,
    has_macros: bool,
}

/// The values that macros stand for in one record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    /// The identity under evaluation.
    pub(super) identity: &'a Identity<'a>,
    /// The value of `%{d}`: the domain whose record this is.
    pub(super) domain: &'a QueryName,
    /// The value of `%{p}`: the client's validated name.
    pub(super) validated: &'a str,
}

impl<'r> DomainSpec<'r> {
    /// Returns the domain-spec as the record has it.
    pub(super) fn text(&self) -> &'r str {
        self.text
    }

    /// Reads a `domain-spec`: a macro-string that ends in a macro, or in `.` and a top label.
    ///
    /// Returns `None` if the text is something else.
    /// The letters c, r and t are for texts of explanations only (RFC 7208 7.2).
    pub(super) fn parse(text: &'r str) -> Option<Self> {
        let mut has_macros = false;
        let mut last = None;
        for token in Tokens(text) {
            let token = token.ok()?;
            match &token {
                Token::Literal(_) => {}
                Token::Macro(Macro { letter: Letter::ExplanationOnly, .. }) => return None,
                Token::Fixed(_) | Token::Macro(_) => has_macros = true,
            }
            last = Some(token);
        }
        let ends_well = match last? {
            Token::Literal(literal) => ends_in_top_label(literal),
            Token::Fixed(_) | Token::Macro(_) => true,
        };
        ends_well.then_some(Self { text, has_macros })
    }

    /// Returns whether its expansion needs the client's validated name, which costs lookups.
    pub(super) fn needs_validated_name(&self) -> bool {
        self.holds(Letter::Validated)
    }

    /// Returns whether its expansion needs HELO, which may be unknown.
    pub(super) fn needs_helo(&self) -> bool {
        self.holds(Letter::Helo)
    }

    fn holds(&self, wanted: Letter) -> bool {
        self.has_macros && Tokens(self.text).any(|token| matches!(token, Ok(Token::Macro(found)) if found.letter == wanted))
    }

    /// Returns the name that it stands for, or `None` if DNS cannot hold it (F-26).
    ///
    /// A name over 253 octets loses labels on its left until it fits (RFC 7208 7.3).
    /// So the name is put together from the right, and only until it is long enough.
    /// A name with octets outside ASCII cannot exist either (RFC 8616 section 4).
    pub(super) fn expand(&self, values: &Values<'_>) -> Option<QueryName> {
        if !self.has_macros {
            return QueryName::new(without_excess_labels(self.text)?);
        }
        let tokens: Vec<_> = Tokens(self.text).collect::<Result<_, _>>().ok()?;
        let mut name = Vec::new();
        for token in tokens.iter().rev() {
            let mut longer = match token {
                Token::Literal(text) | Token::Fixed(text) => text.as_bytes().to_vec(),
                Token::Macro(found) => found.expand(values)?,
            };
            longer.append(&mut name);
            name = longer;
            if name.len() > QueryName::MAX_OCTETS + 1 {
                break;
            }
        }
        let name = std::str::from_utf8(&name).ok().filter(|name| name.is_ascii())?;
        QueryName::new(without_excess_labels(name)?)
    }
}

/// Returns whether `text` is a macro-string (RFC 7208 7.1).
pub(super) fn is_macro_string(text: &str) -> bool {
    Tokens(text).all(|token| token.is_ok())
}

/// Returns the longest run of whole labels on the right of `name` that fits into DNS.
///
/// The final dot is left out. Returns `None` if two dots end the name, or if no label fits.
fn without_excess_labels(name: &str) -> Option<&str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.ends_with('.') {
        return None;
    }
    match name.len().checked_sub(QueryName::MAX_OCTETS + 1) {
        None => Some(name),
        Some(last_cut) => name.get(last_cut..)?.split_once('.').map(|(_, rest)| rest),
    }
}

fn ends_in_top_label(literal: &str) -> bool {
    let literal = literal.strip_suffix('.').unwrap_or(literal);
    literal.rsplit_once('.').is_some_and(|(_, label)| is_top_label(label.as_bytes()))
}

fn is_top_label(label: &[u8]) -> bool {
    label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && label.iter().any(|byte| !byte.is_ascii_digit())
        && label.first().is_some_and(|byte| *byte != b'-')
        && label.last().is_some_and(|byte| *byte != b'-')
}

/// A piece of a macro-string.
#[derive(Debug, PartialEq, Eq)]
enum Token<'r> {
    /// Visible characters other than `%`.
    Literal(&'r str),
    /// The text that `%%`, `%_` or `%-` stands for.
    Fixed(&'static str),
    /// A macro, `%{…}`.
    Macro(Macro<'r>),
}

#[derive(Debug, PartialEq, Eq)]
struct Macro<'r> {
    letter: Letter,
    /// True when the letter is in upper case: the value is URL-escaped.
    escape: bool,
    /// The number of parts on the right that are kept.
    keep: Option<usize>,
    reverse: bool,
    delimiters: &'r str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letter {
    Sender,
    LocalPart,
    SenderDomain,
    Domain,
    Ip,
    Validated,
    Version,
    Helo,
    /// The letters c, r and t.
    ExplanationOnly,
}

/// The error for a text that is no macro-string.
#[derive(Debug)]
struct InvalidMacro;

/// An iterator over the pieces of a macro-string. It ends after the first error.
struct Tokens<'r>(&'r str);

impl<'r> Iterator for Tokens<'r> {
    type Item = Result<Token<'r>, InvalidMacro>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let parsed = Token::parse(self.0);
        self.0 = parsed.as_ref().map_or("", |(_, rest)| rest);
        Some(parsed.map(|(token, _)| token).ok_or(InvalidMacro))
    }
}

impl<'r> Token<'r> {
    fn parse(text: &'r str) -> Option<(Self, &'r str)> {
        let Some(behind) = text.strip_prefix('%') else {
            let (literal, rest) = text.split_at_checked(text.find('%').unwrap_or(text.len()))?;
            return literal.bytes().all(|byte| byte.is_ascii_graphic()).then_some((Self::Literal(literal), rest));
        };
        let mut characters = behind.chars();
        let fixed = match characters.next()? {
            '%' => "%",
            '_' => " ",
            '-' => "%20",
            '{' => {
                let (inner, rest) = characters.as_str().split_once('}')?;
                return Some((Self::Macro(Macro::parse(inner)?), rest));
            }
            _ => return None,
        };
        Some((Self::Fixed(fixed), characters.as_str()))
    }
}

impl<'r> Macro<'r> {
    /// Reads the text between the braces: a letter, digits, `r`, delimiters.
    fn parse(inner: &'r str) -> Option<Self> {
        let mut characters = inner.chars();
        let written = characters.next()?;
        let letter = match written.to_ascii_lowercase() {
            's' => Letter::Sender,
            'l' => Letter::LocalPart,
            'o' => Letter::SenderDomain,
            'd' => Letter::Domain,
            'i' => Letter::Ip,
            'p' => Letter::Validated,
            'v' => Letter::Version,
            'h' => Letter::Helo,
            'c' | 'r' | 't' => Letter::ExplanationOnly,
            _ => return None,
        };
        let transformers = characters.as_str();
        let behind_digits = transformers.trim_start_matches(|character: char| character.is_ascii_digit());
        let digits = transformers.strip_suffix(behind_digits)?;
        let keep = (!digits.is_empty()).then(|| {
            let digit = |byte: u8| usize::from(byte - b'0');
            digits.bytes().fold(0_usize, |number, byte| number.saturating_mul(10).saturating_add(digit(byte)))
        });
        let delimiters = behind_digits.strip_prefix(['r', 'R']);
        let reverse = delimiters.is_some();
        let delimiters = delimiters.unwrap_or(behind_digits);
        let valid = keep != Some(0) && delimiters.bytes().all(|byte| b".-+,/_=".contains(&byte));
        valid.then_some(Self { letter, escape: written.is_ascii_uppercase(), keep, reverse, delimiters })
    }

    fn expand(&self, values: &Values<'_>) -> Option<Vec<u8>> {
        let value = self.letter.value(values).filter(|value| value.len() <= MAX_VALUE_OCTETS)?;
        let value = self.transform(value);
        Some(if self.escape { url_escaped(&value) } else { value.into_owned() })
    }

    fn transform<'v>(&self, value: Cow<'v, [u8]>) -> Cow<'v, [u8]> {
        if self.keep.is_none() && !self.reverse && self.delimiters.is_empty() {
            return value;
        }
        let delimiters = if self.delimiters.is_empty() { b"." } else { self.delimiters.as_bytes() };
        let mut parts: Vec<_> = value.split(|byte| delimiters.contains(byte)).collect();
        if self.reverse {
            parts.reverse();
        }
        let dropped = parts.len().saturating_sub(self.keep.unwrap_or(usize::MAX));
        parts.drain(..dropped);
        Cow::Owned(parts.join(&b'.'))
    }
}

impl Letter {
    /// Returns the value of the letter, or `None` if it is not known.
    fn value<'a>(self, values: &Values<'a>) -> Option<Cow<'a, [u8]>> {
        let identity = values.identity;
        let domain = identity.domain.as_str().as_bytes();
        Some(match self {
            Self::Sender => [local_part(identity), domain].join(&b'@').into(),
            Self::LocalPart => local_part(identity).into(),
            Self::SenderDomain => domain.into(),
            Self::Domain => values.domain.as_str().as_bytes().into(),
            Self::Ip => dotted(identity.client_ip).into_bytes().into(),
            Self::Validated => values.validated.as_bytes().into(),
            Self::Version => match identity.client_ip {
                IpAddr::V4(_) => b"in-addr".as_slice().into(),
                IpAddr::V6(_) => b"ip6".as_slice().into(),
            },
            Self::Helo => identity.helo?.into(),
            Self::ExplanationOnly => return None,
        })
    }
}

/// Returns the local part, which is `postmaster` for a sender without one (RFC 7208 4.3).
fn local_part<'a>(identity: &Identity<'a>) -> &'a [u8] {
    if identity.local_part.is_empty() { b"postmaster" } else { identity.local_part }
}

/// Returns the address as `%{i}` has it: octets, or nibbles for IPv6, with dots between them.
fn dotted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let mut text = String::with_capacity(64);
            for octet in address.octets() {
                let dot = if text.is_empty() { "" } else { "." };
                let _ = write!(text, "{dot}{:x}.{:x}", octet >> 4, octet & 15);
            }
            text
        }
    }
}

/// Returns the name in in-addr.arpa or ip6.arpa that holds the names of `address`.
pub(super) fn reverse_name(address: IpAddr) -> String {
    let dotted = dotted(address);
    let labels: Vec<_> = dotted.rsplit('.').collect();
    let zone = if address.is_ipv4() { "in-addr" } else { "ip6" };
    format!("{}.{zone}.arpa", labels.join("."))
}

/// Writes everything but RFC 3986's unreserved characters as `%` and two digits (RFC 7208 7.3).
fn url_escaped(value: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(value.len());
    for &byte in value {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(byte);
        } else {
            escaped.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    escaped
}
