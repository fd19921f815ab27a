//! The value of one attribute, read from a header or from JSON.

use serde::de::{Error, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Largest number of entries in a list.
const MAX_LIST: usize = 10_000;

/// The value of an attribute.
#[derive(Debug)]
pub(super) enum Attribute<'r> {
    /// The octets of a header, or the UTF-8 of a JSON string.
    Octets(Cow<'r, [u8]>),
    /// `true` or `false`.
    Bool(bool),
    /// A JSON number, as text.
    Number(String),
    /// JSON null, which means that the attribute is absent.
    Null,
    /// A list of strings; only `rcptto` has one.
    List(Vec<String>),
}

impl Attribute<'_> {
    /// Returns the value as a header would hold it.
    pub(super) fn octets(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Octets(octets) => Cow::Borrowed(octets),
            Self::Bool(true) => Cow::Borrowed(b"true"),
            Self::Bool(false) => Cow::Borrowed(b"false"),
            Self::Number(text) => Cow::Borrowed(text.as_bytes()),
            Self::Null => Cow::Borrowed(b""),
            Self::List(list) => serde_json::to_vec(list).map_or(Cow::Borrowed(b"".as_slice()), Cow::Owned),
        }
    }

    /// Returns the value as a list: the strings of a JSON array, or else the value itself as the
    /// only entry.
    pub(super) fn list(&self) -> Vec<Cow<'_, [u8]>> {
        if let Self::List(list) = self {
            return list.iter().map(|entry| Cow::Borrowed(entry.as_bytes())).collect();
        }
        let octets = self.octets();
        if octets.first() == Some(&b'[')
            && let Ok(list) = serde_json::from_slice::<Vec<String>>(&octets)
        {
            return list.into_iter().take(MAX_LIST).map(|entry| Cow::Owned(entry.into_bytes())).collect();
        }
        vec![octets]
    }

    /// Returns whether this value of `authenticated` says that a user submitted the message.
    pub(super) fn says_authenticated(&self) -> bool {
        names_a_user(&self.octets())
    }
}

/// Returns whether the value of `authenticated` says that a user submitted the message. `true` or a
/// name says so; an empty value, `false` and `0` do not.
pub fn names_a_user(value: &[u8]) -> bool {
    let word = value.trim_ascii();
    !(word.is_empty() || word == b"0" || word.eq_ignore_ascii_case(b"false"))
}

impl<'de> serde::Deserialize<'de> for Attribute<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AttributeVisitor)
    }
}

struct AttributeVisitor;

impl<'de> Visitor<'de> for AttributeVisitor {
    type Value = Attribute<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a boolean, a number, null or a list of strings")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Attribute::Octets(Cow::Borrowed(text.as_bytes())))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Attribute::Octets(Cow::Owned(text.into_bytes())))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Attribute::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Attribute::Number(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Attribute::Number(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Attribute::Number(value.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Attribute::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element::<String>()? {
            if list.len() == MAX_LIST {
                return Err(A::Error::custom("a list of more than 10 000 entries"));
            }
            list.push(entry);
        }
        Ok(Attribute::List(list))
    }
}
