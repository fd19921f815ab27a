//! Verifies DKIM signatures (RFC 6376, 8301 and 8463).
//!
//! | file | content |
//! |---|---|
//! | `tags` | tag lists |
//! | `algorithm` | the algorithms of signatures |
//! | `canonicalization` | the two canonicalizations |
//! | `signature` | the content of a signature, and the rules about it |
//! | `header` | the signed fields and their canonical form |
//! | `body` | the canonical body and its hashes |
//! | `relaxed` | the relaxed canonical body |
//! | `sink` | the target of canonical octets |
//! | `octets` | finding octets with wide registers |
//! | `key` | key records |
//! | `crypto` | public keys and verification |
//! | `explain` | texts for people that say what exactly is wrong |

pub(crate) mod algorithm;
mod body;
mod canonicalization;
pub(crate) mod crypto;
mod explain;
pub(crate) mod header;
pub(crate) mod key;
mod octets;
mod relaxed;
pub(crate) mod signature;
mod sink;
pub(crate) mod tags;

#[cfg(test)]
pub(crate) mod tests;

pub use body::{BodyHash, BodyHashes};
pub use canonicalization::Canonicalization;

use super::cause::{DkimCause, ResultWord};
use crate::config::{Limits, TestingKey};
use crate::detail::Detail;
use crate::dns::{Answer, Domain, Purpose, Question, Session};
use crate::message::{Defect, Field, HeaderSection};
use futures::future::join_all;
use header::{NameIndex, value_without_line_end};
use key::KeyRecords;
use signature::{Kind, Signature};
use std::cmp::Reverse;
use tags::{TagList, without_fws};

/// The outcome of one DKIM-Signature field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureOutcome {
    /// The cause of the result, which also gives the result word.
    pub cause: DkimCause,
    /// The domain in d=, if it is a name.
    pub domain: Option<Domain>,
    /// The selector in s=, if it is a name. It may have several labels.
    pub selector: Option<Domain>,
    /// The value of a= in lower case, at most 64 characters, if it is printable.
    pub algorithm: Option<String>,
    /// The value of i= without white space, at most 320 characters, if it is printable.
    pub identity: Option<String>,
    /// The first characters of b=, eight if it has so many (RFC 6008).
    pub signature_start: Option<String>,
    /// The time in t=, in Unix seconds.
    pub signed_at: Option<u64>,
    /// The time in x=, in Unix seconds.
    pub expires_at: Option<u64>,
    /// The size of the RSA key in bits, if a key was read.
    pub key_bits: Option<u32>,
    /// True when the key says t=y.
    pub testing_key: bool,
    /// The text for people that says what exactly is wrong.
    pub detail: Option<Detail>,
}

/// The parameters of DKIM besides the message.
#[derive(Debug, Clone, Copy)]
pub struct DkimParameters<'a> {
    /// The author domain, if there is one. Signatures that could align with it are taken first.
    pub author: Option<&'a Domain>,
    /// The time of arrival in Unix seconds, with which t= and x= are compared.
    pub arrival: i64,
    /// The meaning of a key in testing mode.
    pub testing_key: TestingKey,
    /// The limits on signatures.
    pub limits: &'a Limits,
}

/// Verifies every DKIM-Signature field within the limits.
///
/// Returns one outcome for each field, in header order.
/// `bodies` holds the hashes of this section's body, so that ARC need not hash it again.
/// Keys are asked for in a fixed order, all at the same time, first those whose d= could align.
pub async fn verify(
    session: &Session<'_>,
    section: &HeaderSection<'_>,
    bodies: &BodyHashes<'_>,
    parameters: &DkimParameters<'_>,
) -> Vec<SignatureOutcome> {
    let fields = section.named("DKIM-Signature");
    if section.has(Defect::OverLimit) {
        return fields.map(|_| SignatureOutcome::of(DkimCause::HeaderLimit)).collect();
    }
    let mut candidates: Vec<_> = fields.map(|field| Candidate::read(field, parameters.limits)).collect();
    if candidates.is_empty() {
        return Vec::new();
    }
    let questions = settle_without_keys(&mut candidates, bodies, parameters);
    let answers = join_all(questions.into_iter().filter_map(|at| {
        let signature = candidates.get(at)?.signature.as_ref()?;
        let name = key::key_name(&signature.selector, &signature.domain)?;
        // The budget is charged here, in this order.
        let answer = session.ask(Purpose::DkimKey, Question::txt(name));
        Some(async move { (at, answer.await) })
    }))
    .await;
    let index = NameIndex::new(section.fields());
    let mut scratch = Vec::new();
    for (at, answer) in answers {
        if let Some(candidate) = candidates.get_mut(at) {
            candidate.settle_with_key(&answer, &index, parameters, &mut scratch);
        }
    }
    candidates.into_iter().map(|candidate| candidate.outcome).collect()
}

/// Applies every rule that needs no key.
///
/// Returns the positions of the candidates whose key must be asked for, in the order of asking.
/// First come those that can pass, sorted by how much their d= shares with the author domain.
/// Then come those that failed, because a failure under a key in testing mode does not count.
fn settle_without_keys(candidates: &mut [Candidate], bodies: &BodyHashes, parameters: &DkimParameters) -> Vec<usize> {
    let readable = |candidate: &Candidate| candidate.tags.is_some();
    let mut order: Vec<_> = (0..candidates.len()).filter(|&at| candidates.get(at).is_some_and(readable)).collect();
    if let Some(author) = parameters.author
        && order.len() > 1
    {
        let shared = |at: &usize| candidates.get(*at)?.outcome.domain.as_ref().map(|domain| domain.common_labels(author));
        order.sort_by_cached_key(|at| Reverse(shared(at)));
    }
    let (mut open, mut failed) = (Vec::new(), Vec::new());
    for (rank, at) in order.into_iter().enumerate() {
        let Some(candidate) = candidates.get_mut(at) else { continue };
        if rank >= parameters.limits.dkim_signatures {
            candidate.outcome.cause = DkimCause::SignatureLimit;
            continue;
        }
        match candidate.check(bodies, parameters) {
            Ok(()) => open.push(at),
            Err(cause) => {
                candidate.outcome.cause = cause;
                if cause.word() == ResultWord::Fail {
                    failed.push(at);
                }
            }
        }
    }
    open.append(&mut failed);
    open
}

/// One DKIM-Signature field whose outcome is being decided.
struct Candidate<'m> {
    position: usize,
    field: Field<'m>,
    /// The tags, or `None` if the field is too large or holds no tag list.
    tags: Option<TagList<'m>>,
    /// The signature, if no rule about the field itself is broken.
    signature: Option<Signature<'m>>,
    /// The outcome so far. Its cause is final unless the key changes it.
    outcome: SignatureOutcome,
}

impl<'m> Candidate<'m> {
    fn read((position, field): (usize, Field<'m>), limits: &Limits) -> Self {
        let candidate = |tags, outcome| Self { position, field, tags, signature: None, outcome };
        if field.raw.len() > limits.dkim_signature_bytes {
            return candidate(None, SignatureOutcome::of(DkimCause::SizeLimit));
        }
        let value = value_without_line_end(&field);
        match TagList::parse(value) {
            Err(error) => {
                let detail = Some(Detail::new(error));
                candidate(None, SignatureOutcome { detail, ..SignatureOutcome::of(DkimCause::Malformed) })
            }
            Ok(tags) => {
                let outcome = SignatureOutcome::describe(&tags);
                candidate(Some(tags), outcome)
            }
        }
    }

    /// Reads the signature and applies the rules that need no key.
    ///
    /// Returns the cause of the first broken rule.
    fn check(&mut self, bodies: &BodyHashes, parameters: &DkimParameters) -> Result<(), DkimCause> {
        let tags = self.tags.as_ref().ok_or(DkimCause::Malformed)?;
        let names = parameters.limits.dkim_signed_names;
        let domains = (self.outcome.domain.clone(), self.outcome.selector.clone());
        let signature = Signature::read(Kind::Dkim, (self.position, self.field), tags, domains, names).map_err(|broken| {
            self.outcome.detail = Some(explain::broken(broken, tags));
            broken.cause
        })?;
        // If DNS cannot hold the key's name, there is no key. All other rules come first.
        self.outcome.cause = DkimCause::KeyNotFound;
        let signature = self.signature.insert(signature);
        signature.check_body_and_clock(bodies, parameters.arrival).inspect_err(|cause| {
            self.outcome.detail = explain::body_or_clock(*cause, signature, bodies, parameters.arrival);
        })
    }

    fn settle_with_key(&mut self, answer: &Answer, index: &NameIndex, parameters: &DkimParameters, scratch: &mut Vec<u8>) {
        let Some(signature) = &self.signature else { return };
        let before = self.outcome.cause;
        let failed = before.word() == ResultWord::Fail;
        let records = match KeyRecords::of(answer) {
            Ok(records) => records,
            Err(_) if failed => return,
            Err(cause) => {
                self.outcome.cause = cause;
                self.outcome.detail = explain::no_key(cause, answer);
                return;
            }
        };
        let (record, result) = records.try_each(|record| {
            let result = match (record.testing, parameters.testing_key) {
                (true, TestingKey::Literal) => Err(DkimCause::TestingKey),
                _ if failed => Err(before),
                _ => signature.verified_by(record, index, scratch),
            };
            match result {
                Err(cause) => Err(if record.testing { DkimCause::TestingKey } else { cause }),
                Ok(()) if record.testing => Ok(DkimCause::ValidTestingKey),
                Ok(()) if signature.is_signed_in_future(parameters.arrival) => Ok(DkimCause::ValidSignedInFuture),
                Ok(()) => Ok(DkimCause::Valid),
            }
        });
        self.outcome.key_bits = record.bits();
        self.outcome.testing_key = record.testing;
        self.outcome.cause = result.unwrap_or_else(|cause| cause);
        if result.is_err() {
            let failure = explain::Failure { signature, records: &records, record, before: self.outcome.detail.take() };
            self.outcome.detail = failure.detail(self.outcome.cause, index, scratch);
        }
    }
}

impl SignatureOutcome {
    fn of(cause: DkimCause) -> Self {
        Self {
            cause,
            domain: None,
            selector: None,
            algorithm: None,
            identity: None,
            signature_start: None,
            signed_at: None,
            expires_at: None,
            key_bits: None,
            testing_key: false,
            detail: None,
        }
    }

    /// Returns the parts of the outcome that the tags give before the signature is judged.
    fn describe(tags: &TagList) -> Self {
        Self {
            domain: signature::name(tags, "d"),
            selector: signature::name(tags, "s"),
            algorithm: tags.get("a").and_then(|text| printable(text, 64)).map(|text| text.to_ascii_lowercase()),
            identity: tags.get("i").and_then(|text| printable(&without_fws(text), 320)),
            signature_start: tags.get("b").and_then(signature_start),
            signed_at: tags.number("t").ok().flatten(),
            expires_at: tags.number("x").ok().flatten(),
            ..Self::of(DkimCause::Malformed)
        }
    }
}

/// Returns the first eight characters that are not white space, if they are printable.
fn signature_start(text: &[u8]) -> Option<String> {
    let start: Vec<u8> = text.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).take(8).collect();
    printable(&start, 8)
}

/// Returns the first `limit` characters of `text`.
///
/// Returns `None` if they are not UTF-8, if there are none, or if a control character is there.
fn printable(text: &[u8], limit: usize) -> Option<String> {
    let text = std::str::from_utf8(text.get(..text.len().min(limit * 4))?).ok()?;
    (!text.is_empty() && text.chars().all(|character| !character.is_control())).then(|| text.chars().take(limit).collect())
}
