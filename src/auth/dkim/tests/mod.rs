mod bodies;
mod headers;
mod keys;
mod limits;
mod rules;
pub(crate) mod signer;
mod suite;
pub(crate) mod support;

use crate::auth::cause::DkimCause;
use signer::{TestKey, sign};
use support::{Case, TxtZone};

const MESSAGE: &[u8] = b"From: Ann <ann@example.com>\r\nTo: bob@example.net\r\nSubject: Lunch\r\n\r\nAt noon?\r\n\r\nAnn\r\n";
const NAME: &str = "sel._domainkey.example.com";
const TAGS: &str = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=sel; h=from:to:subject; bh={bh}; b={b}";

fn zone() -> TxtZone {
    TxtZone::default().with(NAME, &[&TestKey::Rsa.record()])
}

/// Returns the cause of the only signature of `message`, with the key in its place.
fn cause_of(message: &[u8]) -> DkimCause {
    only(Case::new(&zone()).verify(message).iter().map(|outcome| outcome.cause))
}

/// Returns the cause of a signature with these tags, which is right but for what they say.
fn cause_with(tags: &str) -> DkimCause {
    cause_of(&sign(MESSAGE, tags, TestKey::Rsa))
}

fn only<T>(mut items: impl Iterator<Item = T>) -> T {
    let item = items.next().unwrap();
    assert!(items.next().is_none());
    item
}

fn replaced(message: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(message).unwrap();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}
