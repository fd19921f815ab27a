//! Explains to people what exactly is wrong with a signature. Used only when it does not pass.

use super::body::BodyHashes;
use super::canonicalization::Canonicalization;
use super::header::NameIndex;
use super::key::{KeyRecord, KeyRecords, MAX_RECORDS, sorted_texts};
use super::signature::{Broken, Signature};
use super::tags::TagList;
use crate::auth::cause::DkimCause;
use crate::detail::{Detail, quoted};
use crate::dns::Answer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use std::fmt::{self, Display, Formatter};

/// Names the tag that breaks a rule about the field itself, and says what is wrong with it.
pub(super) fn broken(broken: Broken, tags: &TagList) -> Detail {
    let Broken { cause, tag } = broken;
    let Some(value) = tags.get(tag) else { return Detail::new(format_args!("{tag}= is missing")) };
    let problem = match (cause, tag) {
        (DkimCause::Malformed, "v") => "is not 1",
        (DkimCause::Malformed, "b" | "bh") => "is not base64",
        (DkimCause::Malformed, "d" | "s") => "is not a domain name",
        (DkimCause::Malformed, "l" | "t" | "x") => "is not a decimal number",
        (DkimCause::FromNotSigned, _) => "does not name From",
        (DkimCause::UnusableAlgorithm, _) => "is neither rsa-sha256 nor ed25519-sha256",
        (DkimCause::UnusableMethod, "q") => "does not offer dns/txt",
        (DkimCause::UnusableMethod, _) => "is not made of simple and relaxed",
        (DkimCause::IdentityMismatch, _) => "is not an identity at d= or below it",
        (DkimCause::SizeLimit, _) => "names more fields than evaluation.limits.dkim_signed_names allows",
        _ => "cannot be used",
    };
    Detail::new(format_args!("{tag}={} {problem}", quoted(value)))
}

/// Says how a signature disagrees with the body or with the time of arrival.
///
/// Returns `None` for any other cause.
pub(super) fn body_or_clock(cause: DkimCause, signature: &Signature, bodies: &BodyHashes, arrival: i64) -> Option<Detail> {
    let body = signature.body_canonicalization;
    match (cause, signature.length, signature.expires_at) {
        (DkimCause::LengthShort | DkimCause::LengthBeyondBody, Some(length), _) => Some(Detail::new(format_args!(
            "l={length}, and the body has {} octets in {} canonicalization",
            bodies.length(body),
            Name(body)
        ))),
        (DkimCause::Expired, _, Some(expires)) if signature.signed_at.is_some_and(|signed| expires <= signed) => {
            Some(Detail::new("x= is not after t="))
        }
        (DkimCause::Expired, _, Some(expires)) => Some(Detail::new(format_args!(
            "x= is {}, and the message arrived at {}",
            time(expires),
            time(u64::try_from(arrival).unwrap_or(0))
        ))),
        (DkimCause::BodyHashMismatch, ..) => Some(Detail::new(format_args!(
            "the body was changed after it was signed: bh= is {}, and its hash is {} in {} canonicalization",
            STANDARD.encode(signature.body_hash.get(..48).unwrap_or(&signature.body_hash)),
            STANDARD.encode(bodies.hash(body).digest),
            Name(body)
        ))),
        _ => None,
    }
}

/// Says why an answer holds no key record. Returns `None` for any cause but `KeyMalformed`.
pub(super) fn no_key(cause: DkimCause, answer: &Answer) -> Option<Detail> {
    if cause != DkimCause::KeyMalformed {
        return None;
    }
    let texts = sorted_texts(answer);
    let faults: Vec<_> = texts
        .iter()
        .take(MAX_RECORDS)
        .filter_map(|text| KeyRecord::parse(text).err().map(|error| format!("{}: {error}", quoted(text))))
        .collect();
    Some(if faults.is_empty() { Detail::new("the DNS answer cannot be used") } else { Detail::new(faults.join("; ")) })
}

/// A signature that no key at its name verifies.
pub(super) struct Failure<'f, 'm> {
    pub(super) signature: &'f Signature<'m>,
    pub(super) records: &'f KeyRecords,
    /// The record that came closest to verifying the signature.
    pub(super) record: &'f KeyRecord,
    /// The detail that was found before the key was known.
    pub(super) before: Option<Detail>,
}

impl Failure<'_, '_> {
    pub(super) fn detail(self, cause: DkimCause, index: &NameIndex, scratch: &mut Vec<u8>) -> Option<Detail> {
        let signature = self.signature;
        let several = match self.records.count() {
            1 => String::new(),
            count => format!("; {count} keys were tried"),
        };
        match cause {
            DkimCause::SignatureMismatch => Some(Detail::new(format_args!(
                "the body is as it was signed: a signed field was changed, or the key is another; c={}/{}, h={}{several}",
                Name(signature.header_canonicalization),
                Name(signature.body_canonicalization),
                quoted(&signature.signed_names.join(&b':')),
            ))),
            DkimCause::BodyHashMismatch => {
                let verified = self.records.try_each(|record| signature.verified_by(record, index, scratch)).1;
                let header = match verified {
                    Ok(()) => "; the signed fields are unchanged",
                    Err(DkimCause::SignatureMismatch) => "; a signed field was changed too, or the key is another",
                    Err(_) => "",
                };
                self.before.map(|before| Detail::new(format_args!("{before}{header}{several}")))
            }
            DkimCause::KeyRevoked | DkimCause::KeyMalformed | DkimCause::KeyNotForThis | DkimCause::KeySize => {
                Some(Detail::new(format_args!("{}{several}", self.record.refusal(signature.algorithm))))
            }
            DkimCause::IdentityMismatch => Some(Detail::new("t=s of the key asks for i= at d= itself")),
            _ => self.before,
        }
    }
}

/// The name of a canonicalization.
struct Name(Canonicalization);

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Canonicalization::Simple => "simple",
            Canonicalization::Relaxed => "relaxed",
        })
    }
}

/// Returns Unix seconds as a time, or as a number when the calendar does not reach so far.
fn time(seconds: u64) -> String {
    let timestamp = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    timestamp.map_or_else(|| seconds.to_string(), |timestamp| timestamp.to_string())
}
