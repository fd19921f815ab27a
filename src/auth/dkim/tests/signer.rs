//! Signs messages by the letter of RFC 6376.
//!
//! The code is plain and shares nothing with the verifier, so that the two can be compared.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A key of these tests. It signs nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TestKey {
    Rsa,
    Ed25519,
}

fn rsa_pair() -> RsaKeyPair {
    let pem = include_str!("../../../../tests/keys/rsa2048.pem");
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap()
}

fn ed25519_pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

impl TestKey {
    /// Returns the tags of the key record after `v=DKIM1; `.
    pub(crate) fn public_tags(self) -> String {
        match self {
            Self::Rsa => format!("k=rsa; p={}", STANDARD.encode(rsa_pair().public_key().as_ref())),
            Self::Ed25519 => format!("k=ed25519; p={}", STANDARD.encode(ed25519_pair().public_key().as_ref())),
        }
    }

    pub(crate) fn record(self) -> String {
        format!("v=DKIM1; {}", self.public_tags())
    }

    fn sign(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa => {
                let pair = rsa_pair();
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature).unwrap();
                signature
            }
            Self::Ed25519 => ed25519_pair().sign(digest(&SHA256, data).as_ref()).as_ref().to_vec(),
        }
    }
}

/// Returns `message` with a field `name` on top that holds `tags`.
///
/// In `tags`, `{bh}` and `{b}` stand for the hash and the signature, which are computed.
pub(crate) fn sign_as(name: &str, message: &[u8], tags: &str, key: TestKey) -> Vec<u8> {
    let tag = |name: &str| {
        tags.split(';')
            .filter_map(|spec| spec.split_once('='))
            .find(|(found, _)| found.trim() == name)
            .map(|(_, value)| value.trim())
    };
    let methods = tag("c").unwrap_or("simple/simple");
    let (header, body) = methods.split_once('/').unwrap_or((methods, "simple"));
    let (head, content) = split(message);
    let mut canonical_body = reference_body(content, body == "relaxed");
    if let Some(length) = tag("l").and_then(|length| length.parse().ok()) {
        canonical_body.truncate(length);
    }
    let hash = STANDARD.encode(digest(&SHA256, &canonical_body).as_ref());
    let filled = format!("{name}: {}", tags.replace("{bh}", &hash));
    let mut fields: Vec<&[u8]> = fields_of(head);
    let mut data = Vec::new();
    for wanted in tag("h").unwrap_or_default().split(':').map(str::trim) {
        if let Some(at) = fields.iter().rposition(|field| name_of(field).eq_ignore_ascii_case(wanted.as_bytes())) {
            data.extend(reference_field(fields.remove(at), header == "relaxed"));
        }
    }
    let own = format!("{}\r\n", filled.replace("{b}", ""));
    let own = reference_field(own.as_bytes(), header == "relaxed");
    data.extend_from_slice(own.strip_suffix(b"\r\n").unwrap());
    let field = format!("{}\r\n", filled.replace("{b}", &STANDARD.encode(key.sign(&data))));
    [field.as_bytes(), message].concat()
}

/// Returns `message` with a DKIM signature on top.
pub(crate) fn sign(message: &[u8], tags: &str, key: TestKey) -> Vec<u8> {
    sign_as("DKIM-Signature", message, tags, key)
}

/// Returns `message` with an ARC-Seal on top (RFC 8617 5.1.1).
///
/// The ARC sets of the message follow each other from the newest down. The newest has no seal yet.
pub(crate) fn seal(message: &[u8], tags: &str, key: TestKey) -> Vec<u8> {
    let (head, _) = split(message);
    let names = [&b"ARC-Seal"[..], b"ARC-Message-Signature", b"ARC-Authentication-Results"];
    let mut data: Vec<u8> = Vec::new();
    for field in fields_of(head).into_iter().filter(|field| names.contains(&name_of(field))).rev().collect::<Vec<_>>().chunks(3) {
        let [message_signature, results, seal @ ..] = field else { unreachable!() };
        for field in [results, message_signature].into_iter().chain(seal) {
            data.extend(reference_field(field, true));
        }
    }
    let own = format!("ARC-Seal: {}\r\n", tags.replace("{b}", ""));
    data.extend_from_slice(reference_field(own.as_bytes(), true).strip_suffix(b"\r\n").unwrap());
    let field = format!("ARC-Seal: {}\r\n", tags.replace("{b}", &STANDARD.encode(key.sign(&data))));
    [field.as_bytes(), message].concat()
}

fn split(message: &[u8]) -> (&[u8], &[u8]) {
    let end = message.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (&message[..end + 2], &message[end + 4..])
}

fn fields_of(head: &[u8]) -> Vec<&[u8]> {
    let mut fields: Vec<(usize, usize)> = Vec::new();
    let mut start = 0;
    while start < head.len() {
        let end = start + head[start..].windows(2).position(|window| window == b"\r\n").unwrap() + 2;
        match fields.last_mut() {
            Some(last) if matches!(head[start], b' ' | b'\t') => last.1 = end,
            _ => fields.push((start, end)),
        }
        start = end;
    }
    fields.into_iter().map(|(start, end)| &head[start..end]).collect()
}

fn name_of(field: &[u8]) -> &[u8] {
    field.split(|&octet| octet == b':').next().unwrap().trim_ascii_end()
}

/// Canonicalizes a field step by step (RFC 6376 3.4.1 and 3.4.2).
pub(crate) fn reference_field(field: &[u8], relaxed: bool) -> Vec<u8> {
    if !relaxed {
        return field.to_vec();
    }
    let colon = field.iter().position(|&octet| octet == b':').unwrap();
    let unfolded = remove_line_ends(&field[colon + 1..]);
    let reduced = reduce_white_space(&unfolded);
    let mut value: &[u8] = &reduced;
    value = value.strip_prefix(b" ").unwrap_or(value);
    value = value.strip_suffix(b" ").unwrap_or(value);
    [&name_of(field).to_ascii_lowercase(), &b":"[..], value, b"\r\n"].concat()
}

/// Canonicalizes a body step by step (RFC 6376 3.4.3 and 3.4.4).
pub(crate) fn reference_body(body: &[u8], relaxed: bool) -> Vec<u8> {
    let mut lines = lines(body);
    if relaxed {
        for line in &mut lines {
            *line = reduce_white_space(line);
            while matches!(line.last(), Some(b' ' | b'\t')) {
                line.pop();
            }
        }
    }
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    if lines.is_empty() {
        return if relaxed { Vec::new() } else { b"\r\n".to_vec() };
    }
    lines.into_iter().flat_map(|line| [line, b"\r\n".to_vec()].concat()).collect()
}

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new()];
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(b"\r\n") {
            lines.push(Vec::new());
            at += 2;
        } else {
            lines.last_mut().unwrap().push(text[at]);
            at += 1;
        }
    }
    lines
}

fn remove_line_ends(text: &[u8]) -> Vec<u8> {
    lines(text).concat()
}

fn reduce_white_space(text: &[u8]) -> Vec<u8> {
    let mut reduced: Vec<u8> = Vec::new();
    let mut before = false;
    for &octet in text {
        let white = matches!(octet, b' ' | b'\t');
        if !white {
            reduced.push(octet);
        } else if !before {
            reduced.push(b' ');
        }
        before = white;
    }
    reduced
}
