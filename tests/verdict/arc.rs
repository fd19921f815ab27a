//! Trusted ARC sealers: whose word counts, and for what (Decisions: trusted sealers).

use super::scene::runtime;
use jiff::Timestamp;
use verdmarc::config::Evaluation;
use verdmarc::dns::{Domain, Zone};
use verdmarc::event::{Action, Reason};
use verdmarc::message::{Envelope, MailFrom};
use verdmarc::verdict::{Verdict, evaluate};

/// The verdict on a message that is sealed by `trusted.example`, which is trusted, or below it.
fn verdict(message: &[u8], zone: &str) -> Verdict {
    let zone = Zone::from_json(&serde_json::from_str(zone).unwrap()).unwrap();
    let settings = Evaluation { trusted_sealers: vec![Domain::parse("trusted.example").unwrap()], ..Evaluation::default() };
    let envelope = Envelope {
        client_ip: "203.0.113.7".parse().ok(),
        helo: Some("mx.evil.test".into()),
        mail_from: MailFrom::Path("x@evil.test".into()),
        ..Envelope::default()
    };
    let now: Timestamp = "2026-11-28T16:00:00Z".parse().unwrap();
    runtime().block_on(evaluate(message, &envelope, &zone, now, &settings))
}

#[test]
fn a_genuine_set_below_an_attackers_seal_overrides_nothing() {
    let verdict = verdict(include_bytes!("../cases/arc_spoof.eml"), include_str!("../cases/arc_spoof.zone.json"));
    assert_eq!(verdict.authentication.arc.result.as_str(), "pass");
    assert_eq!(verdict.authentication.arc.trusted_to, None);
    assert_eq!(verdict.authentication.suggested_action.action, Action::Reject);
    assert!(!verdict.has(Reason::TrustedSealer));
}

#[test]
fn a_trusted_seal_over_a_failure_overrides_nothing() {
    let verdict = verdict(include_bytes!("../cases/arc_fail.eml"), include_str!("../cases/arc_fail.zone.json"));
    assert_eq!(verdict.authentication.arc.result.as_str(), "pass");
    assert_eq!(verdict.authentication.arc.trusted_to, Some(1));
    assert_eq!(verdict.authentication.suggested_action.action, Action::Reject);
    assert!(!verdict.has(Reason::TrustedSealer));
}
