//! Reads the reporting addresses of a record (A17).

use crate::dns::Domain;
use crate::message::Path;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest local part in octets (RFC 5321 4.5.3.1.1).
const MAX_LOCAL_PART: usize = 64;

/// One decoded `mailto:` address of a `rua` tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReportAddress {
    /// The local part in the form of RFC 5321: a dot-string, or a quoted-string if it needs quotes.
    pub local_part: String,
    /// The domain of the address.
    pub domain: Domain,
}

impl std::fmt::Display for ReportAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.local_part, self.domain)
    }
}

impl Serialize for ReportAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReportAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        read_address(&text)
            .ok_or_else(|| serde::de::Error::custom(format_args!("`{}` is not a mail address", text.escape_debug())))
    }
}

impl schemars::JsonSchema for ReportAddress {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ReportAddress".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "description": "A mail address without display name: local-part@domain"})
    }
}

/// The content of a `rua` tag.
pub(super) struct List<'v> {
    pub(super) addresses: Vec<ReportAddress>,
    /// True when at least one URI is valid, whatever its scheme is (A16).
    pub(super) any_valid: bool,
    /// The first URI that is invalid, or whose scheme is not supported.
    pub(super) invalid: Option<&'v str>,
    pub(super) over_limit: bool,
}

pub(super) fn read_list(value: &str, max: usize) -> List<'_> {
    let mut list = List { addresses: Vec::new(), any_valid: false, invalid: None, over_limit: false };
    for (index, uri) in value.split(',').map(|uri| uri.trim_matches([' ', '\t'])).filter(|uri| !uri.is_empty()).enumerate() {
        if index == max {
            list.over_limit = true;
            break;
        }
        match read_uri(without_size(uri)) {
            Uri::Mail(address) => {
                list.any_valid = true;
                if !list.addresses.contains(&address) {
                    list.addresses.push(address);
                }
            }
            Uri::Other => {
                list.any_valid = true;
                list.invalid = list.invalid.or(Some(uri));
            }
            Uri::Invalid => list.invalid = list.invalid.or(Some(uri)),
        }
    }
    list
}

/// Returns the URI without the one size that RFC 7489 allowed after it.
///
/// The size is a `!`, digits, and perhaps a unit.
fn without_size(uri: &str) -> &str {
    let Some((before, size)) = uri.rsplit_once('!') else { return uri };
    let digits = size.strip_suffix(['k', 'm', 'g', 't', 'K', 'M', 'G', 'T']).unwrap_or(size);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) { before } else { uri }
}

enum Uri {
    Mail(ReportAddress),
    Other,
    Invalid,
}

fn read_uri(uri: &str) -> Uri {
    let Some((scheme, rest)) = uri.split_once(':') else { return Uri::Invalid };
    let mut letters = scheme.bytes();
    let scheme_valid = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    if !scheme_valid || rest.is_empty() || !rest.bytes().all(is_uri_byte) {
        return Uri::Invalid;
    }
    if !scheme.eq_ignore_ascii_case("mailto") {
        return Uri::Other;
    }
    let address = rest.split_once('?').map_or(rest, |(address, _)| address);
    match decode(address).and_then(|address| read_address(&address)) {
        Some(address) => Uri::Mail(address),
        None => Uri::Invalid,
    }
}

/// Returns whether a URI may hold `byte`.
///
/// That is any character of RFC 3986 but `!`, which must be percent-encoded (A17).
/// Octets of U-labels in the domain are tolerated (H14).
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@$&'()*+,;=%".contains(&byte) || !byte.is_ascii()
}

/// Percent-decodes `text` once. Returns `None` if an escape is invalid or the result is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(decoded).ok()
}

fn read_address(address: &str) -> Option<ReportAddress> {
    if address.chars().any(char::is_control) {
        return None;
    }
    let path = Path::parse_strictly(address.as_bytes()).or_else(|| quoted(address))?;
    let local_part = String::from_utf8(path.local_part).ok()?;
    let usable = local_part.is_ascii() && local_part.len() <= MAX_LOCAL_PART && is_mail_host(&path.domain);
    usable.then_some(ReportAddress { local_part, domain: path.domain })
}

/// Reads an address whose local part is no dot-string, and writes that part as a quoted-string.
///
/// Returns `None` if the address has a second `@`.
fn quoted(address: &str) -> Option<Path> {
    let (local, domain) = address.split_once('@')?;
    if local.is_empty() || domain.contains('@') || local.contains(['<', '>', '"', '\\']) {
        return None;
    }
    Path::parse_strictly(format!("\"{local}\"@{domain}").as_bytes())
}

/// Returns whether mail can go to this domain.
///
/// It must be a host name (RFC 1123 2.1), and not an IP address.
fn is_mail_host(domain: &Domain) -> bool {
    let is_host_label = |label: &str| {
        let ends = |end: Option<char>| end.is_some_and(|end| end.is_ascii_alphanumeric());
        ends(label.chars().next()) && ends(label.chars().last()) && !label.contains('_')
    };
    let top_is_number = domain.labels().next_back().is_some_and(|top| top.bytes().all(|byte| byte.is_ascii_digit()));
    domain.query_name().is_some() && domain.labels().all(is_host_label) && !top_is_number
}
