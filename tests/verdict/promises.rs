//! A verdict is a pure function of message, envelope, evidence, settings and time.

use super::scene::Scene;
use proptest::prelude::*;

fn scenes() -> Vec<Scene> {
    let victim = || Scene::from("A Name <a@news.victim.example>").dmarc("victim.example", "p=reject; sp=quarantine; np=none");
    vec![
        Scene::spoof(),
        victim().spf_pass("victim.example"),
        victim().signed("victim.example").spf_pass("bad.test"),
        victim().signed("mail.victim.example").changed_on_the_way(),
        victim().client(None),
        victim().mail_from("").helo("mx.victim.example").txt("mx.victim.example", "v=spf1 a mx include:other.test ~all"),
        Scene::from("a@x.example, b@y.example"),
        Scene::spoof().authenticated(),
        Scene::from("a@plain.example").spf_pass("plain.example"),
    ]
}

#[test]
fn promise_3_evidence_alone_gives_the_same_verdict() {
    for scene in scenes() {
        let verdict = scene.verdict();
        let (replayed, missing) = scene.replayed(&verdict);
        assert_eq!(missing, 0);
        assert_eq!(serde_json::to_value(&replayed).unwrap(), serde_json::to_value(scene.event()).unwrap());
    }
}

#[test]
fn promise_3_the_event_survives_its_json() {
    for scene in scenes() {
        let event = scene.event();
        let text = serde_json::to_string(&event).unwrap();
        let read: verdmarc::event::VerdictEvent = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}

/// Pieces that messages are broken with.
fn damage() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just(b"From: x@evil.test\r\n".to_vec()),
        Just(b"\0".to_vec()),
        Just(b"<a@b>".to_vec()),
        Just(b"DKIM-Signature: v=1; a=".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn promise_4_no_bytes_panic_and_only_an_unusable_from_takes_a_spoof_out_of_fail(at in 0usize..600, piece in damage(), seen in 0usize..3) {
        let scene = Scene::spoof().signed("bad.test");
        let mut message = scene.message();
        let at = at.min(message.len());
        message.splice(at..(at + seen).min(message.len()), piece);
        let verdict = super::scene::runtime().block_on(verdmarc::verdict::evaluate(
            &message, &scene.envelope, &scene.zone(), scene.now, &scene.settings));
        let status = verdict.dmarc.as_str();
        match &verdict.authentication.author_domain {
            None => prop_assert_eq!(status, "PROCESSING_FAILED"),
            Some(domain) if domain.as_str() == "victim.example" => prop_assert_eq!(status, "FAIL"),
            Some(_) => {}
        }
    }
}
