//! Reads key records (RFC 6376 3.6.1, RFC 8463 4) from the answers of DNS.

use super::algorithm::Algorithm;
use super::crypto::{PublicKey, Unusable};
use super::tags::{TagList, TagListError, base64, elements, without_fws};
use crate::auth::cause::DkimCause;
use crate::auth::parse_cache::ParseCache;
use crate::dns::{Answer, Domain, Outcome, QueryName, Unanswered};
use std::sync::{Arc, LazyLock};

/// A key record that could be read. Its key may still be unusable.
#[derive(Debug)]
pub(crate) struct KeyRecord {
    /// True when the record says t=y: the domain is testing DKIM.
    pub(crate) testing: bool,
    /// True when the record says t=s: i= must be d= itself.
    pub(crate) strict: bool,
    /// The use that the record does not permit, if there is one.
    not_for: Option<NotFor>,
    key_type: KeyType,
    key: Result<PublicKey, UnusableKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyType {
    Rsa,
    Ed25519,
    Unknown,
}

/// A use that a record may not permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum NotFor {
    #[error("h= of the key does not permit sha256")]
    Sha256,
    #[error("s= of the key does not permit email")]
    Mail,
}

/// The reason why a text is no key record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyRecordError {
    #[error("{0}")]
    TagList(#[from] TagListError),
    #[error("v= is not DKIM1, or is not the first tag")]
    Version,
    #[error("p= is missing")]
    NoKey,
}

/// The reason why the key of a record cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnusableKey {
    #[error("p= is empty: the key is revoked")]
    Revoked,
    #[error("p= is not base64")]
    NotBase64,
    #[error("p= holds {0} octets that are no RSA key, neither a SubjectPublicKeyInfo nor an RSAPublicKey")]
    NotRsa(usize),
    #[error("p= holds a SubjectPublicKeyInfo; RFC 8463 asks for the 32 octets of the Ed25519 key alone")]
    WrappedEd25519,
    #[error("p= holds {0} octets; an Ed25519 key has 32")]
    NotEd25519(usize),
    #[error("the RSA key has {0} bits; keys of 1024 to 4096 bits are used")]
    Size(u32),
    #[error("k= is neither rsa nor ed25519")]
    UnknownType,
}

impl UnusableKey {
    fn cause(self) -> DkimCause {
        match self {
            Self::Revoked => DkimCause::KeyRevoked,
            Self::NotBase64 | Self::NotRsa(_) | Self::WrappedEd25519 | Self::NotEd25519(_) => DkimCause::KeyMalformed,
            Self::Size(_) => DkimCause::KeySize,
            Self::UnknownType => DkimCause::KeyNotForThis,
        }
    }
}

impl KeyRecord {
    /// Reads a key record. Ignores `n=`, and `g=`, which RFC 6376 dropped.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, KeyRecordError> {
        let tags = TagList::parse(text)?;
        if let Some(version) = tags.get("v")
            && (version != b"DKIM1" || tags.first_name() != Some(b"v"))
        {
            return Err(KeyRecordError::Version);
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
        Ok(Self {
            testing: flag(b'y'),
            strict: flag(b's'),
            not_for: if !lists("h", &[b"sha256"]) {
                Some(NotFor::Sha256)
            } else if !lists("s", &[b"*", b"email"]) {
                Some(NotFor::Mail)
            } else {
                None
            },
            key_type,
            key: read_key(tags.get("p").ok_or(KeyRecordError::NoKey)?, key_type),
        })
    }

    /// Returns the key, or a cause if a signature with this algorithm may not use it.
    pub(crate) fn key_for(&self, algorithm: Algorithm) -> Result<&PublicKey, DkimCause> {
        match &self.key {
            Err(UnusableKey::Revoked) => Err(DkimCause::KeyRevoked),
            _ if self.key_type != algorithm.key_type() || self.not_for.is_some() => Err(DkimCause::KeyNotForThis),
            Err(unusable) => Err(unusable.cause()),
            Ok(key) => Ok(key),
        }
    }

    /// Explains to people why [`Self::key_for`] has no key for a signature with this algorithm.
    pub(super) fn refusal(&self, algorithm: Algorithm) -> String {
        match (&self.key, self.not_for) {
            (Err(unusable @ UnusableKey::Revoked), _) => unusable.to_string(),
            _ if self.key_type != algorithm.key_type() => format!("the type of the key, k=, is not that of a={algorithm}"),
            (_, Some(not_for)) => not_for.to_string(),
            (Err(unusable), None) => unusable.to_string(),
            (Ok(_), None) => "the key can be used".into(),
        }
    }

    /// Returns the size of an RSA key in bits, even of one that is refused for its size.
    ///
    /// Returns `None` for any other key.
    pub(crate) fn bits(&self) -> Option<u32> {
        match &self.key {
            Ok(key) => key.bits(),
            Err(UnusableKey::Size(bits)) => Some(*bits),
            Err(_) => None,
        }
    }
}

impl Algorithm {
    fn key_type(self) -> KeyType {
        match self {
            Self::RsaSha256 => KeyType::Rsa,
            Self::Ed25519Sha256 => KeyType::Ed25519,
        }
    }
}

fn read_key(text: &[u8], key_type: KeyType) -> Result<PublicKey, UnusableKey> {
    if without_fws(text).is_empty() {
        return Err(UnusableKey::Revoked);
    }
    let octets = base64(text).ok_or(UnusableKey::NotBase64)?;
    match key_type {
        KeyType::Rsa => PublicKey::rsa(&octets).map_err(|unusable| match unusable {
            Unusable::Malformed => UnusableKey::NotRsa(octets.len()),
            Unusable::Size(bits) => UnusableKey::Size(bits),
        }),
        KeyType::Ed25519 if octets.len() == 44 && octets.starts_with(ED25519_HEADER) => Err(UnusableKey::WrappedEd25519),
        KeyType::Ed25519 => PublicKey::ed25519(&octets).map_err(|_| UnusableKey::NotEd25519(octets.len())),
        KeyType::Unknown => Err(UnusableKey::UnknownType),
    }
}

/// The octets before an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410 4).
const ED25519_HEADER: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Returns the name that holds a key (RFC 6376 3.6.2.1), or `None` if DNS cannot hold it.
pub(crate) fn key_name(selector: &Domain, domain: &Domain) -> Option<QueryName> {
    QueryName::new(&[selector.as_str(), "._domainkey.", domain.as_str()].concat())
}

/// The largest number of records at one name that are tried for a signature.
pub(super) const MAX_RECORDS: usize = 3;

/// The key records of an answer, at least one.
///
/// They are in octet order, so that the order in which they came does not matter.
pub(crate) struct KeyRecords {
    first: Arc<KeyRecord>,
    /// The records after the first; nearly always there are none.
    others: Vec<Arc<KeyRecord>>,
}

impl KeyRecords {
    /// Returns the readable records of an answer, at most [`MAX_RECORDS`].
    ///
    /// # Errors
    /// Returns the cause if there is no such record.
    pub(crate) fn of(answer: &Answer) -> Result<Self, DkimCause> {
        match &answer.outcome {
            Outcome::Records(_) => {}
            Outcome::NoData | Outcome::NxDomain => return Err(DkimCause::KeyNotFound),
            Outcome::TempError(Unanswered::Budget) => return Err(DkimCause::KeyBudget),
            Outcome::TempError(_) => return Err(DkimCause::KeyUnanswered),
            Outcome::Invalid => return Err(DkimCause::KeyMalformed),
        }
        let texts = sorted_texts(answer);
        if texts.is_empty() {
            return Err(DkimCause::KeyNotFound);
        }
        let mut records = texts.into_iter().filter_map(|text| KNOWN.read(text, (), |text, ()| KeyRecord::parse(text).ok()));
        let first = records.next().ok_or(DkimCause::KeyMalformed)?;
        Ok(Self { first, others: records.take(MAX_RECORDS - 1).collect() })
    }

    /// Tries one record after the other (RFC 6376 6.1.2).
    ///
    /// Returns the first record that succeeds, or else the one that came closest, with its result.
    pub(crate) fn try_each<T>(
        &self,
        mut attempt: impl FnMut(&KeyRecord) -> Result<T, DkimCause>,
    ) -> (&KeyRecord, Result<T, DkimCause>) {
        let mut best = (&*self.first, attempt(&self.first));
        for record in &self.others {
            let Err(cause) = best.1 else { break };
            match attempt(record) {
                Err(other) if closeness(other) <= closeness(cause) => {}
                result => best = (record, result),
            }
        }
        best
    }

    /// Returns the number of records that are tried.
    pub(crate) fn count(&self) -> usize {
        1 + self.others.len()
    }
}

/// Returns a number that is larger the closer an attempt came to a pass.
///
/// A key that was used says more than one that could not be used.
/// A key that its domain is testing says least.
fn closeness(cause: DkimCause) -> u8 {
    match cause {
        DkimCause::TestingKey => 0,
        DkimCause::SignatureMismatch => 2,
        _ => 1,
    }
}

/// Returns the TXT records of an answer in octet order.
pub(super) fn sorted_texts(answer: &Answer) -> Vec<&Arc<[u8]>> {
    let mut texts: Vec<_> = answer.texts().collect();
    texts.sort_unstable();
    texts
}

static KNOWN: LazyLock<ParseCache<(), KeyRecord>> = LazyLock::new(ParseCache::new);
