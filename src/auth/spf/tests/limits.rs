//! Tests of the limits (RFC 7208 4.6.4, F.1 and F-23): each one gives permerror, and bounds the
//! number of questions.

use super::{Sender, Zone};
use crate::auth::cause::{ResultWord, SpfCause, SpfCause as C};
use crate::config::Limits;

fn numbered(count: usize, term: impl Fn(usize) -> String) -> String {
    (0..count).map(term).collect::<Vec<_>>().join(" ")
}

/// Adds `count` hosts h0.test, h1.test and so on, none of which has the client's address.
fn with_hosts(mut zone: Zone, count: usize) -> Zone {
    for number in 0..count {
        zone.add(&format!("h{number}.test"), "A 198.51.100.9");
    }
    zone
}

#[track_caller]
fn assert_permerror(zone: &Zone, limits: &Limits, cause: SpfCause, most_questions: usize) {
    let outcome = Sender::default().check_within(zone, limits);
    assert_eq!(outcome.cause, cause);
    assert_eq!(cause.word(), ResultWord::PermError);
    assert!(!outcome.permissive);
    assert!(zone.asked().len() <= most_questions, "{:?}", zone.asked());
}

#[test]
fn ten_lookup_terms_are_permitted_and_eleven_are_not() {
    for (terms, cause) in [(10, C::Pass), (11, C::LookupLimit)] {
        let record = format!("v=spf1 {} ip4:192.0.2.1", numbered(terms, |number| format!("a:h{number}.test")));
        let zone = with_hosts(Zone::with_record(&record, &[]), 11);
        assert_eq!(Sender::default().cause(&zone), cause, "{terms} terms");
        assert_eq!(zone.asked().len(), 11, "the record and ten hosts");
    }
}

#[test]
fn every_kind_of_lookup_term_counts() {
    let one = Limits { spf_lookup_terms: 0, ..Limits::default() };
    for term in ["a", "mx", "ptr", "include:x.test", "exists:x.test", "redirect=x.test"] {
        let zone = Zone::with_record(&format!("v=spf1 {term}"), &[("x.test", "TXT v=spf1 +all")]);
        assert_permerror(&zone, &one, C::LookupLimit, 1);
    }
    for term in ["all", "ip4:192.0.2.1", "exp=x.test"] {
        let zone = Zone::with_record(&format!("v=spf1 {term} +all"), &[]);
        assert_eq!(Sender::default().check_within(&zone, &one).cause, C::Pass, "{term}");
    }
}

#[test]
fn terms_of_included_records_count_together() {
    let inner = format!("TXT v=spf1 {}", numbered(5, |number| format!("a:h{number}.test")));
    let zone = Zone::with_record("v=spf1 include:x.test include:y.test +all", &[("x.test", &inner), ("y.test", &inner)]);
    let zone = with_hosts(zone, 5);
    assert_eq!(Sender::default().cause(&zone), C::LookupLimit);
}

#[test]
fn two_void_lookups_are_permitted_and_three_are_not() {
    for (terms, cause) in [(2, C::Pass), (3, C::VoidLimit)] {
        for term in ["a", "mx", "exists"] {
            let record = format!("v=spf1 {} ip4:192.0.2.1", numbered(terms, |number| format!("{term}:n{number}.test")));
            assert_eq!(Sender::default().cause(&Zone::with_record(&record, &[])), cause, "{terms} {term}");
        }
    }
}

#[test]
fn no_data_is_as_void_as_no_name() {
    let zone = Zone::with_record(
        "v=spf1 a:a.test a:b.test a:c.test +all",
        &[("a.test", "AAAA 2001:db8::1"), ("b.test", "AAAA 2001:db8::1"), ("c.test", "AAAA 2001:db8::1")],
    );
    assert_eq!(Sender::default().cause(&zone), C::VoidLimit);
}

#[test]
fn an_mx_is_void_once_when_none_of_its_hosts_has_an_address() {
    let hosts = [
        ("m0.test", "MX 1 a.test"),
        ("m0.test", "MX 2 b.test"),
        ("m0.test", "MX 3 c.test"),
        ("m1.test", "MX 1 d.test"),
        ("m2.test", "MX 1 e.test"),
    ];
    for (record, cause) in [("v=spf1 mx:m0.test +all", C::Pass), ("v=spf1 mx:m0.test mx:m1.test mx:m2.test +all", C::VoidLimit)] {
        assert_eq!(Sender::default().cause(&Zone::with_record(record, &hosts)), cause, "{record}");
    }
}

#[test]
fn ten_exchangers_are_permitted_and_eleven_are_not() {
    for (exchangers, cause, asked) in [(10, C::Fail, 12), (11, C::NamesLimit, 2)] {
        let mut zone = with_hosts(Zone::with_record("v=spf1 mx -all", &[]), 11);
        for number in 0..exchangers {
            zone.add("example.com", &format!("MX {number} h{number}.test"));
        }
        assert_eq!(Sender::default().cause(&zone), cause);
        assert_eq!(zone.asked().len(), asked);
    }
}

#[test]
fn only_ten_names_of_a_ptr_are_looked_at() {
    let mut zone = Zone::with_record("v=spf1 ptr -all", &[]);
    for number in 0..200 {
        zone.add("1.2.0.192.in-addr.arpa", &format!("PTR h{number:03}.example.com"));
    }
    zone.add("h010.example.com", "A 192.0.2.1");
    assert_eq!(Sender::default().cause(&zone), C::Fail);
    assert_eq!(zone.asked().len(), 12);
    zone.add("h009.example.com", "A 192.0.2.1");
    assert_eq!(Sender::default().cause(&zone), C::Pass);
}

#[test]
fn nesting_deeper_than_the_limit_is_a_permerror() {
    let shallow = Limits { spf_depth: 2, ..Limits::default() };
    for term in ["include:", "redirect="] {
        let inner = |target: &str| format!("TXT v=spf1 {term}{target}");
        let chain = [("a.test", inner("b.test")), ("b.test", inner("c.test")), ("c.test", "TXT v=spf1 +all".into())];
        let chain: Vec<_> = chain.iter().map(|(name, line)| (*name, line.as_str())).collect();
        let zone = Zone::with_record(&format!("v=spf1 {term}a.test"), &chain);
        let outcome = Sender::default().check_within(&zone, &shallow);
        assert_eq!((outcome.cause, outcome.at.as_deref()), (C::DepthLimit, Some("b.test")), "{term}");
        assert_eq!(Sender::default().cause(&zone), C::Pass, "{term}");
    }
}

#[test]
fn a_record_longer_than_the_limit_is_a_permerror_and_one_as_long_is_not() {
    let record = format!("v=spf1 {} +all", " ".repeat(4096 - 12));
    assert_eq!(record.len(), 4096);
    assert_eq!(Sender::default().cause(&Zone::with_record(&record, &[])), C::Pass);
    assert_permerror(&Zone::with_record(&format!("{record} "), &[]), &Limits::default(), C::RecordLimit, 1);
}

#[test]
fn a_used_up_budget_is_a_permerror_for_every_kind_of_question() {
    let zone = [("example.com", "MX 1 h0.test"), ("example.com", "A 198.51.100.1"), ("x.test", "TXT v=spf1 +all")];
    for (term, questions) in [
        ("a", 1),
        ("mx", 1),
        ("mx", 2),
        ("ptr", 1),
        ("ptr", 2),
        ("exists:x.test", 1),
        ("exists:%{p}.x.test", 1),
        ("exists:%{p}.x.test", 2),
        ("include:x.test", 1),
        ("redirect=x.test", 1),
    ] {
        let mut zone = Zone::with_record(&format!("v=spf1 {term}"), &zone);
        zone.add("1.2.0.192.in-addr.arpa", "PTR mail.example.com");
        let limits = Limits { spf_questions: questions, ..Limits::default() };
        assert_permerror(&zone, &limits, C::QueryBudget, questions);
    }
    let none = Limits { spf_questions: 0, ..Limits::default() };
    assert_permerror(&Zone::with_record("v=spf1 +all", &[]), &none, C::QueryBudget, 0);
}

#[test]
fn f23_ten_mx_with_ten_hosts_each_end_at_the_budget() {
    let mut zone = Zone::with_record(&format!("v=spf1 {} +all", numbered(10, |number| format!("mx:m{number}.test"))), &[]);
    for mx in 0..10 {
        for host in 0..10 {
            zone.add(&format!("m{mx}.test"), &format!("MX {host} h{host}.m{mx}.test"));
            zone.add(&format!("h{host}.m{mx}.test"), "A 198.51.100.9");
        }
    }
    assert_permerror(&zone, &Limits::default(), C::QueryBudget, 40);
}

#[test]
fn f23_loops_end_at_the_limit_of_terms() {
    for (record, other) in [
        ("v=spf1 include:example.com +all", "TXT v=spf1"),
        ("v=spf1 redirect=example.com", "TXT v=spf1"),
        ("v=spf1 include:x.test +all", "TXT v=spf1 include:example.com"),
        ("v=spf1 include:x.test +all", "TXT v=spf1 redirect=example.com"),
        ("v=spf1 redirect=x.test", "TXT v=spf1 redirect=example.com"),
    ] {
        let zone = Zone::with_record(record, &[("x.test", other)]);
        assert_permerror(&zone, &Limits::default(), C::LookupLimit, 2);
    }
}

#[test]
fn f23_names_that_grow_with_every_redirect_end_at_the_limit_of_terms() {
    let mut zone = Zone::default();
    let mut name = "example.com".to_owned();
    for _ in 0..15 {
        zone.add_txt(&name, b"v=spf1 redirect=a.%{d}");
        name = format!("a.{name}");
    }
    assert_permerror(&zone, &Limits::default(), C::LookupLimit, 11);
}

#[test]
fn f23_expansion_is_bounded_however_long_the_sender_values_are() {
    let record = format!("v=spf1 exists:{}.test -all", "%{hr-}%{s}".repeat(400));
    let helo = b"a-".repeat(1 << 20);
    let local_part = b"x".repeat(64);
    let sender = Sender { helo: Some(&helo), local_part: &local_part, ..Sender::default() };
    let zone = Zone::with_record(&record, &[]);
    assert_eq!(sender.cause(&zone), C::Fail);
    assert_eq!(zone.asked().len(), 1, "no name, no lookup");
}

#[test]
fn outcomes_do_not_hang_on_the_timing_of_answers() {
    let build = || {
        let mut zone = Zone::with_record("v=spf1 mx:m0.test mx:m1.test mx:m2.test mx:m3.test -all", &[]);
        for mx in 0..4 {
            for host in 0..10 {
                zone.add(&format!("m{mx}.test"), &format!("MX 10 h{host}.m{mx}.test"));
                zone.add(&format!("h{host}.m{mx}.test"), "A 198.51.100.9");
            }
        }
        // This host belongs to the last question within the budget.
        zone.add("h2.m3.test", "A 192.0.2.1");
        zone.add("h5.m3.test", "TIMEOUT A");
        zone
    };
    let prompt = build();
    let expected = Sender::default().check(&prompt);
    assert_eq!(expected.cause, C::Pass);
    for seed in 0..32 {
        let late = build().answering_late(seed);
        assert_eq!(Sender::default().check(&late), expected, "seed {seed}");
        let (mut asked, mut before) = (late.asked(), prompt.asked());
        asked.sort();
        before.sort();
        assert_eq!(asked, before, "seed {seed}");
    }
}

#[test]
fn outcomes_do_not_hang_on_the_order_of_records() {
    // The budget allows questions about two of three names.
    // The client is the second of them, by preference or by name.
    for (term, questions) in [("mx", 4), ("ptr", 4)] {
        let limits = Limits { spf_questions: questions, ..Limits::default() };
        let mut hosts = ["a.example.com", "b.example.com", "c.example.com"];
        for _ in 0..3 {
            hosts.rotate_left(1);
            let mut zone = Zone::with_record(&format!("v=spf1 {term} -all"), &[("b.example.com", "A 192.0.2.1")]);
            for host in hosts {
                zone.add("example.com", &format!("MX 10 {host}"));
                zone.add("1.2.0.192.in-addr.arpa", &format!("PTR {host}"));
            }
            assert_eq!(Sender::default().check_within(&zone, &limits).cause, C::Pass, "{term} {hosts:?}");
        }
    }
}
