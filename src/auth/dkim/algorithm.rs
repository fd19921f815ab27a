//! Reads the algorithms of signatures and seals, `a=`.

use super::tags::TagList;
use crate::auth::cause::DkimCause;

/// An accepted algorithm. rsa-sha1 is not accepted (RFC 8301 3.1, G3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// RSA with SHA-256 (RFC 6376 3.3.2).
    RsaSha256,
    /// Ed25519 with SHA-256 (RFC 8463 3).
    Ed25519Sha256,
}

impl Algorithm {
    /// Reads the algorithm in `a=`. Returns a cause if it is missing or not accepted.
    pub(crate) fn read(tags: &TagList) -> Result<Self, DkimCause> {
        match tags.get("a").ok_or(DkimCause::Malformed)? {
            [] => Err(DkimCause::Malformed),
            name if name.eq_ignore_ascii_case(b"rsa-sha256") => Ok(Self::RsaSha256),
            name if name.eq_ignore_ascii_case(b"ed25519-sha256") => Ok(Self::Ed25519Sha256),
            _ => Err(DkimCause::UnusableAlgorithm),
        }
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        })
    }
}
