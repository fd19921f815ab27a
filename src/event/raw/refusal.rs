//! The closed list of mistakes for which a producer's record of mail.raw is refused.

use crate::event::dead_letter::DeadLetterReason;

/// A breach of the producer's contract. [`Refusal::code`] is the word for machines in the dead
/// letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The record is a tombstone.
    #[error("the record has no value; write the message's bytes")]
    NullValue,
    /// The value, or the data in it, has no bytes.
    #[error("the message is empty; write its bytes as the value")]
    EmptyValue,
    /// The message is larger than the limit.
    #[error("the message has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Bytes of the message; for base64 an estimate from its length.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The record has too many headers, or too many bytes of them.
    #[error("the record has {count} headers of {bytes} bytes; write at most 1000 headers of 512 KiB together")]
    TooManyHeaders {
        /// Number of headers.
        count: usize,
        /// Bytes of their names and values.
        bytes: usize,
    },
    /// A header's name is not UTF-8.
    #[error("a header's name is not UTF-8")]
    HeadersUnreadable,
    /// The media type is neither a message nor a structured CloudEvent.
    #[error("content-type is `{}`; write message/rfc822 or application/cloudevents+json", given.escape_debug())]
    ContentType {
        /// The media type that was given.
        given: String,
    },
    /// An attribute is given twice.
    #[error("attribute `{}` is given twice", name.escape_debug())]
    DuplicateAttribute {
        /// Its name.
        name: String,
    },
    /// An attribute that the producer writes itself cannot be read.
    #[error("attribute `{name}` cannot be read: `{}`", given.escape_debug())]
    Attribute {
        /// Its name, without `ce_`.
        name: &'static str,
        /// Its value.
        given: String,
    },
    /// The event is one of verdmarc's own, and not a message.
    #[error("an event of type `{}` is no message", given.escape_debug())]
    EventType {
        /// Its type.
        given: String,
    },
    /// The value is not the JSON object that structured mode asks for.
    #[error("the value is no CloudEvent in JSON: {reason}")]
    Structured {
        /// A description of the fault.
        reason: String,
    },
    /// `data_base64` is not base64 (RFC 4648 section 4).
    #[error("data_base64 is not base64: {reason}")]
    Base64 {
        /// A description of the fault.
        reason: String,
    },
    /// The headers that name an earlier record cannot be read. Only verdmarc writes them.
    #[error("{0}; leave the headers verdmarc-origin-* out of new records")]
    Lineage(#[from] crate::event::lineage::Unreadable),
    /// The record holds both a message and a reference to one.
    #[error("the record holds data and dataref; write one of them")]
    ClaimValue,
    /// The reference is not a URL that can be followed.
    #[error("dataref `{}` cannot be followed: {reason}", given.escape_debug())]
    ClaimReference {
        /// The reference, cut at 256 characters.
        given: String,
        /// A description of the fault.
        reason: String,
    },
    /// The reference, or the file that it leads to, lies outside the allowed prefixes.
    #[error("dataref {url} lies outside the prefixes that claim_check.prefixes allows")]
    ClaimPrefix {
        /// The URL of the object.
        url: String,
    },
    /// There is no such object.
    #[error("there is no object at {url}; write the object before the record, and keep it until the record is read")]
    ClaimMissing {
        /// The URL of the object.
        url: String,
    },
    /// The object has no bytes.
    #[error("the object at {url} is empty")]
    ClaimEmpty {
        /// The URL of the object.
        url: String,
    },
    /// The object is not the one that the producer meant.
    #[error("the object at {url} has another SHA-256 than datasha256 says")]
    ClaimChecksum {
        /// The URL of the object.
        url: String,
    },
}

impl Refusal {
    /// Returns whether many refusals of this kind mean that the producer is broken. A message that
    /// is too large says nothing about other messages.
    pub fn counts_towards_a_stop(&self) -> bool {
        !matches!(self, Self::TooLarge { .. })
    }

    /// Returns the reason as a word that stays the same from version to version.
    pub fn code(&self) -> &'static str {
        self.reason().code()
    }

    /// Returns the reason as an entry of the list of all reasons.
    pub fn reason(&self) -> DeadLetterReason {
        match self {
            Self::NullValue => DeadLetterReason::NullValue,
            Self::EmptyValue => DeadLetterReason::EmptyValue,
            Self::TooLarge { .. } => DeadLetterReason::TooLarge,
            Self::TooManyHeaders { .. } => DeadLetterReason::TooManyHeaders,
            Self::HeadersUnreadable => DeadLetterReason::HeadersUnreadable,
            Self::ContentType { .. } => DeadLetterReason::ContentType,
            Self::DuplicateAttribute { .. } => DeadLetterReason::DuplicateAttribute,
            Self::Attribute { name, .. } => match *name {
                "id" => DeadLetterReason::AttributeId,
                "type" => DeadLetterReason::AttributeType,
                "time" => DeadLetterReason::AttributeTime,
                "clientip" => DeadLetterReason::AttributeClientip,
                "datasha256" => DeadLetterReason::AttributeDatasha256,
                _ => DeadLetterReason::AttributeSpecversion,
            },
            Self::EventType { .. } => DeadLetterReason::EventType,
            Self::Structured { .. } => DeadLetterReason::Structured,
            Self::Base64 { .. } => DeadLetterReason::Base64,
            Self::Lineage(_) => DeadLetterReason::Lineage,
            Self::ClaimValue => DeadLetterReason::ClaimCheckValue,
            Self::ClaimReference { .. } => DeadLetterReason::ClaimCheckReference,
            Self::ClaimPrefix { .. } => DeadLetterReason::ClaimCheckPrefix,
            Self::ClaimMissing { .. } => DeadLetterReason::ClaimCheckMissing,
            Self::ClaimEmpty { .. } => DeadLetterReason::ClaimCheckEmpty,
            Self::ClaimChecksum { .. } => DeadLetterReason::ClaimCheckChecksum,
        }
    }
}
