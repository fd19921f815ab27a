//! Key records (RFC 6376 3.6.1, RFC 8463 4) and how one is had from DNS.

use super::crypto::{PublicKey, Unusable};
use super::signature::Algorithm;
use super::tags::{TagList, base64, elements, without_fws};
use crate::auth::cause::DkimCause;
use crate::auth::kept::Kept;
use crate::dns::{Answer, Domain, Outcome, QueryName, Unanswered};
use std::sync::{Arc, LazyLock};

/// A key record that could be read; whether its key can be used is another question.
#[derive(Debug)]
pub(crate) struct KeyRecord {
    /// t=y: the domain is testing DKIM.
    pub(crate) testing: bool,
    /// t=s: i= must be d= itself.
    pub(crate) strict: bool,
    /// h= permits SHA-256 and s= permits mail.
    for_mail: bool,
    key_type: KeyType,
    /// The key; otherwise the cause, and the size of an RSA key that has one.
    key: Result<PublicKey, (DkimCause, Option<u32>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyType {
    Rsa,
    Ed25519,
    Unknown,
}

impl KeyRecord {
    /// Reads a record. `g=`, which RFC 6376 dropped, and `n=` are ignored.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let tags = TagList::parse(text)?;
        if let Some(version) = tags.get("v")
            && (version != b"DKIM1" || tags.first_name() != Some(b"v"))
        {
            return None;
        }
        let key_type = match tags.get("k") {
            None => KeyType::Rsa,
            Some(name) if name.eq_ignore_ascii_case(b"rsa") => KeyType::Rsa,
            Some(name) if name.eq_ignore_ascii_case(b"ed25519") => KeyType::Ed25519,
            Some(_) => KeyType::Unknown,
        };
        let lists = |tag: &str, any: &[&[u8]]| {
            tags.get(tag).is_none_or(|list| elements(list).any(|item| any.iter().any(|name| item.eq_ignore_ascii_case(name))))
        };
        let flag = |name: u8| tags.get("t").is_some_and(|list| elements(list).any(|item| item.eq_ignore_ascii_case(&[name])));
        Some(Self {
            testing: flag(b'y'),
            strict: flag(b's'),
            for_mail: lists("h", &[b"sha256"]) && lists("s", &[b"*", b"email"]),
            key_type,
            key: read_key(tags.get("p")?, key_type),
        })
    }

    /// The key, when it may be used for a signature of this kind.
    pub(crate) fn key_for(&self, algorithm: Algorithm) -> Result<&PublicKey, DkimCause> {
        let wanted = match algorithm {
            Algorithm::RsaSha256 => KeyType::Rsa,
            Algorithm::Ed25519Sha256 => KeyType::Ed25519,
        };
        match &self.key {
            Err((DkimCause::KeyRevoked, _)) => Err(DkimCause::KeyRevoked),
            _ if self.key_type != wanted || !self.for_mail => Err(DkimCause::KeyNotForThis),
            Err((cause, _)) => Err(*cause),
            Ok(key) => Ok(key),
        }
    }

    /// Size of an RSA key in bits, also of one that is not used for its size.
    pub(crate) fn bits(&self) -> Option<u32> {
        match &self.key {
            Ok(key) => key.bits(),
            Err((_, bits)) => *bits,
        }
    }
}

fn read_key(text: &[u8], key_type: KeyType) -> Result<PublicKey, (DkimCause, Option<u32>)> {
    if without_fws(text).is_empty() {
        return Err((DkimCause::KeyRevoked, None));
    }
    let octets = base64(text).ok_or((DkimCause::KeyMalformed, None))?;
    let key = match key_type {
        KeyType::Rsa => PublicKey::rsa(&octets),
        KeyType::Ed25519 => PublicKey::ed25519(&octets),
        KeyType::Unknown => return Err((DkimCause::KeyNotForThis, None)),
    };
    key.map_err(|unusable| match unusable {
        Unusable::Malformed => (DkimCause::KeyMalformed, None),
        Unusable::Size(bits) => (DkimCause::KeySize, Some(bits)),
    })
}

/// The name at which a key stands (RFC 6376 3.6.2.1); none when DNS cannot hold it.
pub(crate) fn key_name(selector: &Domain, domain: &Domain) -> Option<QueryName> {
    QueryName::new(&[selector.as_str(), "._domainkey.", domain.as_str()].concat())
}

/// The key record in an answer.
///
/// With several records RFC 6376 3.6.2.2 leaves the result undefined: the first in octet order that is a key record is
/// taken, so that the order of an answer does not matter.
pub(crate) fn record_in(answer: &Answer) -> Result<Arc<KeyRecord>, DkimCause> {
    match &answer.outcome {
        Outcome::Records(_) => {}
        Outcome::NoData | Outcome::NxDomain => return Err(DkimCause::KeyNotFound),
        Outcome::TempError(Unanswered::Budget) => return Err(DkimCause::KeyBudget),
        Outcome::TempError(_) => return Err(DkimCause::KeyUnanswered),
        Outcome::Invalid => return Err(DkimCause::KeyMalformed),
    }
    let mut texts: Vec<_> = answer.texts().collect();
    texts.sort_unstable();
    if texts.is_empty() {
        return Err(DkimCause::KeyNotFound);
    }
    texts.into_iter().find_map(|text| KNOWN.read(text, (), |text, ()| KeyRecord::parse(text))).ok_or(DkimCause::KeyMalformed)
}

static KNOWN: LazyLock<Kept<(), KeyRecord>> = LazyLock::new(Kept::new);
