//! Reads SPF records into terms (RFC 7208 sections 4.6.1, 5, 6 and 12).
//!
//! The parser is strict: an error anywhere makes the whole record an error.

use super::macros::{DomainSpec, is_macro_string};
use crate::detail::quoted;
use ipnet::{Ipv4Net, Ipv6Net};
use std::net::IpAddr;

/// An SPF record of correct syntax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'r> {
    pub(super) directives: Vec<Directive<'r>>,
    pub(super) redirect: Option<DomainSpec<'r>>,
}

/// A mechanism and the meaning of its match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Directive<'r> {
    pub(super) qualifier: Qualifier,
    pub(super) mechanism: Mechanism<'r>,
    /// The directive as the record has it.
    pub(super) text: &'r str,
}

/// The meaning of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// A mechanism (RFC 7208 section 5).
///
/// Where the domain-spec is optional, `None` stands for the record's own domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism<'r> {
    All,
    Include(DomainSpec<'r>),
    A(Option<DomainSpec<'r>>, DualCidr),
    Mx(Option<DomainSpec<'r>>, DualCidr),
    Ptr(Option<DomainSpec<'r>>),
    Ip4(Ipv4Net),
    Ip6(Ipv6Net),
    Exists(DomainSpec<'r>),
}

/// The prefix lengths for both families of addresses, in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DualCidr {
    v4: u8,
    v6: u8,
}

impl DualCidr {
    /// The prefix lengths of single addresses.
    pub(super) const SINGLE: Self = Self { v4: 32, v6: 128 };

    /// Returns the prefix length for addresses of `client`'s family.
    pub(super) fn prefix_for(self, client: IpAddr) -> u8 {
        if client.is_ipv4() { self.v4 } else { self.v6 }
    }
}

/// The error of a text that is no SPF record. The domain's owner has to correct it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// The text does not begin with the version.
    #[error("an SPF record begins with `v=spf1`, followed by a space or nothing")]
    Version,
    /// The text has a character other than visible ASCII characters and spaces.
    #[error("only visible ASCII characters and spaces may stand in an SPF record: {near} at position {position}")]
    Character {
        /// The words around the character, quoted.
        near: String,
        /// The position of the character, from 0.
        position: usize,
    },
    /// A term is neither a mechanism nor a modifier of correct syntax.
    #[error("{term} is neither a mechanism nor a modifier of RFC 7208{}", hint.map(|hint| format!(": {hint}")).unwrap_or_default())]
    Term {
        /// The term, quoted.
        term: String,
        /// A hint about the term that was probably meant.
        hint: Option<&'static str>,
    },
    /// `redirect` or `exp` occurs twice.
    #[error("the modifier `{name}` may stand only once")]
    Repeated {
        /// The name of the modifier.
        name: &'static str,
    },
}

const VERSION: &str = "v=spf1";

/// Returns whether a TXT record is an SPF record, well-formed or not (RFC 7208 4.5).
pub(super) fn has_version(text: &[u8]) -> bool {
    text.split_at_checked(VERSION.len()).is_some_and(|(version, rest)| {
        version.eq_ignore_ascii_case(VERSION.as_bytes()) && matches!(rest.first(), None | Some(b' '))
    })
}

/// Reads a record without lookups, in time linear in its length.
///
/// # Errors
/// Returns the first thing that RFC 7208 section 12 does not permit.
pub fn parse_record(text: &[u8]) -> Result<Record<'_>, SyntaxError> {
    if !has_version(text) {
        return Err(SyntaxError::Version);
    }
    let is_permitted = |octet: &u8| (b' '..=b'~').contains(octet);
    if !text.iter().all(is_permitted)
        && let Some(position) = text.iter().position(|octet| !is_permitted(octet))
    {
        return Err(SyntaxError::Character { near: quoted(words_around(text, position)), position });
    }
    let terms = std::str::from_utf8(text).ok().and_then(|text| text.get(VERSION.len()..)).ok_or(SyntaxError::Version)?;

    let mut record = Record { directives: Vec::with_capacity(8), redirect: None };
    let mut explanation = None;
    for text in terms.split(' ').filter(|term| !term.is_empty()) {
        match Term::parse(text).ok_or_else(|| SyntaxError::Term { term: quoted(text.as_bytes()), hint: hint(text) })? {
            Term::Directive(directive) => record.directives.push(directive),
            Term::Redirect(target) if record.redirect.replace(target).is_some() => {
                return Err(SyntaxError::Repeated { name: "redirect" });
            }
            Term::Explanation(target) if explanation.replace(target).is_some() => {
                return Err(SyntaxError::Repeated { name: "exp" });
            }
            Term::Redirect(_) | Term::Explanation(_) | Term::UnknownModifier => {}
        }
    }
    Ok(record)
}

/// Returns the words of `text` that `position` is in or between.
fn words_around(text: &[u8], position: usize) -> &[u8] {
    let (before, after) = text.split_at(position);
    let start = before.iter().rposition(|octet| *octet == b' ').map_or(0, |space| space + 1);
    let end = after.iter().position(|octet| *octet == b' ').map_or(text.len(), |space| position + space);
    text.get(start..end).unwrap_or_default()
}

/// Returns a hint about what a term that cannot be read was probably meant to be.
fn hint(term: &str) -> Option<&'static str> {
    let bare = term.strip_prefix(['+', '-', '~', '?']).unwrap_or(term).to_ascii_lowercase();
    let (name, value) = bare.split_at(bare.find([':', '=', '/']).unwrap_or(bare.len()));
    let glued = ["~all", "-all", "?all", "+all"].iter().any(|all| bare.ends_with(all));
    match name {
        _ if glued => Some("a space is missing before the last mechanism"),
        "ipv4" => Some("the mechanism is named ip4"),
        "ipv6" => Some("the mechanism is named ip6"),
        "ip4" => Some("ip4: takes an IPv4 address or network, such as 192.0.2.0/24"),
        "ip6" => Some("ip6: takes an IPv6 address or network, such as 2001:db8::/32"),
        "all" => Some("all takes no value"),
        "include" | "exists" | "redirect" if value.len() < 2 => Some("a domain name has to follow"),
        "include" | "exists" if value.starts_with('=') => Some("a colon stands before the value of a mechanism"),
        "redirect" if value.starts_with(':') => Some("an equals sign stands before the value of redirect"),
        "a" | "mx" | "ptr" | "include" | "exists" | "redirect" => Some("its value is no domain name or no prefix length"),
        "v" => Some("v=spf1 may stand only at the beginning"),
        _ => None,
    }
}

enum Term<'r> {
    Directive(Directive<'r>),
    Redirect(DomainSpec<'r>),
    /// The place of the explanation, which is never fetched (F-24).
    Explanation(DomainSpec<'r>),
    UnknownModifier,
}

impl<'r> Term<'r> {
    /// Reads a term. The first `=`, `:` or `/` shows whether it is a modifier or a mechanism.
    fn parse(text: &'r str) -> Option<Self> {
        let name_end = text.bytes().position(|byte| matches!(byte, b'=' | b':' | b'/')).unwrap_or(text.len());
        let (name, argument) = text.split_at_checked(name_end)?;
        match argument.strip_prefix('=') {
            Some(value) => Self::modifier(name, value),
            None => Directive::parse(text, name, argument).map(Self::Directive),
        }
    }

    fn modifier(name: &str, value: &'r str) -> Option<Self> {
        let is_name = name.starts_with(|character: char| character.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_name {
            None
        } else if name.eq_ignore_ascii_case("redirect") {
            DomainSpec::parse(value).map(Self::Redirect)
        } else if name.eq_ignore_ascii_case("exp") {
            DomainSpec::parse(value).map(Self::Explanation)
        } else {
            is_macro_string(value).then_some(Self::UnknownModifier)
        }
    }
}

impl<'r> Directive<'r> {
    fn parse(text: &'r str, name: &str, argument: &'r str) -> Option<Self> {
        let (qualifier, name) = match name.split_at_checked(1)? {
            ("+", rest) => (Qualifier::Pass, rest),
            ("-", rest) => (Qualifier::Fail, rest),
            ("~", rest) => (Qualifier::SoftFail, rest),
            ("?", rest) => (Qualifier::Neutral, rest),
            _ => (Qualifier::Pass, name),
        };
        Some(Self { qualifier, mechanism: Mechanism::parse(name, argument)?, text })
    }
}

impl<'r> Mechanism<'r> {
    fn parse(name: &str, argument: &'r str) -> Option<Self> {
        let is = |mechanism: &str| name.eq_ignore_ascii_case(mechanism);
        let value = argument.strip_prefix(':');
        if is("ip4") {
            network(value?, 32, Ipv4Net::new).map(Self::Ip4)
        } else if is("include") {
            DomainSpec::parse(value?).map(Self::Include)
        } else if is("a") {
            domain_and_cidr(argument).map(|(target, cidr)| Self::A(target, cidr))
        } else if is("mx") {
            domain_and_cidr(argument).map(|(target, cidr)| Self::Mx(target, cidr))
        } else if is("ip6") {
            network(value?, 128, Ipv6Net::new).map(Self::Ip6)
        } else if is("all") {
            argument.is_empty().then_some(Self::All)
        } else if is("exists") {
            DomainSpec::parse(value?).map(Self::Exists)
        } else if is("ptr") {
            optional_domain(argument).map(Self::Ptr)
        } else {
            None
        }
    }
}

fn network<Address: std::str::FromStr, Net, E>(
    text: &str,
    longest: u8,
    net: impl FnOnce(Address, u8) -> Result<Net, E>,
) -> Option<Net> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, digits)) => (address, prefix_length(digits, longest)?),
        None => (text, longest),
    };
    net(address.parse().ok()?, prefix).ok()
}

/// Reads `[ ":" domain-spec ] [ dual-cidr-length ]`.
///
/// A domain-spec may hold slashes itself, so the prefix lengths are cut off on the right.
fn domain_and_cidr(argument: &str) -> Option<(Option<DomainSpec<'_>>, DualCidr)> {
    let mut cidr = DualCidr::SINGLE;
    let mut domain = argument;
    if let Some((rest, digits)) = cut_digits(domain) {
        if let Some(rest) = rest.strip_suffix('/') {
            cidr.v6 = prefix_length(digits, 128)?;
            domain = rest;
            if let Some((rest, digits)) = cut_digits(domain) {
                cidr.v4 = prefix_length(digits, 32)?;
                domain = rest;
            }
        } else {
            cidr.v4 = prefix_length(digits, 32)?;
            domain = rest;
        }
    }
    Some((optional_domain(domain)?, cidr))
}

/// Returns the texts before and after the last slash, if only digits follow it.
fn cut_digits(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once('/').filter(|(_, digits)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads nothing, or a colon and a domain-spec. The outer `None` means a syntax error.
#[expect(clippy::option_option, reason = "the two meanings are a parse error and an absent optional part")]
fn optional_domain(argument: &str) -> Option<Option<DomainSpec<'_>>> {
    if argument.is_empty() {
        return Some(None);
    }
    DomainSpec::parse(argument.strip_prefix(':')?).map(Some)
}

/// Reads digits without a leading zero. Returns `None` if they exceed `longest`.
fn prefix_length(digits: &str, longest: u8) -> Option<u8> {
    let canonical = digits == "0" || digits.bytes().next().is_some_and(|byte| matches!(byte, b'1'..=b'9'));
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    (canonical && all_digits).then(|| digits.parse().ok()).flatten().filter(|length| *length <= longest)
}
