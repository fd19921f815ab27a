//! Parses public keys with aws-lc-rs, and verifies digests with them.

use aws_lc_rs::digest::Digest;
use aws_lc_rs::signature::{ED25519, ParsedPublicKey, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY};
use std::ops::RangeInclusive;

/// The accepted sizes of RSA keys in bits, for DKIM and ARC (RFC 8301 3.2).
///
/// Verification with a larger key costs more than one message may.
const RSA_BITS: RangeInclusive<u32> = 1024..=4096;

/// A public key. It is kept parsed, because an RSA key is costly to parse and set up.
#[derive(Debug)]
pub(crate) enum PublicKey {
    /// A key for PKCS #1 v1.5 with SHA-256, and its size in bits.
    Rsa(ParsedPublicKey, u32),
    /// A key for Ed25519 over the SHA-256 digest (RFC 8463 3).
    Ed25519(ParsedPublicKey),
}

/// The reason why octets give no usable key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// The octets are no key.
    Malformed,
    /// The octets are an RSA key of this many bits, which is not accepted.
    Size(u32),
}

impl PublicKey {
    /// Parses an RSA key, as SubjectPublicKeyInfo or RSAPublicKey.
    ///
    /// The size is judged before the key is parsed.
    pub(crate) fn rsa(der: &[u8]) -> Result<Self, Unusable> {
        let bits = modulus_bits(der).ok_or(Unusable::Malformed)?;
        if !RSA_BITS.contains(&bits) {
            return Err(Unusable::Size(bits));
        }
        ParsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, der)
            .map(|key| Self::Rsa(key, bits))
            .map_err(|_| Unusable::Malformed)
    }

    /// Parses an Ed25519 key, which has 32 octets.
    pub(crate) fn ed25519(octets: &[u8]) -> Result<Self, Unusable> {
        if octets.len() != 32 {
            return Err(Unusable::Malformed);
        }
        ParsedPublicKey::new(&ED25519, octets).map(Self::Ed25519).map_err(|_| Unusable::Malformed)
    }

    /// Returns the size of an RSA key in bits, and `None` for Ed25519.
    pub(crate) fn bits(&self) -> Option<u32> {
        match self {
            Self::Rsa(_, bits) => Some(*bits),
            Self::Ed25519(_) => None,
        }
    }

    /// Returns whether `signature` is a signature of `digest`, a SHA-256 digest.
    pub(crate) fn verifies(&self, digest: &Digest, signature: &[u8]) -> bool {
        match self {
            Self::Rsa(key, _) => key.verify_digest_sig(digest, signature).is_ok(),
            Self::Ed25519(key) => key.verify_sig(digest.as_ref(), signature).is_ok(),
        }
    }
}

/// Returns the size in bits of the modulus in an RSAPublicKey or in a SubjectPublicKeyInfo.
///
/// Returns `None` if `der` is neither.
fn modulus_bits(der: &[u8]) -> Option<u32> {
    const INTEGER: u8 = 0x02;
    const BIT_STRING: u8 = 0x03;
    const SEQUENCE: u8 = 0x30;
    let (mut key, _) = element(der, SEQUENCE)?;
    if let Some((_algorithm, rest)) = element(key, SEQUENCE) {
        let (bits, _) = element(rest, BIT_STRING)?;
        let (inner, _) = element(bits.strip_prefix(&[0])?, SEQUENCE)?;
        key = inner;
    }
    let (modulus, _) = element(key, INTEGER)?;
    let zeros = modulus.iter().take_while(|&&octet| octet == 0).count();
    let modulus = modulus.get(zeros..)?;
    let bits = u32::try_from(modulus.len()).ok()?.checked_mul(8)?;
    Some(bits - modulus.first().map_or(0, |octet| octet.leading_zeros()))
}

/// Returns the content of the DER element at the start of `der`, and the octets after it.
///
/// Returns `None` if there is no element with this tag.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(length & 0x7f)).filter(|(octets, _)| octets.len() <= 3)?;
        (octets.iter().fold(0, |length, &octet| length << 8 | usize::from(octet)), rest)
    };
    rest.split_at_checked(length)
}
