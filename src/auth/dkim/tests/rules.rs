//! Tests of the rules about tags, and of the clock.

use super::signer::{TestKey, sign};
use super::support::{ARRIVAL, Case};
use super::{MESSAGE, TAGS, cause_of, cause_with, zone};
use crate::auth::cause::{DkimCause, DkimWeight};
use crate::auth::dkim::tags::TagList;
use proptest::prelude::*;

fn without(tag: &str) -> String {
    TAGS.split("; ").filter(|spec| !spec.starts_with(&format!("{tag}="))).collect::<Vec<_>>().join("; ")
}

fn with(tag: &str, value: &str) -> String {
    format!("{tag}={value}; {}", without(tag))
}

#[test]
fn g3_h19_rsa_sha1_is_not_used() {
    let zone = zone();
    for algorithm in ["rsa-sha1", "rsa-sha257", "ed25519", "rsa - sha256"] {
        let outcomes = Case::new(&zone).verify(&sign(MESSAGE, &with("a", algorithm), TestKey::Rsa));
        assert_eq!(outcomes[0].cause, DkimCause::UnusableAlgorithm, "{algorithm}");
        assert_eq!(outcomes[0].cause.word().as_str(), "permerror");
    }
    assert!(zone.asked().is_empty());
}

#[test]
fn g4_f42_required_tags_are_there_once() {
    for tag in ["v", "a", "b", "bh", "d", "h", "s"] {
        assert_eq!(cause_with(&without(tag)), DkimCause::Malformed, "without {tag}");
        let doubled = format!("{TAGS}; {}", TAGS.split("; ").find(|spec| spec.starts_with(&format!("{tag}="))).unwrap());
        assert_eq!(cause_with(&doubled), DkimCause::Malformed, "doubled {tag}");
    }
    for tags in
        [format!("{TAGS}; z"), format!("{TAGS};; z=1"), format!("; {TAGS}"), format!("{TAGS}; =1"), format!("{TAGS}; 1a=1")]
    {
        assert_eq!(cause_with(&tags), DkimCause::Malformed, "{tags}");
    }
    for tags in [format!("{TAGS};"), format!("{TAGS}; \t"), format!("{TAGS}; unknown_1=a=b")] {
        assert_eq!(cause_with(&tags), DkimCause::Valid, "{tags}");
    }
    for (tag, value) in [("v", "2"), ("v", "1.0"), ("bh", "!"), ("b", ""), ("a", ""), ("t", "now"), ("x", "1 2")] {
        assert_eq!(cause_with(&with(tag, value)), DkimCause::Malformed, "{tag}={value}");
    }
}

#[test]
fn f18_from_must_be_signed() {
    for list in ["to:subject", "fromm:to", ""] {
        let cause = cause_with(&with("h", list));
        assert_eq!((cause, cause.weight()), (DkimCause::FromNotSigned, DkimWeight::Failed), "{list}");
    }
    assert_eq!(cause_with(&with("h", " To : FROM : ")), DkimCause::Valid);
}

#[test]
fn methods_are_known_ones() {
    assert_eq!(cause_with(&with("c", "nofws")), DkimCause::UnusableMethod);
    assert_eq!(cause_with(&with("c", "relaxed/relaxed/x")), DkimCause::UnusableMethod);
    assert_eq!(cause_with(&with("c", "")), DkimCause::UnusableMethod);
    assert_eq!(cause_with(&with("q", "https")), DkimCause::UnusableMethod);
    assert_eq!(cause_with(&with("q", "https : dns/txt")), DkimCause::Valid);
    assert_eq!(cause_with(&without("c")), DkimCause::Valid);
}

#[test]
fn g7_malformed_signatures_are_listed_with_what_can_be_read() {
    let outcomes = Case::new(&zone()).verify(&sign(MESSAGE, &with("v", "2"), TestKey::Rsa));
    let outcome = &outcomes[0];
    assert_eq!((outcome.cause, outcome.cause.weight()), (DkimCause::Malformed, DkimWeight::Malformed));
    assert_eq!(outcome.domain.as_ref().unwrap().as_str(), "example.com");
    assert_eq!(outcome.selector.as_ref().unwrap().as_str(), "sel");
    assert_eq!(outcome.algorithm.as_deref(), Some("rsa-sha256"));
    assert_eq!(outcome.signature_start.as_ref().unwrap().len(), 8);
    assert_eq!(cause_of(&[&b"DKIM-Signature: ;\r\n"[..], MESSAGE].concat()), DkimCause::Malformed);
}

#[test]
fn f14_g10_names_are_labels_of_ldh_and_underscore_before_dns_is_asked() {
    let zone = zone();
    let long = ["a".repeat(64), format!("{}.com", "a".repeat(64)), "abc.".repeat(64) + "com"];
    let names = [
        "-",
        "-.com",
        "-a.com",
        "a-.com",
        "exa\"mple.com",
        "exa\0mple.com",
        "exa(mple).com",
        "exa mple.com",
        "example.com.",
        ".example.com",
        "example..com",
        "*",
        "",
        "[192.0.2.1]",
        "x._domainkey.attack.com.\0.any",
        "a/b",
        "\u{7f}",
    ];
    for name in names.into_iter().chain(long.iter().map(String::as_str)) {
        for tag in ["d", "s"] {
            let outcomes = Case::new(&zone).verify(&sign(MESSAGE, &with(tag, name), TestKey::Rsa));
            assert_eq!(outcomes[0].cause, DkimCause::Malformed, "{tag}={name:?}");
        }
    }
    assert!(zone.asked().is_empty());
    assert_eq!(cause_with(&with("d", "EXAMPLE.com")), DkimCause::Valid);
    assert_eq!(cause_with(&with("s", "2026.my_sel")), DkimCause::KeyNotFound);
    assert_eq!(cause_with(&with("s", &"a".repeat(63))), DkimCause::KeyNotFound);
    assert_eq!(cause_with(&with("s", "-._domainkey.attack-.com")), DkimCause::Malformed);
}

#[test]
fn g11_atps_and_r_ask_nothing() {
    let zone = zone();
    let signed = sign(MESSAGE, &format!("{TAGS}; atps=example.org; atpsh=sha256; r=y"), TestKey::Rsa);
    assert_eq!(Case::new(&zone).verify(&signed)[0].cause, DkimCause::Valid);
    let changed = super::replaced(&signed, "Lunch", "Launch");
    assert_eq!(Case::new(&zone).verify(&changed)[0].cause, DkimCause::SignatureMismatch);
    assert_eq!(zone.asked(), [super::NAME, super::NAME]);
}

#[test]
fn g12_dkim2_fields_are_no_signatures() {
    let signed = sign(MESSAGE, TAGS, TestKey::Rsa);
    assert!(Case::new(&zone()).verify(&super::replaced(&signed, "DKIM-Signature", "DKIM2-Signature")).is_empty());
}

#[test]
fn g13_g6_clocks_are_judged_at_arrival() {
    use DkimCause as C;
    for (times, cause) in [
        (format!("t={}", ARRIVAL - 100), C::Valid),
        (format!("t={}; x={}", ARRIVAL - 100, ARRIVAL + 1), C::Valid),
        (format!("x={ARRIVAL}"), C::Valid),
        (format!("t={}; x={}", ARRIVAL - 100, ARRIVAL - 1), C::Expired),
        (format!("t={}; x={}", ARRIVAL + 60, ARRIVAL + 60), C::Expired),
        (format!("t={}", ARRIVAL + 600), C::Valid),
        (format!("t={}", ARRIVAL + 601), C::ValidSignedInFuture),
        ("t=99999999999999999999".to_owned(), C::ValidSignedInFuture),
        (format!("t={ARRIVAL}; x=99999999999999999999"), C::Valid),
    ] {
        assert_eq!(cause_with(&format!("{times}; {TAGS}")), cause, "{times}");
    }
    assert_eq!(C::Expired.word().as_str(), "fail");
    let zone = zone();
    let signed = sign(MESSAGE, &format!("x={}; {TAGS}", ARRIVAL - 1), TestKey::Rsa);
    let earlier = Case { arrival: ARRIVAL - 1, ..Case::new(&zone) };
    assert_eq!(earlier.verify(&signed)[0].cause, C::Valid);
}

proptest! {
    #[test]
    fn f3_tag_lists_are_total_and_never_take_a_doubled_tag(text in "[a-c]{0,2}[=; \t\r\n\\x00]{0,3}([a-c]=[a-z =]{0,3};[ \r\n]{0,3}){0,6}") {
        if let Ok(tags) = TagList::parse(text.as_bytes()) {
            let names: Vec<_> = text.split(';').filter_map(|spec| spec.split_once('=')).map(|(name, _)| name.trim()).collect();
            for name in &names {
                prop_assert_eq!(names.iter().filter(|other| *other == name).count(), 1);
                let span = tags.span(name).unwrap();
                prop_assert_eq!(text[span].trim().as_bytes(), tags.get(name).unwrap());
            }
        }
    }

    #[test]
    fn f3_any_field_gives_one_outcome(value in prop::collection::vec(any::<u8>(), 0..200)) {
        let value: Vec<u8> = value.into_iter().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect();
        let message = [b"DKIM-Signature:", &value[..], b"\r\n", MESSAGE].concat();
        prop_assert_eq!(Case::new(&zone()).verify(&message).len(), 1);
    }
}
