//! Tests of ARC: ValiMail's suite, and the rules that the suite does not cover.

use super::{ArcOutcome, verify};
use crate::auth::cause::{DkimCause, ResultWord};
use crate::auth::dkim::BodyHashes;
use crate::auth::dkim::tests::signer::{TestKey, seal, sign_as};
use crate::auth::dkim::tests::support::{ARRIVAL, Case, TxtZone, message_of, suite};
use crate::config::Limits;
use crate::dns::{Domain, Outcome, Unanswered};
use crate::message::{HeaderSection, Passed};
use futures::executor::block_on;

fn evaluate(case: &Case, message: &[u8]) -> ArcOutcome {
    evaluate_trusting(case, message, &[])
}

fn evaluate_trusting(case: &Case, message: &[u8], trusted: &[Domain]) -> ArcOutcome {
    let section = HeaderSection::parse(message, &case.limits);
    let bodies = BodyHashes::new(section.body());
    block_on(verify(&case.session(), &section, &bodies, &case.parameters(), trusted))
}

#[test]
fn g5_arc_validation_suite_passes() {
    let mut wrong = Vec::new();
    for case in suite(include_str!("../../../tests/conformance/arc_validation.jsonl")) {
        let zone = TxtZone::of_case(&case["zone"]);
        let outcome = evaluate(&Case::new(&zone), &message_of(&case));
        let accepted = match case["expect"]["arc_accept"].as_array() {
            Some(words) => words.iter().any(|word| word == outcome.word.as_str()),
            None => case["expect"]["arc"] == outcome.word.as_str(),
        };
        if !accepted {
            wrong.push(format!("{} expects {}: {outcome:?}", case["id"], case["expect"]));
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

const MESSAGE: &[u8] = b"From: Ann <ann@example.com>\r\nSubject: Lunch\r\n\r\nAt noon?\r\n";
const MESSAGE_TAGS: &str = "a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=sel; h=from:subject; bh={bh}; b={b}";
const SEAL_TAGS: &str = "a=rsa-sha256; d=example.com; s=sel; t=1; b={b}";
const NAME: &str = "sel._domainkey.example.com";

fn zone() -> TxtZone {
    TxtZone::default().with(NAME, &[&TestKey::Rsa.record()])
}

/// Returns `message` with one more set, whose fields have the given tags besides i= and cv=.
fn sealed(message: &[u8], instance: usize, message_tags: &str, seal_tags: &str) -> Vec<u8> {
    sealed_with(message, instance, message_tags, seal_tags, "none")
}

fn sealed_with(message: &[u8], instance: usize, message_tags: &str, seal_tags: &str, results: &str) -> Vec<u8> {
    let status = if instance == 1 { "none" } else { "pass" };
    let signed = sign_as("ARC-Message-Signature", message, &format!("i={instance}; {message_tags}"), TestKey::Rsa);
    let results = format!("ARC-Authentication-Results: i={instance}; mx.example; {results}\r\n");
    seal(&[results.as_bytes(), &signed].concat(), &format!("i={instance}; cv={status}; {seal_tags}"), TestKey::Rsa)
}

/// Returns a message with a set of each of `sealers`, from instance 1 upwards.
///
/// Each set says that DMARC passed for the name of its own sealer.
fn chain_of(sealers: &[&str]) -> Vec<u8> {
    sealers.iter().zip(1..).fold(MESSAGE.to_vec(), |message, (sealer, instance)| {
        let by = |tags: &str| tags.replace("d=example.com", &format!("d={sealer}"));
        sealed_with(&message, instance, &by(MESSAGE_TAGS), &by(SEAL_TAGS), &format!("dmarc=pass header.from={sealer}"))
    })
}

fn chain(length: usize) -> Vec<u8> {
    (1..=length).fold(MESSAGE.to_vec(), |message, instance| sealed(&message, instance, MESSAGE_TAGS, SEAL_TAGS))
}

fn word(message: &[u8]) -> ResultWord {
    evaluate(&Case::new(&zone()), message).word
}

#[test]
fn a_chain_passes_and_names_its_sealers_from_the_newest() {
    let zone = zone().with("sel._domainkey.example.org", &[&TestKey::Rsa.record()]);
    let second = sealed(&chain(1), 2, MESSAGE_TAGS, &SEAL_TAGS.replace("example.com", "example.org"));
    let outcome = evaluate(&Case::new(&zone), &second);
    let sealers: Vec<_> = outcome.sealers.iter().map(crate::dns::Domain::as_str).collect();
    assert_eq!((outcome.word, outcome.oldest_pass), (ResultWord::Pass, 0));
    assert_eq!(sealers, ["example.org", "example.com"]);
}

#[test]
fn rfc8617_oldest_pass_is_the_lowest_instance_that_still_verifies() {
    let changed = String::from_utf8(chain(2)).unwrap().replace("Lunch", "[list] Lunch");
    let resealed = sealed(changed.as_bytes(), 3, MESSAGE_TAGS, SEAL_TAGS);
    let outcome = evaluate(&Case::new(&zone()), &sealed(&resealed, 4, MESSAGE_TAGS, SEAL_TAGS));
    assert_eq!((outcome.word, outcome.oldest_pass), (ResultWord::Pass, 3));
    let broken = evaluate(&Case::new(&zone()), changed.as_bytes());
    assert_eq!((broken.word, broken.sealers.len()), (ResultWord::Fail, 0));
}

#[test]
fn f1_fifty_sets_are_validated_and_fifty_one_are_not() {
    let zone = zone();
    assert_eq!(evaluate(&Case::new(&zone), &chain(50)).word, ResultWord::Pass);
    assert_eq!(zone.asked().len(), 1);
    let over = evaluate(&Case::new(&zone), &chain(51));
    assert_eq!((over.word, over.text, zone.asked().len()), (ResultWord::Fail, "too many ARC sets", 1));
}

#[test]
fn f1_limits_end_arc() {
    let zone = zone();
    let with = |limits| evaluate(&Case { limits, ..Case::new(&zone) }, &chain(1)).word;
    assert_eq!(with(Limits { header_fields: 3, ..Limits::default() }), ResultWord::Policy);
    assert_eq!(with(Limits { dkim_signature_bytes: 10, ..Limits::default() }), ResultWord::Policy);
    assert_eq!(with(Limits { dkim_signed_names: 1, ..Limits::default() }), ResultWord::Policy);
    assert_eq!(with(Limits { arc_key_questions: 0, ..Limits::default() }), ResultWord::Fail);
}

#[test]
fn a_key_that_cannot_be_had_gives_temperror_unless_the_chain_is_broken() {
    let zone = TxtZone::default().with_outcome(NAME, Outcome::TempError(Unanswered::Timeout));
    assert_eq!(evaluate(&Case::new(&zone), &chain(2)).word, ResultWord::TempError);
    let changed = String::from_utf8(chain(2)).unwrap().replace("noon", "one");
    assert_eq!(evaluate(&Case::new(&zone), changed.as_bytes()).word, ResultWord::Fail);
    assert_eq!(evaluate(&Case::new(&TxtZone::default()), &chain(2)).word, ResultWord::Fail);
}

#[test]
fn g5_tags_of_message_signature_and_seal_are_judged() {
    let message = |tags: &str| word(&sealed(MESSAGE, 1, tags, SEAL_TAGS));
    let seal = |tags: &str| word(&sealed(MESSAGE, 1, MESSAGE_TAGS, tags));
    assert_eq!(message(&format!("v=2; {MESSAGE_TAGS}")), ResultWord::Pass);
    assert_eq!(message(&format!("x={}; {MESSAGE_TAGS}", ARRIVAL - 1)), ResultWord::Fail);
    assert_eq!(message(&format!("x={ARRIVAL}; {MESSAGE_TAGS}")), ResultWord::Pass);
    assert_eq!(message(&format!("l=1; {MESSAGE_TAGS}")), ResultWord::Fail);
    assert_eq!(message(&MESSAGE_TAGS.replace("h=from", "h=arc-seal:from")), ResultWord::Fail);
    assert_eq!(message(&MESSAGE_TAGS.replace("rsa-sha256", "rsa-sha1")), ResultWord::Fail);
    assert_eq!(seal(&SEAL_TAGS.replace("rsa-sha256", "rsa-sha1")), ResultWord::Fail);
    assert_eq!(seal(&format!("h=from; {SEAL_TAGS}")), ResultWord::Fail);
    assert_eq!(seal(&format!("z=; {SEAL_TAGS}")), ResultWord::Pass);
    assert_eq!(seal(&format!("z=; z=; {SEAL_TAGS}")), ResultWord::Fail);
}

#[test]
fn g14_arc_takes_the_body_hash_that_dkim_computed() {
    let zone = zone();
    let case = Case::new(&zone);
    let tags = format!("v=1; {MESSAGE_TAGS}");
    let message = sign_as("DKIM-Signature", &chain(2), &tags, TestKey::Rsa);
    let section = HeaderSection::parse(&message, &case.limits);
    let bodies = BodyHashes::new(section.body());
    let session = case.session();
    let dkim = block_on(crate::auth::dkim::verify(&session, &section, &bodies, &case.parameters()));
    let arc = block_on(verify(&session, &section, &bodies, &case.parameters(), &[]));
    assert_eq!((dkim[0].cause, arc.word), (DkimCause::Valid, ResultWord::Pass));
    assert_eq!(bodies.hashed_octets(), section.body().len() as u64);
}

#[test]
fn trust_runs_from_the_newest_set_down_to_the_first_sealer_that_is_not_trusted() {
    let domain = |name: &str| Domain::parse(name).unwrap();
    let trusted = [domain("good.test"), domain("fine.test")];
    let zone = ["good.test", "fine.test", "evil.test"]
        .iter()
        .fold(TxtZone::default(), |zone, sealer| zone.with(&format!("sel._domainkey.{sealer}"), &[&TestKey::Rsa.record()]));
    for (sealers, reached) in [
        (&["good.test"][..], Some(1)),
        (&["evil.test"], None),
        (&["good.test", "evil.test"], None),
        (&["evil.test", "good.test"], Some(2)),
        (&["fine.test", "good.test"], Some(1)),
        (&["good.test", "fine.test", "evil.test"], None),
        (&["good.test", "evil.test", "fine.test"], Some(3)),
        (&["evil.test", "fine.test", "good.test"], Some(2)),
        (&["good.test", "fine.test", "good.test"], Some(1)),
    ] {
        let outcome = evaluate_trusting(&Case::new(&zone), &chain_of(sealers), &trusted);
        assert_eq!(outcome.word, ResultWord::Pass, "{sealers:?}");
        let said = reached.map(|instance: usize| (instance as u32, vec![Passed::Dmarc(Some(domain(sealers[instance - 1])))]));
        assert_eq!(outcome.vouched.map(|vouched| (vouched.instance, vouched.passed)), said, "{sealers:?}");
    }
}

#[test]
fn a_trusted_seal_over_a_signature_without_from_says_nothing_of_the_author() {
    let domain = [Domain::parse("example.com").unwrap()];
    let tags = MESSAGE_TAGS.replace("h=from:subject", "h=subject");
    let message = sealed_with(MESSAGE, 1, &tags, SEAL_TAGS, "dmarc=pass");
    let outcome = evaluate_trusting(&Case::new(&zone()), &message, &domain);
    assert_eq!((outcome.word, outcome.vouched), (ResultWord::Pass, None));
    let broken = String::from_utf8(chain(1)).unwrap().replace("Lunch", "Dinner");
    assert_eq!(evaluate_trusting(&Case::new(&zone()), broken.as_bytes(), &domain).vouched, None);
}

#[test]
fn several_keys_of_a_sealer_are_tried() {
    let other = TestKey::Rsa.record().replace("MIIB", "MIIC");
    let zone = TxtZone::default().with(NAME, &[&other, "v=DKIM1; p=", &TestKey::Rsa.record()]);
    assert_eq!(evaluate(&Case::new(&zone), &chain(2)).word, ResultWord::Pass);
}
