//! Tests of the strictness of the parser (RFC 7208 section 12, G25).

use super::cause_of;
use crate::auth::cause::SpfCause;
use crate::auth::spf::{SyntaxError, parse_record};

const REFUSED: &[&str] = &[
    "foo",
    "foo:bar",
    "all:x",
    "all/8",
    "-all.",
    "--all",
    "- all",
    "+",
    "-",
    "=x",
    "1a=x",
    "-redirect=a.test",
    "ip4",
    "ip4:",
    "ip4:1.2.3",
    "ip4:1.2.3.4.5",
    "ip4:1.2.3.256",
    "ip4:01.2.3.4",
    "ip4:1.2.3.4/33",
    "ip4:1.2.3.4/032",
    "ip4:1.2.3.4/",
    "ip4:1.2.3.4//32",
    "ip4:1.2.3.4/+8",
    "ip4/8",
    "ip4:::1",
    "ip6",
    "ip6:::1/129",
    "ip6:::1/064",
    "ip6:::1//64",
    "ip6:1.2.3.4",
    "ip6:fe80::1%eth0",
    "ip6:::g",
    "a:",
    "a/",
    "a//",
    "a/33",
    "a//129",
    "a/032",
    "a/24/64",
    "a/24//",
    "a//64/24",
    "a:x.test/33",
    "a:x.test/",
    "a:x.test/-1",
    "a:test",
    "a:x.123",
    "a:x.-a",
    "a:x.a-",
    "a:x.te_st",
    "a=x.test/33x%",
    "mx:",
    "mx/33",
    "ptr:",
    "ptr/0",
    "ptr:x.test/8",
    "include",
    "include:",
    "include:x.test/24",
    "include=%",
    "exists",
    "exists:",
    "exists/8",
    "exists:x.test/8",
    "redirect:x.test",
    "redirect=",
    "redirect=test",
    "redirect=x.test redirect=y.test",
    "exp=",
    "exp=-all",
    "exp=x.test exp=x.test",
    "moo=%",
    "moo=%{",
    "moo=%{x}",
    "a:%{d",
    "a:%{}",
    "a:%{d0}",
    "a:%{d00}",
    "a:%{d1x}",
    "a:%{dr1}",
    "a:%{d;}",
    "a:%d",
    "a:%(d)",
    "a:%{d}x",
    "a:%{d}test",
    "a:%{c}",
    "a:%{R}.x.test",
    "exists:%{t}",
    "exp=%{c}",
    "a:x.test\u{7f}",
    "moo=m\u{e4}h",
    "a:x\u{0}.test",
    "a\tmx",
    "a\r",
    "ip4:1.2.3.4\n",
];

#[test]
fn g25_records_outside_the_grammar_are_refused() {
    for terms in REFUSED {
        for record in [format!("v=spf1 {terms} +all"), format!("v=spf1 +all {terms}")] {
            assert!(parse_record(record.as_bytes()).is_err(), "{}", record.escape_debug());
            assert_eq!(cause_of(&record, &[]), SpfCause::Syntax, "{}", record.escape_debug());
        }
    }
}

const READ: &[&str] = &[
    "",
    " ",
    "   all  ",
    "ALL",
    "+All",
    "?aLL",
    "ip4:1.2.3.4",
    "ip4:1.2.3.4/0",
    "IP4:1.2.3.4/32",
    "ip6:::",
    "ip6:::1.2.3.4/0",
    "ip6:2001:db8::/128",
    "a",
    "A/0",
    "a//0",
    "a/32//128",
    "a:x.test",
    "a:x.test.",
    "a:x.test/24//64",
    "a:x.test//64",
    "a:x.1-2",
    "a:x.a1",
    "a:foo:bar/baz.test",
    "a:foo/8.test",
    "a:%{d}/8",
    "a:%{d/}",
    "a:%{i}/x.test",
    "a:%%",
    "a:%_",
    "a:%-",
    "a:%{h}%%",
    "a:.test",
    "a:a...test",
    "a:%{D2R.-+,/_=}",
    "a:%{d999999999999999999999999999}",
    "a:%{d01}",
    "mx",
    "mx:x.test/8",
    "ptr",
    "ptr:x.test",
    "include:x.test",
    "include:%{ir}.%{v}._spf.%{d2}",
    "exists:%{p}.x.test",
    "redirect=x.test",
    "exp=x.test",
    "moo=",
    "moo.cow-far_out=man:dog/cat",
    "moo=%{c}%{r}%{t}",
    "moo=%%",
    "a.b=c d=e",
    "Redirect=x.test EXP=%{d}",
    "default=+",
    "ip4=1.2.3.4",
    "moo=x moo=x",
];

#[test]
fn g25_records_within_the_grammar_are_read() {
    for terms in READ {
        let record = format!("v=spf1 {terms}");
        assert_eq!(parse_record(record.as_bytes()).err(), None, "{record}");
    }
    assert!(parse_record(b"V=sPf1").is_ok());
}

#[test]
fn g25_only_the_exact_version_begins_a_record() {
    for text in ["", "v=spf", "v=spf10", "v=spf1.", "v=spf1\t", " v=spf1", "v = spf1", "v=spf2", "spf1"] {
        assert_eq!(parse_record(text.as_bytes()), Err(SyntaxError::Version), "{text:?}");
    }
}

#[test]
fn an_error_anywhere_counts_before_any_lookup() {
    assert_eq!(cause_of("v=spf1 ip4:192.0.2.1 a:x.test -all ipv4:1.2.3.4", &[("x.test", "TIMEOUT")]), SpfCause::Syntax);
}

#[test]
fn errors_name_what_is_wrong() {
    for (record, words) in [
        ("v=spf1 foo:1.2.3.4", "`foo:1.2.3.4` is neither a mechanism nor a modifier of RFC 7208"),
        ("v=spf1 ipv4:1.2.3.4", "`ipv4:1.2.3.4` is neither a mechanism nor a modifier of RFC 7208: the mechanism is named ip4"),
        (
            "v=spf1 ip4:192.0.2.1~all",
            "`ip4:192.0.2.1~all` is neither a mechanism nor a modifier of RFC 7208: a space is missing before the last mechanism",
        ),
        ("v=spf1 include:", "`include:` is neither a mechanism nor a modifier of RFC 7208: a domain name has to follow"),
        ("v=spf1 exp=a.b exp=a.b", "the modifier `exp` may stand only once"),
        ("v=spf1 \t", "only visible ASCII characters and spaces may stand in an SPF record: `\\u{9}` at position 7"),
        (
            "v=spf1 a\u{a0}-all mx",
            "only visible ASCII characters and spaces may stand in an SPF record: `a\\u{a0}-all` at position 8",
        ),
    ] {
        assert_eq!(parse_record(record.as_bytes()).unwrap_err().to_string(), words);
    }
}
