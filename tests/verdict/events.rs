//! The events: golden files, schemas, what a failure holds.

use super::scene::Scene;
use serde_json::Value;
use std::path::PathBuf;
use verdmarc::config::Content;
use verdmarc::event::{Disposition, schemas};
use verdmarc::verdict::{MailDetail, ReportScope};

fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// `VERDMARC_WRITE_GOLDEN=1` writes the files instead of comparing with them.
fn same_as_file(path: &str, text: &str) {
    let path = project(path);
    if std::env::var_os("VERDMARC_WRITE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{} differs; run with VERDMARC_WRITE_GOLDEN=1 and look at the change\n{text}", path.display());
}

fn golden() -> Scene {
    let mut scene = Scene::from("\"The Bank\" <service@news.victim.example>")
        .dmarc("victim.example", "p=reject; sp=quarantine; rua=mailto:dmarc@victim.example")
        .spf_pass("bad.test")
        .signed("bad.test")
        .signed_with("victim.example", "s2", &["from", "to"], None, "")
        .changed_on_the_way()
        .field("Authentication-Results", "mx.recv.example; dmarc=pass")
        .helo("mail.bad.test");
    scene.envelope.rcpt_to = vec!["to@rcpt.example".into()];
    scene
}

fn without_version(mut event: Value) -> Value {
    if let Some(software) = event.pointer_mut("/evidence/software") {
        *software = Value::from("verdmarc");
    }
    event
}

#[test]
fn golden_verdict_event() {
    let event = without_version(serde_json::to_value(golden().event()).unwrap());
    same_as_file("tests/golden/verdict.v1.json", &(serde_json::to_string_pretty(&event).unwrap() + "\n"));
}

#[test]
fn golden_failure_event() {
    let event = golden().failure().unwrap();
    same_as_file("tests/golden/failure.v1.json", &(serde_json::to_string_pretty(&event).unwrap() + "\n"));
}

#[test]
fn golden_annotated_message() {
    same_as_file("tests/golden/annotated.eml", &golden().annotated());
}

#[test]
fn schemas_are_those_that_the_types_generate() {
    for (name, text) in schemas::files() {
        same_as_file(&format!("schemas/{name}"), &text);
    }
}

#[test]
fn events_are_valid_by_their_schemas() {
    let files = schemas::files();
    let validator = |name: &str| {
        let (_, text) = files.iter().find(|(file, _)| file.starts_with(name)).unwrap();
        jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
    };
    let scenes = [golden(), Scene::from("nobody"), Scene::spoof().authenticated(), Scene::from("a@plain.example").client(None)];
    for scene in scenes {
        let outputs = scene.outputs();
        let event = serde_json::to_value(&outputs.verdict).unwrap();
        let errors: Vec<_> = validator("verdict").iter_errors(&event).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        if let Some(failure) = outputs.failure {
            assert!(validator("failure").is_valid(&serde_json::to_value(&failure).unwrap()));
        }
    }
}

#[test]
fn b63_a_failure_holds_nothing_personal() {
    let text = serde_json::to_string(&golden().failure().unwrap()).unwrap();
    for personal in ["service@", "to@rcpt", "The Bank", "A scene", "m@bad.test"] {
        assert!(!text.contains(personal), "{personal} is in {text}");
    }
}

#[test]
fn b60_a_failure_is_known_by_the_record_that_held_the_message() {
    let failure = golden().failure().unwrap();
    assert_eq!((failure.input.topic.as_str(), failure.input.partition, failure.input.offset), ("mail.raw", 0, 7));
}

#[test]
fn h13_h15_rows_hold_aligned_results_beside_plain_ones() {
    let failure = golden().failure().unwrap();
    assert_eq!(failure.policy_domain.as_str(), "victim.example");
    assert_eq!(failure.row.header_from.as_str(), "news.victim.example");
    assert_eq!(failure.row.spf.result.as_str(), "pass");
    assert!(!failure.row.spf_aligned && !failure.row.dkim_aligned);
}

#[test]
fn b16_passes_and_errors_make_no_failure() {
    let mut broken = Scene::spoof();
    broken.zone.insert("_dmarc.victim.example".into(), serde_json::json!([["SERVFAIL"]]));
    for scene in [broken, Scene::from("a@plain.example").spf_pass("plain.example"), Scene::from("nobody")] {
        assert_eq!(scene.failure(), None);
    }
}

#[test]
fn b17_passes_are_counted_when_all_are() {
    let scene = Scene::from("a@victim.example").dmarc("victim.example", "p=reject").spf_pass("victim.example");
    assert_eq!(scene.failure(), None);
    let mut origin = scene.origin();
    origin.report_scope = ReportScope { content: Content::All, ..ReportScope::default() };
    let counted = verdmarc::verdict::outputs(&scene.message(), &scene.envelope, scene.verdict(), &origin).failure.unwrap();
    assert_eq!((counted.row.disposition, counted.row.spf_aligned), (Disposition::Pass, true));
    let none = Scene::from("a@plain.example").spf_pass("plain.example");
    let outputs = verdmarc::verdict::outputs(&none.message(), &none.envelope, none.verdict(), &origin);
    assert_eq!(outputs.failure, None, "no policy, no report");
}

#[test]
fn policy_hash_ignores_text_and_addresses() {
    let hash = |tags: &str| {
        Scene::from("a@victim.example").dmarc("victim.example", tags).spf_pass("bad.test").failure().unwrap().policy_hash
    };
    assert_eq!(hash("p=reject"), hash("p=reject; rua=mailto:x@victim.example; foo=bar; sp=reject"));
    for other in ["p=none", "p=reject; sp=none", "p=reject; adkim=s", "p=reject; t=y", "p=reject; fo=1"] {
        assert_ne!(hash("p=reject"), hash(other), "{other}");
    }
}

#[test]
fn minimal_detail_leaves_the_mail_out() {
    let scene = golden();
    let mut origin = scene.origin();
    origin.detail = MailDetail::Minimal;
    let event = verdmarc::verdict::outputs(&scene.message(), &scene.envelope, scene.verdict(), &origin).verdict;
    assert!(event.mail.headers.is_empty() && event.mail.common_headers.is_none());
}

#[test]
fn f36_invalid_utf8_is_replaced_in_the_event() {
    let mut scene = Scene::spoof();
    scene.fields.push(("Subject".into(), " caf".into()));
    let mut message = scene.message();
    let at = message.windows(4).position(|bytes| bytes == b" caf").unwrap() + 4;
    message.insert(at, 0xe9);
    let outputs = verdmarc::verdict::outputs(&message, &scene.envelope, scene.verdict(), &scene.origin());
    assert!(serde_json::to_string(&outputs.verdict).unwrap().contains("caf\u{fffd}"));
}

#[test]
fn b13_signatures_of_a_row_begin_with_aligned_passes_then_other_passes() {
    let victim = || Scene::from("a@victim.example").dmarc("victim.example", "p=reject; adkim=s; aspf=s").helo("mx.bad.test");
    let order = |scene: Scene| {
        let scene = scene.spf_pass("bad.test");
        let mut origin = scene.origin();
        origin.report_scope = ReportScope { content: Content::All, ..ReportScope::default() };
        let outputs = verdmarc::verdict::outputs(&scene.message(), &scene.envelope, scene.verdict(), &origin);
        let rows = outputs.failure.unwrap().row.dkim;
        rows.iter().map(|row| (row.domain.to_string(), row.result.as_str())).collect::<Vec<_>>()
    };
    let row = |domain: &str, result| (domain.to_owned(), result);
    // Each is signed above those before it.
    let failing = victim()
        .signed("other.example")
        .signed_with("victim.example", "late", &["from", "to"], Some(super::scene::NOW - 30), "")
        .signed("mail.victim.example");
    let failed = row("victim.example", "fail");
    assert_eq!(order(failing), [row("mail.victim.example", "pass"), row("other.example", "pass"), failed]);
    let passing = victim().signed("victim.example").signed("other.example").signed("mail.victim.example");
    let others = [row("mail.victim.example", "pass"), row("other.example", "pass")];
    assert_eq!(order(passing), [&[row("victim.example", "pass")][..], &others].concat());
}

#[test]
fn the_null_path_is_an_empty_name_in_a_row() {
    let row = Scene::spoof().mail_from("").helo("mx.bad.test").failure().unwrap().row;
    assert_eq!(row.envelope_from.as_deref(), Some(""));
    assert_eq!(row.spf.domain.unwrap().as_str(), "mx.bad.test");
}

#[test]
fn a_name_that_is_an_ipv4_address_stands_in_no_row() {
    let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let signature = format!("v=1; a=rsa-sha256; d=192.0.2.1; s=x; h=from; bh={hash}; b={hash}");
    for scene in [
        Scene::spoof().mail_from("").helo("192.0.2.1"),
        Scene::spoof().mail_from("a@192.0.2.1").helo("192.0.2.1."),
        Scene::spoof().mail_from("a@192.0.2.1.").field("DKIM-Signature", &signature),
        Scene::spoof().field("DKIM-Signature", &signature.replace("192.0.2.1", "192.0.2.1.")),
    ] {
        let row = scene.failure().unwrap().row;
        assert_eq!(row.dkim, []);
        let text = serde_json::to_string(&row).unwrap();
        assert!(!text.contains("192.0.2.1\"") && !text.contains("192.0.2.1."), "{text}");
    }
}

#[test]
fn a_row_names_the_domain_that_spf_judged_or_else_the_name_in_helo() {
    let spf = |scene: Scene| {
        let spf = scene.failure().unwrap().row.spf;
        [spf.domain, spf.helo].map(|name| name.map(|name| name.to_string()))
    };
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(spf(Scene::spoof().mail_from("no path").helo("mx.bad.test")), [None, name("mx.bad.test")]);
    assert_eq!(spf(Scene::spoof().mail_from("no path").helo("localhost")), [None, None]);
    assert_eq!(spf(Scene::spoof().helo("mx.bad.test")), [name("bad.test"), None]);
}
