//! Fields of our own are recognised whatever stands in them (D-9), and what senders say never breaks out of ours (D-7, F-25).
//!
//! NUL octets separate HELO, MAIL FROM, a DKIM-Signature, From, an SPF record and an Authentication-Results value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::{IpAddr, Ipv4Addr};
use verdmarc::config::{Evaluation, Limits};
use verdmarc::dns::{Outcome, Question, RecordType};
use verdmarc::event::SpfScope;
use verdmarc::message::{
    AuthResults, AuthservId, Envelope, HeaderSection, MailFrom, Property, authserv_id, claims, forged, parse_auth_results,
};
use verdmarc::verdict::{FieldWriter, Verdict, evaluate, pvalue};
use verdmarc_fuzz::{Answers, parts, texts, wait};

const OWN_ID: &str = "mx.receiver.example";
/// Longest value that is not cut.
const MAX_VALUE: usize = 253;

fuzz_target!(|data: &[u8]| {
    let [helo, mail_from, signature, from, spf, results] = parts(data);
    recognise(results);
    write_values([helo, mail_from, signature, from, spf, results]);

    let message =
        [b"DKIM-Signature: ", signature, b"\r\nFrom: ", from, b"\r\nAuthentication-Results: ", results, b"\r\n\r\n"].concat();
    let envelope = Envelope {
        client_ip: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        helo: Some(Envelope::text(helo)),
        mail_from: if mail_from.is_empty() { MailFrom::Null } else { MailFrom::Path(Envelope::text(mail_from)) },
        ..Envelope::default()
    };
    let settings = Evaluation { authserv_id: OWN_ID.into(), ..Evaluation::default() };
    let dns = Answers(|question: &Question| match question.rtype {
        RecordType::Txt => texts([spf]),
        _ => Outcome::NxDomain,
    });
    let now = "2026-01-01T00:00:00Z".parse().expect("a time");
    let verdict = wait(evaluate(&message, &envelope, &dns, now, &settings));
    fields_hold(&verdict);
    results_say_what_was_found(&verdict);
});

fn own_ids() -> [String; 2] {
    [OWN_ID.to_owned(), "bücher.example".to_owned()]
}

fn recognise(value: &[u8]) {
    let own_ids = own_ids();
    let claimed = claims(value, &own_ids);
    if let AuthservId::Known(id) = authserv_id(value) {
        assert!(claims(value, &[id]), "a field claims the id that it names");
    }
    // A longer one may have an id longer than any that is read.
    if value.len() <= 4096 && let Ok(AuthResults { authserv_id: id, .. }) = parse_auth_results(value) {
        assert_eq!(authserv_id(value), AuthservId::Known(id.to_lowercase()), "what is correct is read the same");
    }
    for id in [
        "mx.receiver.example",
        "MX.Receiver.Example",
        "\"mx.receiver.example\"",
        "(a;(b)\\))mx.receiver.example\r\n 1",
        "mx.receiver.example.",
        "xn--bcher-kva.example",
        "B\u{dc}cher.example",
    ] {
        assert!(claims(&[id.as_bytes(), b";", value].concat(), &own_ids), "{id} is one of ours");
        assert!(claims(id.as_bytes(), &own_ids));
    }
    let field = [b"Authentication-Results: ", value, b"\r\n\r\n"].concat();
    let section = HeaderSection::parse(&field, &Limits::default());
    if !value.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
        assert_eq!(!forged(&section, &own_ids, "X-").is_empty(), claimed);
    }
}

/// What [`pvalue`] makes of a text, less the quotes: nothing but visible ASCII and spaces, cut.
fn intended(text: &str) -> String {
    text.chars().take(MAX_VALUE).map(|character| if matches!(character, ' '..='~') { character } else { '?' }).collect()
}

fn write_values(values: [&[u8]; 6]) {
    let values = values.map(|value| String::from_utf8_lossy(value).into_owned());
    let mut field = FieldWriter::new("Authentication-Results");
    field.part(&[OWN_ID]).glue(";").line(&["dkim=fail"]).part(&["reason=", &pvalue(&values[0], MAX_VALUE)]);
    for value in &values[1..] {
        field.part(&["header.x=", &pvalue(value, MAX_VALUE)]);
    }
    field.glue(";").part(&["spf=none"]);
    let unfolded = field.unfolded();
    let written = field.finish();
    let section = HeaderSection::parse(written.as_bytes(), &Limits::default());
    assert_eq!((section.fields().len(), section.defects(), section.body()), (1, &[][..], &b""[..]));
    assert!(written.split("\r\n").all(|line| line.len() <= 998), "a line is too long for RFC 5322 2.1.1");

    let read = parse_auth_results(section.fields()[0].value()).expect("what is written can be read");
    assert_eq!(parse_auth_results(unfolded.as_bytes()).as_ref(), Ok(&read));
    assert_eq!((read.authserv_id.as_str(), read.results.len()), (OWN_ID, 2));
    assert_eq!(read.results[0].reason, Some(intended(&values[0])));
    let found: Vec<_> = read.results[0].properties.iter().map(|property| property.value.clone()).collect();
    assert_eq!(found, values[1..].iter().map(|value| intended(value)).collect::<Vec<_>>());
}

/// The fields are those that are meant, and nothing else.
fn fields_hold(verdict: &Verdict) {
    let section = HeaderSection::parse(&verdict.fields, &Limits::default());
    for field in section.fields() {
        if field.name() == b"Return-Path" {
            // A path may hold UTF-8 (RFC 6531).
            let path = std::str::from_utf8(field.value()).expect("a path is UTF-8");
            assert!(!path.trim_end_matches("\r\n").contains(char::is_control), "a path has no control characters");
        } else {
            let is_ascii = |octet: &u8| matches!(octet, b' '..=b'~' | b'\r' | b'\n');
            assert!(field.value().iter().all(is_ascii), "the other fields are ASCII");
        }
    }
    assert_eq!((section.defects(), section.body()), (&[][..], &b""[..]));
    let names: Vec<_> = section.fields().iter().map(|field| String::from_utf8_lossy(field.name()).into_owned()).collect();
    let mut expected =
        vec!["Return-Path", "Authentication-Results", "Received-SPF", "X-SPF-Verdict", "X-DKIM-Verdict", "X-DMARC-Verdict"];
    expected.extend(verdict.dmarc_policy.map(|_| "X-DMARC-Policy"));
    let without_path = names.first().is_some_and(|name| name != "Return-Path");
    assert_eq!(names, expected[usize::from(without_path)..]);
    let lines = verdict.fields.split(|octet| *octet == b'\n');
    assert!(lines.clone().all(|line| line.len() <= 999), "a line is too long for RFC 5322 2.1.1");
}

fn results_say_what_was_found(verdict: &Verdict) {
    let found = &verdict.authentication;
    let section = HeaderSection::parse(&verdict.fields, &Limits::default());
    let (_, field) = section.named("Authentication-Results").next().expect("the field is written");
    let read =
        parse_auth_results(field.value()).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(field.value())));
    assert_eq!(parse_auth_results(found.authentication_results.as_bytes()).as_ref(), Ok(&read), "folding changes nothing");
    assert_eq!((read.authserv_id.as_str(), read.version), (OWN_ID, None));

    let mut results = read.results.iter();
    let mut next = |method: &str, result: &str, reason: Option<&str>, properties: &[(&str, Option<&str>)]| {
        let entry = results.next().expect("every method has its result");
        assert_eq!((entry.method.as_str(), entry.result.as_str(), entry.reason.as_deref()), (method, result, reason));
        let mut written = entry.properties.iter();
        for (name, value) in properties {
            let Some(value) = value else { continue };
            let Property { ptype, property, value: read } = written.next().expect("every property is there");
            assert_eq!(format!("{ptype}.{property}"), *name);
            assert!(*read == intended(value) || read == value, "{read:?} is not {value:?}");
        }
        assert_eq!(written.next(), None, "nothing else is said");
    };
    let spf = &found.spf;
    let scope = if spf.scope == SpfScope::Mfrom { "smtp.mailfrom" } else { "smtp.helo" };
    next("spf", spf.result.as_str(), Some(spf.reason.text()), &[(scope, spf.domain.as_ref().map(|domain| domain.as_str()))]);
    if found.dkim.is_empty() {
        next("dkim", "none", None, &[]);
    }
    for signature in &found.dkim {
        let properties = [
            ("header.d", signature.d.as_ref().map(|domain| domain.as_str())),
            ("header.i", signature.i.as_deref()),
            ("header.s", signature.s.as_ref().map(|domain| domain.as_str())),
            ("header.a", signature.a.as_deref()),
            ("header.b", signature.b.as_deref()),
        ];
        next("dkim", signature.result.as_str(), Some(signature.reason.text()), &properties);
    }
    if found.arc.result.as_str() != "none" {
        next("arc", found.arc.result.as_str(), None, &[("smtp.remote-ip", Some("192.0.2.1"))]);
    }
    let policy = found.dmarc.effective_policy.filter(|_| matches!(found.dmarc.result.as_str(), "pass" | "fail"));
    let author = found.author_domain.as_ref().map(|domain| domain.as_str());
    next(
        "dmarc",
        found.dmarc.result.as_str(),
        None,
        &[("policy.dmarc", policy.map(|policy| policy.as_str())), ("header.from", author)],
    );
    assert_eq!(results.next(), None, "nothing else is said");
}
