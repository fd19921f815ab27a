//! Validates ARC chains (RFC 8617 5.2). The outcome never changes a DMARC result (F-30).

mod set;
mod trust;

#[cfg(test)]
mod tests;

use super::cause::{DkimCause, ResultWord};
use super::dkim::header::{NameIndex, put_field, put_signature};
use super::dkim::key::{KeyRecord, KeyRecords, key_name};
use super::dkim::{BodyHashes, Canonicalization, DkimParameters};
use crate::dns::{Domain, Purpose, Question, Session};
use crate::message::{Defect, HeaderSection};
use aws_lc_rs::digest::{Context, SHA256};
use futures::future::join_all;
use set::{ArcSet, Structure};

pub use trust::Vouched;

/// The outcome of validating a message's ARC chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArcOutcome {
    /// The result: none, pass, fail, policy (a limit) or temperror (DNS gave no answer for a key).
    pub word: ResultWord,
    /// The d= domains of the seals, from the newest to the oldest; empty unless the chain passes.
    pub sealers: Vec<Domain>,
    /// The lowest instance from which upwards every message signature verifies (RFC 8617 5.2).
    /// It is 0 when all of them verify, and when the chain does not pass.
    pub oldest_pass: u32,
    /// The explanation for people: lower case, and without characters that need quoting.
    pub text: &'static str,
    /// The results that trusted sealers vouch for.
    /// There are some only when the chain passes and the newest sealer is trusted.
    pub vouched: Option<Vouched>,
}

impl ArcOutcome {
    /// Returns the outcome for a message without a chain.
    pub fn none() -> Self {
        Self::new(ResultWord::None, "no ARC sets")
    }

    fn new(word: ResultWord, text: &'static str) -> Self {
        Self { word, sealers: Vec::new(), oldest_pass: 0, text, vouched: None }
    }
}

/// Validates the ARC chain of a message.
///
/// `bodies` holds the hashes of this section's body, which DKIM may have computed already.
/// Of `parameters`, only the arrival and the limits are used.
/// `trusted` are the sealers whose results may speak for the message.
pub async fn verify(
    session: &Session<'_>,
    section: &HeaderSection<'_>,
    bodies: &BodyHashes<'_>,
    parameters: &DkimParameters<'_>,
    trusted: &[Domain],
) -> ArcOutcome {
    let structure = set::read(section, parameters.limits);
    if matches!(structure, Structure::None) {
        return ArcOutcome::none();
    }
    if section.has(Defect::OverLimit) {
        return ArcOutcome::new(ResultWord::Policy, "header section too large");
    }
    let sets = match structure {
        Structure::Sets(sets) => sets,
        Structure::Broken { word, text } => return ArcOutcome::new(word, text),
        Structure::None => Vec::new(),
    };
    let keys = keys(session, &sets).await;
    let chain = Chain { sets: &sets, keys: &keys, index: NameIndex::new(section.fields()), bodies, arrival: parameters.arrival };
    let mut outcome = chain.validate();
    if outcome.word == ResultWord::Pass {
        outcome.vouched = trust::vouched(&sets, trusted);
    }
    outcome
}

/// The keys of a set: first the one of its message signature, then the one of its seal.
type SetKeys = [Result<KeyRecords, DkimCause>; 2];

/// Asks DNS for all keys at the same time, beginning with those of the newest set.
async fn keys(session: &Session<'_>, sets: &[ArcSet<'_>]) -> Vec<SetKeys> {
    let ask = |selector: &Domain, domain: &Domain| {
        let answer = key_name(selector, domain).map(|name| session.ask(Purpose::ArcKey, Question::txt(name)));
        async move {
            match answer {
                Some(answer) => KeyRecords::of(&*answer.await),
                None => Err(DkimCause::KeyNotFound),
            }
        }
    };
    let questions = sets.iter().rev().map(|set| {
        // Both questions are put here, so that the budget is charged in this order.
        let seal = ask(&set.seal.selector, &set.seal.domain);
        let message = set.message.as_ref().ok().map(|signature| ask(&signature.selector, &signature.domain));
        async move {
            let message = async {
                match message {
                    Some(key) => key.await,
                    None => Err(DkimCause::Malformed),
                }
            };
            <[_; 2]>::from(futures::future::join(message, seal).await)
        }
    });
    let mut keys = join_all(questions).await;
    keys.reverse();
    keys
}

/// A chain whose structure is correct, from instance 1 upwards.
struct Chain<'c, 'm> {
    sets: &'c [ArcSet<'m>],
    keys: &'c [SetKeys],
    index: NameIndex<'c, 'm>,
    bodies: &'c BodyHashes<'m>,
    arrival: i64,
}

impl Chain<'_, '_> {
    fn validate(&self) -> ArcOutcome {
        let instances = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        let mut scratch = Vec::new();
        let messages = self.sets.iter().zip(self.keys).rev().map(|(set, keys)| self.message_verifies(set, keys, &mut scratch));
        // The results from the newest set down to the first that does not verify.
        let verified: Vec<_> =
            messages.scan(true, |going, result| std::mem::replace(going, result.is_ok()).then_some(result)).collect();
        let newest = verified.first().copied().unwrap_or(Err(DkimCause::Malformed));
        let seals = self.seals_verify(&mut scratch);
        let unanswered = DkimCause::KeyUnanswered;
        let outcome = ArcOutcome::new;
        match (newest, seals) {
            (Err(DkimCause::SizeLimit), _) => outcome(ResultWord::Policy, DkimCause::SizeLimit.text()),
            (Err(cause), _) if cause != unanswered => outcome(ResultWord::Fail, "newest message signature did not verify"),
            (_, Err(cause)) if cause != unanswered => outcome(ResultWord::Fail, "a seal did not verify"),
            (Err(_), _) | (_, Err(_)) => outcome(ResultWord::TempError, unanswered.text()),
            (Ok(()), Ok(())) => {
                let failed_at = verified.iter().position(Result::is_err).and_then(|from_top| u32::try_from(from_top).ok());
                ArcOutcome {
                    sealers: self.sets.iter().rev().map(|set| set.seal.domain.clone()).collect(),
                    oldest_pass: failed_at.map_or(0, |from_top| instances - from_top + 1),
                    ..outcome(ResultWord::Pass, "good chain")
                }
            }
        }
    }

    fn message_verifies(&self, set: &ArcSet, keys: &SetKeys, scratch: &mut Vec<u8>) -> Result<(), DkimCause> {
        let signature = set.message.as_ref().map_err(|cause| *cause)?;
        signature.check_body_and_clock(self.bodies, self.arrival)?;
        let [records, _] = keys;
        let records = records.as_ref().map_err(|cause| *cause)?;
        records.try_each(|record| signature.verified_by(record, &self.index, scratch)).1
    }

    /// Verifies every seal.
    ///
    /// Each seal signs the sets up to its own, so one running hash serves all (RFC 8617 5.1.1).
    /// A seal that is wrong outweighs one for whose key DNS gave no answer.
    fn seals_verify(&self, scratch: &mut Vec<u8>) -> Result<(), DkimCause> {
        let mut running = Context::new(&SHA256);
        let mut result = Ok(());
        for (set, [_, records]) in self.sets.iter().zip(self.keys) {
            scratch.clear();
            put_field(&set.results, Canonicalization::Relaxed, scratch);
            put_field(&set.message_field, Canonicalization::Relaxed, scratch);
            running.update(scratch);
            scratch.clear();
            put_signature(&set.seal.field, &set.seal.blank, Canonicalization::Relaxed, scratch);
            let mut sealed = running.clone();
            sealed.update(scratch);
            match records.as_ref() {
                Err(DkimCause::KeyUnanswered) => result = Err(DkimCause::KeyUnanswered),
                Err(cause) => return Err(*cause),
                Ok(records) => {
                    let digest = sealed.finish();
                    let verified_by = |record: &KeyRecord| {
                        let verifies = record.key_for(set.seal.algorithm)?.verifies(&digest, &set.seal.octets);
                        verifies.then_some(()).ok_or(DkimCause::SignatureMismatch)
                    };
                    records.try_each(verified_by).1?;
                }
            }
            scratch.clear();
            put_field(&set.seal.field, Canonicalization::Relaxed, scratch);
            running.update(scratch);
        }
        result
    }
}
