//! Structured mode: the event is a JSON object, the message stands in `data_base64` or, as text, in `data`, or `dataref` says
//! where it lies.

use super::attribute::Attribute;
use super::{Attributes, Body, DataRef, MAX_HEADER_BYTES, MAX_HEADERS, Refusal};
use crate::event::headers::MESSAGE;
use crate::message::Envelope;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The attributes and the message of the event in `value`.
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
        (None, Some(text)) => {
            let bytes = text.len() / 4 * 3;
            if bytes > max_bytes.saturating_add(2) {
                return Err(Refusal::TooLarge { bytes, limit: max_bytes });
            }
            Cow::Owned(STANDARD.decode(text.as_bytes()).map_err(|error| Refusal::Base64 { reason: error.to_string() })?)
        }
    };
    Ok((event.attributes, Body::Inline(message)))
}

#[derive(Default)]
struct Event<'r> {
    attributes: Attributes<'r>,
    data: Option<Cow<'r, str>>,
    data_base64: Option<Cow<'r, str>>,
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
            let data = match &*name {
                "data" => Some(&mut event.data),
                "data_base64" => Some(&mut event.data_base64),
                _ => None,
            };
            if let Some(data) = data {
                if data.is_some() {
                    event.duplicate = Some(name.into_owned());
                }
                *data = members.next_value::<Option<Text<'de>>>()?.map(|text| text.0);
                continue;
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
