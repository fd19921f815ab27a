//! Tests of macros (RFC 7208 section 7), with the examples of 7.4.

use super::{Sender, Zone};
use crate::auth::cause::SpfCause;
use crate::auth::spf::Identity;
use crate::auth::spf::macros::{DomainSpec, Values, reverse_name};
use crate::dns::{Domain, QueryName};

/// Expands `spec` for the sender `local_part` at email.example.com, with the client at `ip`.
///
/// Returns `None` if DNS cannot hold the name.
fn expanded(spec: &str, ip: &str, local_part: &[u8]) -> Option<String> {
    let domain = Domain::parse("email.example.com").unwrap();
    let identity = Identity { client_ip: ip.parse().unwrap(), helo: Some(b"Helo_Host.test"), local_part, domain: &domain };
    let current = QueryName::new("current.example.com").unwrap();
    let values = Values { identity: &identity, domain: &current, validated: "unknown" };
    DomainSpec::parse(spec).unwrap().expand(&values).map(|name| name.to_string())
}

#[test]
fn the_examples_of_rfc_7208_7_4_expand_as_printed() {
    for (spec, name) in [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "current.example.com"),
        ("%{o4}", "email.example.com"),
        ("%{o3}", "email.example.com"),
        ("%{o2}", "example.com"),
        ("%{o1}", "com"),
        ("%{or}", "com.example.email"),
        ("%{o2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{o2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{o2}", "bad.strong.lp._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{o2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{o2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{o2}.trusted-domains.test", "example.com.trusted-domains.test"),
        ("%{h}", "helo_host.test"),
        ("%{p}.test", "unknown.test"),
        ("%{p}%%%_%-.test", "unknown% %20.test"),
        ("%{S}", "strong-bad%40email.example.com"),
    ] {
        assert_eq!(expanded(spec, "192.0.2.3", b"strong-bad").as_deref(), Some(name), "{spec}");
    }
    assert_eq!(
        expanded("%{ir}.%{v}._spf.%{o2}", "2001:db8::cb01", b"x").as_deref(),
        Some("1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com")
    );
}

#[test]
fn upper_case_letters_escape_all_but_unreserved_characters() {
    let name = expanded("%{L}.test", "192.0.2.3", b"~a&b=c_d-e/%\xff").unwrap();
    assert_eq!(name, "~a%26b%3dc_d-e%2f%25%ff.test");
}

#[test]
fn too_long_names_lose_whole_labels_on_the_left() {
    let spec = format!("first.{}%{{d}}", "0123456789.".repeat(23));
    let name = expanded(&spec, "192.0.2.3", b"x").unwrap();
    assert_eq!(name, format!("{}current.example.com", "0123456789.".repeat(21)));
    assert_eq!(name.len(), 250);
    let fits = format!("{}.{}%{{d}}", "a".repeat(2), "0123456789.".repeat(21));
    assert_eq!(expanded(&fits, "192.0.2.3", b"x").unwrap().len(), 253);
    let literal = format!("first.{}example.com", "0123456789.".repeat(30));
    assert_eq!(expanded(&literal, "192.0.2.3", b"x").unwrap(), format!("{}example.com", "0123456789.".repeat(22)));
    assert_eq!(expanded(&format!("%{{l}}.{}", "a".repeat(300)), "192.0.2.3", b"x"), None);
}

#[test]
fn one_final_dot_is_dropped_and_two_make_no_name() {
    assert_eq!(expanded("a.%{l}", "192.0.2.3", b"b.").as_deref(), Some("a.b"));
    assert_eq!(expanded("a.%{l}", "192.0.2.3", b"b.."), None);
}

#[test]
fn f23_values_longer_than_a_command_line_make_no_name() {
    assert_eq!(expanded("%{l1r-}.test", "192.0.2.3", &b"a-".repeat(256)).as_deref(), Some("a.test"));
    assert_eq!(expanded("%{l1r-}.test", "192.0.2.3", &b"a-".repeat(257)), None);
}

#[test]
fn an_empty_local_part_is_postmaster() {
    assert_eq!(expanded("%{l}.test", "192.0.2.3", b"").as_deref(), Some("postmaster.test"));
}

#[test]
fn addresses_are_found_under_their_reverse_names() {
    assert_eq!(reverse_name("192.0.2.3".parse().unwrap()), "3.2.0.192.in-addr.arpa");
    let expected = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    assert_eq!(reverse_name("2001:db8::1".parse().unwrap()), expected);
}

#[test]
fn the_validated_name_prefers_the_domain_then_names_below_it() {
    let pointer = "1.2.0.192.in-addr.arpa";
    let mut zone = Zone::with_record("v=spf1 exists:%{p}.ok.test -all", &[]);
    for (host, valid) in [("aaa.test", true), ("mail.example.com", true), ("example.com", true), ("forged.example.com", false)] {
        zone.add(pointer, &format!("PTR {host}"));
        zone.add(host, if valid { "A 192.0.2.1" } else { "A 192.0.2.2" });
    }
    assert_eq!(Sender::default().cause(&zone), SpfCause::Fail);
    assert_eq!(zone.asked().last().unwrap(), "example.com.ok.test A");

    let mut zone = Zone::with_record("v=spf1 exists:%{p}.ok.test -all", &[]);
    for host in ["aaa.test", "mail.example.com"] {
        zone.add(pointer, &format!("PTR {host}"));
        zone.add(host, "A 192.0.2.1");
    }
    Sender::default().check(&zone);
    assert_eq!(zone.asked().last().unwrap(), "mail.example.com.ok.test A");
}

#[test]
fn without_validated_name_the_macro_is_unknown() {
    for lines in [vec![], vec!["TIMEOUT"], vec!["PTR mail.example.com"]] {
        let mut zone = Zone::with_record("v=spf1 exists:%{p}.ok.test -all", &[("mail.example.com", "A 192.0.2.2")]);
        for line in lines {
            zone.add("1.2.0.192.in-addr.arpa", line);
        }
        assert_eq!(Sender::default().cause(&zone), SpfCause::Fail);
        assert_eq!(zone.asked().last().unwrap(), "unknown.ok.test A");
    }
}
