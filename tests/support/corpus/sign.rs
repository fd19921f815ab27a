//! A DKIM signer of the corpus's own: its t= is given, so that a seed always makes the same octets, and the verifier under test
//! has no part in what it will be asked to verify.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt::Write;

/// A key pair of `tests/keys`.
pub enum Key {
    /// RSA, 2048 bit.
    Rsa(RsaKeyPair),
    /// Ed25519.
    Ed25519(Ed25519KeyPair),
}

impl Key {
    /// The RSA keys.
    pub fn rsa() -> Vec<Self> {
        [
            &include_bytes!("../../keys/rsa2048-0.pk8")[..],
            include_bytes!("../../keys/rsa2048-1.pk8"),
            include_bytes!("../../keys/rsa2048-2.pk8"),
            include_bytes!("../../keys/rsa2048-3.pk8"),
            include_bytes!("../../keys/rsa2048-4.pk8"),
            include_bytes!("../../keys/rsa2048-5.pk8"),
            include_bytes!("../../keys/rsa2048-6.pk8"),
            include_bytes!("../../keys/rsa2048-7.pk8"),
        ]
        .into_iter()
        .map(|der| Self::Rsa(RsaKeyPair::from_pkcs8(der).unwrap()))
        .collect()
    }

    /// The Ed25519 keys.
    pub fn ed25519() -> Vec<Self> {
        [&include_bytes!("../../keys/ed25519-0.pk8")[..], include_bytes!("../../keys/ed25519-1.pk8")]
            .into_iter()
            .map(|der| Self::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).unwrap()))
            .collect()
    }

    /// a= of a signature by this key.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa-sha256",
            Self::Ed25519(_) => "ed25519-sha256",
        }
    }

    /// The key record (RFC 6376 3.6.1, RFC 8463 4).
    pub fn record(&self) -> String {
        match self {
            Self::Rsa(key) => format!("v=DKIM1; k=rsa; p={}", BASE64.encode(key.public_key().as_der().unwrap().as_ref())),
            Self::Ed25519(key) => format!("v=DKIM1; k=ed25519; p={}", BASE64.encode(key.public_key().as_ref())),
        }
    }

    /// The public key as a verifier takes it: PKCS#1 for RSA, 32 octets for Ed25519.
    pub fn public(&self) -> &[u8] {
        match self {
            Self::Rsa(key) => key.public_key().as_ref(),
            Self::Ed25519(key) => key.public_key().as_ref(),
        }
    }

    /// Signs `data`, the hash input of RFC 6376 3.7.
    pub fn sign(&self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature).unwrap();
                signature
            }
            Self::Ed25519(key) => key.sign(digest(&SHA256, data).as_ref()).as_ref().to_vec(),
        }
    }
}

/// What a signature says besides what it covers.
pub struct Terms<'a> {
    /// d=
    pub domain: &'a str,
    /// s=
    pub selector: &'a str,
    /// The body's canonicalisation is simple; otherwise relaxed. The header's is always relaxed.
    pub simple_body: bool,
    /// t=
    pub time: i64,
    /// x=
    pub expires: Option<i64>,
    /// h=
    pub names: &'a [&'a str],
}

/// The DKIM-Signature field over `fields` (name and value without final CRLF) and `body`, with its final CRLF.
pub fn sign(key: &Key, terms: &Terms<'_>, fields: &[(String, String)], body: &[u8]) -> String {
    let canonical_body = if terms.simple_body { simple_body(body) } else { relaxed_body(body) };
    let mut value = format!(
        " v=1; a={}; c=relaxed/{}; d={}; s={};\r\n\tt={};",
        key.algorithm(),
        if terms.simple_body { "simple" } else { "relaxed" },
        terms.domain,
        terms.selector,
        terms.time,
    );
    if let Some(expires) = terms.expires {
        write!(value, " x={expires};").unwrap();
    }
    write!(value, "\r\n\tbh={};\r\n\th=", BASE64.encode(digest(&SHA256, &canonical_body))).unwrap();
    for (index, name) in terms.names.iter().enumerate() {
        value.push_str(if index == 0 {
            ""
        } else if index % 6 == 0 {
            ":\r\n\t "
        } else {
            ":"
        });
        value.push_str(name);
    }
    value.push_str(";\r\n\tb=");

    let mut data = String::new();
    let mut used = vec![false; fields.len()];
    for name in terms.names {
        let found = (0..fields.len()).rev().find(|&index| !used[index] && fields[index].0.eq_ignore_ascii_case(name));
        if let Some(index) = found {
            used[index] = true;
            data.push_str(&relaxed_field(&fields[index].0, &fields[index].1));
            data.push_str("\r\n");
        }
    }
    data.push_str(&relaxed_field("DKIM-Signature", &value));
    let signature = BASE64.encode(key.sign(data.as_bytes()));
    for (index, chunk) in signature.as_bytes().chunks(70).enumerate() {
        value.push_str(if index == 0 { "" } else { "\r\n\t " });
        value.push_str(std::str::from_utf8(chunk).unwrap());
    }
    format!("DKIM-Signature:{value}\r\n")
}

/// RFC 6376 3.4.2, without the final CRLF.
fn relaxed_field(name: &str, value: &str) -> String {
    let words: Vec<&str> = value.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).collect();
    format!("{}:{}", name.to_ascii_lowercase(), words.join(" "))
}

/// RFC 6376 3.4.3.
fn simple_body(body: &[u8]) -> Vec<u8> {
    let mut end = body.len();
    while body[..end].ends_with(b"\r\n\r\n") {
        end -= 2;
    }
    let mut canonical = body[..end].to_vec();
    if canonical == b"\r\n" {
        canonical.clear();
    }
    if !canonical.ends_with(b"\r\n") {
        canonical.extend_from_slice(b"\r\n");
    }
    canonical
}

/// RFC 6376 3.4.4.
pub fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut canonical = Vec::with_capacity(body.len() + 2);
    let mut end = 0;
    let mut rest = body;
    while !rest.is_empty() {
        let cut = rest.windows(2).position(|pair| pair == b"\r\n");
        let (line, after) = cut.map_or((rest, &rest[rest.len()..]), |at| (&rest[..at], &rest[at + 2..]));
        rest = after;
        let mut blank = false;
        for &octet in line.trim_ascii_end() {
            if matches!(octet, b' ' | b'\t') {
                blank = true;
            } else {
                if std::mem::take(&mut blank) {
                    canonical.push(b' ');
                }
                canonical.push(octet);
            }
        }
        let empty = canonical.len() == end || canonical[end..].iter().all(|&octet| matches!(octet, b'\r' | b'\n'));
        canonical.extend_from_slice(b"\r\n");
        if !empty {
            end = canonical.len();
        }
    }
    canonical.truncate(end);
    canonical
}
