//! Tests of the signed fields and their canonical form.

use super::signer::{TestKey, reference_field, sign};
use super::{MESSAGE, TAGS, cause_of, replaced};
use crate::auth::cause::DkimCause;
use crate::auth::dkim::Canonicalization;
use crate::auth::dkim::header::{NameIndex, put_field, put_signature};
use crate::message::Field;
use proptest::prelude::*;

fn field(raw: &[u8]) -> Field<'_> {
    Field { raw, colon: raw.iter().position(|&octet| octet == b':').unwrap() }
}

#[test]
fn relaxed_fields_are_unfolded_reduced_and_lower_case() {
    let mut out = Vec::new();
    put_field(&field(b"SUBJect \t: AbC\r\n\t  d  e\r\n \r\n"), Canonicalization::Relaxed, &mut out);
    assert_eq!(out, b"subject:AbC d e\r\n");
}

#[test]
fn a_field_that_ends_the_message_without_a_line_end_is_signed_with_one() {
    for (canonicalization, signed) in
        [(Canonicalization::Simple, &b"Subject: a  b\r\n"[..]), (Canonicalization::Relaxed, b"subject:a b\r\n")]
    {
        for raw in [&b"Subject: a  b\r\n"[..], b"Subject: a  b"] {
            let mut out = Vec::new();
            put_field(&field(raw), canonicalization, &mut out);
            assert_eq!(out.escape_ascii().to_string(), signed.escape_ascii().to_string(), "{canonicalization:?}");
        }
    }
}

#[test]
fn the_value_of_b_is_left_out_with_the_space_around_it() {
    let raw = b"DKIM-Signature: a=x; b = abc\r\n d ; bh=b=\r\n";
    let blank = 9..18;
    let mut out = Vec::new();
    put_signature(&field(raw), &blank, Canonicalization::Simple, &mut out);
    assert_eq!(out, b"DKIM-Signature: a=x; b =; bh=b=");
    out.clear();
    put_signature(&field(raw), &blank, Canonicalization::Relaxed, &mut out);
    assert_eq!(out, b"dkim-signature:a=x; b =; bh=b=");
}

#[test]
fn f18_a_second_from_breaks_a_signature_that_names_from_twice() {
    let twice = sign(MESSAGE, &TAGS.replace("h=from", "h=from:from"), TestKey::Rsa);
    let once = sign(MESSAGE, TAGS, TestKey::Rsa);
    let second = b"From: boss@example.org\r\n";
    assert_eq!(cause_of(&[second, &twice[..]].concat()), DkimCause::SignatureMismatch);
    assert_eq!(cause_of(&[second, &once[..]].concat()), DkimCause::Valid);
    assert_eq!(cause_of(&replaced(&once, "To:", "From: boss@example.org\r\nTo:")), DkimCause::SignatureMismatch);
}

#[test]
fn a_signature_that_names_its_own_field_signs_the_others_of_that_name() {
    let inner = sign(MESSAGE, TAGS, TestKey::Rsa);
    let tags = TAGS.replace("h=from", "h=dkim-signature:from:dkim-signature");
    let outer = sign(&inner, &tags, TestKey::Rsa);
    let zone = super::zone();
    let causes: Vec<_> = super::Case::new(&zone).verify(&outer).iter().map(|outcome| outcome.cause).collect();
    assert_eq!(causes, [DkimCause::Valid, DkimCause::Valid]);
}

#[test]
fn signatures_by_mail_auth_verify() {
    use mail_auth::common::crypto::Ed25519Key;
    use mail_auth::common::headers::HeaderWriter;
    let public = TestKey::Ed25519.record();
    let octets = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, public.rsplit_once("p=").unwrap().1).unwrap();
    let signature = mail_auth::dkim::DkimSigner::from_key(Ed25519Key::from_seed_and_public_key(&[7; 32], &octets).unwrap())
        .domain("example.com")
        .selector("sel")
        .headers(["From", "To", "Subject"])
        .sign(MESSAGE)
        .unwrap();
    let message = [signature.to_header().as_bytes(), MESSAGE].concat();
    let zone = super::TxtZone::default().with(super::NAME, &[&public]);
    let arrival = i64::try_from(signature.t).unwrap();
    let outcomes = super::Case { arrival, ..super::Case::new(&zone) }.verify(&message);
    assert_eq!(outcomes[0].cause, DkimCause::Valid);
}

#[test]
fn every_algorithm_and_canonicalisation_verifies_and_notices_a_changed_field() {
    for key in [TestKey::Rsa, TestKey::Ed25519] {
        for method in
            ["simple", "relaxed", "simple/relaxed", "relaxed/simple", "relaxed/relaxed", "simple/simple", "Relaxed/SIMPLE"]
        {
            let algorithm = if key == TestKey::Rsa { "rsa-sha256" } else { "ed25519-sha256" };
            let tags = TAGS.replace("rsa-sha256", algorithm).replace("relaxed/relaxed", &method.to_ascii_lowercase());
            let signed = sign(MESSAGE, &tags, key);
            let zone = super::TxtZone::default().with(super::NAME, &[&key.record()]);
            let cause = |message: &[u8]| super::Case::new(&zone).verify(message)[0].cause;
            assert_eq!(cause(&signed), DkimCause::Valid, "{method}");
            assert_eq!(cause(&replaced(&signed, "Lunch", "Launch")), DkimCause::SignatureMismatch, "{method}");
            let folded = replaced(&signed, "Subject: Lunch", "SUBJECT:\r\n   Lunch ");
            let expected =
                if method.to_ascii_lowercase().starts_with("relaxed") { DkimCause::Valid } else { DkimCause::SignatureMismatch };
            assert_eq!(cause(&folded), expected, "{method}");
        }
    }
}

fn values() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![&b" "[..], b"\t", b"\r\n ", b"\r\n\t", b"\r", b"\n", b"a", b":", b"word", b"\xe9"]);
    prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn canonical_fields_are_those_of_the_reference(value in values(), name in "[A-Za-z-]{1,8}[ \t]{0,2}") {
        // A field holds CRLF only where it is folded.
        let line = [&value[..], b"\r\n"].concat();
        let ends = line.windows(2).enumerate().filter(|(_, window)| *window == b"\r\n");
        prop_assume!({ ends }.all(|(at, _)| at == value.len() || matches!(line.get(at + 2), Some(b' ' | b'\t'))));
        let raw = [name.as_bytes(), b":", &value, b"\r\n"].concat();
        for (method, relaxed) in [(Canonicalization::Simple, false), (Canonicalization::Relaxed, true)] {
            let mut out = Vec::new();
            put_field(&field(&raw), method, &mut out);
            prop_assert_eq!(out, reference_field(&raw, relaxed));
        }
    }

    #[test]
    fn signed_fields_are_taken_from_the_bottom_once_each(
        present in prop::collection::vec("[aA]|Content-[tT]ype|content-id", 0..12),
        wanted in prop::collection::vec("[aAb]|content-type|Content-ID|content-", 0..16),
        own in 0_usize..12,
    ) {
        let raws: Vec<_> = present.iter().map(|name| format!("{name}:\r\n").into_bytes()).collect();
        let fields: Vec<_> = raws.iter().map(|raw| field(raw)).collect();
        let names: Vec<_> = wanted.iter().map(String::as_bytes).collect();
        let index = NameIndex::new(&fields);
        let places = |signed: Vec<&Field>| signed.into_iter().map(|field| field.raw.as_ptr()).collect::<Vec<_>>();
        let got = places(index.found(&names, own));
        prop_assert_eq!(&got, &places(index.looked_up(&names, own)));
        let mut left: Vec<_> = fields.iter().enumerate().filter(|(at, _)| *at != own).map(|(_, field)| field).collect();
        let mut expected = Vec::new();
        for name in &names {
            if let Some(at) = left.iter().rposition(|field| field.name().eq_ignore_ascii_case(name)) {
                expected.push(left.remove(at).raw.as_ptr());
            }
        }
        prop_assert_eq!(got, expected);
    }
}
