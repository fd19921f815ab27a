//! Makes the demo's DKIM signatures, with keys that are generated when the demo starts.

use crate::cli::{Exit, Failure};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::crypto::{Ed25519Key, RsaKey, Sha256, SigningKey};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::DkimSigner;

/// The keys of the demo, one of each kind, which all signing domains share.
pub(super) struct Keys {
    rsa: Vec<u8>,
    rsa_public: String,
    ed25519: Vec<u8>,
    ed25519_public: String,
}

/// The way in which a message is signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature {
    /// d=.
    pub(super) domain: &'static str,
    /// The key, which also determines the selector.
    pub(super) key: Key,
    /// True to write l=, the length of the body.
    pub(super) length: bool,
    /// Seconds from now to x=; `None` leaves x= out.
    pub(super) expires: Option<u64>,
}

/// The key that signs. Its selector is `rsa`, `ed`, or one of two whose records differ from the
/// key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// RSA of 2048 bits, selector `rsa`.
    Rsa,
    /// Ed25519, selector `ed`.
    Ed25519,
    /// RSA; the record at selector `revoked` has an empty `p=`.
    Revoked,
    /// RSA; the record at selector `testing` says `t=y`.
    Testing,
}

impl Key {
    fn selector(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed",
            Self::Revoked => "revoked",
            Self::Testing => "testing",
        }
    }
}

impl Keys {
    /// Generates new keys.
    pub(super) fn generate() -> Result<Self, Failure> {
        let failed = |what: &str| Failure::new(Exit::Internal, format!("cannot make a demo key: {what}"));
        let rsa = KeyPair::generate(KeySize::Rsa2048).map_err(|_| failed("RSA"))?;
        let private: Pkcs8V1Der<'static> = rsa.as_der().map_err(|_| failed("RSA"))?;
        let public: PublicKeyX509Der<'static> = rsa.public_key().as_der().map_err(|_| failed("RSA"))?;
        let ed25519 = Ed25519Key::generate_pkcs8().map_err(|error| failed(&error.to_string()))?;
        let ed25519_public = Ed25519Key::from_pkcs8_der(&ed25519).map_err(|error| failed(&error.to_string()))?.public_key();
        Ok(Self {
            rsa: private.as_ref().to_vec(),
            rsa_public: STANDARD.encode(public.as_ref()),
            ed25519,
            ed25519_public: STANDARD.encode(ed25519_public),
        })
    }

    /// Returns the key records of `domain`, each as name and text.
    pub(super) fn records(&self, domain: &str) -> [(String, String); 4] {
        let name = |key: Key| format!("{}._domainkey.{domain}", key.selector());
        [
            (name(Key::Rsa), format!("v=DKIM1; k=rsa; p={}", self.rsa_public)),
            (name(Key::Ed25519), format!("v=DKIM1; k=ed25519; p={}", self.ed25519_public)),
            (name(Key::Revoked), "v=DKIM1; p=".to_owned()),
            (name(Key::Testing), format!("v=DKIM1; t=y; p={}", self.rsa_public)),
        ]
    }

    /// Returns `message` with a signature on top.
    #[expect(deprecated, reason = "the successor takes a type of a crate that nothing else here needs")]
    pub(super) fn sign(&self, message: &[u8], how: Signature) -> Result<Vec<u8>, Failure> {
        let signed = match how.key {
            Key::Ed25519 => Ed25519Key::from_pkcs8_der(&self.ed25519).and_then(|key| field(key, message, how)),
            _ => RsaKey::<Sha256>::from_pkcs8_der(&self.rsa).and_then(|key| field(key, message, how)),
        };
        let field = signed.map_err(|error| Failure::new(Exit::Internal, format!("cannot sign a demo message: {error}")))?;
        Ok([field.as_bytes(), message].concat())
    }
}

fn field<K: SigningKey>(key: K, message: &[u8], how: Signature) -> mail_auth::Result<String> {
    let signer = DkimSigner::from_key(key)
        .domain(how.domain)
        .selector(how.key.selector())
        .headers(["From", "To", "Subject", "Date", "Message-ID"])
        .body_length(how.length)
        .expiration(how.expires.unwrap_or(0));
    Ok(signer.sign(message)?.to_header())
}
