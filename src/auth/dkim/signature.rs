//! Reads signature fields, and applies the rules about their tags, the body and the clock
//! (RFC 6376 3.5, 6.1.1).

use super::algorithm::Algorithm;
use super::body::BodyHashes;
use super::canonicalization::Canonicalization;
use super::crypto::PublicKey;
use super::header::{NameIndex, put_field, put_signature};
use super::key::KeyRecord;
use super::tags::{InvalidNumber, TagList, base64, elements, without_fws};
use crate::auth::cause::DkimCause;
use crate::dns::Domain;
use crate::message::Field;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use std::ops::Range;

/// A broken rule about the field itself, and the tag that breaks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) cause: DkimCause,
    pub(crate) tag: &'static str,
}

/// Returns the name in `d=` or `s=`, or `None` if it is no name that DNS can hold.
///
/// Its labels consist of letters, digits and underscores, with hyphens between them.
/// U-labels are converted (F-14, RFC 8616).
pub(crate) fn name(tags: &TagList, tag: &str) -> Option<Domain> {
    let text = std::str::from_utf8(tags.get(tag)?).ok()?;
    if text.ends_with('.') {
        return None;
    }
    let name = Domain::parse(text).ok()?;
    let hyphens_inside = name.labels().all(|label| !label.starts_with('-') && !label.ends_with('-'));
    (hyphens_inside && name.query_name().is_some()).then_some(name)
}

/// The kind of a field that signs a message, with the rules in which the two kinds differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// DKIM-Signature: v=1, From must be signed, i= is an identity.
    Dkim,
    /// ARC-Message-Signature: v= is ignored, ARC-Seal must not be signed, i= is an instance
    /// (RFC 8617 4.1.2).
    Arc,
}

/// A signature over body and header fields that breaks no rule about its own field.
#[derive(Debug)]
pub(crate) struct Signature<'m> {
    /// The position of the field in the section.
    position: usize,
    field: Field<'m>,
    pub(crate) algorithm: Algorithm,
    pub(crate) domain: Domain,
    pub(crate) selector: Domain,
    /// The domain in i=, which is d= or below it.
    pub(crate) identity: Option<Domain>,
    octets: Vec<u8>,
    pub(super) body_hash: Vec<u8>,
    pub(super) header_canonicalization: Canonicalization,
    pub(super) body_canonicalization: Canonicalization,
    pub(super) signed_names: Vec<&'m [u8]>,
    /// The position of the value of b= in the field's value.
    blank: Range<usize>,
    pub(super) length: Option<u64>,
    pub(super) signed_at: Option<u64>,
    pub(super) expires_at: Option<u64>,
}

impl<'m> Signature<'m> {
    /// Reads a field whose tag list is `tags`. Returns the first broken rule as the error.
    ///
    /// `domains` are the [`name`]s in d= and s=. h= may have at most `names` names.
    pub(crate) fn read(
        kind: Kind,
        (position, field): (usize, Field<'m>),
        tags: &TagList<'m>,
        domains: (Option<Domain>, Option<Domain>),
        names: usize,
    ) -> Result<Self, Broken> {
        let malformed = |tag| Broken { cause: DkimCause::Malformed, tag };
        let required = |tag| tags.get(tag).ok_or(malformed(tag));
        let octets_in = |tag| base64(required(tag)?).ok_or(malformed(tag));
        let numeric = |tag| tags.number(tag).map_err(|InvalidNumber| malformed(tag));
        if kind == Kind::Dkim && required("v")? != b"1" {
            return Err(malformed("v"));
        }
        let algorithm = Algorithm::read(tags).map_err(|cause| Broken { cause, tag: "a" });
        if algorithm == Err(malformed("a")) {
            return Err(malformed("a"));
        }
        let (octets, body_hash) = (octets_in("b")?, octets_in("bh")?);
        let (domain, selector) = (domains.0.ok_or(malformed("d"))?, domains.1.ok_or(malformed("s"))?);
        let (length, signed_at, expires_at) = (numeric("l")?, numeric("t")?, numeric("x")?);
        let signed_names = signed_names(kind, required("h")?, names).map_err(|cause| Broken { cause, tag: "h" })?;
        let algorithm = algorithm?;
        let (header_canonicalization, body_canonicalization) =
            methods(kind, tags).map_err(|tag| Broken { cause: DkimCause::UnusableMethod, tag })?;
        let identity = match kind {
            Kind::Dkim => identity(tags, &domain).map_err(|cause| Broken { cause, tag: "i" })?,
            Kind::Arc => None,
        };
        Ok(Self {
            position,
            field,
            algorithm,
            domain,
            selector,
            identity,
            octets,
            body_hash,
            header_canonicalization,
            body_canonicalization,
            signed_names,
            blank: tags.span("b").ok_or(malformed("b"))?,
            length,
            signed_at,
            expires_at,
        })
    }

    /// Checks the rules about the body and the clock.
    ///
    /// l= is compared without hashing (F-17). The body is hashed only if all other rules hold.
    pub(crate) fn check_body_and_clock(&self, bodies: &BodyHashes, arrival: i64) -> Result<(), DkimCause> {
        if let Some(length) = self.length {
            match length.cmp(&bodies.length(self.body_canonicalization)) {
                std::cmp::Ordering::Greater => return Err(DkimCause::LengthBeyondBody),
                std::cmp::Ordering::Less => return Err(DkimCause::LengthShort),
                std::cmp::Ordering::Equal => {}
            }
        }
        if self.is_expired(arrival) {
            return Err(DkimCause::Expired);
        }
        if bodies.hash(self.body_canonicalization).digest.as_slice() != self.body_hash {
            return Err(DkimCause::BodyHashMismatch);
        }
        Ok(())
    }

    fn is_expired(&self, arrival: i64) -> bool {
        self.expires_at.is_some_and(|expires| {
            i64::try_from(expires).is_ok_and(|expires| expires < arrival)
                || self.signed_at.is_some_and(|signed| expires <= signed)
        })
    }

    /// Returns whether h= names this field.
    pub(crate) fn signs(&self, name: &str) -> bool {
        self.signed_names.iter().any(|signed| signed.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Returns whether t= is more than ten minutes after arrival.
    pub(crate) fn is_signed_in_future(&self, arrival: i64) -> bool {
        const TOLERANCE: i64 = 600;
        self.signed_at
            .is_some_and(|signed| i64::try_from(signed).map_or(true, |signed| signed > arrival.saturating_add(TOLERANCE)))
    }

    /// Verifies the signature with the key of a record, which must permit this signature.
    ///
    /// It overwrites `scratch`.
    pub(crate) fn verified_by(&self, record: &KeyRecord, index: &NameIndex, scratch: &mut Vec<u8>) -> Result<(), DkimCause> {
        let key = record.key_for(self.algorithm)?;
        if record.strict && self.identity.as_ref().is_some_and(|identity| *identity != self.domain) {
            return Err(DkimCause::IdentityMismatch);
        }
        self.verifies(key, index, scratch).then_some(()).ok_or(DkimCause::SignatureMismatch)
    }

    /// Returns whether the signature verifies with `key`. It overwrites `scratch`.
    fn verifies(&self, key: &PublicKey, index: &NameIndex, scratch: &mut Vec<u8>) -> bool {
        key.verifies(&self.header_digest(index, scratch), &self.octets)
    }

    fn header_digest(&self, index: &NameIndex, scratch: &mut Vec<u8>) -> Digest {
        scratch.clear();
        for field in index.signed(&self.signed_names, self.position) {
            put_field(field, self.header_canonicalization, scratch);
        }
        put_signature(&self.field, &self.blank, self.header_canonicalization, scratch);
        digest(&SHA256, scratch)
    }
}

/// Returns the names in h= without empty ones, which name no field.
///
/// The names are counted before they are read. Returns a cause if there are more than `limit`,
/// if a DKIM signature does not name From, or if a signature of ARC names ARC-Seal.
fn signed_names(kind: Kind, list: &[u8], limit: usize) -> Result<Vec<&[u8]>, DkimCause> {
    let count = memchr::memchr_iter(b':', list).count() + 1;
    if count > limit {
        return Err(DkimCause::SizeLimit);
    }
    let mut names = Vec::with_capacity(count);
    names.extend(elements(list).filter(|name| !name.is_empty()));
    let has = |wanted: &[u8]| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
    match kind {
        Kind::Dkim if !has(b"from") => Err(DkimCause::FromNotSigned),
        Kind::Arc if has(b"arc-seal") => Err(DkimCause::Malformed),
        Kind::Dkim | Kind::Arc => Ok(names),
    }
}

/// Returns the canonicalizations of header and body in c=.
///
/// Returns the tag `q` or `c` as the error if q= does not offer DNS, or if c= is not known.
fn methods(kind: Kind, tags: &TagList) -> Result<(Canonicalization, Canonicalization), &'static str> {
    if tags.get("q").is_some_and(|list| !elements(list).any(|method| method.eq_ignore_ascii_case(b"dns/txt"))) {
        return Err("q");
    }
    let Some(text) = tags.get("c") else {
        return Ok(match kind {
            Kind::Dkim => (Canonicalization::Simple, Canonicalization::Simple),
            // RFC 8617 adopts DKIM's default.
            // But real sealers, and ARC's test suite, mean relaxed as in ARC-Seal.
            Kind::Arc => (Canonicalization::Relaxed, Canonicalization::Relaxed),
        });
    };
    let mut names = text.splitn(2, |&octet| octet == b'/');
    let header = names.next().and_then(Canonicalization::read).ok_or("c")?;
    let body = names.next().map_or(Some(Canonicalization::Simple), Canonicalization::read).ok_or("c")?;
    Ok((header, body))
}

/// Returns the domain in i=, which must be d= or lie below it (RFC 6376 6.1.1).
fn identity(tags: &TagList, domain: &Domain) -> Result<Option<Domain>, DkimCause> {
    let Some(text) = tags.get("i") else {
        return Ok(None);
    };
    let text = without_fws(text);
    std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.rsplit_once('@'))
        .and_then(|(_, name)| Domain::parse(name).ok())
        .filter(|name| name.is_at_or_below(domain))
        .map(Some)
        .ok_or(DkimCause::IdentityMismatch)
}
