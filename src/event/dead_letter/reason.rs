//! The closed list of reasons why a record became a dead letter.

use crate::event::codes::codes;

codes! {
    /// Every reason that stands in the header `verdmarc-reason` of a dead letter.
    pub enum DeadLetterReason {
        /// The record has no value.
        NullValue = "null_value",
        /// The message is empty.
        EmptyValue = "empty_value",
        /// The message is larger than `evaluation.limits.message_bytes`.
        TooLarge = "too_large",
        /// The record has more than 1000 headers, or more than 512 KiB of them.
        TooManyHeaders = "too_many_headers",
        /// The name of a header is not UTF-8.
        HeadersUnreadable = "headers_unreadable",
        /// The content type is neither `message/rfc822` nor `application/cloudevents+json`.
        ContentType = "content_type",
        /// An attribute is given twice.
        DuplicateAttribute = "duplicate_attribute",
        /// `ce_specversion` is not `1.0`.
        AttributeSpecversion = "attribute_specversion",
        /// `ce_id` is empty, longer than 1 KiB, or holds control characters.
        AttributeId = "attribute_id",
        /// `ce_type` is empty, longer than 1 KiB, or holds control characters.
        AttributeType = "attribute_type",
        /// `ce_time` is no time of RFC 3339.
        AttributeTime = "attribute_time",
        /// `ce_clientip` is no IP address, or has a port behind it.
        AttributeClientip = "attribute_clientip",
        /// `ce_datasha256` is not 64 hexadecimal digits.
        AttributeDatasha256 = "attribute_datasha256",
        /// `ce_type` begins with `verdmarc.` and is not the type of a message: an event of verdmarc
        /// was written to mail.raw.
        EventType = "event_type",
        /// The value is not the CloudEvent in JSON that its content type announces.
        Structured = "structured",
        /// `data_base64` is not base64.
        Base64 = "base64",
        /// The record has headers `verdmarc-origin-*` that cannot be read; only verdmarc writes
        /// them.
        Lineage = "lineage",
        /// The record holds a message and a reference to one.
        ClaimCheckValue = "claim_check_value",
        /// `ce_dataref` is no URL of an object.
        ClaimCheckReference = "claim_check_reference",
        /// `ce_dataref` lies outside `claim_check.prefixes`.
        ClaimCheckPrefix = "claim_check_prefix",
        /// There is no object at `ce_dataref`.
        ClaimCheckMissing = "claim_check_missing",
        /// The object at `ce_dataref` is empty.
        ClaimCheckEmpty = "claim_check_empty",
        /// The object at `ce_dataref` has another SHA-256 than `ce_datasha256` says.
        ClaimCheckChecksum = "claim_check_checksum",
        /// A record of mail.failures is no failure event that can be read.
        FailureUnreadable = "failure_unreadable",
        /// A failure arrived more than `aggregate.horizon_s` after its window, which is closed.
        TooLate = "too_late",
        /// A topic does not take what verdmarc would write about the record; the dead letter stands
        /// in for it.
        OutputTooLarge = "output_too_large",
        /// An operator skipped the record (`verdmarc dead-letters skip`).
        SkippedByOperator = "skipped_by_operator",
    }
}
