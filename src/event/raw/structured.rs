//! Reads structured mode, where the event is a JSON object. The message stands in `data_base64` or,
//! as text, in `data`, or `dataref` says where it lies.

use super::attribute::Attribute;
use super::attributes::{Attributes, MAX_HEADER_BYTES, MAX_HEADERS};
use super::reference::{Body, DataRef};
use super::refusal::Refusal;
use crate::event::headers::MESSAGE;
use crate::message::Envelope;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Returns the attributes and the message of the event in `value`.
pub(super) fn read(value: &[u8], max_bytes: usize) -> Result<(Attributes<'_>, Body<'_>), Refusal> {
    let mut json = serde_json::Deserializer::from_slice(value);
    let event = EventSeed
        .deserialize(&mut json)
        .and_then(|event| json.end().map(|()| event))
        .map_err(|error| Refusal::Structured { reason: error.to_string().chars().take(256).collect() })?;
    if let Some(name) = event.duplicate {
        return Err(Refusal::DuplicateAttribute { name });
    }
    let media_type = event.attributes.octets("datacontenttype");
    let essence = media_type.as_deref().and_then(|value| value.split(|byte| *byte == b';').next()).map(<[u8]>::trim_ascii);
    if let Some(essence) = essence.filter(|essence| !essence.eq_ignore_ascii_case(MESSAGE.as_bytes())) {
        return Err(Refusal::ContentType { given: Envelope::text(essence) });
    }
    if let Some(reference) = DataRef::of(&event.attributes)? {
        return match (event.data, event.data_base64) {
            (None, None) => Ok((event.attributes, Body::Reference(reference))),
            _ => Err(Refusal::ClaimValue),
        };
    }
    let message = match (event.data, event.data_base64) {
        (Some(_), Some(_)) => return Err(Refusal::Structured { reason: "both data and data_base64".into() }),
        (None, None) => return Err(Refusal::EmptyValue),
        (Some(Cow::Borrowed(text)), None) => Cow::Borrowed(text.as_bytes()),
        (Some(Cow::Owned(text)), None) => Cow::Owned(text.into_bytes()),
        (None, Some(json)) => Cow::Owned(decode(json, max_bytes)?),
    };
    Ok((event.attributes, Body::Inline(message)))
}

#[derive(Default)]
struct Event<'r> {
    attributes: Attributes<'r>,
    data: Option<Cow<'r, str>>,
    /// The JSON string as it stands in the record, not a copy, which would take more memory than
    /// the message.
    data_base64: Option<&'r str>,
    duplicate: Option<String>,
}

struct EventSeed;

impl<'de> DeserializeSeed<'de> for EventSeed {
    type Value = Event<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EventSeed {
    type Value = Event<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut event = Event::default();
        let mut bytes = 0;
        while let Some(Text(name)) = members.next_key()? {
            let is_double = match &*name {
                "data" => event.data.take().is_some(),
                "data_base64" => event.data_base64.is_some(),
                _ => false,
            };
            if is_double {
                event.duplicate = Some(name.clone().into_owned());
            }
            match &*name {
                "data" => {
                    event.data = members.next_value::<Option<Text<'de>>>()?.map(|text| text.0);
                    continue;
                }
                "data_base64" => {
                    event.data_base64 = members.next_value::<Option<&'de RawValue>>()?.map(string).transpose()?;
                    continue;
                }
                _ => {}
            }
            let value = members.next_value::<Attribute<'de>>()?;
            bytes += name.len() + value.octets().len();
            if event.attributes.0.len() == MAX_HEADERS || bytes > MAX_HEADER_BYTES {
                return Err(A::Error::custom("more attributes than any producer needs"));
            }
            if matches!(value, Attribute::Null) {
                continue;
            }
            if event.attributes.insert(name.clone(), value).is_err() {
                event.duplicate = Some(name.chars().take(64).collect());
            }
        }
        Ok(event)
    }
}

/// Returns the text between the quotes of a JSON string.
fn string<E: Error>(json: &RawValue) -> Result<&str, E> {
    let text = json.get();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or_else(|| E::custom("data_base64 is not a string"))
}

/// Decodes base64 from a JSON string that is given without its quotes.
fn decode(json: &str, max_bytes: usize) -> Result<Vec<u8>, Refusal> {
    let text = unescaped(json);
    let bytes = text.len() / 4 * 3;
    if bytes > max_bytes.saturating_add(2) {
        return Err(Refusal::TooLarge { bytes, limit: max_bytes });
    }
    STANDARD.decode(&text).map_err(|error| Refusal::Base64 { reason: error.to_string() })
}

/// Undoes the escapes that JSON may use within base64: those of a slash, and of any ASCII character
/// by its number. Other escapes stay, because base64 does not contain the characters that they
/// stand for.
fn unescaped(json: &str) -> Cow<'_, [u8]> {
    let mut rest = json.as_bytes();
    if memchr(b'\\', rest).is_none() {
        return Cow::Borrowed(rest);
    }
    let mut text = Vec::with_capacity(rest.len());
    while let Some(at) = memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(at);
        text.extend_from_slice(before);
        let (byte, length) = match escape {
            [_, b'/', ..] => (b'/', 2),
            [_, b'u', b'0', b'0', high, low, ..] => (hex(*high) << 4 | hex(*low), 6),
            _ => (b'\\', 1),
        };
        text.push(byte);
        rest = escape.get(length..).unwrap_or_default();
    }
    text.extend_from_slice(rest);
    Cow::Owned(text)
}

/// Returns the value of a hexadecimal digit. The JSON parser has checked that it is one.
fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or_default()
}

/// A string that borrows from the input when JSON's escapes allow it.
struct Text<'r>(Cow<'r, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_whatever_json_escapes_in_it() {
        for (json, expected) in [
            ("SGVsbG8/", Some(&b"Hello?"[..])),
            ("SGVsbG8\\/", Some(b"Hello?")),
            ("\\u0053G\\u0056sbG8\\u002f", Some(b"Hello?")),
            ("SGVsbG8\\n", None),
            ("SGVsbG8\\\\/", None),
            ("SGVsbG8\\u012f", None),
            ("SGVsbG8\\u00e9", None),
        ] {
            assert_eq!(decode(json, 100).ok().as_deref(), expected, "{json}");
        }
        assert!(matches!(decode("SGVsbG8\\/SGVsbG8\\/", 5), Err(Refusal::TooLarge { .. })));
    }
}
