use super::scene::Scene;
use verdmarc::auth::cause::{ResultWord, SesStatus};
use verdmarc::config::{DkimVerdictRule, PermissiveSpf, TestingKey};
use verdmarc::event::{Action, Reason};

fn victim() -> Scene {
    Scene::from("a@victim.example").dmarc("victim.example", "p=reject")
}

#[test]
fn h1_a_spoof_fails_with_the_owners_policy() {
    Scene::spoof().is(["PASS", "GRAY", "FAIL", "reject"]);
}

#[test]
fn e21_h2_p_none_and_failing_is_fail() {
    let none = Scene::from("a@victim.example").dmarc("victim.example", "p=none").spf_pass("bad.test");
    none.is(["PASS", "GRAY", "FAIL", "none"]);
    assert_eq!(none.verdict().authentication.suggested_action.action, Action::None);
}

#[test]
fn e11_no_policy_is_gray_without_policy() {
    Scene::from("a@plain.example").spf_pass("plain.example").is(["PASS", "GRAY", "GRAY", ""]);
}

#[test]
fn e20_the_policy_stands_only_on_fail() {
    victim().spf_pass("victim.example").is(["PASS", "GRAY", "PASS", ""]);
}

#[test]
fn e3_every_spf_result_has_its_status() {
    for (record, word, status) in [
        ("v=spf1 -all", ResultWord::Fail, "FAIL"),
        ("v=spf1 ~all", ResultWord::SoftFail, "GRAY"),
        ("v=spf1 ?all", ResultWord::Neutral, "GRAY"),
        ("v=spf1 oops", ResultWord::PermError, "PROCESSING_FAILED"),
        ("unrelated", ResultWord::None, "GRAY"),
    ] {
        let scene = victim().txt("victim.example", record).mail_from("a@victim.example");
        scene.is([status, "GRAY", "FAIL", "reject"]);
        assert_eq!(scene.verdict().authentication.spf.result, word);
    }
}

#[test]
fn d46_spf_results_other_than_pass_give_no_identifier() {
    for record in ["v=spf1 ~all", "v=spf1 ?all", "v=spf1 oops", "none"] {
        victim().txt("victim.example", record).mail_from("a@victim.example").is([
            if record.contains("oops") { "PROCESSING_FAILED" } else { "GRAY" },
            "GRAY",
            "FAIL",
            "reject",
        ]);
    }
}

#[test]
fn d44_the_null_path_is_judged_by_helo() {
    let bounce = victim().txt("mail.victim.example", "v=spf1 ip4:192.0.2.10 -all").mail_from("").helo("mail.victim.example");
    bounce.is(["PASS", "GRAY", "PASS", ""]);
}

#[test]
fn d45_h11_f16_helo_counts_for_the_null_path_only() {
    victim()
        .txt("victim.example", "v=spf1 ip4:192.0.2.10 -all")
        .txt("bad.test", "v=spf1 -all")
        .mail_from("m@bad.test")
        .helo("victim.example")
        .is(["FAIL", "GRAY", "FAIL", "reject"]);
    victim()
        .txt("victim.example", "v=spf1 ip4:192.0.2.10 -all")
        .mail_from("m@nx.victim.example")
        .helo("victim.example")
        .is(["GRAY", "GRAY", "FAIL", "reject"]);
}

#[test]
fn d43_h14_u_labels_are_compared_as_a_labels() {
    let scene = Scene::from("u@bücher.example").dmarc("xn--bcher-kva.example", "p=reject").spf_pass("xn--bcher-kva.example");
    scene.is(["PASS", "GRAY", "PASS", ""]);
    assert_eq!(scene.verdict().authentication.author_domain.unwrap().as_str(), "xn--bcher-kva.example");
}

#[test]
fn d60_d42_case_and_a_final_dot_do_not_matter() {
    Scene::from("a@VICTIM.example.")
        .dmarc("victim.example", "p=reject")
        .spf_pass("MAIL.Victim.Example".to_lowercase().as_str())
        .is(["PASS", "GRAY", "PASS", ""]);
}

#[test]
fn a2_a_mapped_client_is_an_ipv4_client() {
    let scene = victim().spf_pass("victim.example").client(Some("::ffff:192.0.2.10"));
    scene.is(["PASS", "GRAY", "PASS", ""]);
    assert_eq!(Scene::spoof().client(Some("::ffff:192.0.2.10")).failure().unwrap().row.source_ip.to_string(), "192.0.2.10");
}

#[test]
fn a5_an_unusable_from_is_processing_failed_and_never_gray() {
    for (from, reason) in [
        ("a@victim.example, b@evil.example", Reason::FromMultipleDomains),
        ("a@victim.example; b@evil.example", Reason::FromMultipleDomains),
        ("nobody", Reason::FromUnparsable),
        ("u@[192.0.2.1]", Reason::FromUnparsable),
        ("<u@evil.example>ceo@victim.example", Reason::FromUnparsable),
    ] {
        let scene = Scene::from(from).dmarc("victim.example", "p=reject").spf_pass("evil.example");
        scene.is(["PASS", "GRAY", "PROCESSING_FAILED", ""]);
        let verdict = scene.has(reason);
        assert_eq!(verdict.authentication.suggested_action.action, Action::Quarantine, "{from}");
        assert_eq!(verdict.authentication.author_domain, None);
    }
}

#[test]
fn f1_h9_a_second_from_field_on_a_signed_mail_never_passes() {
    let signed = victim().signed("victim.example");
    signed.is(["GRAY", "PASS", "PASS", ""]);
    for second in ["ceo@victim.example", "x@evil.example"] {
        let doubled = signed.clone().field("From", second);
        doubled.has(Reason::FromMultipleFields);
        assert_eq!(doubled.words()[2], "PROCESSING_FAILED");
    }
}

#[test]
fn f9_headers_that_could_hide_a_from_are_processing_failed() {
    let mut scene = victim().spf_pass("victim.example");
    scene.fields.push(("X".into(), " a\rFrom: ceo@other.example".into()));
    scene.has(Reason::HeadersMalformed);
    assert_eq!(scene.words()[2], "PROCESSING_FAILED");
    let mut harmless = victim().spf_pass("victim.example");
    harmless.fields.push(("X".into(), " a\rb".into()));
    harmless.has(Reason::HeadersMalformed);
    assert_eq!(harmless.words()[2], "PASS");
}

#[test]
fn d52_several_mailboxes_of_one_domain_are_evaluated_and_flagged() {
    let scene = Scene::from("a@victim.example, b@victim.example").dmarc("victim.example", "p=reject").spf_pass("victim.example");
    scene.is(["PASS", "GRAY", "PASS", ""]);
    scene.has(Reason::FromNotUnique);
    scene.has(Reason::SenderMissing);
}

#[test]
fn decisions_an_authenticated_submission_is_gray_three_times_and_asks_nothing() {
    let (verdict, questions) = Scene::spoof().signed("victim.example").authenticated().counted();
    assert_eq!([verdict.spf, verdict.dkim, verdict.dmarc], [SesStatus::Gray; 3]);
    assert_eq!(questions, 0);
    assert!(verdict.has(Reason::AuthenticatedSubmission));
    assert_eq!(verdict.authentication.authentication_results, "mx.recv.example; none");
    assert_eq!(Scene::spoof().authenticated().failure(), None);
}

#[test]
fn a1_what_is_missing_counts_only_where_it_could_have_aligned() {
    let unknown_client = Scene::spoof().client(None);
    unknown_client.is(["GRAY", "GRAY", "FAIL", "reject"]);
    unknown_client.has(Reason::ClientUnknown);
    let alignable = victim().spf_pass("victim.example").client(None);
    alignable.is(["GRAY", "GRAY", "PROCESSING_FAILED", ""]);
    let unknown_sender = victim();
    unknown_sender.is(["GRAY", "GRAY", "PROCESSING_FAILED", ""]);
    unknown_sender.has(Reason::MailFromUnknown);
    victim().signed("victim.example").is(["GRAY", "PASS", "PASS", ""]);
    Scene::from("a@plain.example").is(["GRAY", "GRAY", "GRAY", ""]);
    victim().mail_from("").has(Reason::HeloUnknown);
}

#[test]
fn decisions_a_client_inside_trusted_networks_is_unknown() {
    for ip in ["10.1.2.3", "127.0.0.1", "192.168.3.4", "fe80::1", "fd00::1", "::ffff:10.0.0.1"] {
        let inside = victim().spf_pass("victim.example").client(Some(ip));
        inside.is(["GRAY", "GRAY", "PROCESSING_FAILED", ""]);
        inside.has(Reason::ClientNotExternal);
    }
    let spoof = Scene::spoof().client(Some("10.1.2.3"));
    spoof.is(["GRAY", "GRAY", "FAIL", "reject"]);
    assert_eq!(spoof.failure(), None, "such an address never stands in a report");
}

#[test]
fn f15_a_mail_from_that_is_no_path_is_no_identifier() {
    for path in [
        "any@victim.example(a.evil.example",
        "(any@victim.example",
        "@a,@b:u@victim.example",
        "a@b@victim.example",
        "u@[192.0.2.1]",
    ] {
        let scene = victim().txt("victim.example", "v=spf1 ip4:192.0.2.10 -all").mail_from(path);
        scene.is(["GRAY", "GRAY", "FAIL", "reject"]);
        assert_eq!(scene.verdict().authentication.spf.domain, None, "{path}");
    }
}

#[test]
fn decisions_dkim_status_takes_the_first_that_is_there() {
    let none = || victim().spf_pass("bad.test");
    none().is(["PASS", "GRAY", "FAIL", "reject"]);
    // Unaligned pass: GRAY.
    none().signed("bad.test").is(["PASS", "GRAY", "FAIL", "reject"]);
    // A failure beside an unaligned pass: FAIL.
    none().signed("victim.example").changed_on_the_way().signed("bad.test").is(["PASS", "FAIL", "FAIL", "reject"]);
    // An aligned pass beside a failure: PASS.
    none().signed("bad.test").changed_on_the_way().signed("victim.example").is(["PASS", "PASS", "PASS", ""]);
    // Malformed only.
    let malformed = none().field("DKIM-Signature", "v=1; a=rsa-sha256; d=victim.example");
    malformed.is(["PASS", "PROCESSING_FAILED", "FAIL", "reject"]);
    // Malformed beside an unaligned pass is not malformed only.
    malformed.signed("bad.test").is(["PASS", "GRAY", "FAIL", "reject"]);
    // An unanswered key of an aligned signature, and of another.
    let mut aligned = none().signed("victim.example");
    aligned.zone.insert("s1._domainkey.victim.example".into(), serde_json::json!([["TIMEOUT"]]));
    aligned.is(["PASS", "PROCESSING_FAILED", "PROCESSING_FAILED", ""]);
    let mut unaligned = none().signed("bad.test");
    unaligned.zone.insert("s1._domainkey.bad.test".into(), serde_json::json!([["TIMEOUT"]]));
    unaligned.is(["PASS", "PROCESSING_FAILED", "FAIL", "reject"]);
    // A failure comes before an unaligned temporary error.
    unaligned
        .signed_with("victim.example", "s2", &["from"], None, "")
        .changed_on_the_way()
        .is(["PASS", "FAIL", "FAIL", "reject"]);
}

#[test]
fn decisions_without_a_record_the_suffix_list_aligns_for_the_dkim_status_only() {
    Scene::from("a@plain.example").signed("mail.plain.example").is(["GRAY", "PASS", "GRAY", ""]);
    Scene::from("a@plain.example").signed("other.example").is(["GRAY", "GRAY", "GRAY", ""]);
}

#[test]
fn decisions_with_an_unusable_from_every_pass_is_unaligned() {
    Scene::from("a@x.example, b@y.example").signed("x.example").is(["GRAY", "GRAY", "PROCESSING_FAILED", ""]);
}

#[test]
fn e30_any_pass_counts_unaligned_ones() {
    let scene = Scene::spoof().signed("bad.test").set(|settings| settings.dkim_verdict = DkimVerdictRule::AnyPass);
    scene.is(["PASS", "PASS", "FAIL", "reject"]);
}

#[test]
fn f21_a_key_in_testing_mode_counts_and_is_flagged_unless_literal() {
    let names = &["from", "to", "subject", "date"];
    let testing = victim().signed_with("victim.example", "t1", names, None, "; t=y");
    testing.is(["GRAY", "PASS", "PASS", ""]);
    testing.has(Reason::KeyTesting);
    let literal = testing.clone().mail_from("").helo("h.test").set(|settings| settings.testing_key = TestingKey::Literal);
    literal.is(["GRAY", "GRAY", "FAIL", "reject"]);
    let failed = testing.mail_from("").helo("h.test").changed_on_the_way();
    failed.is(["GRAY", "GRAY", "FAIL", "reject"]);
    assert_eq!(failed.verdict().authentication.dkim[0].result, ResultWord::None);
}

#[test]
fn f22_permissive_spf_is_flagged_and_may_be_ignored() {
    let open = victim().txt("victim.example", "v=spf1 +all").mail_from("a@victim.example");
    open.is(["PASS", "GRAY", "PASS", ""]);
    open.has(Reason::SpfPermissive);
    open.set(|settings| settings.permissive_spf = PermissiveSpf::Ignore).is(["PASS", "GRAY", "FAIL", "reject"]);
}

#[test]
fn d31_e32_t_y_gives_the_effective_policy_and_keeps_the_published_one() {
    let scene = Scene::from("a@victim.example").dmarc("victim.example", "p=reject; t=y").spf_pass("bad.test");
    scene.is(["PASS", "GRAY", "FAIL", "quarantine"]);
    let verdict = scene.has(Reason::PolicyTestMode);
    assert_eq!(verdict.authentication.dmarc.published_policy.unwrap().as_str(), "reject");
    assert!(verdict.authentication.authentication_results.contains("policy.dmarc=quarantine"));
}

#[test]
fn a49_suggested_actions_carry_a_reply() {
    let reject = Scene::spoof().verdict().authentication.suggested_action;
    assert_eq!(reject.action, Action::Reject);
    let reply = reject.smtp_reply.unwrap();
    assert!(reply.starts_with("550 5.7.1 ") && reply.contains("DMARC") && reply.contains("victim.example"), "{reply}");
    let mut broken = Scene::spoof();
    broken.zone.insert("_dmarc.victim.example".into(), serde_json::json!([["SERVFAIL"]]));
    let defer = broken.verdict().authentication.suggested_action;
    assert_eq!(defer.action, Action::Defer);
    assert!(defer.smtp_reply.unwrap().starts_with("451 4."));
}

#[test]
fn h6_f27_broken_dns_of_the_attacker_leaves_the_spoof_failing() {
    let mut scene = Scene::spoof().signed("evil.test");
    scene.zone.insert("bad.test".into(), serde_json::json!([["SERVFAIL"]]));
    scene.zone.insert("s1._domainkey.evil.test".into(), serde_json::json!([["TIMEOUT"]]));
    scene.is(["PROCESSING_FAILED", "PROCESSING_FAILED", "FAIL", "reject"]);
}

#[test]
fn f10_other_fields_with_addresses_do_not_count() {
    Scene::spoof()
        .field("Sender", "m@bad.test")
        .field("Reply-To", "m@bad.test")
        .field("Resent-From", "m@bad.test")
        .is(["PASS", "GRAY", "FAIL", "reject"]);
}

#[test]
fn f30_an_arc_chain_never_changes_the_result() {
    let sealed = Scene::spoof()
        .field("ARC-Authentication-Results", "i=1; bad.test; dmarc=pass")
        .field("ARC-Message-Signature", "i=1; a=rsa-sha256; d=bad.test; s=s; h=from; bh=AA==; b=AA==")
        .field("ARC-Seal", "i=1; a=rsa-sha256; d=bad.test; s=s; cv=none; b=AA==");
    sealed.is(["PASS", "GRAY", "FAIL", "reject"]);
    assert_eq!(sealed.verdict().authentication.arc.result, ResultWord::Fail);
}

#[test]
fn d47_h5_spf_without_answer_of_an_aligned_domain_is_processing_failed() {
    let mut scene = victim().mail_from("a@mail.victim.example");
    scene.zone.insert("mail.victim.example".into(), serde_json::json!([["SERVFAIL"]]));
    scene.is(["PROCESSING_FAILED", "GRAY", "PROCESSING_FAILED", ""]);
    scene.has(Reason::DnsUnanswered);
    let unaligned = Scene { envelope: Scene::spoof().mail_from("a@bad.test").envelope, ..scene };
    let mut unaligned = unaligned;
    unaligned.zone.insert("bad.test".into(), serde_json::json!([["SERVFAIL"]]));
    unaligned.is(["PROCESSING_FAILED", "GRAY", "FAIL", "reject"]);
}

#[test]
fn a_header_section_that_ends_without_a_line_end_verifies_as_it_was_signed() {
    let zone = serde_json::from_str(include_str!("../cases/nosep.zone.json")).unwrap();
    let serde_json::Value::Object(zone) = zone else { panic!("a zone is an object") };
    let scene = Scene { zone, ..Scene::from("a@x.test").client(Some("192.0.2.1")).mail_from("b@other.test").helo("h.x.test") };
    let message = include_bytes!("../cases/nosep-simple-none.eml");
    let verdict = super::scene::runtime().block_on(verdmarc::verdict::evaluate(
        message,
        &scene.envelope,
        &scene.zone(),
        scene.now,
        &scene.settings,
    ));
    assert_eq!((verdict.dkim, verdict.dmarc), (SesStatus::Pass, SesStatus::Pass), "{:#?}", verdict.authentication);
}
