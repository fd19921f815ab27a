//! Finds out where the message is: in the record, or in an object store (the claim-check extension
//! of CloudEvents, `dataref`).

use super::attributes::Attributes;
use super::refusal::Refusal;
use crate::location::Location;
use std::borrow::Cow;

/// The message of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'r> {
    /// The bytes of the message as they came.
    Inline(Cow<'r, [u8]>),
    /// A reference to a message that lies in an object store.
    Reference(DataRef),
}

/// A reference to a message in an object store: `ce_dataref` with `ce_datasha256`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataRef {
    /// The location of the object. The prefixes that are allowed have not been checked yet.
    pub location: Location,
    /// SHA-256 of the object's bytes, when the producer gave it.
    pub sha256: Option<[u8; 32]>,
}

/// Name of the attribute that holds the URL of the object. It is not passed on, because an output
/// holds the message itself.
pub(super) const DATAREF: &str = "dataref";
/// Name of the attribute that holds the SHA-256 of the object. It is not passed on either.
pub(super) const DATASHA256: &str = "datasha256";

impl DataRef {
    /// Returns the reference that the attributes form, or `None` without a `dataref`.
    pub(super) fn of(attributes: &Attributes<'_>) -> Result<Option<Self>, Refusal> {
        let Some(given) = attributes.octets(DATAREF) else { return Ok(None) };
        let url = String::from_utf8_lossy(&given);
        let location = url.parse().map_err(|malformed: crate::location::Malformed| Refusal::ClaimReference {
            given: url.chars().take(256).collect(),
            reason: malformed.to_string(),
        })?;
        let sha256 = match attributes.text(DATASHA256)? {
            Some(text) => Some(digest(&text).ok_or(Refusal::Attribute { name: DATASHA256, given: text })?),
            None => None,
        };
        Ok(Some(Self { location, sha256 }))
    }
}

/// Reads 64 hexadecimal digits of either case; `None` for anything else.
fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(digest)
}
