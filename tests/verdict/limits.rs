//! Every limit on what the sender controls, with a spoof that trips it and stays FAIL (Decisions: limits).

use super::scene::Scene;
use std::fmt::Write;
use verdmarc::auth::cause::{DkimCause, SpfCause};
use verdmarc::event::Reason;
use verdmarc::message::{Envelope, MailFrom};

fn stays_fail(scene: &Scene) {
    let words = scene.words();
    assert_eq!((words[2].as_str(), words[3].as_str()), ("FAIL", "reject"), "{:#?}", scene.verdict().authentication.dmarc);
}

/// A signature that looks right and whose key is asked for.
fn junk_signature(domain: &str) -> String {
    let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    format!("v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=x; h=from; bh={hash}; b={hash}")
}

#[test]
fn f1_junk_signatures_do_not_switch_a_reject_off() {
    let mut scene = Scene::spoof().body(b"");
    for index in 0..50 {
        scene = scene.field("DKIM-Signature", &junk_signature(&format!("a{index}.victim.example")));
    }
    stays_fail(&scene);
    let (verdict, questions) = scene.counted();
    assert!(verdict.has(Reason::SignatureLimit));
    assert!(questions <= 20, "{questions} questions");
    let evaluated = verdict.authentication.dkim.iter().filter(|signature| signature.reason != DkimCause::SignatureLimit).count();
    assert_eq!((evaluated, verdict.authentication.dkim_count), (10, 50));
}

#[test]
fn f1_a_signature_that_could_align_is_evaluated_before_junk() {
    let mut scene = Scene::spoof().body(b"").signed("victim.example");
    for index in 0..50 {
        scene = scene.field("DKIM-Signature", &junk_signature(&format!("a{index}.junk.test")));
    }
    assert_eq!(scene.words()[2], "PASS");
}

#[test]
fn f1_a_signature_too_large_is_policy() {
    let long = format!("{}; z={}", junk_signature("victim.example"), "x".repeat(17 << 10));
    let scene = Scene::spoof().field("DKIM-Signature", &long);
    stays_fail(&scene);
    assert_eq!(scene.has(Reason::SignatureSizeLimit).authentication.dkim[0].reason, DkimCause::SizeLimit);
    let names = "x:".repeat(400);
    let scene =
        Scene::spoof().field("DKIM-Signature", &junk_signature("victim.example").replace("h=from", &format!("h={names}from")));
    stays_fail(&scene);
    assert_eq!(scene.has(Reason::SignatureSizeLimit).authentication.dkim[0].reason, DkimCause::SizeLimit);
}

#[test]
fn f1_a_flood_of_fields_leaves_the_search_for_from_intact() {
    let mut scene = Scene::spoof().signed("victim.example");
    for _ in 0..1100 {
        scene = scene.field("X-Flood", "x");
    }
    stays_fail(&scene);
    assert_eq!(scene.has(Reason::HeaderLimit).authentication.dkim[0].reason, DkimCause::HeaderLimit);
    stays_fail(&Scene::spoof().field("X-Big", &"x ".repeat(40 << 10)));
    let mut wide = Scene::spoof();
    for _ in 0..300 {
        wide = wide.field("X-Wide", &"y".repeat(1000));
    }
    stays_fail(&wide);
    wide.has(Reason::HeaderLimit);
}

#[test]
fn f23_spf_floods_end_in_permerror() {
    let mut record = String::from("v=spf1");
    for index in 0..12 {
        write!(record, " a:h{index}.bad.test").unwrap();
    }
    let lookups = Scene::spoof().txt("flood.test", &format!("{record} -all")).mail_from("m@flood.test");
    stays_fail(&lookups);
    lookups.has(Reason::SpfLimit);
    let loops = Scene::spoof().txt("loop.test", "v=spf1 include:loop.test -all").mail_from("m@loop.test");
    stays_fail(&loops);
    loops.has(Reason::SpfLimit);
    let long = Scene::spoof().txt("long.test", &format!("v=spf1 {} -all", "ip4:192.0.2.1 ".repeat(400))).mail_from("m@long.test");
    stays_fail(&long);
    assert_eq!(long.verdict().authentication.spf.reason, SpfCause::RecordLimit);
}

#[test]
fn f23_ten_mx_of_ten_hosts_stay_within_the_budget() {
    let mut scene = Scene::spoof().mail_from("m@flood.test");
    let mut record = String::from("v=spf1");
    for term in 0..10 {
        write!(record, " mx:m{term}.flood.test").unwrap();
        for host in 0..10 {
            let name = format!("h{host}.m{term}.flood.test");
            scene = scene
                .record(&format!("m{term}.flood.test"), serde_json::json!(["MX", 10, name]))
                .record(&name, serde_json::json!(["A", "198.51.100.1"]));
        }
    }
    let scene = scene.txt("flood.test", &format!("{record} -all"));
    stays_fail(&scene);
    let (verdict, questions) = scene.counted();
    assert_eq!(verdict.authentication.spf.reason, SpfCause::QueryBudget);
    assert!(questions <= 60, "{questions} questions");
}

#[test]
fn f26_a_local_part_that_breaks_a_name_changes_nothing() {
    let record = "v=spf1 exists:%{l}._spf.bad.test -all";
    let local = "x".repeat(64);
    let scene = Scene::spoof().txt("bad.test", record).mail_from(&format!("{local}@bad.test"));
    let scene = Scene { zone: scene.zone.clone().into_iter().filter(|(name, _)| name != "bad.test").collect(), ..scene };
    let scene = scene.txt("bad.test", record);
    assert_eq!(scene.words(), ["FAIL", "GRAY", "FAIL", "reject"]);
}

#[test]
fn r8_ten_thousand_forged_fields_are_removed_and_a_hundred_listed() {
    let mut scene = Scene::spoof();
    scene
        .fields
        .splice(0..0, std::iter::repeat_n(("Authentication-Results".into(), " mx.recv.example; dmarc=pass".into()), 10_000));
    let event = scene.event();
    assert_eq!(event.authentication.removed_headers.len(), 100);
    assert_eq!(event.authentication.removed_header_count, 10_000);
    assert_eq!(scene.annotated().matches("Authentication-Results:").count(), 1);
    stays_fail(&scene);
}

#[test]
fn outputs_are_bounded_whatever_the_mail_holds() {
    let mut scene = Scene::spoof();
    for index in 0..900 {
        scene = scene.field("DKIM-Signature", &junk_signature(&format!("a{index}.{}.test", "l".repeat(60))));
    }
    scene.envelope.helo = Some("h".repeat(1024));
    scene.envelope.rcpt_to = (0..5000).map(|index| format!("r{index}@{}.example", "d".repeat(60))).collect();
    scene.zone.insert(
        "_dmarc.victim.example".into(),
        serde_json::json!([["TXT", format!("v=DMARC1; p=reject; x={}", "y".repeat(15 << 10))]]),
    );
    let event = scene.event();
    assert_eq!((event.receipt.recipients.len(), event.receipt.recipient_count), (100, 5000));
    assert_eq!(event.authentication.dkim.len(), 100);
    let size = serde_json::to_vec(&event).unwrap().len();
    assert!(size < 900 << 10, "{size} bytes");
}

#[test]
fn evidence_over_its_limit_is_cut_and_says_so() {
    let scene = Scene::spoof().set(|settings| settings.limits.evidence_bytes = 200);
    let verdict = scene.has(Reason::EvidenceTruncated);
    assert!(verdict.evidence.truncated);
    assert_eq!(verdict.dmarc.as_str(), "FAIL");
}

/// Every string that a sender controls, one by one as long as it can be.
fn long_strings(size: usize) -> Vec<(&'static str, Scene)> {
    let scene = || Scene::spoof().helo("mx.bad.test");
    let long = |text: &str| text.repeat(size / text.len());
    let from = |value: String| {
        let mut scene = scene();
        scene.fields[0].1 = format!(" {value}");
        scene
    };
    let field = |name: &str, value: String| scene().field(name, &value);
    let junk = |tag: &str| junk_signature("victim.example").replace(tag, &format!("{tag}{}", "x".repeat(size)));
    let mut helo = scene().mail_from("");
    helo.envelope.helo = Some(long("h.test."));
    let mut recipients = scene();
    recipients.envelope.rcpt_to = vec![long("r"); 3];
    let mut scanned = scene();
    scanned.envelope.spam_verdict = Some("PASS".into());
    vec![
        ("an author domain of labels", from(format!("<a@{}>", long("b.example.")))),
        ("an author domain of one label", from(format!("<a@{}.example>", long("b")))),
        ("an author domain of U-labels", from(format!("<a@{}.example>", long("\u{fc}.")))),
        ("a local part of From", from(format!("<{}@victim.example>", long("a")))),
        ("a display name", from(format!("{} <a@victim.example>", long("name ")))),
        ("display names with addresses of U-labels", from(format!("{} <a@victim.example>", long("x@\u{fc}.example ")))),
        ("an encoded display name", from(format!("=?utf-8?q?{}?= <a@victim.example>", long("=C3=BC")))),
        ("a comment of From", from(format!("a@victim.example ({})", long("b@c.example ")))),
        ("Subject", field("Subject", long("\u{fc}"))),
        ("To", field("To", long("a@b.example, "))),
        ("Message-ID", field("Message-ID", long("<a@b.example>"))),
        ("a field name", field(&long("X"), "x".into())),
        ("Authentication-Results of ours", field("Authentication-Results", format!("mx.recv.example; {}", long("dmarc=pass; ")))),
        ("Return-Path", field("Return-Path", long("<a@b.example>"))),
        ("MAIL FROM", scene().mail_from(&format!("{}@bad.test", long("m")))),
        ("MAIL FROM of U-labels", scene().mail_from(&format!("m@{}", long("\u{fc}.")))),
        ("HELO", helo),
        ("RCPT TO", recipients),
        ("d=", field("DKIM-Signature", junk("d="))),
        ("s=", field("DKIM-Signature", junk("s="))),
        ("a=", field("DKIM-Signature", junk("a="))),
        ("b=", field("DKIM-Signature", junk("b="))),
        ("h=", field("DKIM-Signature", junk("h="))),
        ("i=", field("DKIM-Signature", format!("{}; i={}@victim.example", junk_signature("victim.example"), long("i")))),
        ("ARC-Seal", field("ARC-Seal", format!("i=1; cv=none; d={}", long("a.test.")))),
        ("ARC-Authentication-Results", field("ARC-Authentication-Results", format!("i=1; {}", long("a.test; dkim=pass ")))),
        ("a scanner's word", scanned),
    ]
}

#[test]
fn every_string_of_a_sender_is_bounded_in_every_output() {
    // Within the limits on fields, and far beyond them.
    for size in [10 << 10, 1 << 20] {
        for (name, mut scene) in long_strings(size) {
            // As the decoder of records hands them on.
            scene.envelope.helo = scene.envelope.helo.map(|helo| Envelope::text(helo.as_bytes()));
            scene.envelope.rcpt_to = scene.envelope.rcpt_to.iter().map(|path| Envelope::text(path.as_bytes())).collect();
            if let MailFrom::Path(path) = &scene.envelope.mail_from {
                scene.envelope.mail_from = MailFrom::Path(Envelope::text(path.as_bytes()));
            }
            let (verdict, questions) = scene.counted();
            assert!(["FAIL", "PROCESSING_FAILED"].contains(&verdict.dmarc.as_str()), "{name}: {}", verdict.dmarc.as_str());
            assert!(questions <= 40, "{name}: {questions} questions");
            let outputs = scene.outputs();
            let event = serde_json::to_vec(&outputs.verdict).unwrap().len();
            assert!(event < 64 << 10, "{name}: an event of {event} octets");
            let failure = outputs.failure.map_or(0, |failure| serde_json::to_vec(&failure).unwrap().len());
            assert!(failure < 4 << 10, "{name}: a failure of {failure} octets");
            let grown = outputs.annotated.unwrap().len().saturating_sub(scene.message().len());
            assert!(grown < 4 << 10, "{name}: {grown} octets of header fields");
        }
    }
}
