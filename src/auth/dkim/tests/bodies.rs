//! Tests of canonical bodies and their hashes.

use super::signer::{TestKey, reference_body, sign};
use super::support::Case;
use super::{MESSAGE, TAGS, cause_of, cause_with, replaced, zone};
use crate::auth::cause::DkimCause;
use crate::auth::dkim::body::canonicalize;
use crate::auth::dkim::{BodyHashes, Canonicalization};
use aws_lc_rs::digest::{SHA256, digest};
use proptest::prelude::*;

fn relaxed(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    canonicalize(body, Canonicalization::Relaxed, &mut out);
    out
}

fn simple(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    canonicalize(body, Canonicalization::Simple, &mut out);
    out
}

#[test]
fn g1_trailing_lines_of_white_space_are_ignored_by_relaxed() {
    for body in ["a\r\n", "a", "a \t", "a\r\n\r\n", "a\r\n \t\r\n", "a \r\n\t\r\n \r\n\r\n \t "] {
        assert_eq!(relaxed(body.as_bytes()), b"a\r\n", "{body:?}");
    }
    for body in ["", "\r\n", " ", " \r\n\t", "\r\n\r\n"] {
        assert_eq!(relaxed(body.as_bytes()), b"", "{body:?}");
    }
    assert_eq!(simple(b"a\r\n \r\n\r\n"), b"a\r\n \r\n");
    assert_eq!(simple(b""), b"\r\n");
    assert_eq!(simple(b"a"), b"a\r\n");
}

#[test]
fn g2_cr_or_lf_alone_is_an_octet_like_any_other() {
    assert_eq!(relaxed(b"a \rb \nc\r \r\n"), b"a \rb \nc\r\r\n");
    assert_eq!(relaxed(b"a\n\n"), b"a\n\n\r\n");
    assert_eq!(simple(b"a\r\r\n"), b"a\r\r\n");
    for method in ["relaxed/relaxed", "simple/simple"] {
        let signed = sign(MESSAGE, &TAGS.replace("relaxed/relaxed", method), TestKey::Rsa);
        assert_eq!(cause_of(&signed), DkimCause::Valid);
        for inserted in ["At\r noon?", "At noon?\r", "At noon?\n"] {
            assert_eq!(cause_of(&replaced(&signed, "At noon?", inserted)), DkimCause::BodyHashMismatch, "{method} {inserted:?}");
        }
    }
}

#[test]
fn g6_a_changed_body_fails() {
    let signed = sign(MESSAGE, TAGS, TestKey::Rsa);
    let cause = cause_of(&replaced(&signed, "noon", "one"));
    assert_eq!((cause, cause.word().as_str()), (DkimCause::BodyHashMismatch, "fail"));
}

#[test]
fn g9_f17_length_is_compared_with_the_canonical_body() {
    let with = |length: &str| TAGS.replace("; h=", &format!("; l={length}; h="));
    let length = relaxed(b"At noon?\r\n\r\nAnn\r\n").len();
    assert_eq!(cause_with(&with(&length.to_string())), DkimCause::Valid);
    assert_eq!(cause_with(&with(&(length + 1).to_string())), DkimCause::LengthBeyondBody);
    assert_eq!(cause_with(&with("99999999999999999999999999")), DkimCause::LengthBeyondBody);
    assert_eq!(cause_with(&with("0")), DkimCause::LengthShort);
    assert_eq!(cause_with(&with("x")), DkimCause::Malformed);
    assert_eq!(cause_with(&with("")), DkimCause::Malformed);
    let empty = MESSAGE.split_at(MESSAGE.len() - b"At noon?\r\n\r\nAnn\r\n".len()).0;
    assert_eq!(cause_of(&sign(empty, &with("0"), TestKey::Rsa)), DkimCause::Valid);
}

#[test]
fn f17_appended_text_gives_policy_without_hashing_and_without_a_question() {
    let zone = zone();
    for method in ["relaxed/relaxed", "simple/simple"] {
        let tags = TAGS.replace("relaxed/relaxed", method).replace("; h=", "; l=17; h=");
        let mut message = sign(MESSAGE, &tags, TestKey::Rsa);
        message.extend_from_slice(b"Bring money.\r\n");
        let (outcomes, hashed) = Case::new(&zone).verify_counting(&message);
        assert_eq!(outcomes[0].cause, DkimCause::LengthShort);
        assert_eq!(outcomes[0].cause.word().as_str(), "policy");
        assert_eq!(hashed, 0, "{method}");
    }
    assert!(zone.asked().is_empty());
}

#[test]
fn g14_ten_signatures_hash_the_body_once_a_canonicalisation() {
    let body = "some text  with\tspace \r\n".repeat(2000);
    let mut message = [MESSAGE, body.as_bytes()].concat();
    for number in 0..10 {
        let method = if number % 2 == 0 { "relaxed/relaxed" } else { "relaxed/simple" };
        let length = if number % 3 == 0 { format!("; l={number}; h=") } else { "; h=".to_owned() };
        message = sign(&message, &TAGS.replace("relaxed/relaxed", method).replace("; h=", &length), TestKey::Rsa);
    }
    let content = [&b"At noon?\r\n\r\nAnn\r\n"[..], body.as_bytes()].concat();
    let (outcomes, hashed) = Case::new(&zone()).verify_counting(&message);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.cause == DkimCause::Valid).count(), 6);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.cause == DkimCause::LengthShort).count(), 4);
    assert_eq!(hashed, (relaxed(&content).len() + simple(&content).len()) as u64);
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b" "[..],
        b"\t",
        b"\r\n",
        b"\r",
        b"\n",
        b"a",
        b"word",
        b"  ",
        b" \r\n",
        b"\xff",
        b"0123456789012345678901234567890123456789",
    ]);
    prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn canonical_bodies_and_hashes_are_those_of_the_reference(body in bodies(), times in 1_usize..80) {
        for body in [body.clone(), body.repeat(times)] {
            let hashes = BodyHashes::new(&body);
            for (method, expected) in [
                (Canonicalization::Relaxed, reference_body(&body, true)),
                (Canonicalization::Simple, reference_body(&body, false)),
            ] {
                let mut canonical = Vec::new();
                canonicalize(&body, method, &mut canonical);
                prop_assert_eq!(&canonical, &expected);
                prop_assert_eq!(hashes.length(method), expected.len() as u64);
                let hash = hashes.hash(method);
                let wanted = digest(&SHA256, &expected);
                prop_assert_eq!(&hash.digest[..], wanted.as_ref());
                prop_assert_eq!(hash.length, expected.len() as u64);
            }
        }
    }
}
