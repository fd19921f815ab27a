use super::super::DmarcFlag;
use super::*;

const REJECT: (&str, &str) = ("ex.com", "p=reject");

#[test]
fn d36_an_unknown_record_of_the_author_is_a_temporary_error() {
    case("ex.com", &[]).servfail("ex.com").spf("ex.com").is(DmarcResult::TempError);
}

#[test]
fn h4_an_unknown_record_of_the_author_is_not_the_parents() {
    case("sub.ex.com", &[REJECT]).servfail("sub.ex.com").other().is(DmarcResult::TempError);
}

#[test]
fn d37_equal_domains_need_no_walk() {
    case("ex.com", &[REJECT]).servfail("com").spf("ex.com").passes();
}

#[test]
fn d38_a_pass_under_every_completion_is_a_pass() {
    case("ex.com", &[REJECT]).servfail("com").spf("mail.ex.com").passes();
    case("ex.com", &[REJECT]).servfail("com").spf("mail.ex.com").guard_off().passes();
}

#[test]
fn d39_strict_alignment_needs_no_walk() {
    case("ex.com", &[("ex.com", "p=reject; aspf=s; adkim=s")]).servfail("com").other().fails(Policy::Reject, "ex.com");
}

#[test]
fn d40_a_malformed_record_at_the_top_changes_nothing() {
    case("ex.com", &[REJECT, ("com", "p=rejekt")]).other().fails(Policy::Reject, "ex.com");
}

#[test]
fn d61_an_unknown_suffix_cannot_change_what_the_guard_protects() {
    let spoof = case("a.ex.com", &[REJECT]).servfail("com").other();
    spoof.fails(Policy::Reject, "ex.com");
    spoof.guard_off().is(DmarcResult::TempError);
}

#[test]
fn d47_h5_unknown_spf_of_an_alignable_domain_is_a_temporary_error() {
    case("ex.com", &[REJECT]).spf_unknown(Some("ex.com")).is(DmarcResult::TempError);
    case("ex.com", &[REJECT]).spf_unknown(Some("mail.ex.com")).is(DmarcResult::TempError);
}

#[test]
fn d48_h7_an_aligned_signature_wins_over_unknown_spf() {
    case("ex.com", &[REJECT]).spf_unknown(Some("ex.com")).dkim("ex.com").passes();
}

#[test]
fn d49_h6_unknown_spf_of_another_domain_leaves_it_failing() {
    case("ex.com", &[REJECT]).spf_unknown(Some("other.test")).fails(Policy::Reject, "ex.com");
}

#[test]
fn d50_an_unknown_key_of_an_alignable_domain_is_a_temporary_error() {
    case("ex.com", &[REJECT]).other().dkim_unknown("ex.com").is(DmarcResult::TempError);
    case("ex.com", &[REJECT]).other().dkim_unknown("evil.test").fails(Policy::Reject, "ex.com");
}

#[test]
fn h10_an_unknown_walk_of_an_alignable_signature_is_a_temporary_error() {
    case("ex.com", &[REJECT]).servfail("mail.ex.com").dkim("mail.ex.com").is(DmarcResult::TempError);
}

#[test]
fn a1_an_unknown_mail_from_could_be_any_domain() {
    case("ex.com", &[REJECT]).spf_unknown(None).is(DmarcResult::TempError);
    case("ex.com", &[REJECT]).spf_unknown(None).dkim("ex.com").passes();
    case("ex.com", &[]).spf_unknown(None).is(DmarcResult::None);
}

#[test]
fn a26_unknown_existence_takes_the_milder_policy_and_says_so() {
    for (np, sp) in [("reject", "none"), ("none", "reject")] {
        let mut case = case("a.ex.com", &[("ex.com", &format!("p=reject; sp={sp}; np={np}"))]).nonexistent().other();
        case.zone.insert("a.ex.com".into(), json!([["TIMEOUT", "A"]]));
        let decision = case.fails(Policy::None, "ex.com");
        assert_eq!(decision.flags, [DmarcFlag::ExistenceUnknown]);
    }
}

#[test]
fn a43_an_unusable_answer_is_unknown_too() {
    case("ex.com", &[]).entry("_dmarc.ex.com", json!(["FORMERR"])).spf("ex.com").is(DmarcResult::TempError);
}

#[test]
fn a43_an_unknown_record_between_author_and_organization_counts() {
    // The record could separate the organizations with psd=n, so the policy depends on it.
    case("a.b.ex.com", &[REJECT]).servfail("b.ex.com").other().is(DmarcResult::TempError);
}

#[test]
fn a43_a_pass_under_several_policies_is_a_temporary_error() {
    // A record at a.bank.test would be the organization's and in force, whatever it says.
    // Without one, sp=reject is in force.
    let open = case("a.a.bank.test", &[("bank.test", "p=quarantine; sp=reject")]).servfail("a.bank.test").spf("a.a.bank.test");
    open.is(DmarcResult::TempError);
}

#[test]
fn f27_broken_dns_of_the_attackers_own_names_never_saves_a_spoof() {
    let spoof = case("victim.com", &[("victim.com", "p=reject")])
        .servfail("evil.com")
        .servfail("com")
        .spf("evil.com")
        .dkim_unknown("x.evil.com")
        .spf_unknown(Some("evil.com"));
    spoof.fails(Policy::Reject, "victim.com");
}
