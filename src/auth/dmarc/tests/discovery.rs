use super::super::{RecordFault, walk_names};
use super::*;

#[test]
fn d6_sp_applies_to_subdomains() {
    case("news.ex.com", &[("ex.com", "p=reject; sp=quarantine")]).other().fails(Policy::Quarantine, "ex.com");
}

#[test]
fn d7_np_applies_to_what_does_not_exist() {
    case("nx.ex.com", &[("ex.com", "p=reject; sp=quarantine; np=none")]).nonexistent().other().fails(Policy::None, "ex.com");
}

#[test]
fn d8_without_np_sp_applies_to_what_does_not_exist() {
    let (decision, asked) = case("nx.ex.com", &[("ex.com", "p=reject; sp=quarantine")]).nonexistent().other().judge_counted();
    assert_eq!(decision.effective, Some(Policy::Quarantine));
    assert!(!asked.iter().any(|name| name.ends_with(" A")), "existence is asked only when it matters: {asked:?}");
}

#[test]
fn d9_an_empty_non_terminal_exists() {
    case("ent.ex.com", &[("ex.com", "p=none; np=reject")])
        .nonexistent()
        .exists("host.ent.ex.com")
        .other()
        .fails(Policy::None, "ex.com");
}

#[test]
fn d10_record_in_the_middle_is_never_applied() {
    case("a.b.ex.com", &[("ex.com", "p=reject"), ("b.ex.com", "p=none")]).other().fails(Policy::Reject, "ex.com");
}

#[test]
fn d14_a_long_name_costs_exactly_eight_questions() {
    let (decision, asked) =
        case("a.b.c.d.e.f.g.h.i.j.k.example.com", &[("example.com", "p=reject"), ("signing.example.com", "p=none")])
            .spf("example.com")
            .dkim("signing.example.com")
            .judge_counted();
    assert_eq!(decision.result, DmarcResult::Pass);
    let walk = [
        "_dmarc.a.b.c.d.e.f.g.h.i.j.k.example.com",
        "_dmarc.g.h.i.j.k.example.com",
        "_dmarc.h.i.j.k.example.com",
        "_dmarc.i.j.k.example.com",
        "_dmarc.j.k.example.com",
        "_dmarc.k.example.com",
        "_dmarc.example.com",
        "_dmarc.com",
    ];
    assert_eq!(asked[..8], walk);
    assert_eq!(asked[8..], ["_dmarc.signing.example.com"]);
}

#[test]
fn d21_a_cut_zone_is_never_asked() {
    let (decision, asked) =
        case("mail.a.b.c.d.e.f.g.example.com", &[("example.com", "p=reject"), ("b.c.d.e.f.g.example.com", "p=none; psd=n")])
            .other()
            .judge_counted();
    assert_eq!((decision.result, decision.effective), (DmarcResult::Fail, Some(Policy::Reject)));
    assert!(!asked.contains(&"_dmarc.b.c.d.e.f.g.example.com".to_owned()), "{asked:?}");
}

#[test]
fn d22_several_records_are_no_record() {
    let decision = case("ex.com", &[("ex.com", "p=none"), ("ex.com", "p=reject")]).other().is(DmarcResult::None);
    assert_eq!(decision.faults, [RecordFault::SeveralRecords]);
}

#[test]
fn d23_h8_several_records_leave_the_parents_in_force_in_both_modes() {
    let twice = case("a.ex.com", &[("a.ex.com", "p=none"), ("a.ex.com", "p=none"), ("ex.com", "p=reject")]).other();
    twice.fails(Policy::Reject, "ex.com");
    twice.psl().fails(Policy::Reject, "ex.com");
}

#[test]
fn d30_h3_pct_is_ignored_in_both_modes() {
    let sampled = case("ex.com", &[("ex.com", "p=reject; pct=0")]).other();
    sampled.fails(Policy::Reject, "ex.com");
    sampled.psl().fails(Policy::Reject, "ex.com");
}

#[test]
fn d31_testing_lowers_the_policy_one_level() {
    for (published, effective) in
        [(Policy::Reject, Policy::Quarantine), (Policy::Quarantine, Policy::None), (Policy::None, Policy::None)]
    {
        let decision = case("ex.com", &[("ex.com", &format!("p={published}; t=y"))]).other().fails(effective, "ex.com");
        assert_eq!(decision.published, Some(published));
    }
}

#[test]
fn d41_a_name_too_long_for_dns_has_no_record_but_its_parents_do() {
    let label = "l".repeat(60);
    let author = format!("{label}.{label}.{label}.{label}.ex.com");
    let (decision, asked) = case(&author, &[("ex.com", "p=reject")]).nonexistent().other().judge_counted();
    assert_eq!(decision.effective, Some(Policy::Reject));
    assert!(asked.iter().all(|name| name.len() <= 253));
    case(&format!("{}.ex.com", "l".repeat(64)), &[("ex.com", "p=reject")]).nonexistent().other().fails(Policy::Reject, "ex.com");
}

#[test]
fn d57_no_record_anywhere_is_none() {
    let decision = case("ex.com", &[]).spf("ex.com").is(DmarcResult::None);
    assert_eq!((decision.policy_domain, decision.effective), (None, None));
}

#[test]
fn d58_a_cname_is_followed() {
    case("ex.com", &[("prov.test", "p=reject")])
        .entry("_dmarc.ex.com", json!(["CNAME", "_dmarc.prov.test"]))
        .other()
        .fails(Policy::Reject, "ex.com");
}

#[test]
fn a28_a_wildcards_other_texts_do_not_stop_the_walk() {
    case("a.ex.com", &[("ex.com", "p=reject")]).text("a.ex.com", "v=spf1 -all").other().fails(Policy::Reject, "ex.com");
}

#[test]
fn f39_a_wildcard_record_applies_where_it_is_found() {
    case("a.b.ex.com", &[("ex.com", "p=reject")])
        .nonexistent()
        .entry("*.ex.com", json!(["TXT", "v=DMARC1; p=none"]))
        .other()
        .fails(Policy::None, "a.b.ex.com");
}

#[test]
fn a22_the_authors_own_record_costs_one_question() {
    let (_, asked) = case("a.ex.com", &[("a.ex.com", "p=none"), ("ex.com", "p=reject")]).other().judge_counted();
    assert_eq!(asked, ["_dmarc.a.ex.com"]);
}

#[test]
fn a20_walks_have_at_most_eight_names_and_end_at_the_top() {
    for (start, expected) in [
        ("com", 1),
        ("ex.com", 2),
        ("a.b.c.d.e.f.g", 7),
        ("a.b.c.d.e.f.g.h", 8),
        ("a.b.c.d.e.f.g.h.i", 8),
        ("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p", 8),
    ] {
        let start = domain(start);
        let names: Vec<_> = walk_names(&start).collect();
        assert_eq!(names.len(), expected, "{start}");
        assert_eq!(names[0], start);
        assert_eq!(names.last().unwrap().label_count(), 1);
    }
}
