use super::super::Alignment;
use super::*;

#[test]
fn d1_spf_of_the_author_domain_passes() {
    let decision = case("ex.com", &[("ex.com", "p=reject")]).spf("ex.com").passes();
    assert_eq!(decision.policy_domain, Some(domain("ex.com")));
    assert_eq!(decision.alignment, [Alignment::Aligned]);
}

#[test]
fn d2_an_unrelated_pass_fails() {
    case("ex.com", &[("ex.com", "p=reject")]).other().fails(Policy::Reject, "ex.com");
}

#[test]
fn d3_relaxed_spf_of_a_subdomain_passes() {
    case("ex.com", &[("ex.com", "p=reject")]).spf("mail.ex.com").passes();
}

#[test]
fn d4_strict_spf_of_a_subdomain_fails() {
    case("ex.com", &[("ex.com", "p=reject; aspf=s")]).spf("mail.ex.com").fails(Policy::Reject, "ex.com");
}

#[test]
fn d5_strict_dkim_wants_equal_domains() {
    let strict = case("ex.com", &[("ex.com", "p=reject; adkim=s")]);
    strict.clone().dkim("ex.com").passes();
    strict.dkim("news.ex.com").fails(Policy::Reject, "ex.com");
}

#[test]
fn h12_strict_mode_of_one_mechanism_leaves_the_other_relaxed() {
    let strict = case("ex.com", &[("ex.com", "p=reject; adkim=s")]);
    strict.clone().spf("mail.ex.com").passes();
    strict.dkim("mail.ex.com").spf("sibling.test").fails(Policy::Reject, "ex.com");
}

#[test]
fn d11_psd_n_separates_organizations() {
    case("a.b.ex.com", &[("ex.com", "p=reject"), ("b.ex.com", "p=none; psd=n")]).dkim("ex.com").fails(Policy::None, "b.ex.com");
}

#[test]
fn d12_an_authors_own_record_does_not_change_its_organization() {
    let decision = case("b.ex.com", &[("ex.com", "p=reject"), ("b.ex.com", "p=none")]).dkim("ex.com").passes();
    assert_eq!(decision.policy_domain, Some(domain("b.ex.com")));
    assert_eq!(decision.organizational_domain, Some(domain("ex.com")));
}

#[test]
fn d13_both_identifiers_align() {
    let decision = case("example.com", &[("example.com", "p=reject"), ("signing.example.com", "p=none")])
        .spf("example.com")
        .dkim("signing.example.com")
        .passes();
    assert_eq!(decision.alignment, [Alignment::Aligned, Alignment::Aligned]);
}

#[test]
fn a41_each_identifier_is_judged_in_its_own_row() {
    use Certainty::{Authenticated, Possible};
    use Mechanism::{Dkim, Spf};
    for (first, second) in [(Spf, Dkim), (Dkim, Spf)] {
        for aligned in [Spf, Dkim] {
            for certainties in [[Authenticated; 2], [Authenticated, Possible], [Possible, Authenticated], [Possible; 2]] {
                let mut case = case("ex.com", &[("ex.com", "p=reject")]);
                for (mechanism, certainty) in [first, second].into_iter().zip(certainties) {
                    let name = if mechanism == aligned { "mail.ex.com" } else { "bad.test" };
                    case = case.identifier(Some(name), mechanism, certainty);
                }
                let of_aligned = certainties[usize::from(first != aligned)];
                let of_other = certainties[usize::from(first == aligned)];
                let row = |mechanism| match (mechanism == aligned, of_aligned, of_other) {
                    (true, Authenticated, _) => Alignment::Aligned,
                    (true, Possible, _) => Alignment::PossiblyAligned,
                    // The other identifier has settled the result.
                    (false, Authenticated, Possible) => Alignment::NotLookedAt,
                    (false, ..) => Alignment::NotAligned,
                };
                assert_eq!(case.judge().alignment, [row(first), row(second)], "{first:?} {second:?} {aligned:?} {certainties:?}");
            }
        }
    }
}

#[test]
fn d15_names_below_a_public_suffix_domain_do_not_align_with_each_other() {
    let decision = case("giant.bank.example", &[("bank.example", "p=none; psd=y"), ("giant.bank.example", "p=reject")])
        .spf("mail.giant.bank.example")
        .dkim("mail.mega.bank.example")
        .passes();
    assert_eq!(decision.alignment, [Alignment::Aligned, Alignment::NotAligned]);
}

const BANK: (&str, &str) = ("bank.example", "p=none; sp=quarantine; np=reject; psd=y");

#[test]
fn d16_a_public_suffix_domains_record_applies_below_it() {
    let decision = case("no.bank.example", &[BANK]).other().fails(Policy::Quarantine, "bank.example");
    assert_eq!(decision.published, Some(Policy::Quarantine));
}

#[test]
fn d17_np_of_a_public_suffix_domain_applies_to_what_does_not_exist() {
    case("nx.bank.example", &[BANK]).nonexistent().other().fails(Policy::Reject, "bank.example");
}

#[test]
fn d18_one_label_below_a_public_suffix_domain_is_an_organization() {
    let decision = case("a.no.bank.example", &[BANK]).dkim("no.bank.example").passes();
    assert_eq!(decision.organizational_domain, Some(domain("no.bank.example")));
}

#[test]
fn d19_a_public_suffix_domain_is_its_own_organization() {
    case("bank.example", &[BANK]).dkim("x.bank.example").fails(Policy::None, "bank.example");
}

#[test]
fn d20_the_guard_keeps_names_below_a_suffix_apart() {
    let case = case("a.test", &[("test", "p=reject")]).dkim("b.test");
    case.clone().guard_off().passes();
    let decision = case.fails(Policy::Reject, "test");
    assert!(decision.flags.contains(&super::super::DmarcFlag::Guarded));
}

#[test]
fn a30_a_record_above_the_suffixes_of_a_wildcard_rule_is_nobodys_organization() {
    // `*.kobe.jp` makes suffixes of a.kobe.jp and b.kobe.jp, but kobe.jp itself is no suffix.
    for (record, signer) in
        [("kobe.jp", "x.a.kobe.jp"), ("jp", "x.a.kobe.jp"), ("kobe.jp", "kobe.jp"), ("kobe.jp", "x.city.kobe.jp")]
    {
        let spoof = case("y.b.kobe.jp", &[(record, "p=reject")]).dkim(signer);
        let decision = spoof.fails(Policy::Reject, record);
        assert_eq!(decision.organizational_domain, Some(domain("y.b.kobe.jp")), "{record}");
        spoof.guard_off().passes();
    }
    // city.kobe.jp is an exception from the rule, and an organization.
    case("a.city.kobe.jp", &[("kobe.jp", "p=reject")]).dkim("b.city.kobe.jp").passes();
    case("kobe.jp", &[("kobe.jp", "p=reject")]).dkim("mail.a.kobe.jp").fails(Policy::Reject, "kobe.jp");
}

#[test]
fn a30_names_below_a_longer_suffix_are_kept_apart_too() {
    case("a.co.uk", &[("uk", "p=reject")]).dkim("b.co.uk").fails(Policy::Reject, "uk");
    case("a.co.uk", &[("uk", "p=reject")]).dkim("mail.a.co.uk").passes();
}

#[test]
fn d29_invalid_tags_have_their_defaults() {
    case("ex.com", &[("ex.com", "p=reject; adkim=x; aspf=; fo=9; psd=q; t=z")]).spf("mail.ex.com").passes();
}

#[test]
fn d54_a_single_label_can_be_an_author_domain() {
    case("com", &[("com", "p=reject; psd=y")]).spf("com").passes();
}

#[test]
fn d55_a_suffix_does_not_align_with_what_is_below_it() {
    case("ex.com", &[("ex.com", "p=reject")]).dkim("com").fails(Policy::Reject, "ex.com");
}

#[test]
fn f1_an_identifier_beyond_the_limit_of_walks_counts_as_not_aligned() {
    let decision = case("ex.com", &[("ex.com", "p=reject")]).dkim("a.ex.com").dkim("b.ex.com").walks(1).passes();
    assert_eq!(decision.alignment, [Alignment::Aligned, Alignment::NotAligned]);
    case("ex.com", &[("ex.com", "p=reject")]).spf("a.test").dkim("b.ex.com").walks(0).fails(Policy::Reject, "ex.com");
}

#[test]
fn f1_the_budget_of_alignment_leaves_a_spoof_failing() {
    // The attacker chose twelve names below the author domain, and each needs a walk of its own.
    let mut spoof = case("victim.com", &[("victim.com", "p=reject; psd=n")]);
    for index in 0..12 {
        spoof = spoof.text(&format!("a{index}.b.c.d.victim.com"), "v=DMARC1; p=none; psd=n");
        spoof = spoof.dkim(&format!("x.a{index}.b.c.d.victim.com"));
    }
    let (decision, asked) = spoof.judge_counted();
    assert_eq!((decision.result, decision.effective), (DmarcResult::Fail, Some(Policy::Reject)));
    assert!(decision.flags.contains(&super::super::DmarcFlag::AlignmentBudget));
    assert_eq!(asked.len(), 20);
}

#[test]
fn a24_equal_domains_and_unrelated_ones_cost_no_walk() {
    let (_, asked) = case("ex.com", &[("ex.com", "p=reject")]).spf("ex.com").dkim("bad.test").judge_counted();
    assert_eq!(asked, ["_dmarc.ex.com"]);
}

#[test]
fn a7_psl_mode_aligns_by_the_suffix_list_without_questions() {
    let (decision, asked) = case("ex.com", &[("ex.com", "p=reject")]).dkim("mail.ex.com").psl().judge_counted();
    assert_eq!(decision.result, DmarcResult::Pass);
    assert_eq!(asked, ["_dmarc.ex.com"]);
}
