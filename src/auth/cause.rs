//! The table of the causes of SPF and DKIM results, with the word and the text of each.

use serde::{Deserialize, Serialize};

/// A result word of RFC 8601 2.7, which RFC 9990 uses too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the words of the standard
pub enum ResultWord {
    None,
    Pass,
    Fail,
    SoftFail,
    Policy,
    Neutral,
    TempError,
    PermError,
}

impl ResultWord {
    /// All words, in the order of their declaration.
    pub const ALL: [Self; 8] =
        [Self::None, Self::Pass, Self::Fail, Self::SoftFail, Self::Policy, Self::Neutral, Self::TempError, Self::PermError];

    /// Returns the word as the standards write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl std::fmt::Display for ResultWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The weight of one signature in SES's dkimVerdict.
///
/// The verdict module puts the weights in order (Decisions: dkimVerdict).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DkimWeight {
    /// A valid signature.
    Pass,
    /// A signature for whose key DNS gave no answer.
    TempError,
    /// A signature with the result fail, policy or permerror.
    Failed,
    /// A signature that cannot be read.
    Malformed,
    /// A signature that counts as if it were not there.
    Absent,
}

/// The cause of a DKIM signature's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DkimCause {
    /// The signature is valid.
    Valid,
    /// The signature is valid. Its key is in testing mode, and the settings count such keys.
    ValidTestingKey,
    /// The signature is valid. Its t= is more than ten minutes after arrival.
    ValidSignedInFuture,
    /// A required tag is missing or doubled, base64 is broken, v= is not 1, or d= or s= is no name.
    Malformed,
    /// h= does not name From (RFC 6376 5.4).
    FromNotSigned,
    /// a= is not known, or is rsa-sha1 (RFC 8301 3.1).
    UnusableAlgorithm,
    /// c= or q= is not known.
    UnusableMethod,
    /// i= is neither d= nor below it, or it is below although the key says t=s.
    IdentityMismatch,
    /// l= is larger than the body.
    LengthBeyondBody,
    /// l= is smaller than the body.
    LengthShort,
    /// x= passed before the message arrived, or x= is not after t=.
    Expired,
    /// The body was changed.
    BodyHashMismatch,
    /// The signature does not verify: a signed field was changed, or the key is a different one.
    SignatureMismatch,
    /// There is no key: DNS says NXDOMAIN, or has no TXT record.
    KeyNotFound,
    /// DNS gave no answer for the key.
    KeyUnanswered,
    /// The key's record cannot be read, or the answer from DNS is unusable.
    KeyMalformed,
    /// The key is revoked: its p= is empty.
    KeyRevoked,
    /// The key's h=, s= or k= does not permit this signature.
    KeyNotForThis,
    /// The RSA key has fewer than 1024 or more than 4096 bits.
    KeySize,
    /// The key is in testing mode: a failure does not count, and with `literal` no result does.
    TestingKey,
    /// The signature was not evaluated: there are more signatures than the limit.
    SignatureLimit,
    /// The signature was not evaluated: its field is too long, or h= names too many fields.
    SizeLimit,
    /// The signature was not evaluated: the header section is over its limits.
    HeaderLimit,
    /// The signature was not evaluated: the budget of key questions was used up.
    KeyBudget,
}

impl DkimCause {
    /// Returns the word for Authentication-Results and for reports.
    pub fn word(self) -> ResultWord {
        self.row().0
    }

    /// Returns the weight of the signature in SES's dkimVerdict.
    pub fn weight(self) -> DkimWeight {
        self.row().1
    }

    /// Returns a text for people: lower case, and without characters that need quoting.
    pub fn text(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (ResultWord, DkimWeight, &'static str) {
        use DkimWeight as W;
        use ResultWord as R;
        match self {
            Self::Valid => (R::Pass, W::Pass, "good signature"),
            Self::ValidTestingKey => (R::Pass, W::Pass, "good signature, key in testing mode"),
            Self::ValidSignedInFuture => (R::Pass, W::Pass, "good signature, signed after arrival"),
            Self::Malformed => (R::PermError, W::Malformed, "malformed signature"),
            Self::FromNotSigned => (R::PermError, W::Failed, "From not signed"),
            Self::UnusableAlgorithm => (R::PermError, W::Failed, "unusable algorithm"),
            Self::UnusableMethod => (R::PermError, W::Failed, "unknown canonicalization or query method"),
            Self::IdentityMismatch => (R::PermError, W::Failed, "i= outside d="),
            Self::LengthBeyondBody => (R::PermError, W::Failed, "l= larger than the body"),
            Self::LengthShort => (R::Policy, W::Failed, "l= smaller than the body"),
            Self::Expired => (R::Fail, W::Failed, "signature expired"),
            Self::BodyHashMismatch => (R::Fail, W::Failed, "body hash did not verify"),
            Self::SignatureMismatch => (R::Fail, W::Failed, "signature did not verify"),
            Self::KeyNotFound => (R::PermError, W::Failed, "no key"),
            Self::KeyUnanswered => (R::TempError, W::TempError, "key unavailable"),
            Self::KeyMalformed => (R::PermError, W::Failed, "malformed key"),
            Self::KeyRevoked => (R::PermError, W::Failed, "key revoked"),
            Self::KeyNotForThis => (R::PermError, W::Failed, "key not for this signature"),
            Self::KeySize => (R::PermError, W::Failed, "key size not accepted"),
            Self::TestingKey => (R::None, W::Absent, "key in testing mode"),
            Self::SignatureLimit => (R::Policy, W::Failed, "too many signatures"),
            Self::SizeLimit => (R::Policy, W::Failed, "signature too large"),
            Self::HeaderLimit => (R::Policy, W::Failed, "header section too large"),
            Self::KeyBudget => (R::Policy, W::Failed, "too many key questions"),
        }
    }
}

/// A status word of Amazon SES.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SesStatus {
    /// The check passed.
    Pass,
    /// The check failed.
    Fail,
    /// There is no policy or signature.
    Gray,
    /// The check could not be evaluated.
    ProcessingFailed,
    /// The check is not made. Only the statuses of spam and viruses say so.
    Disabled,
}

impl SesStatus {
    /// Returns the word as Amazon SES writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Gray => "GRAY",
            Self::ProcessingFailed => "PROCESSING_FAILED",
            Self::Disabled => "DISABLED",
        }
    }
}

/// The cause of an SPF result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpfCause {
    /// A mechanism with `+` matched.
    Pass,
    /// A mechanism with `-` matched.
    Fail,
    /// A mechanism with `~` matched.
    SoftFail,
    /// A mechanism with `?` matched.
    Neutral,
    /// No mechanism matched.
    NothingMatched,
    /// The domain has no SPF record.
    NoRecord,
    /// The identity is no domain that DNS could hold (RFC 7208 4.3), or no RFC 5321 path.
    NoDomain,
    /// The client's address is not known.
    ClientUnknown,
    /// The client is inside the trusted networks.
    ClientNotExternal,
    /// MAIL FROM is not known.
    MailFromUnknown,
    /// HELO is not known, but the null path or a macro `%{h}` needs it.
    HeloUnknown,
    /// SPF was not evaluated: the sender is authenticated.
    AuthenticatedSubmission,
    /// SPF was not evaluated: this software has a fault.
    InternalError,
    /// DNS did not answer.
    DnsUnanswered,
    /// The domain, or one it includes, has several SPF records.
    SeveralRecords,
    /// A record has a syntax error.
    Syntax,
    /// An included or redirected domain has no record.
    IncludedNone,
    /// A DNS answer is unusable.
    InvalidAnswer,
    /// More terms ask DNS than are allowed.
    LookupLimit,
    /// More lookups found nothing than are allowed.
    VoidLimit,
    /// A term looked up more names than are allowed.
    NamesLimit,
    /// The budget of DNS questions was used up.
    QueryBudget,
    /// A record is longer than is allowed.
    RecordLimit,
    /// `include` and `redirect` are nested deeper than is allowed.
    DepthLimit,
}

impl SpfCause {
    /// Returns the word for Authentication-Results, Received-SPF and reports.
    pub fn word(self) -> ResultWord {
        self.row().0
    }

    /// Returns whether the envelope lacks something, so that SPF cannot be evaluated (A1).
    pub fn is_of_envelope(self) -> bool {
        matches!(self, Self::ClientUnknown | Self::ClientNotExternal | Self::MailFromUnknown | Self::HeloUnknown)
    }

    /// Returns SES's spfVerdict (E.3).
    pub fn status(self) -> SesStatus {
        match self.word() {
            ResultWord::Pass => SesStatus::Pass,
            ResultWord::Fail => SesStatus::Fail,
            ResultWord::TempError | ResultWord::PermError => SesStatus::ProcessingFailed,
            ResultWord::None | ResultWord::SoftFail | ResultWord::Neutral | ResultWord::Policy => SesStatus::Gray,
        }
    }

    /// Returns a text for people: lower case, and without characters that need quoting.
    pub fn text(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (ResultWord, &'static str) {
        use ResultWord as R;
        match self {
            Self::Pass => (R::Pass, "client permitted"),
            Self::Fail => (R::Fail, "client not permitted"),
            Self::SoftFail => (R::SoftFail, "client probably not permitted"),
            Self::Neutral => (R::Neutral, "domain asserts nothing about the client"),
            Self::NothingMatched => (R::Neutral, "no mechanism matched"),
            Self::NoRecord => (R::None, "no SPF record"),
            Self::NoDomain => (R::None, "identity is not a domain"),
            Self::ClientUnknown => (R::None, "client address unknown"),
            Self::ClientNotExternal => (R::None, "client inside trusted networks"),
            Self::MailFromUnknown => (R::None, "MAIL FROM unknown"),
            Self::HeloUnknown => (R::None, "HELO unknown"),
            Self::AuthenticatedSubmission => (R::None, "authenticated submission"),
            Self::InternalError => (R::TempError, "internal error"),
            Self::DnsUnanswered => (R::TempError, "DNS did not answer"),
            Self::SeveralRecords => (R::PermError, "several SPF records"),
            Self::Syntax => (R::PermError, "syntax error in SPF record"),
            Self::IncludedNone => (R::PermError, "included domain has no SPF record"),
            Self::InvalidAnswer => (R::PermError, "unusable DNS answer"),
            Self::LookupLimit => (R::PermError, "too many DNS lookups"),
            Self::VoidLimit => (R::PermError, "too many void lookups"),
            Self::NamesLimit => (R::PermError, "too many names for one mechanism"),
            Self::QueryBudget => (R::PermError, "too many DNS questions"),
            Self::RecordLimit => (R::PermError, "SPF record too long"),
            Self::DepthLimit => (R::PermError, "SPF records nested too deep"),
        }
    }
}
