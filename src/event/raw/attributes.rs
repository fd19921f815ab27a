//! The attributes of one event, from headers or from JSON, and the limits on them.

use super::attribute::Attribute;
use super::refusal::Refusal;
use crate::message::Envelope;
use std::borrow::Cow;

/// Largest number of headers, or of attributes in JSON, of a record. A record with more is refused,
/// whatever it holds.
pub(super) const MAX_HEADERS: usize = 1000;
/// Largest sum of the bytes of their names and values. A record above it is refused, whatever it
/// holds.
pub(super) const MAX_HEADER_BYTES: usize = 512 << 10;

/// Longest value of an attribute that the producer itself writes, such as `ce_id`, in bytes.
pub(super) const MAX_NAME: usize = 1024;

/// The attributes of one event, from headers or from JSON. Null attributes are left out.
#[derive(Debug, Default)]
pub(super) struct Attributes<'r>(pub(super) Vec<(Cow<'r, str>, Attribute<'r>)>);

impl<'r> Attributes<'r> {
    pub(super) fn insert(&mut self, name: Cow<'r, str>, value: Attribute<'r>) -> Result<(), Refusal> {
        if self.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            return Err(Refusal::DuplicateAttribute { name: name.chars().take(64).collect() });
        }
        self.0.push((name, value));
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Attribute<'r>> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(super) fn octets(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.get(name).map(Attribute::octets)
    }

    /// Returns an attribute that the producer itself writes, or `None` when it is absent.
    ///
    /// # Errors
    /// The value is empty, too long, not UTF-8, or has control characters: the record is refused.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, Refusal> {
        let Some(octets) = self.octets(name) else { return Ok(None) };
        match std::str::from_utf8(&octets) {
            Ok(text) if !text.is_empty() && text.len() <= MAX_NAME && !text.contains(char::is_control) => {
                Ok(Some(text.to_owned()))
            }
            _ => Err(Refusal::Attribute { name, given: Envelope::text(&octets).chars().take(256).collect() }),
        }
    }

    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Refusal::Attribute { name, given: text })
    }
}
