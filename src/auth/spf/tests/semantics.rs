//! Tests of the meaning of records: results, DNS errors, attacks (F-22, F-24, F-26), and points
//! that other evaluators get wrong (G20 to G29).

use super::{Sender, Zone, cause_of};
use crate::auth::cause::{ResultWord, SpfCause as C};
use crate::dns::Domain;

#[test]
fn qualifiers_give_their_results_and_the_directive_is_named() {
    for (record, cause, mechanism) in [
        ("v=spf1 all", C::Pass, Some("all")),
        ("v=spf1 +ip4:192.0.2.0/24 -all", C::Pass, Some("+ip4:192.0.2.0/24")),
        ("v=spf1 -IP4:192.0.2.1 +all", C::Fail, Some("-IP4:192.0.2.1")),
        ("v=spf1 ip4:192.0.3.0/24 ~all", C::SoftFail, Some("~all")),
        ("v=spf1 ?all", C::Neutral, Some("?all")),
        ("v=spf1 ip4:192.0.3.0/24", C::NothingMatched, None),
        ("v=spf1", C::NothingMatched, None),
        ("v=spf1 include:x.test -all", C::Pass, Some("include:x.test")),
        ("v=spf1 redirect=y.test", C::SoftFail, Some("~all")),
    ] {
        let zone = Zone::with_record(record, &[("x.test", "TXT v=spf1 a:z.test +all"), ("y.test", "TXT v=spf1 ~all")]);
        let outcome = Sender::default().check(&zone);
        assert_eq!((outcome.cause, outcome.mechanism.as_deref()), (cause, mechanism), "{record}");
        assert_eq!(outcome.at, None);
    }
}

#[test]
fn a_long_directive_is_cut() {
    let directive = format!("a:{}example.com", "x.".repeat(150));
    let name = format!("{}example.com", "x.".repeat(121));
    let zone = Zone::with_record(&format!("v=spf1 {directive} -all"), &[(name.as_str(), "A 192.0.2.1")]);
    assert_eq!(Sender::default().check(&zone).mechanism.as_deref(), directive.get(..256));
}

#[test]
fn include_maps_results_as_rfc_7208_5_2_says() {
    for (inner, cause) in [
        ("TXT v=spf1 +all", C::Pass),
        ("TXT v=spf1 -all", C::SoftFail),
        ("TXT v=spf1 ~all", C::SoftFail),
        ("TXT v=spf1 ?all", C::SoftFail),
        ("TXT v=spf1", C::SoftFail),
        ("TXT v=spf1 foo", C::Syntax),
        ("TXT something else", C::IncludedNone),
        ("A 192.0.2.1", C::IncludedNone),
        ("TIMEOUT", C::DnsUnanswered),
        ("SERVFAIL TXT", C::DnsUnanswered),
        ("INVALID TXT", C::InvalidAnswer),
    ] {
        let zone = Zone::with_record("v=spf1 include:x.test ~all", &[("x.test", inner)]);
        let outcome = Sender::default().check(&zone);
        assert_eq!(outcome.cause, cause, "{inner}");
        let error = matches!(cause.word(), ResultWord::PermError | ResultWord::TempError);
        assert_eq!(outcome.at.as_deref(), error.then_some("x.test"), "{inner}");
    }
}

#[test]
fn redirect_takes_the_whole_result_of_the_other_record() {
    for (inner, cause) in [
        ("TXT v=spf1 +all", C::Pass),
        ("TXT v=spf1 -all", C::Fail),
        ("TXT v=spf1", C::NothingMatched),
        ("TXT v=spf1 foo", C::Syntax),
        ("TXT something else", C::IncludedNone),
        ("TIMEOUT", C::DnsUnanswered),
    ] {
        for record in ["v=spf1 ip4:198.51.100.1 redirect=x.test", "v=spf1 redirect=x.test ip4:198.51.100.1"] {
            assert_eq!(cause_of(record, &[("x.test", inner)]), cause, "{record} {inner}");
        }
    }
    assert_eq!(cause_of("v=spf1 redirect=x.test -all", &[("x.test", "TXT v=spf1 +all")]), C::Fail, "all comes first");
}

#[test]
fn an_inner_all_does_not_stop_the_outer_redirect() {
    let zone = [("x.test", "TXT v=spf1 -all"), ("y.test", "TXT v=spf1 +all")];
    assert_eq!(cause_of("v=spf1 include:x.test redirect=y.test", &zone), C::Pass);
}

#[test]
fn include_evaluates_with_the_included_domain_as_its_own() {
    let zone = [("x.test", "TXT v=spf1 a -all"), ("x.test", "A 192.0.2.1"), ("example.com", "A 198.51.100.1")];
    assert_eq!(cause_of("v=spf1 include:x.test -all", &zone), C::Pass);
}

#[test]
fn a44_definite_negatives_are_no_match_and_errors_are_errors() {
    for term in ["a:x.test", "mx:x.test", "exists:x.test"] {
        let record = format!("v=spf1 {term} -all");
        for (line, cause) in
            [("NODATA", C::Fail), ("TIMEOUT", C::DnsUnanswered), ("SERVFAIL", C::DnsUnanswered), ("INVALID", C::InvalidAnswer)]
        {
            let outcome = Sender::default().check(&Zone::with_record(&record, &[("x.test", line)]));
            assert_eq!(outcome.cause, cause, "{term} {line}");
            assert_eq!(outcome.at.is_some(), cause != C::Fail);
        }
        assert_eq!(cause_of(&record, &[]), C::Fail, "{term} without the name");
    }
}

#[test]
fn an_answer_at_the_identity_s_own_domain_decides_none_or_error() {
    for (line, cause) in [
        ("NODATA", C::NoRecord),
        ("TXT v=spf10 +all", C::NoRecord),
        ("TXT  v=spf1 +all", C::NoRecord),
        ("TXT v=spf1\t+all", C::NoRecord),
        ("TXT spf2.0/pra +all", C::NoRecord),
        ("TIMEOUT", C::DnsUnanswered),
        ("INVALID", C::InvalidAnswer),
    ] {
        let mut zone = Zone::default();
        zone.add("example.com", line);
        let outcome = Sender::default().check(&zone);
        assert_eq!((outcome.cause, outcome.at), (cause, None), "{line}");
    }
    assert_eq!(Sender::default().cause(&Zone::default()), C::NoRecord);
}

#[test]
fn a_match_by_any_exchanger_wins_over_the_errors_of_others() {
    for (good, bad) in [(1, 2), (2, 1)] {
        let good = format!("MX {good} good.test");
        let bad = format!("MX {bad} bad.test");
        let zone = [("example.com", good.as_str()), ("example.com", &bad), ("bad.test", "TIMEOUT")];
        let outcome = Sender::default().check(&Zone::with_record("v=spf1 mx -all", &zone));
        assert_eq!((outcome.cause, outcome.at.as_deref()), (C::DnsUnanswered, Some("bad.test")));
        let zone = [zone.as_slice(), &[("good.test", "A 192.0.2.1")]].concat();
        assert_eq!(cause_of("v=spf1 mx -all", &zone), C::Pass);
    }
}

#[test]
fn the_null_mx_permits_nobody_and_asks_for_no_host() {
    let zone = Zone::with_record("v=spf1 mx/0 -all", &[("example.com", "MX 0 .")]);
    assert_eq!(Sender::default().cause(&zone), C::Fail);
    assert_eq!(zone.asked(), ["example.com Txt", "example.com Mx"]);
}

#[test]
fn dns_errors_in_ptr_make_no_match() {
    for (line, host) in [("TIMEOUT", "A 192.0.2.1"), ("INVALID", "A 192.0.2.1"), ("PTR mail.example.com", "TIMEOUT")] {
        let zone = [("1.2.0.192.in-addr.arpa", line), ("mail.example.com", host)];
        assert_eq!(cause_of("v=spf1 ptr -all", &zone), C::Fail, "{line} {host}");
    }
}

#[test]
fn a_name_of_a_ptr_counts_only_with_the_client_s_address() {
    let pointer = ("1.2.0.192.in-addr.arpa", "PTR mail.example.com");
    assert_eq!(cause_of("v=spf1 ptr -all", &[pointer, ("mail.example.com", "A 192.0.2.2")]), C::Fail);
    assert_eq!(cause_of("v=spf1 ptr -all", &[pointer, ("mail.example.com", "A 192.0.2.1")]), C::Pass);
    let sibling = ("1.2.0.192.in-addr.arpa", "PTR notexample.com");
    assert_eq!(cause_of("v=spf1 ptr -all", &[sibling, ("notexample.com", "A 192.0.2.1")]), C::Fail);
}

#[test]
fn rfc_7208_4_3_an_identity_that_dns_cannot_hold_or_a_single_label_has_no_result() {
    let long_label = format!("{}.example.com", "a".repeat(64));
    for domain in [long_label.as_str(), "localhost"] {
        let mut zone = Zone::default();
        zone.add_txt(domain, b"v=spf1 +all");
        let outcome = Sender { domain, ..Sender::default() }.check(&zone);
        assert_eq!(outcome.cause, C::NoDomain, "{domain}");
        assert_eq!(zone.asked().len(), 0);
    }
}

#[test]
fn f22_records_that_permit_nearly_everybody_are_flagged() {
    let zone = [
        ("x.test", "TXT v=spf1 +all"),
        ("y.test", "TXT v=spf1 ip4:192.0.2.1 -all"),
        ("example.com", "A 198.51.100.1"),
        ("example.com", "MX 1 example.com"),
    ];
    for (record, permissive) in [
        ("v=spf1 +all", true),
        ("v=spf1 all", true),
        ("v=spf1 ip4:0.0.0.0/0 -all", true),
        ("v=spf1 ip4:192.0.0.0/8 -all", true),
        ("v=spf1 ip4:192.0.0.0/9 -all", false),
        ("v=spf1 ip4:192.0.2.1 +all", false),
        ("v=spf1 a/0 -all", true),
        ("v=spf1 a/1 -all", true),
        ("v=spf1 mx/0//128 -all", true),
        ("v=spf1 exists:example.com -all", false),
        ("v=spf1 include:x.test -all", true),
        ("v=spf1 redirect=x.test", true),
        ("v=spf1 include:y.test +all", false),
        ("v=spf1 -all", false),
        ("v=spf1 ?all", false),
    ] {
        assert_eq!(Sender::default().check(&Zone::with_record(record, &zone)).permissive, permissive, "{record}");
    }
    for (record, permissive) in
        [("v=spf1 ip6:2001::/16 -all", true), ("v=spf1 ip6:2001:db8::/17 -all", false), ("v=spf1 a/32//16 -all", true)]
    {
        let zone = Zone::with_record(record, &[("example.com", "AAAA 2001::1")]);
        let outcome = Sender { ip: "2001:db8::1", ..Sender::default() }.check(&zone);
        assert_eq!((outcome.cause, outcome.permissive), (C::Pass, permissive), "{record}");
    }
}

#[test]
fn f24_explanations_are_never_fetched() {
    let zone = Zone::with_record("v=spf1 exp=why.example.com -all", &[("why.example.com", "TXT forged\r\nX-Header: yes")]);
    assert_eq!(Sender::default().cause(&zone), C::Fail);
    assert_eq!(zone.asked(), ["example.com Txt"]);
}

#[test]
fn f26_a_name_that_dns_cannot_hold_is_no_match_and_no_lookup() {
    let long = b"x".repeat(64);
    let huge = b"x.".repeat(1 << 16);
    let local_parts: [&[u8]; 9] =
        [&long, &huge, b"a..b", b".a", b"a.", b"..", b"\xff\xfe", "m\u{fc}ller".as_bytes(), b"\xc3\x28"];
    for local_part in local_parts {
        let zone = Zone::with_record(
            "v=spf1 exists:%{l}.a.test a:%{l}.b.test mx:%{l}.c.test ptr:%{l}.d.test -all",
            &[("example.com", "A 192.0.2.1")],
        );
        let sender = Sender { local_part, ..Sender::default() };
        assert_eq!(sender.cause(&zone), C::Fail, "{}", local_part.escape_ascii());
        assert_eq!(zone.asked(), ["example.com Txt"], "{}", local_part.escape_ascii());
    }
}

#[test]
fn f26_control_characters_of_the_sender_stay_out_of_the_outcome() {
    let mut zone = Zone::with_record("v=spf1 a:%{l}.example.com -all", &[]);
    zone.add("a\r\nb: c.example.com", "TIMEOUT");
    let outcome = Sender { local_part: b"a\r\nB: c", ..Sender::default() }.check(&zone);
    assert_eq!((outcome.cause, outcome.at.as_deref()), (C::DnsUnanswered, Some("a??b:?c.example.com")));
}

#[test]
fn a1_a_term_that_takes_an_unknown_helo_has_no_result() {
    let sender = Sender { helo: None, ..Sender::default() };
    let others = [("in.test", "TXT v=spf1 a:%{h2}.ok.test -all"), ("plain.test", "TXT v=spf1 -all exists:%{h}.ok.test")];
    for (record, cause, at) in [
        ("v=spf1 exists:%{h}.ok.test -all", C::HeloUnknown, None),
        ("v=spf1 -exists:%{Hr}.ok.test +all", C::HeloUnknown, None),
        ("v=spf1 a:%{h} -all", C::HeloUnknown, None),
        ("v=spf1 mx:%{h}.ok.test -all", C::HeloUnknown, None),
        ("v=spf1 ptr:%{p}.%{h} -all", C::HeloUnknown, None),
        ("v=spf1 include:%{h}.spf.test -all", C::HeloUnknown, None),
        ("v=spf1 redirect=%{h}.spf.test", C::HeloUnknown, None),
        ("v=spf1 include:in.test -all", C::HeloUnknown, Some("in.test")),
        ("v=spf1 redirect=in.test", C::HeloUnknown, Some("in.test")),
        ("v=spf1 ip4:192.0.2.1 exists:%{h}.ok.test -all", C::Pass, None),
        ("v=spf1 -all exists:%{h}.ok.test", C::Fail, None),
        ("v=spf1 include:plain.test ~all", C::SoftFail, None),
        ("v=spf1 -all exp=%{h}.exp.test", C::Fail, None),
        ("v=spf1 exists:%{h}.ok.test foo -all", C::Syntax, None),
    ] {
        let outcome = sender.check(&Zone::with_record(record, &others));
        assert_eq!((outcome.cause, outcome.at.as_deref()), (cause, at), "{record}");
    }
}

#[test]
fn g20_two_records_are_a_permerror_in_both_orders() {
    for texts in [["v=spf1 +all", "v=spf1 -all"], ["v=spf1 -all", "V=SPF1 +all"], ["v=spf1 foo", "v=spf1 +all"]] {
        for texts in [texts, [texts[1], texts[0]]] {
            let mut zone = Zone::default();
            zone.add_txt("example.com", texts[0].as_bytes());
            zone.add_txt("example.com", b"unrelated");
            zone.add_txt("example.com", texts[1].as_bytes());
            assert_eq!(Sender::default().cause(&zone), C::SeveralRecords, "{texts:?}");
        }
    }
}

#[test]
fn g20_unrelated_texts_do_not_disturb_the_record_in_any_order() {
    for texts in [["v=spf1 -all", "v=spf10 +all"], ["\u{0}\u{1f}", "v=spf1 -all"], ["v=DMARC1; p=none", "v=spf1 -all"]] {
        for texts in [texts, [texts[1], texts[0]]] {
            let mut zone = Zone::default();
            for text in texts {
                zone.add_txt("example.com", text.as_bytes());
            }
            assert_eq!(Sender::default().cause(&zone), C::Fail, "{texts:?}");
        }
    }
}

#[test]
fn g21_names_of_a_ptr_are_no_lookup_terms() {
    let mut zone = Zone::with_record("v=spf1 ptr a:a.test a:b.test ip4:192.0.2.1 -all", &[]);
    for number in 0..10 {
        zone.add("1.2.0.192.in-addr.arpa", &format!("PTR h{number}.example.com"));
        zone.add(&format!("h{number}.example.com"), "A 198.51.100.1");
    }
    assert_eq!(Sender::default().cause(&zone), C::Pass);
}

#[test]
fn g23_exists_asks_for_a_records_only() {
    let zone = Zone::with_record("v=spf1 exists:x.test -all", &[("x.test", "AAAA 2001:db8::1")]);
    assert_eq!(Sender { ip: "2001:db8::1", ..Sender::default() }.cause(&zone), C::Fail);
    assert_eq!(zone.asked(), ["example.com Txt", "x.test A"]);
}

#[test]
fn g24_a_mapped_client_is_an_ipv4_client() {
    let zone = [("example.com", "A 192.0.2.1"), ("example.com", "MX 1 example.com")];
    let mapped = Sender { ip: "::ffff:192.0.2.1", ..Sender::default() };
    for (record, cause) in [
        ("v=spf1 ip4:192.0.2.1 -all", C::Pass),
        ("v=spf1 a -all", C::Pass),
        ("v=spf1 mx -all", C::Pass),
        ("v=spf1 ip6:::ffff:192.0.2.1 -all", C::Fail),
        ("v=spf1 ip6:::/0 -all", C::Fail),
    ] {
        for sender in [mapped, Sender::default()] {
            assert_eq!(sender.cause(&Zone::with_record(record, &zone)), cause, "{record}");
        }
    }
}

#[test]
fn g24_only_the_client_s_family_is_asked_for() {
    for (ip, kind) in [("192.0.2.1", "A"), ("2001:db8::1", "Aaaa")] {
        let zone = Zone::with_record("v=spf1 a mx -all", &[("example.com", "MX 1 mail.test"), ("mail.test", "TXT x")]);
        assert_eq!(Sender { ip, ..Sender::default() }.cause(&zone), C::Fail);
        let expected =
            ["example.com Txt".into(), format!("example.com {kind}"), "example.com Mx".into(), format!("mail.test {kind}")];
        assert_eq!(zone.asked(), expected);
    }
}

#[test]
fn g26_ptr_matches_the_domain_itself() {
    let zone = [("1.2.0.192.in-addr.arpa", "PTR Example.Com."), ("example.com", "A 192.0.2.1")];
    assert_eq!(cause_of("v=spf1 ptr -all", &zone), C::Pass);
    assert_eq!(cause_of("v=spf1 ptr:EXAMPLE.com -all", &zone), C::Pass);
    assert_eq!(cause_of("v=spf1 ptr:mail.example.com -all", &zone), C::Fail);
}

#[test]
fn g29_malformed_identities_are_none() {
    for domain in ["[192.0.2.1]", "a..example.com", "exa mple.com"] {
        assert!(Domain::parse(domain).is_err(), "{domain} never gets as far as check_host");
    }
}
