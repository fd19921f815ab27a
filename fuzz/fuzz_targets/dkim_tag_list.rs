//! Tag lists of signatures and of keys are read as RFC 6376 3.2 has it: no tag twice, no name but letters, digits, underscores.
//!
//! The first line is a key record, the rest the value of a DKIM-Signature field. The reader is private: what it accepted shows in
//! what is told of a signature, and is compared with a plain reading of the grammar.

#![no_main]

use libfuzzer_sys::fuzz_target;
use verdmarc::auth::cause::{DkimCause, ResultWord};
use verdmarc::auth::dkim::{BodyHashes, DkimParameters, SignatureOutcome, verify};
use verdmarc::config::{Limits, TestingKey};
use verdmarc::dns::{Counting, Domain, Question, Session};
use verdmarc::message::{Defect, HeaderSection};
use verdmarc_fuzz::{Answers, budgets, texts, wait};

const BODY: &[u8] = b"Hello.\r\n";
/// A signature whose body hash is right and whose b= is not: the cause says what became of the key.
const FOR_KEY: &[u8] = b"v=1; a=rsa-sha256; d=example.test; s=s; h=from; bh=yZQq1c8wjBl0fZ4Wc/oraMCAG1mZJv5v/hlvyFy+t6A=; b=AAAA";
const ARRIVAL: i64 = 1_700_000_000;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(2, |octet| *octet == b'\n');
    let (key, list) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    judge_key(key);
    let message = message(list);
    let section = HeaderSection::parse(&message, &Limits::default());
    let outcomes = outcomes(&message, key);
    let fields: Vec<_> = section.named("DKIM-Signature").map(|(_, field)| field).collect();
    assert_eq!(outcomes.len(), fields.len(), "one outcome a field");
    if section.has(Defect::OverLimit) {
        return;
    }
    for (field, outcome) in fields.iter().zip(&outcomes) {
        let value = field.value();
        let tags = tags(value.strip_suffix(b"\r\n").unwrap_or(value));
        judge_signature(tags.as_ref().filter(|_| field.raw.len() <= Limits::default().dkim_signature_bytes), outcome);
        assert!(outcome.key_bits.is_none() || self::tags(key).is_some_and(|tags| tags.iter().any(|(name, _)| *name == b"p")));
    }
    if let [value] = fields.as_slice()
        && let [outcome] = outcomes.as_slice()
        && section.body() == BODY
    {
        let value = value.value();
        rearranged(value.strip_suffix(b"\r\n").unwrap_or(value), key, outcome);
    }
});

fn message(list: &[u8]) -> Vec<u8> {
    [b"DKIM-Signature: ", list, b"\r\nFrom: a@example.test\r\n\r\n", BODY].concat()
}

fn outcomes(message: &[u8], key: &[u8]) -> Vec<SignatureOutcome> {
    let limits = Limits::default();
    let section = HeaderSection::parse(message, &limits);
    let dns = Counting::new(Answers(|_: &Question| texts([key])));
    let session = Session::new(&dns, budgets());
    let bodies = BodyHashes::new(section.body());
    let author = Domain::parse("example.test").ok();
    let parameters =
        DkimParameters { author: author.as_ref(), arrival: ARRIVAL, testing_key: TestingKey::Count, limits: &limits };
    let outcomes = wait(verify(&session, &section, &bodies, &parameters));
    assert!(dns.count() <= limits.dkim_key_questions);
    assert!(outcomes.iter().all(|outcome| outcome.cause.word() != ResultWord::Pass), "nobody guesses a signature");
    outcomes
}

fn judge_signature(tags: Option<&Vec<(&[u8], &[u8])>>, outcome: &SignatureOutcome) {
    let told = (&outcome.domain, &outcome.selector, outcome.algorithm.is_some(), outcome.signed_at, outcome.expires_at);
    let Some(tags) = tags else {
        assert!(matches!(outcome.cause, DkimCause::Malformed | DkimCause::SizeLimit), "{outcome:?}");
        assert_eq!(told, (&None, &None, false, None, None));
        return;
    };
    let value = |name: &[u8]| tags.iter().find(|(tag, _)| *tag == name).map(|(_, value)| *value);
    let name = |tag: &[u8]| {
        let text = std::str::from_utf8(value(tag)?).ok()?;
        let hyphen_outside = |label: &str| label.starts_with('-') || label.ends_with('-');
        let name = Domain::parse(text).ok().filter(|_| !text.ends_with('.'))?;
        (name.query_name().is_some() && !name.labels().any(hyphen_outside)).then_some(name)
    };
    let number = |tag: &[u8]| {
        let digits = std::str::from_utf8(value(tag)?).ok()?;
        let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
        is_number.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    assert_eq!(
        (&outcome.domain, &outcome.selector, outcome.signed_at, outcome.expires_at),
        (&name(b"d"), &name(b"s"), number(b"t"), number(b"x"))
    );
    let required = [&b"v"[..], b"a", b"b", b"bh", b"d", b"s", b"h"];
    if !required.iter().all(|tag| value(tag).is_some_and(|value| !value.is_empty())) && outcome.cause != DkimCause::SignatureLimit
    {
        assert!(matches!(outcome.cause, DkimCause::Malformed | DkimCause::FromNotSigned), "{outcome:?}");
    }
}

/// The order of tags does not matter, and a tag twice spoils the list (F-42).
fn rearranged(value: &[u8], key: &[u8], outcome: &SignatureOutcome) {
    let Some(tags) = tags(value) else { return };
    let mut specs: Vec<_> = value.split(|octet| *octet == b';').collect();
    specs.truncate(tags.len());
    specs.reverse();
    let reversed = outcomes(&message(&specs.join(&b';')), key);
    // With or without the last semicolon the field may just fit into its limit.
    if value.len() < Limits::default().dkim_signature_bytes / 2 {
        assert_eq!(reversed.as_slice(), std::slice::from_ref(outcome), "the order of tags matters");
        specs.push(specs[0]);
        let doubled = outcomes(&message(&specs.join(&b';')), key);
        assert!(matches!(
            doubled.as_slice(),
            [SignatureOutcome { cause: DkimCause::Malformed, domain: None, selector: None, .. }]
        ));
    }
}

fn judge_key(key: &[u8]) {
    let found = outcomes(&message(FOR_KEY), key);
    let [SignatureOutcome { cause, testing_key, .. }] = found.as_slice() else { panic!("one outcome a field") };
    let tags = tags(key).filter(|tags| {
        let version = tags.iter().position(|(name, _)| *name == b"v");
        let revoked_or_key = tags.iter().any(|(name, _)| *name == b"p");
        revoked_or_key && version.is_none_or(|at| at == 0 && tags[at].1 == b"DKIM1")
    });
    let Some(tags) = tags else {
        assert_eq!(*cause, DkimCause::KeyMalformed);
        return;
    };
    let value = |name: &[u8]| tags.iter().find(|(tag, _)| *tag == name).map(|(_, value)| *value);
    let flags: Vec<_> = value(b"t").unwrap_or_default().split(|octet| *octet == b':').map(trim).collect();
    let testing = flags.iter().any(|flag| flag.eq_ignore_ascii_case(b"y"));
    assert_eq!(*testing_key, testing);
    if testing {
        assert_eq!(*cause, DkimCause::TestingKey);
    } else if value(b"p").is_some_and(|value| value.iter().all(|octet| is_white(*octet))) {
        assert_eq!(*cause, DkimCause::KeyRevoked);
    }
}

/// The tag list as RFC 6376 3.2 and RFC 8616 have it, with the values' white space trimmed.
fn tags(text: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    for (at, octet) in text.iter().enumerate() {
        let permitted = match octet {
            b'\r' => matches!(text[at + 1..], [b'\n', b' ' | b'\t', ..]),
            b'\n' => at > 0 && text[at - 1] == b'\r',
            b'\t' => true,
            _ => *octet >= b' ' && *octet != 0x7f,
        };
        if !permitted {
            return None;
        }
    }
    let mut specs: Vec<_> = text.split(|octet| *octet == b';').collect();
    if specs.len() > 1 && specs.last().is_some_and(|last| trim(last).is_empty()) {
        specs.pop();
    }
    let mut tags: Vec<(&[u8], &[u8])> = Vec::new();
    for spec in specs {
        let equals = spec.iter().position(|octet| *octet == b'=')?;
        let name = trim(&spec[..equals]);
        let is_name = name.first().is_some_and(u8::is_ascii_alphabetic)
            && name.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'_');
        if !is_name || tags.iter().any(|(other, _)| *other == name) {
            return None;
        }
        tags.push((name, trim(&spec[equals + 1..])));
    }
    Some(tags)
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_white(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_white(*last)
    {
        text = rest;
    }
    text
}

fn is_white(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}
