//! Limits on the cost of one message (F.1). Each is enforced before the work that it limits.

use serde::{Deserialize, Serialize};

/// Limits on what one message may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Limits {
    /// Largest message in bytes; a larger one is refused. Default 40 MiB.
    pub message_bytes: usize,
    /// Largest header section in bytes. Above it DKIM and ARC give `policy`. Default 256 KiB.
    pub header_section_bytes: usize,
    /// Largest header field in bytes. Above it DKIM and ARC give `policy`. Default 64 KiB.
    pub header_field_bytes: usize,
    /// Number of header fields. Above it DKIM and ARC give `policy`. Default 1000.
    pub header_fields: usize,
    /// Number of DKIM signatures that are evaluated; the others give `policy`. Default 10.
    pub dkim_signatures: usize,
    /// Largest DKIM-Signature field in bytes; a larger one gives `policy`. Default 16 KiB.
    pub dkim_signature_bytes: usize,
    /// Number of names in a signature's `h=`; with more it gives `policy`. Default 300.
    pub dkim_signed_names: usize,
    /// Number of From addresses in `commonHeaders`; all decide the author domain. Default 20.
    pub from_mailboxes: usize,
    /// Number of terms of an SPF evaluation that ask DNS (RFC 7208 4.6.4). Default 10.
    pub spf_lookup_terms: usize,
    /// Number of SPF lookups that find nothing (RFC 7208 4.6.4). Default 2.
    pub spf_void_lookups: usize,
    /// Number of names that one `mx` or `ptr` may look up (RFC 7208 4.6.4). Default 10.
    pub spf_names_per_term: usize,
    /// Longest SPF record in bytes. Default 4 KiB.
    pub spf_record_bytes: usize,
    /// Deepest nesting of `include` and `redirect`. Default 10.
    pub spf_depth: usize,
    /// Number of DNS questions of DMARC discovery and alignment. Default 20.
    pub discovery_questions: usize,
    /// Number of DNS questions for DKIM keys. Default 10.
    pub dkim_key_questions: usize,
    /// Number of DNS questions of SPF. Default 40.
    pub spf_questions: usize,
    /// Number of DNS questions for ARC keys. Default 10.
    pub arc_key_questions: usize,
    /// Number of distinct domains walked for alignment. Default 12.
    pub alignment_walks: usize,
    /// Number of ARC sets (RFC 8617 5.1.1). Default 50.
    pub arc_sets: usize,
    /// Number of reporting addresses looked at in a DMARC record. Default 10.
    pub report_addresses: usize,
    /// Milliseconds of DNS time for one message. Default 15 000.
    pub dns_deadline_ms: u64,
    /// Milliseconds that open questions get once DMARC is decided. Default 2 000.
    pub dns_after_decision_ms: u64,
    /// Largest evidence in a verdict in bytes; the rest is cut off and marked. Default 128 KiB.
    pub evidence_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 40 << 20,
            header_section_bytes: 256 << 10,
            header_field_bytes: 64 << 10,
            header_fields: 1000,
            dkim_signatures: 10,
            dkim_signature_bytes: 16 << 10,
            dkim_signed_names: 300,
            from_mailboxes: 20,
            spf_lookup_terms: 10,
            spf_void_lookups: 2,
            spf_names_per_term: 10,
            spf_record_bytes: 4 << 10,
            spf_depth: 10,
            discovery_questions: 20,
            dkim_key_questions: 10,
            spf_questions: 40,
            arc_key_questions: 10,
            alignment_walks: 12,
            arc_sets: 50,
            report_addresses: 10,
            dns_deadline_ms: 15_000,
            dns_after_decision_ms: 2_000,
            evidence_bytes: 128 << 10,
        }
    }
}
