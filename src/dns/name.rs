//! Reads domain names: those that mail names, and those that DNS can be asked for.

use std::fmt;
use std::ops::RangeBounds;
use std::sync::Arc;

/// A domain named by mail.
///
/// It has A-labels in lower case without final dot, at most 253 octets, and is no IPv4 address.
/// Every label is non-empty, and holds only letters, digits, hyphens and underscores.
/// The length of a label is *not* limited: a name with a label that is too long for DNS still has
/// parents whose policy applies (F-12). [`Domain::query_name`] says whether it can be asked for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Arc<str>);

/// The error for a text that is no domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a domain name", text.escape_debug())]
pub struct InvalidDomain {
    /// The text, at most 256 characters of it.
    pub text: String,
}

impl Domain {
    /// The longest name in octets, as A-labels and without the final dot.
    pub const MAX_OCTETS: usize = QueryName::MAX_OCTETS;

    /// The longest text that is read, in octets. Converting U-labels costs more than reading them.
    const MAX_TEXT: usize = 1024;

    /// Reads a domain as mail writes it (A4).
    ///
    /// It converts U-labels (UTS 46, F-11), folds case, and drops one final dot.
    ///
    /// # Errors
    /// Refuses an empty name or label, a label with anything but letters, digits, `-` and `_`, and
    /// a name of more than 253 octets.
    /// It also refuses an address, which is a domain literal or four numbers with dots between them
    /// (RFC 1123 2.1), and everything that UTS 46 refuses.
    pub fn parse(text: &str) -> Result<Self, InvalidDomain> {
        Self::read(text).ok_or_else(|| InvalidDomain { text: text.chars().take(256).collect() })
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_TEXT {
            return None;
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.bytes().all(is_label_byte_or_dot) {
            return is_name(name).then(|| Self(lower_case(name)));
        }
        if name.is_ascii() {
            return None;
        }
        let ascii = idna::domain_to_ascii(name).ok()?;
        let ascii = ascii.strip_suffix('.').unwrap_or(&ascii);
        (ascii.bytes().all(is_label_byte_or_dot) && is_name(ascii)).then(|| Self(ascii.into()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the labels from left to right.
    pub fn labels(&self) -> std::str::Split<'_, char> {
        self.0.split('.')
    }

    /// Returns the number of labels, at least one.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// Returns the name without its leftmost label, and `None` for a single label.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_once('.').map(|(_, parent)| Self(parent.into()))
    }

    /// Returns the rightmost `count` labels, or the whole name if it has no more.
    pub fn rightmost(&self, count: usize) -> Self {
        match self.0.rmatch_indices('.').nth(count.saturating_sub(1)) {
            Some((dot, _)) => Self(self.0[dot + 1..].into()),
            None => self.clone(),
        }
    }

    /// Returns whether this name is `other` or lies below it.
    pub fn is_at_or_below(&self, other: &Self) -> bool {
        self.0.strip_suffix(other.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Returns the number of labels that this name and `other` share at their right ends.
    pub fn common_labels(&self, other: &Self) -> usize {
        self.0.rsplit('.').zip(other.0.rsplit('.')).take_while(|(a, b)| a == b).count()
    }

    /// Returns the name to ask DNS for, or `None` if it or a label is too long (A10).
    pub fn query_name(&self) -> Option<QueryName> {
        QueryName::shared(self.0.clone())
    }

    /// Returns `prefix` and this name as one DNS name, such as `_dmarc` and `example.com`.
    ///
    /// Returns `None` if it is too long (A10).
    pub fn prefixed(&self, prefix: &str) -> Option<QueryName> {
        QueryName::new(&[prefix, ".", &self.0].concat())
    }
}

/// Returns whether a text of label octets and dots is a name that mail can come from.
fn is_name(name: &str) -> bool {
    name.len() <= Domain::MAX_OCTETS && has_labels_of(name, 1..) && !is_ipv4_address(name)
}

/// Returns whether the name has the form of an IPv4 address.
///
/// Numbers over 255 or with leading zeros count too.
/// They are no host names either, and some software reads them as addresses.
fn is_ipv4_address(name: &str) -> bool {
    name.ends_with(|last: char| last.is_ascii_digit())
        && name.split('.').count() == 4
        && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Returns whether the length of every label is among `lengths`.
fn has_labels_of(name: &str, lengths: impl RangeBounds<usize>) -> bool {
    // Names are short, so a look at each octet costs less than a search for the dots.
    let mut length = 0;
    for byte in name.bytes() {
        if byte != b'.' {
            length += 1;
        } else if !lengths.contains(&std::mem::take(&mut length)) {
            return false;
        }
    }
    lengths.contains(&length)
}

fn lower_case(name: &str) -> Arc<str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) { name.to_ascii_lowercase().into() } else { name.into() }
}

fn is_label_byte_or_dot(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Domain {
    type Err = InvalidDomain;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl serde::Serialize for Domain {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Domain {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Domain {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Domain".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A domain name in A-labels, lower case, without final dot",
            "pattern": "^[a-z0-9_-]+(\\.[a-z0-9_-]+)*$"
        })
    }
}

/// A name that DNS can be asked for.
///
/// It is in lower case without final dot, has at most 253 octets, and labels of 1 to 63 octets.
/// Labels may hold any characters but the dot, because SPF macros put the sender's text into names.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueryName(Arc<str>);

impl QueryName {
    /// The longest name in octets, without the final dot (RFC 1035 2.3.4).
    pub const MAX_OCTETS: usize = 253;

    /// Returns the name in lower case without one final dot, or `None` if DNS cannot hold it.
    pub fn new(name: &str) -> Option<Self> {
        let name = name.strip_suffix('.').unwrap_or(name);
        Self::fits(name).then(|| Self(lower_case(name)))
    }

    fn shared(name: Arc<str>) -> Option<Self> {
        Self::fits(&name).then_some(Self(name))
    }

    fn fits(name: &str) -> bool {
        name.len() <= Self::MAX_OCTETS && has_labels_of(name, 1..=63)
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for QueryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
