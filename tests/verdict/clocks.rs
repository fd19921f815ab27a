use super::scene::{NOW, Scene};
use jiff::{SignedDuration, Timestamp};
use verdmarc::auth::cause::DkimCause;
use verdmarc::event::Reason;

fn victim() -> Scene {
    Scene::from("a@victim.example").dmarc("victim.example", "p=reject").mail_from("").helo("h.test")
}

const NAMES: &[&str] = &["from", "to", "subject", "date"];

#[test]
fn g13_expiry_is_judged_at_arrival_not_at_evaluation() {
    let expires = NOW + 3600;
    let mut scene = victim().signed_with("victim.example", "s1", NAMES, Some(expires), "");
    scene.now = Timestamp::from_second(expires + 7200).unwrap();
    assert_eq!(scene.words()[1..3], ["PASS", "PASS"]);
    scene.envelope.arrival = Some(Timestamp::from_second(expires + 1).unwrap());
    assert_eq!(scene.words()[1..3], ["FAIL", "FAIL"]);
    assert_eq!(scene.verdict().authentication.dkim[0].reason, DkimCause::Expired);
}

#[test]
fn decisions_a_signature_from_the_future_passes_and_is_flagged() {
    let mut scene = victim().signed("victim.example");
    scene.envelope.arrival = Some(Timestamp::from_second(NOW - 60 - 601).unwrap());
    assert_eq!(scene.words()[2], "PASS");
    assert_eq!(scene.has(Reason::SignedInFuture).authentication.dkim[0].reason, DkimCause::ValidSignedInFuture);
    scene.envelope.arrival = Some(Timestamp::from_second(NOW - 60 - 599).unwrap());
    assert!(!scene.verdict().has(Reason::SignedInFuture));
}

#[test]
fn decisions_late_evaluation_gives_a_verdict_and_no_failure() {
    let mut scene = Scene::spoof();
    scene.now = scene.now.checked_add(SignedDuration::from_hours(48) + SignedDuration::from_secs(1)).unwrap();
    assert_eq!(scene.words()[2], "FAIL");
    scene.has(Reason::LateEvaluation);
    assert_eq!(scene.failure(), None);
    scene.now = scene.now.checked_sub(SignedDuration::from_secs(2)).unwrap();
    assert!(scene.failure().is_some());
}

#[test]
fn a1_without_arrival_the_evaluation_counts_as_arrival() {
    let mut scene = Scene::spoof();
    scene.envelope.arrival = None;
    assert_eq!(scene.verdict().arrival, scene.now);
}
