//! The header fields that are written, and those that are removed.

use super::scene::Scene;
use proptest::prelude::*;
use verdmarc::message::parse_auth_results;

fn names(annotated: &str) -> Vec<&str> {
    let header = annotated.split("\r\n\r\n").next().unwrap();
    header
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .filter_map(|line| line.split_once(':').map(|(name, _)| name))
        .collect()
}

#[test]
fn decisions_our_fields_stand_on_top_in_order() {
    let annotated = Scene::spoof().annotated();
    let expected = [
        "Return-Path",
        "Authentication-Results",
        "Received-SPF",
        "X-SPF-Verdict",
        "X-DKIM-Verdict",
        "X-DMARC-Verdict",
        "X-DMARC-Policy",
        "From",
    ];
    assert_eq!(names(&annotated)[..8], expected);
    assert!(annotated.contains("X-DMARC-Verdict: FAIL\r\nX-DMARC-Policy: REJECT\r\n"));
    assert!(annotated.ends_with("\r\n\r\nHello.\r\n"));
}

#[test]
fn f29_forged_fields_are_removed_from_the_annotated_copy() {
    let scene = Scene::spoof()
        .field("Authentication-Results", "mx.recv.example; dmarc=pass")
        .field("Authentication-Results", "other.example; dmarc=pass")
        .field("ARC-Authentication-Results", "i=1; mx.recv.example; dmarc=pass")
        .field("Received-SPF", "pass")
        .field("Return-Path", "<x@evil.test>")
        .field("X-DMARC-Verdict", "PASS")
        .field("x-dmarc-policy", "NONE")
        .field("X-SES-Verdict", "PASS");
    let annotated = scene.annotated();
    let kept = names(&annotated);
    for (name, count) in [
        ("Authentication-Results", 2),
        ("ARC-Authentication-Results", 1),
        ("Received-SPF", 1),
        ("Return-Path", 1),
        ("X-DMARC-Verdict", 1),
        ("X-SES-Verdict", 1),
    ] {
        assert_eq!(kept.iter().filter(|kept| kept.eq_ignore_ascii_case(name)).count(), count, "{name}");
    }
    assert!(!annotated.contains("NONE"));
    assert_eq!(scene.event().authentication.removed_header_count, 5);
}

#[test]
fn decisions_an_unknown_mail_from_gives_no_return_path_and_takes_the_incoming_one() {
    let scene = Scene::from("a@victim.example").field("Return-Path", "<forged@evil.test>");
    assert!(!scene.annotated().contains("Return-Path"));
    assert!(Scene::spoof().mail_from("").annotated().starts_with("Return-Path: <>\r\n"));
}

#[test]
fn d2_d6_results_are_written_for_every_method() {
    let scene = Scene::from("a@victim.example")
        .dmarc("victim.example", "p=quarantine")
        .spf_pass("bad.test")
        .signed("bad.test")
        .signed_with("victim.example", "s2", &["from"], None, "")
        .changed_on_the_way();
    let written = scene.verdict().authentication.authentication_results;
    assert!(written.starts_with("mx.recv.example; spf=pass "), "{written}");
    for part in [
        "smtp.mailfrom=bad.test",
        "header.d=bad.test",
        "header.s=s2",
        "header.a=ed25519-sha256",
        "header.b=",
        "dmarc=fail",
        "policy.dmarc=quarantine",
        "header.from=victim.example",
    ] {
        assert!(written.contains(part), "{part} is missing in {written}");
    }
    assert_eq!(written.matches("dkim=fail").count(), 2);
}

#[test]
fn d3_d5_nothing_is_said_that_is_not_known() {
    let unsigned = Scene::from("a@plain.example").verdict().authentication.authentication_results;
    assert!(unsigned.contains("dkim=none") && unsigned.contains("dmarc=none header.from=plain.example"), "{unsigned}");
    assert!(!unsigned.contains("policy.dmarc") && !unsigned.contains("smtp."));
    let unusable = Scene::from("nobody").verdict().authentication.authentication_results;
    assert!(unusable.contains("dmarc=permerror") && !unusable.contains("header.from"), "{unusable}");
    let bounce =
        Scene::from("a@plain.example").mail_from("").helo("h.plain.example").verdict().authentication.authentication_results;
    assert!(bounce.contains("smtp.helo=h.plain.example") && !bounce.contains("mailfrom"), "{bounce}");
}

#[test]
fn d11_received_spf_names_identity_client_and_mechanism() {
    let written = Scene::spoof().helo("mail.bad.test").verdict().authentication.received_spf;
    assert!(written.starts_with("pass ("), "{written}");
    for part in [
        "client-ip=192.0.2.10;",
        "envelope-from=\"m@bad.test\";",
        "helo=mail.bad.test;",
        "receiver=mx.recv.example;",
        "identity=mailfrom;",
        "mechanism=\"ip4:192.0.2.10\"",
    ] {
        assert!(written.contains(part), "{part} is missing in {written}");
    }
}

#[test]
fn f24_explanations_are_never_fetched_or_written() {
    let scene = Scene::spoof()
        .txt("exp.test", "v=spf1 -all exp=text.exp.test")
        .txt("text.exp.test", "secret\r\nX-Evil: yes")
        .mail_from("m@exp.test");
    let (verdict, _) = scene.counted();
    assert!(verdict.evidence.answers.iter().all(|entry| entry.question.name.as_str() != "text.exp.test"));
    assert!(!scene.annotated().contains("Evil"));
}

#[test]
fn d7_an_identity_that_is_no_address_is_quoted() {
    for (identity, written) in [
        ("a.b@bad.test", "a.b@bad.test"),
        ("@bad.test", "@bad.test"),
        (".@bad.test", "\".@bad.test\""),
        ("a..b@bad.test", "\"a..b@bad.test\""),
        ("a@bücher.bad.test", "\"a@b?cher.bad.test\""),
    ] {
        let tags = format!("v=1; a=rsa-sha256; d=bad.test; s=x; i={identity}; h=from; bh=AAAA; b=AAAA");
        let results = Scene::spoof().field("DKIM-Signature", &tags).verdict().authentication.authentication_results;
        assert!(results.contains(&format!("header.i={written} ")), "{results}");
        assert!(results.is_ascii(), "{results}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn f25_what_senders_say_never_breaks_out(helo in "[ -~\r\n\0\"\\\\;()üé]{0,60}", local in "[ -~\r\n\"\\\\;]{0,30}", id in "[ -~]{0,30}", d in "[a-z.\";() ]{0,20}") {
        let mut scene = Scene::spoof()
            .helo(&helo)
            .mail_from(&format!("{local}@bad.test"))
            .field("DKIM-Signature", &format!("v=1; a=rsa-sha256; d={d}; s=x; i={id}@bad.test; h=from; bh=AAAA; b=AAAA"));
        scene.settings.authserv_id = "mx.recv.example".into();
        let verdict = scene.verdict();
        let fields = String::from_utf8(verdict.fields.clone()).unwrap();
        prop_assert!(fields.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\r' || byte == b'\n'), "{:?}", fields);
        prop_assert!(fields.ends_with("\r\n"));
        let allowed = ["Return-Path:", "Authentication-Results:", "Received-SPF:", "X-SPF-Verdict:", "X-DKIM-Verdict:", "X-DMARC-Verdict:", "X-DMARC-Policy:"];
        let lines: Vec<_> = fields.trim_end_matches("\r\n").split("\r\n").collect();
        prop_assert!(lines.iter().all(|line| line.starts_with(' ') || allowed.iter().any(|name| line.starts_with(name))), "{:?}", fields);
        let read = parse_auth_results(verdict.authentication.authentication_results.as_bytes());
        prop_assert!(read.is_ok(), "{:?}: {}", read.err(), verdict.authentication.authentication_results);
    }
}
