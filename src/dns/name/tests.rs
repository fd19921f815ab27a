use super::*;
use proptest::prelude::*;

#[test]
fn f11_domains_are_read_as_mail_writes_them() {
    for (text, expected) in [
        ("example.com", Some("example.com")),
        ("EXAMPLE.Com", Some("example.com")),
        ("example.com.", Some("example.com")),
        ("com", Some("com")),
        ("_dmarc.example.com", Some("_dmarc.example.com")),
        ("a-.-b", Some("a-.-b")),
        ("1.192.0.2.1", Some("1.192.0.2.1")),
        ("192.0.2.example", Some("192.0.2.example")),
        ("2.0.192", Some("2.0.192")),
        // Full-width, ideographic and half-width ideographic dots separate labels (UTS 46).
        ("example\u{ff0e}com", Some("example.com")),
        ("example\u{3002}com", Some("example.com")),
        ("example\u{ff61}com\u{3002}", Some("example.com")),
        // The Kelvin sign is converted to a K.
        ("\u{212a}.example", Some("k.example")),
        ("\u{ff45}xample.com", Some("example.com")),
        ("B\u{dc}CHER.example", Some("xn--bcher-kva.example")),
        ("b\u{fc}cher.example", Some("xn--bcher-kva.example")),
        ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
        // A name of mixed script is not the Latin name that it looks like.
        ("ex\u{430}mple.com", Some("xn--exmple-4nf.com")),
        ("", None),
        (".", None),
        ("example..com", None),
        (".example.com", None),
        ("example.com..", None),
        ("example\u{3002}\u{3002}com", None),
        ("[192.0.2.1]", None),
        // An address is no name, in any form that software reads as an address (RFC 1123 2.1).
        ("192.0.2.1", None),
        ("192.0.2.1.", None),
        ("192.0.2.001", None),
        ("192.0.2.256", None),
        ("\u{ff11}92.0.2\u{3002}1", None),
        ("[IPv6:2001:db8::1]", None),
        ("exa mple.com", None),
        ("example.com\r\n", None),
        ("ex\0ample.com", None),
        ("a@example.com", None),
        ("example.com/x", None),
        ("b\u{fc}cher .example", None),
        ("\u{feff}example.com", Some("example.com")),
    ] {
        assert_eq!(Domain::parse(text).ok().as_ref().map(Domain::as_str), expected, "{text:?}");
    }
}

#[test]
fn f12_over_long_domains_are_domains_that_cannot_be_asked_for() {
    let label = "a".repeat(64);
    let long = format!("{label}.example.com");
    let domain = Domain::parse(&long).unwrap();
    assert_eq!(domain.query_name(), None);
    assert_eq!(domain.prefixed("_dmarc"), None);
    assert_eq!(domain.parent().unwrap().prefixed("_dmarc").unwrap().as_str(), "_dmarc.example.com");
}

#[test]
fn a_name_of_more_than_253_octets_is_no_domain() {
    for (text, is_domain) in [
        ("a.".repeat(127), true),
        (format!("{}aa", "a.".repeat(126)), false),
        ("a".repeat(253), true),
        ("a".repeat(254), false),
        // A name is longer as A-labels: `xn--bcde-0ra` stands for each label of six octets.
        (["\u{fc}bcde"; 19].join("."), true),
        (["\u{fc}bcde"; 20].join("."), false),
        (format!("{}example.com", "\u{ad}".repeat(507)), false),
        (format!("{}example.com", "\u{ad}".repeat(506)), true),
    ] {
        assert_eq!(Domain::parse(&text).is_ok(), is_domain, "{} octets: {text}", text.len());
    }
}

#[test]
fn a10_query_names_have_dns_limits() {
    let label = |length| "a".repeat(length);
    let name = |last| format!("{}.{}.{}.{}", label(63), label(63), label(63), label(last));
    for (text, fits) in [
        (label(63), true),
        (label(64), false),
        (name(61), true),
        (name(62), false),
        (format!("{}.", name(61)), true),
        (String::new(), false),
        (".".to_owned(), false),
        ("a..b".to_owned(), false),
        (".a".to_owned(), false),
        ("a..".to_owned(), false),
        ("any chars \"\\\0%{i}.example".to_owned(), true),
        ("\u{e9}".repeat(31), true),
        ("\u{e9}".repeat(32), false),
    ] {
        assert_eq!(QueryName::new(&text).is_some(), fits, "{text:?}");
    }
    assert_eq!(QueryName::new("A.Example.").unwrap(), QueryName::new("a.example").unwrap());
    assert_eq!(Domain::parse(&name(61)).unwrap().query_name().unwrap().as_str().len(), QueryName::MAX_OCTETS);
}

#[test]
fn names_are_taken_apart_by_labels() {
    let domain = Domain::parse("a.b.example.com").unwrap();
    let of = |text: &str| Domain::parse(text).unwrap();
    assert_eq!(domain.labels().collect::<Vec<_>>(), ["a", "b", "example", "com"]);
    assert_eq!(domain.parent(), Some(of("b.example.com")));
    assert_eq!(of("com").parent(), None);
    for (count, expected) in [(1, "com"), (2, "example.com"), (4, "a.b.example.com"), (9, "a.b.example.com")] {
        assert_eq!(domain.rightmost(count), of(expected), "{count}");
    }
    for (other, below, common) in [
        ("a.b.example.com", true, 4),
        ("example.com", true, 2),
        ("com", true, 1),
        ("xample.com", false, 1),
        ("z.a.b.example.com", false, 4),
        ("example.org", false, 0),
    ] {
        assert_eq!(domain.is_at_or_below(&of(other)), below, "{other}");
        assert_eq!(domain.common_labels(&of(other)), common, "{other}");
    }
}

proptest! {
    #[test]
    fn what_is_read_is_in_its_only_form(text in "\\PC{0,40}|[a-zA-Z0-9._\u{3002}\u{ff0e}\u{212a}\u{fc}-]{0,40}") {
        if let Ok(domain) = Domain::parse(&text) {
            prop_assert_eq!(Domain::parse(domain.as_str()).unwrap(), domain.clone());
            prop_assert!(domain.labels().all(|label| !label.is_empty()));
            prop_assert!(domain.as_str().bytes().all(|byte| is_label_byte_or_dot(byte) && !byte.is_ascii_uppercase()));
        }
    }
}
