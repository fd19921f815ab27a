//! Every reason code: a message that has it, and that only what is said brings it about.

use super::scene::Scene;
use serde_json::json;
use std::collections::BTreeSet;
use verdmarc::event::{Action, Reason};
use verdmarc::verdict::internal_error;

fn victim() -> Scene {
    Scene::from("a@victim.example").dmarc("victim.example", "p=reject")
}

/// What stands at a name instead of records.
fn unanswered(mut scene: Scene, name: &str) -> Scene {
    scene.zone.insert(name.into(), json!([["SERVFAIL"]]));
    scene
}

fn raw_field(mut scene: Scene, name: &str, value: &str) -> Scene {
    scene.fields.push((name.into(), value.into()));
    scene
}

/// A signature that reads well and verifies never.
fn junk(domain: &str) -> String {
    let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    format!("v=1; a=rsa-sha256; d={domain}; s=x; h=from; bh={hash}; b={hash}")
}

fn signed_by_many(count: usize) -> Scene {
    (0..count).fold(Scene::spoof().body(b""), |scene, index| {
        let value = format!("{}; c=relaxed/relaxed", junk(&format!("a{index}.victim.example")));
        scene.field("DKIM-Signature", &value)
    })
}

/// Messages with LF only, or with an mbox line, are no scenes of fields: those two reasons have tests of their own below.
fn scenes() -> Vec<(Reason, Scene)> {
    let late = |scene: Scene| Scene { now: scene.now.checked_add(jiff::SignedDuration::from_hours(49)).unwrap(), ..scene };
    let no_from = |mut scene: Scene| {
        scene.fields.retain(|(name, _)| name != "From");
        scene
    };
    let future = |mut scene: Scene| {
        scene.envelope.arrival = scene.now.checked_sub(jiff::SignedDuration::from_mins(20)).ok();
        scene
    };
    vec![
        (Reason::FromMissing, no_from(victim())),
        (Reason::FromUnparsable, Scene::from("nobody")),
        (Reason::FromMultipleFields, victim().field("From", "b@victim.example")),
        (Reason::FromMultipleDomains, Scene::from("a@victim.example, b@other.example")),
        (Reason::HeadersMalformed, raw_field(victim(), "X", " a\rb")),
        (Reason::FromNotUnique, Scene::from("a@victim.example, b@victim.example")),
        (Reason::FromDisplayAddress, Scene::from("\"ceo@other.example\" <a@victim.example>")),
        (Reason::SenderMissing, Scene::from("a@victim.example, b@victim.example")),
        (Reason::SpaceBeforeColon, raw_field(victim(), "X ", " a")),
        (Reason::HeaderLimit, raw_field(victim(), "X", &format!(" {}", "x".repeat(65 << 10)))),
        (Reason::AuthenticatedSubmission, victim().authenticated()),
        (Reason::ClientUnknown, victim().client(None)),
        (Reason::ClientNotExternal, victim().client(Some("10.0.0.1"))),
        (Reason::MailFromUnknown, victim()),
        (Reason::HeloUnknown, victim().mail_from("")),
        (Reason::SpfPermissive, victim().txt("open.test", "v=spf1 +all").mail_from("a@open.test")),
        (Reason::SpfLimit, victim().txt("loop.test", "v=spf1 include:loop.test -all").mail_from("a@loop.test")),
        (Reason::SignatureLimit, signed_by_many(11)),
        (
            Reason::SignatureSizeLimit,
            victim().field("DKIM-Signature", &format!("{}; z={}", junk("victim.example"), "x".repeat(17 << 10))),
        ),
        (Reason::KeyBudget, signed_by_many(5).set(|settings| settings.limits.dkim_key_questions = 3)),
        (Reason::KeyTesting, victim().signed_with("victim.example", "s1", &["from"], None, "; t=y")),
        (Reason::SignedInFuture, future(victim().signed("victim.example"))),
        (Reason::AlignmentBudget, victim().signed("a.victim.example").set(|settings| settings.limits.alignment_walks = 0)),
        (Reason::SeveralRecords, victim().dmarc("victim.example", "p=none")),
        (Reason::RecordMalformed, Scene::from("a@victim.example").dmarc("victim.example", "p=reject; adkim=x")),
        (Reason::RecordIgnored, Scene::from("a@victim.example").txt("_dmarc.victim.example", " v=DMARC1; p=reject")),
        (Reason::PslGuard, Scene::from("a@victim.example").dmarc("example", "p=reject").spf_pass("bad.test")),
        (
            Reason::ExistenceUnknown,
            unanswered(Scene::from("a@x.victim.example").dmarc("victim.example", "p=reject; np=none"), "x.victim.example")
                .record("_dmarc.x.victim.example", json!(["A", "192.0.2.1"]))
                .spf_pass("bad.test"),
        ),
        (Reason::PolicyTestMode, Scene::spoof().with_policy("p=reject; t=y")),
        (Reason::DnsUnanswered, unanswered(victim(), "_dmarc.victim.example")),
        (Reason::LateEvaluation, late(victim())),
        (Reason::EvidenceTruncated, victim().set(|settings| settings.limits.evidence_bytes = 100)),
    ]
}

impl Scene {
    /// The same with another record of the victim's.
    fn with_policy(mut self, tags: &str) -> Self {
        self.zone.remove("_dmarc.victim.example");
        self.dmarc("victim.example", tags)
    }
}

#[test]
fn every_reason_is_given_by_some_message() {
    let scenes = scenes();
    for (reason, scene) in &scenes {
        scene.has(*reason);
    }
    // These are of messages that are no scenes, or of the record that held the message.
    let elsewhere = [
        Reason::LineEndsConverted,
        Reason::MboxLineDropped,
        Reason::DeadlineExceeded,
        Reason::TrustedSealer,
        Reason::ArrivalAdjusted,
        Reason::InternalError,
    ];
    let given: BTreeSet<_> = scenes.iter().map(|(reason, _)| *reason).chain(elsewhere).collect();
    assert_eq!(given, Reason::ALL.iter().copied().collect());
}

#[test]
fn a_plain_pass_has_no_reason() {
    assert_eq!(victim().spf_pass("victim.example").verdict().authentication.dmarc.reasons, []);
    assert_eq!(Scene::spoof().verdict().authentication.dmarc.reasons, []);
}

#[test]
fn a_converted_message_and_a_dropped_mbox_line_are_told() {
    let scene = victim().spf_pass("victim.example").set(|settings| settings.strip_mbox_line = true);
    let message = String::from_utf8(scene.message()).unwrap();
    let judged = |message: String| {
        let (zone, settings) = (scene.zone(), &scene.settings);
        let verdict = verdmarc::verdict::evaluate(message.as_bytes(), &scene.envelope, &zone, scene.now, settings);
        super::scene::runtime().block_on(verdict).authentication.dmarc.reasons
    };
    assert_eq!(judged(message.replace("\r\n", "\n")), [Reason::LineEndsConverted]);
    assert_eq!(judged(format!("From a@b.example Mon Jun  1 12:00:00 2026\r\n{message}")), [Reason::MboxLineDropped]);
}

#[test]
fn a_fault_of_ours_is_called_one_and_suggests_nothing() {
    let scene = Scene::spoof();
    let verdict = internal_error(&scene.envelope, scene.now, &scene.settings);
    assert_eq!(verdict.authentication.dmarc.reasons, [Reason::InternalError]);
    assert_eq!(verdict.authentication.spf.reason.text(), "internal error");
    assert_eq!(verdict.authentication.suggested_action.action, Action::None);
    for status in [verdict.spf, verdict.dkim, verdict.dmarc] {
        assert_eq!(status.as_str(), "PROCESSING_FAILED");
    }
}

#[test]
fn a1_what_the_envelope_lacks_is_named_and_another_try_is_not_suggested() {
    for (scene, reason) in [
        (victim().spf_pass("victim.example").client(None), Reason::ClientUnknown),
        (victim().spf_pass("victim.example").client(Some("10.0.0.1")), Reason::ClientNotExternal),
        (victim(), Reason::MailFromUnknown),
        (victim().mail_from(""), Reason::HeloUnknown),
        // A key of a domain that cannot align bears on nothing.
        (unanswered(victim().field("DKIM-Signature", &junk("other.test")), "x._domainkey.other.test"), Reason::MailFromUnknown),
    ] {
        let verdict = scene.has(reason);
        assert_eq!(verdict.dmarc.as_str(), "PROCESSING_FAILED");
        assert!(!verdict.has(Reason::DnsUnanswered), "{:?}", verdict.authentication.dmarc.reasons);
        let suggested = verdict.authentication.suggested_action;
        assert_eq!((suggested.action, suggested.smtp_reply), (Action::None, None), "{reason:?}");
    }
}

#[test]
fn h5_a43_what_dns_did_not_answer_suggests_another_try_also_beside_an_unknown_envelope() {
    let hash = "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let signature = format!("v=1; a=rsa-sha256; c=relaxed/relaxed; d=victim.example; s=x; h=from; {hash}; b=QUJD");
    let signed = |scene: Scene| unanswered(scene.body(b"").field("DKIM-Signature", &signature), "x._domainkey.victim.example");
    for scene in [
        unanswered(victim().mail_from("a@victim.example"), "victim.example"),
        unanswered(victim(), "_dmarc.victim.example"),
        signed(victim()),
        signed(Scene::spoof()),
    ] {
        let verdict = scene.has(Reason::DnsUnanswered);
        assert_eq!(verdict.dmarc.as_str(), "PROCESSING_FAILED");
        assert_eq!(verdict.authentication.suggested_action.action, Action::Defer);
    }
}

#[test]
fn alignment_is_absent_where_nothing_passed_or_nothing_was_compared() {
    let spf = |scene: &Scene| scene.verdict().authentication.spf.aligned;
    let dkim = |scene: &Scene| scene.verdict().authentication.dkim[0].aligned;
    assert_eq!(spf(&victim().spf_pass("victim.example")), Some(true));
    assert_eq!(spf(&Scene::spoof()), Some(false));
    assert_eq!(spf(&victim().txt("victim.example", "v=spf1 -all").mail_from("a@victim.example")), None);
    assert_eq!(spf(&victim()), None);
    assert_eq!(spf(&Scene::from("a@plain.example").spf_pass("other.example")), None);
    assert_eq!(dkim(&victim().signed("victim.example")), Some(true));
    assert_eq!(dkim(&victim().signed("other.example")), Some(false));
    assert_eq!(dkim(&victim().signed("victim.example").changed_on_the_way()), None);
    assert_eq!(dkim(&Scene::from("a@plain.example").signed("plain.example")), None);
    let json = serde_json::to_value(victim().event()).unwrap();
    assert_eq!(json.pointer("/authentication/spf/aligned"), None);
}
