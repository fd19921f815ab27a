use super::*;
use proptest::prelude::*;

fn own() -> Vec<String> {
    vec!["mx.recv.example".into(), "bücher.example".into()]
}

fn claimed(value: &str) -> bool {
    claims(value.as_bytes(), &own())
}

#[test]
fn d9_our_id_is_recognised_in_every_spelling() {
    for value in [
        " mx.recv.example; dmarc=pass\r\n",
        "mx.recv.example;none",
        " MX.Recv.Example (x) 1; spf=pass\r\n",
        "\r\n (a (nested) \\) comment)\r\n\tmx.recv.example\r\n 1 ; spf=pass",
        " \"mx.recv.example\"; dkim=pass",
        " \"mx\\.recv.example\"; dkim=pass",
        " mx.recv.example 99; dkim=pass",
        " mx.recv.example(x)99(y); dkim=pass",
        " mx.recv.example",
        " mx.recv.example.; dkim=pass",
        " xn--bcher-kva.example; dkim=pass",
        " bücher.example; dkim=pass",
        " \"BÜCHER.example\"; dkim=pass",
    ] {
        assert!(claimed(value), "{value}");
    }
}

#[test]
fn d9_other_ids_are_kept() {
    for value in [
        " evil.test; mx.recv.example; dmarc=pass",
        " mx.recv.example.evil.test; dmarc=pass",
        " evil.mx.recv.example; dmarc=pass",
        " evil.test (mx.recv.example); dmarc=pass",
        " (mx.recv.example) evil.test 1; dmarc=pass",
        " \"evil.test\"; x=mx.recv.example",
        " spf=pass",
        "",
    ] {
        assert!(!claimed(value), "{value}");
    }
}

#[test]
fn d9_what_cannot_be_read_but_holds_our_id_is_claimed() {
    for value in [
        " mx.recv.example dmarc=pass",
        " mx.recv.example x; dmarc=pass",
        " (unclosed mx.recv.example; dmarc=pass",
        " \"mx.recv.example; dmarc=pass",
        " mx.(x)recv.example; dmarc=pass",
        " mx .recv.example; dmarc=pass",
        " evil.test, mx.recv.example; dmarc=pass",
        " \"evil.test\" MX.recv.example; dmarc=pass",
        " =mx.\"recv\".example; dmarc=pass",
        " @xn--bcher-kva.example; dmarc=pass",
        " @b\u{fc}cher.example; dmarc=pass",
        " @B\u{dc}CHER.example; dmarc=pass",
        " evil.test/mx.recv.example; x",
    ] {
        assert!(claimed(value), "{value}");
    }
    assert!(claims(b" \xff mx.recv.example; dmarc=pass", &own()));
    // Whichever form of the id is configured, the other form is this receiver's too.
    assert!(claims(" @b\u{fc}cher.example; dmarc=pass".as_bytes(), &["xn--bcher-kva.example"]));
    assert!(!claims(b" evil.test x; dmarc=pass", &[String::new()]));
}

#[test]
fn ids_come_in_lower_case() {
    assert_eq!(authserv_id(b" \"Mx.Example\" 1; none"), AuthservId::Known("mx.example".into()));
    assert_eq!(authserv_id(b" a/b; none"), AuthservId::Unreadable);
    assert_eq!(authserv_id(b" a\0; none"), AuthservId::Unreadable);
}

#[test]
fn hostile_values_cost_linear_work() {
    for piece in ["(", "\\", "\"", "()", "(\\(", "mx.recv.example", "a;", "a=", " ", "\r\n "] {
        let value = piece.repeat(1_000_000 / piece.len());
        claims(value.as_bytes(), &own());
        let _ = parse(value.as_bytes());
        let _ = parse(format!("a; x=y {value}").as_bytes());
    }
}

#[test]
fn every_part_of_a_value_is_read() {
    let value =
        b" \"mx.recv.example\" 1; dkim/1=Pass (x) reason=\"good; \\\"fine\\\"\" header.d=b.example header.i=@b.example\r\n\
        \theader.b=\"a+/=\"; spf=none smtp.mailfrom=\"a b\"@c.example\r\n";
    let results = parse(value).unwrap();
    assert_eq!((results.authserv_id.as_str(), results.version), ("mx.recv.example", Some(1)));
    let [dkim, spf] = results.results.as_slice() else { panic!("{results:?}") };
    assert_eq!((dkim.method.as_str(), dkim.version, dkim.result.as_str()), ("dkim", Some(1), "pass"));
    assert_eq!(dkim.reason.as_deref(), Some("good; \"fine\""));
    let text = |property: &Property| format!("{}.{}={}", property.ptype, property.property, property.value);
    assert_eq!(
        dkim.properties.iter().map(text).collect::<Vec<_>>(),
        ["header.d=b.example", "header.i=@b.example", "header.b=a+/="]
    );
    assert_eq!(spf.properties.iter().map(text).collect::<Vec<_>>(), ["smtp.mailfrom=\"a b\"@c.example"]);
    assert_eq!(parse(b"mx.recv.example; none").unwrap().results, []);
    assert_eq!(parse(b"mx.recv.example; none=pass").unwrap().results.len(), 1);
}

#[test]
fn what_the_grammar_does_not_permit_is_refused() {
    for value in [
        "",
        "a",
        "a;",
        "a; none; spf=pass",
        "a; spf=pass;",
        "a; spf",
        "a; spf=",
        "a; spf=pass smtp.mailfrom=",
        "a; spf=pass smtp.mailfrom=<>",
        "a; spf=pass smtp.helo=[192.0.2.1]",
        "a; spf=pass policy.iprev=2001:db8::1",
        "a; spf=pass mailfrom=b",
        "a; spf=pass smtp.mailfrom=b reason=x",
        "a; spf=pass reason=x reason=y",
        "a; spf=pass reason=\"x\"smtp.mailfrom=b",
        "a; spf=pass smtp.mailfrom=b\r\nX: y",
        "a; spf=pass (x",
        "a; dkim=pass header.b=/d5r",
        "a b; none",
        "é; none",
    ] {
        assert!(parse(value.as_bytes()).is_err(), "{value}");
    }
}

/// A reason why a case of another project is not judged by its expectation, or differs here.
const RESULT_WORDS: &str = "its source refuses result words that its method does not define; the grammar permits any keyword";
const NO_ID: &str = "there is no authserv-id; its source states no expectation";
const SLASH: &str = "a slash is no token character (RFC 2045 5.1) and must be quoted; its source states no expectation or is lax";
const SEMICOLON: &str = "the grammar permits no semicolon at the end";
const NO_PTYPE: &str = "a property without type is not in the grammar; its source states no expectation";
const DIFFERENT: &[(&str, &str)] = &[
    ("dkim_verifier/arh#18.0 Unknown results for DKIM", RESULT_WORDS),
    ("dkim_verifier/arh#18.1 Unknown results for DKIM", RESULT_WORDS),
    ("dkim_verifier/arh#18.2 Unknown results for DKIM", RESULT_WORDS),
    ("dkim_verifier/arh#18.3 Unknown results for DKIM", RESULT_WORDS),
    ("dkim_verifier/arh#19.0 Unknown results for SPF", RESULT_WORDS),
    ("dkim_verifier/arh#20.0 Unknown results for DMARC", RESULT_WORDS),
    ("dkim_verifier/arh#20.1 Unknown results for DMARC", RESULT_WORDS),
    ("dkim_verifier/arh#31.0 Example from Fastmail", SLASH),
    ("dkim_verifier/arh#32.2 Disabled by default", "U-labels are always permitted here (RFC 8616)"),
    ("authres#14", "a colon is no token character; its source states no expectation"),
    ("authres#19", NO_PTYPE),
    ("authres#21", SLASH),
    ("authres#22", NO_PTYPE),
    ("mox/authresults#yahoo", "an underscore is in no keyword (RFC 5321 Ldh-str); its source is lax, and a semicolon ends it"),
    ("go-msgauth/parse_test.go#0", NO_ID),
    ("go-msgauth/parse_test.go#3", SEMICOLON),
    ("dkim_verifier/arh/multiple_arh-newest_no_authserv.eml", NO_ID),
    ("dkim_verifier/arh/multiple_arh-newest_no_authserv.eml~3", NO_ID),
    ("dkim_verifier/arh/multiple_arh-newest_parsing_error_01.eml", SLASH),
    ("dkim_verifier/arh/multiple_arh-newest_parsing_error_02.eml", SLASH),
    ("dkim_verifier/arh/multiple_arh-newest_parsing_error_02.eml~3", SLASH),
    ("dkim_verifier/arh/multiple_arh-same_and_different_authserv.eml~6", NO_ID),
    ("dkim_verifier/arh/rfc6376-A.2-arh-valid_relaxed.eml", SEMICOLON),
];

#[test]
fn conformance_ar_parse() {
    let cases = include_str!("../../../tests/conformance/ar_parse.jsonl");
    let mut problems = Vec::new();
    for line in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let (id, header) = (case["id"].as_str().unwrap(), case["header"].as_str().unwrap());
        let (_, value) = header.split_once(':').unwrap();
        let value = value.replace("\r\n", "\n").replace('\n', "\r\n");
        let found = parse(value.as_bytes());
        let agrees = match (case["throws_strict"].as_bool(), case["expect"].as_array(), &found) {
            (Some(true), _, found) => found.is_err(),
            (_, Some(expected), Ok(found)) => {
                let mut words = found.results.iter().map(|entry| format!("{}={}", entry.method, entry.result));
                expected.iter().all(|word| words.any(|found| found == word.as_str().unwrap()))
            }
            (Some(false), _, found) => found.is_ok(),
            (_, Some(_), Err(_)) => false,
            (None, None, found) => found.is_ok(),
        };
        if agrees == DIFFERENT.iter().any(|(listed, _)| *listed == id) {
            problems.push(format!("{id}: {value:?} {found:?}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(cases.lines().count(), 148);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(value in proptest::collection::vec(
        prop_oneof![Just(b'('), Just(b')'), Just(b'"'), Just(b'\\'), Just(b';'), Just(b'='), Just(b'\r'), Just(b'\n'), Just(b'a'), any::<u8>()], 0..80)) {
        claims(&value, &own());
        let _ = parse(&value);
    }

    #[test]
    fn whatever_surrounds_our_id_up_to_the_first_delimiter_it_is_claimed(before in "[ \t]{0,3}(\\([a-z ]{0,5}\\))?", version in "( [0-9]{1,3})?", rest in "(;.{0,20})?") {
        let text = format!("{before}mx.RECV.example{version}{rest}");
        prop_assert!(claimed(&text));
    }
}
