//! The closed list of reason codes of a verdict, beside the causes of SPF and DKIM.

use super::codes::codes;

codes! {
    /// Every reason code that a verdict may carry. The list is closed: once it was released, a new
    /// code is a new version of the event.
    pub enum Reason {
        /// The message has no From field, or one without address.
        FromMissing = "from_missing",
        /// No address can be read from the From field.
        FromUnparsable = "from_unparsable",
        /// There are several From fields.
        FromMultipleFields = "from_multiple_fields",
        /// The From field holds addresses of several domains.
        FromMultipleDomains = "from_multiple_domains",
        /// The header section is broken; where a From field could hide in the breakage, there is no
        /// author domain.
        HeadersMalformed = "headers_malformed",
        /// The From field holds several addresses of one domain.
        FromNotUnique = "from_not_unique",
        /// The display name of From holds an address of another domain.
        FromDisplayAddress = "from_display_address",
        /// From holds several addresses and there is no Sender field.
        SenderMissing = "sender_missing",
        /// White space stands between a field name and its colon.
        SpaceBeforeColon = "space_before_colon",
        /// The header section is larger than allowed: DKIM and ARC were not evaluated.
        HeaderLimit = "header_limit",
        /// The message had bare LF line ends only and was converted.
        LineEndsConverted = "line_ends_converted",
        /// An mbox line on top was dropped.
        MboxLineDropped = "mbox_line_dropped",
        /// The sender authenticated: not evaluated.
        AuthenticatedSubmission = "authenticated_submission",
        /// The client's address is not known.
        ClientUnknown = "client_unknown",
        /// The client's address lies inside the trusted networks, so it is not the sender's.
        ClientNotExternal = "client_not_external",
        /// MAIL FROM is not known.
        MailFromUnknown = "mail_from_unknown",
        /// HELO is not known, and SPF for the null path or a macro `%{h}` takes it.
        HeloUnknown = "helo_unknown",
        /// SPF passed by a record that permits nearly everybody.
        SpfPermissive = "spf_permissive",
        /// SPF ended at one of its limits.
        SpfLimit = "spf_limit",
        /// There are more DKIM signatures than are evaluated.
        SignatureLimit = "signature_limit",
        /// A signature is too large, or names too many fields.
        SignatureSizeLimit = "signature_size_limit",
        /// The budget of DKIM key questions was used up.
        KeyBudget = "key_budget",
        /// A DKIM key is in testing mode.
        KeyTesting = "key_testing",
        /// A signature was made more than ten minutes after the message arrived.
        SignedInFuture = "signed_in_future",
        /// An identifier was not walked for alignment because of a budget: it counts as not
        /// aligned.
        AlignmentBudget = "alignment_budget",
        /// Several DMARC records stand at one name: they were discarded.
        SeveralRecords = "several_records",
        /// The DMARC record has faults.
        RecordMalformed = "record_malformed",
        /// A TXT record was meant to be a DMARC record and is none: it was ignored.
        RecordIgnored = "record_ignored",
        /// A DMARC record at a public suffix was taken for the suffix's own.
        PslGuard = "psl_guard",
        /// Whether the author domain exists is unknown: the milder of np and sp applies.
        ExistenceUnknown = "existence_unknown",
        /// The domain owner is testing: the policy was lowered one level.
        PolicyTestMode = "policy_test_mode",
        /// A DNS question that could have changed the result was not answered.
        DnsUnanswered = "dns_unanswered",
        /// DNS questions were still open at the deadline.
        DeadlineExceeded = "deadline_exceeded",
        /// Evaluated more than 48 hours after arrival: no failure event.
        LateEvaluation = "late_evaluation",
        /// The arrival time given was not believable: the broker's timestamp was used, or the time
        /// of the evaluation.
        ArrivalAdjusted = "arrival_adjusted",
        /// A trusted ARC sealer says that the message was authentic when it arrived there: do not
        /// enforce.
        TrustedSealer = "trusted_sealer",
        /// Evidence was cut at its limit: the verdict cannot be replayed.
        EvidenceTruncated = "evidence_truncated",
        /// A fault of this software.
        InternalError = "internal_error",
    }
}
