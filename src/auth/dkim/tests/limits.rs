//! Tests of limits, of the order in which keys are asked for, and of counted work.

use super::signer::{TestKey, sign};
use super::support::{Case, TxtZone};
use super::{MESSAGE, NAME, TAGS, replaced, zone};
use crate::auth::cause::DkimCause;
use crate::config::Limits;
use crate::dns::Domain;

/// Returns `count` signatures whose d= is `jN.junk.test` and whose b= is broken.
fn junk(count: usize) -> Vec<u8> {
    let field = |number| {
        format!("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=j{number}.junk.test; s=s; h=from; bh={{bh}}; b={{b}}")
            .replace("{bh}", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
            .replace("{b}", "AAAA")
            + "\r\n"
    };
    (0..count).map(field).collect::<String>().into_bytes()
}

#[test]
fn g8_h18_signatures_above_the_cap_are_listed_and_not_evaluated() {
    let zone = TxtZone::default();
    let message = [junk(25), MESSAGE.to_vec()].concat();
    let outcomes = Case::new(&zone).verify(&message);
    assert_eq!(outcomes.len(), 25);
    let over: Vec<_> = outcomes.iter().filter(|outcome| outcome.cause == DkimCause::SignatureLimit).collect();
    assert_eq!(over.len(), 15);
    assert!(over.iter().all(|outcome| outcome.domain.is_some() && outcome.selector.is_some()));
    assert_eq!(DkimCause::SignatureLimit.word().as_str(), "policy");
    assert!(zone.asked().len() <= 10);
}

#[test]
fn g8_signatures_that_could_align_are_taken_before_a_flood_of_others() {
    let zone = zone();
    let signed = sign(MESSAGE, TAGS, TestKey::Rsa);
    let message = [junk(25), signed].concat();
    let author = Domain::parse("news.example.com").unwrap();
    let outcomes = Case { author: Some(author), ..Case::new(&zone) }.verify(&message);
    assert_eq!(outcomes.last().unwrap().cause, DkimCause::Valid);
    assert_eq!(zone.asked()[0], NAME);
    assert_eq!(Case::new(&zone).verify(&message).last().unwrap().cause, DkimCause::SignatureLimit);
}

#[test]
fn h18_a_flood_of_ed25519_signatures_ends_at_the_cap() {
    let zone = TxtZone::default().with(NAME, &[&TestKey::Ed25519.record()]);
    let tags = TAGS.replace("rsa-sha256", "ed25519-sha256");
    let mut message = MESSAGE.to_vec();
    for _ in 0..20 {
        message = sign(&message, &tags, TestKey::Ed25519);
    }
    let causes: Vec<_> = Case::new(&zone).verify(&message).iter().map(|outcome| outcome.cause).collect();
    assert_eq!(causes.iter().filter(|cause| **cause == DkimCause::Valid).count(), 10);
    assert_eq!(causes.iter().filter(|cause| **cause == DkimCause::SignatureLimit).count(), 10);
    assert_eq!(zone.asked().len(), 1, "one question for one key");
}

#[test]
fn f1_key_questions_have_a_budget_that_is_spent_in_order() {
    let zone = zone();
    let mut message = MESSAGE.to_vec();
    for selector in ["c", "b", "sel"] {
        message = sign(&message, &TAGS.replace("s=sel", &format!("s={selector}")), TestKey::Rsa);
    }
    let limits = Limits { dkim_key_questions: 1, ..Limits::default() };
    let causes: Vec<_> = Case { limits, ..Case::new(&zone) }.verify(&message).iter().map(|outcome| outcome.cause).collect();
    assert_eq!(causes, [DkimCause::Valid, DkimCause::KeyBudget, DkimCause::KeyBudget]);
    assert_eq!(zone.asked(), [NAME]);
    assert_eq!(DkimCause::KeyBudget.word().as_str(), "policy");
}

#[test]
fn signatures_that_can_still_pass_are_asked_for_before_those_that_failed() {
    let zone = zone();
    let message = sign(MESSAGE, &TAGS.replace("s=sel", "s=good"), TestKey::Rsa);
    let stale = sign(MESSAGE, &TAGS.replace("; h=", "; x=1; h="), TestKey::Rsa);
    let stale = stale.split_at(stale.len() - MESSAGE.len()).0;
    let limits = Limits { dkim_key_questions: 1, ..Limits::default() };
    let outcomes = Case { limits, ..Case::new(&zone) }.verify(&[stale, &message].concat());
    assert_eq!(zone.asked(), ["good._domainkey.example.com"]);
    assert_eq!(outcomes[0].cause, DkimCause::Expired);
}

#[test]
fn f1_a_field_over_its_limit_is_not_read() {
    let zone = zone();
    let signed = sign(MESSAGE, &format!("{TAGS}; z={}", "a".repeat(17 << 10)), TestKey::Rsa);
    let outcome = Case::new(&zone).verify(&signed).remove(0);
    assert_eq!((outcome.cause, outcome.domain), (DkimCause::SizeLimit, None));
    let (_, hashed) = Case::new(&zone).verify_counting(&signed);
    assert_eq!((hashed, zone.asked().len()), (0, 0));
}

#[test]
fn f1_more_than_300_names_are_not_evaluated() {
    let list = |count: usize| TAGS.replace("h=from", &format!("h=from{}", ":a".repeat(count)));
    assert_eq!(super::cause_with(&list(297)), DkimCause::Valid);
    let zone = zone();
    let (outcomes, hashed) = Case::new(&zone).verify_counting(&sign(MESSAGE, &list(298), TestKey::Rsa));
    assert_eq!(outcomes[0].cause, DkimCause::SizeLimit);
    assert_eq!((hashed, zone.asked().len()), (0, 0));
}

#[test]
fn h18_five_thousand_signatures_cost_no_question_and_no_hash() {
    let zone = zone();
    let message = [junk(5000), sign(MESSAGE, TAGS, TestKey::Rsa)].concat();
    let (outcomes, hashed) = Case::new(&zone).verify_counting(&message);
    // Beyond the limit on fields, two fields of each name are kept.
    assert_eq!(outcomes.len(), 1002);
    assert!(outcomes.iter().all(|outcome| outcome.cause == DkimCause::HeaderLimit));
    assert_eq!((hashed, zone.asked().len()), (0, 0));
}

#[test]
fn a_spoof_behind_each_limit_does_not_pass() {
    let zone = zone();
    let spoof = replaced(&sign(MESSAGE, TAGS, TestKey::Rsa), "Lunch", "Pay now");
    let over = Limits { header_fields: 3, ..Limits::default() };
    let few = Limits { dkim_signatures: 0, ..Limits::default() };
    let short = Limits { dkim_signature_bytes: 10, ..Limits::default() };
    let names = Limits { dkim_signed_names: 1, ..Limits::default() };
    let keys = Limits { dkim_key_questions: 0, ..Limits::default() };
    for limits in [over, few, short, names, keys] {
        let outcome = Case { limits, ..Case::new(&zone) }.verify(&spoof).remove(0);
        assert_eq!(outcome.cause.word().as_str(), "policy");
    }
}
