//! What excess may cost, as counted work: questions, entries, reasons and octets of memory, never time.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails, and its modules serve several binaries"
)]

#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/peak.rs"]
mod peak;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostile::{Hostile, Outcome, memory};
use peak::peak_of;
use verdmarc::auth::cause::SesStatus;
use verdmarc::auth::dmarc::Policy;
use verdmarc::config::Evaluation;
use verdmarc::dns::{Counting, Question, Zone};
use verdmarc::event::Record;
use verdmarc::event::raw::{Body, Raw};
use verdmarc::verdict::{Verdict, evaluate};

#[global_allocator]
static ALLOCATOR: peak::Peak = peak::Peak;

/// Octets of the largest bodies here: enough for several blocks, and quick without optimisation.
const BODY: usize = 1 << 20;

async fn judge(hostile: &Hostile) -> (Verdict, Vec<Question>) {
    let resolver = Counting::new(Zone::from_json(&hostile.zone).unwrap());
    let verdict = evaluate(&hostile.message, &hostile.envelope, &resolver, hostile::now(), &Evaluation::default()).await;
    (verdict, resolver.asked())
}

#[tokio::test]
async fn f1_a_spoof_that_trips_a_limit_does_not_get_away() {
    for hostile in hostile::all(BODY) {
        let (verdict, _) = judge(&hostile).await;
        let name = hostile.name;
        match hostile.outcome {
            Outcome::Reject => {
                assert_eq!((verdict.dmarc, verdict.dmarc_policy), (SesStatus::Fail, Some(Policy::Reject)), "{name}");
            }
            Outcome::Unusable => assert_eq!(verdict.dmarc, SesStatus::ProcessingFailed, "{name}"),
            Outcome::NotPass => assert_ne!(verdict.dmarc, SesStatus::Pass, "{name}"),
        }
    }
}

#[tokio::test]
async fn f1_every_limit_gives_its_reason() {
    for hostile in hostile::all(BODY) {
        let (verdict, _) = judge(&hostile).await;
        if let Some(reason) = hostile.reason {
            assert!(verdict.has(reason), "{}: {:?}", hostile.name, verdict.authentication.dmarc.reasons);
        }
    }
}

#[tokio::test]
async fn f1_dns_questions_stay_within_their_budgets() {
    let limits = Evaluation::default().limits;
    let all = limits.discovery_questions + limits.dkim_key_questions + limits.spf_questions + limits.arc_key_questions;
    for hostile in hostile::all(BODY) {
        let (_, asked) = judge(&hostile).await;
        let name = hostile.name;
        assert!(asked.len() <= all, "{name}: {} questions", asked.len());
        let keys = asked.iter().filter(|question| question.name.as_str().contains("._domainkey.")).count();
        assert!(keys <= limits.dkim_key_questions + limits.arc_key_questions, "{name}: {keys} keys");
        let policies = asked.iter().filter(|question| question.name.as_str().starts_with("_dmarc.")).count();
        assert!(policies <= limits.discovery_questions, "{name}: {policies} policies");
    }
}

#[tokio::test]
async fn f1_no_question_is_asked_twice() {
    for hostile in hostile::all(BODY) {
        let (_, mut asked) = judge(&hostile).await;
        let count = asked.len();
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len(), count, "{}", hostile.name);
    }
}

#[tokio::test]
async fn f1_verdicts_stay_small() {
    for hostile in hostile::all(BODY) {
        let (verdict, _) = judge(&hostile).await;
        let name = hostile.name;
        assert!(verdict.authentication.dkim.len() <= 100, "{name}: {} signatures", verdict.authentication.dkim.len());
        let evidence = serde_json::to_vec(&verdict.evidence).unwrap().len();
        assert!(evidence <= 2 * Evaluation::default().limits.evidence_bytes, "{name}: {evidence} bytes of evidence");
        assert!(verdict.fields.len() <= 64 << 10, "{name}: {} bytes of fields", verdict.fields.len());
    }
}

#[tokio::test]
async fn r8_every_forged_result_is_removed() {
    for hostile in hostile::all(0) {
        let count = match hostile.name {
            "10 000 Authentication-Results fields" => 10_000,
            "900 Authentication-Results fields" => 900,
            _ => continue,
        };
        let (verdict, _) = judge(&hostile).await;
        assert_eq!(verdict.removed.len(), count, "{}", hostile.name);
    }
}

/// The most memory that the evaluation of `message` takes at a time.
fn memory_of(hostile: &Hostile, message: &[u8]) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let zone = Zone::from_json(&hostile.zone).unwrap();
    let settings = Evaluation::default();
    // What is made once for the process is not the message's.
    runtime.block_on(evaluate(b"From: a@b.example\r\n\r\n", &hostile.envelope, &zone, hostile::now(), &settings));
    let (verdict, most) = peak_of(|| runtime.block_on(evaluate(message, &hostile.envelope, &zone, hostile::now(), &settings)));
    assert_ne!(verdict.dmarc, SesStatus::Pass, "{}", hostile.name);
    most
}

#[test]
fn one_message_costs_at_most_three_times_its_size_in_memory() {
    let mut problems = Vec::new();
    for hostile in hostile::all(BODY) {
        let text = hostile.message.iter().copied().filter(|octet| *octet != b'\r').collect();
        for (form, message) in [("CRLF", hostile.message.clone()), ("LF", text)] {
            let (most, allowed) = (memory_of(&hostile, &message), memory(&message));
            if most > allowed {
                problems.push(format!("{} ({form}): {most} octets, allowed are {allowed}", hostile.name));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_structured_event_costs_at_most_three_times_its_message_in_memory() {
    let message = hostile::all(BODY).pop().unwrap().message;
    let encoded = STANDARD.encode(&message);
    let text = serde_json::to_string(&String::from_utf8_lossy(&message)).unwrap();
    for (name, json) in [
        ("base64", format!("{{\"data_base64\":\"{encoded}\"}}")),
        ("base64 with escaped slashes", format!("{{\"data_base64\":\"{}\"}}", encoded.replace('/', "\\/"))),
        ("base64 with one escape", format!("{{\"data_base64\":\"\\u{:04x}{}\"}}", encoded.as_bytes()[0], &encoded[1..])),
        ("text", format!("{{\"data\":{text}}}")),
    ] {
        let record = Record {
            topic: "mail.raw".into(),
            partition: 0,
            offset: 0,
            timestamp: None,
            key: None,
            value: Some(json.into_bytes()),
            headers: Some([("content-type", Some(&b"application/cloudevents+json"[..]))].into_iter().collect()),
        };
        let (raw, most) = peak_of(|| Raw::decode(&record, 64 << 20, hostile::now()).unwrap());
        let Body::Inline(decoded) = &raw.body else { panic!("{name}: a reference") };
        assert_eq!(decoded.len(), message.len(), "{name}");
        assert!(most <= memory(&message), "{name}: {most} octets for a message of {}", message.len());
    }
}
