//! Any octets are an SPF record or an error of syntax, and an evaluation ends within its limits (RFC 7208 4.6.4).
//!
//! Each line is a record: the first stands at the sender's domain, the others at a.test to e.test.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use verdmarc::auth::cause::{ResultWord, SpfCause};
use verdmarc::auth::spf::{Identity, SpfOutcome, SyntaxError, check_host, parse_record};
use verdmarc::config::Limits;
use verdmarc::dns::{Budgets, Counting, Domain, Outcome, Question, Record, RecordType, Session};
use verdmarc_fuzz::{Answers, budgets, texts, wait};

const DOMAIN: &str = "example.test";
const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

fuzz_target!(|data: &[u8]| {
    let lines: Vec<_> = data.split(|octet| *octet == b'\n').take(6).collect();
    for line in &lines {
        syntax(line);
    }
    let outcome = check(&lines, IpAddr::V4(CLIENT), &Limits::default(), &[]);
    assert_eq!(check(&lines, IpAddr::V6(CLIENT.to_ipv6_mapped()), &Limits::default(), &[]), outcome, "a mapped address is IPv4");
    assert_eq!(check(&lines, IpAddr::V4(CLIENT), &Limits::default(), &[b"other"]), outcome, "other texts do not count");
    let several = check(&lines, IpAddr::V4(CLIENT), &Limits::default(), &[b"v=spf1 +all"]);
    let first = lines[0];
    if is_spf(first) {
        assert_eq!(several.cause, SpfCause::SeveralRecords);
        let readable = parse_record(first).is_ok();
        assert_eq!(
            outcome.cause == SpfCause::RecordLimit && outcome.at.is_none(),
            first.len() > Limits::default().spf_record_bytes
        );
        assert!(
            readable || matches!(outcome.cause, SpfCause::Syntax | SpfCause::RecordLimit),
            "an error anywhere is one of the whole"
        );
    } else {
        assert_eq!(several.cause, SpfCause::Pass);
        assert_eq!(outcome.cause, SpfCause::NoRecord);
    }
    check(&lines, IpAddr::V6(CLIENT_V6), &Limits::default(), &[]);
    let narrow = Limits {
        spf_lookup_terms: 2,
        spf_void_lookups: 0,
        spf_names_per_term: 1,
        spf_record_bytes: 40,
        spf_depth: 1,
        spf_questions: 5,
        ..Limits::default()
    };
    check(&lines, IpAddr::V4(CLIENT), &narrow, &[]);
});

fn is_spf(text: &[u8]) -> bool {
    text.len() >= 6 && text[..6].eq_ignore_ascii_case(b"v=spf1") && matches!(text.get(6), None | Some(b' '))
}

/// A record is correct when each of its terms is, and no modifier stands twice.
fn syntax(text: &[u8]) {
    let found = parse_record(text);
    assert_eq!(found != Err(SyntaxError::Version), is_spf(text));
    if !is_spf(text) {
        return;
    }
    let whole = |term: &[u8]| [text, b" ", term].concat();
    let alone = |term: &[u8]| parse_record(&[b"v=spf1 ", term].concat()).is_ok();
    let every = text[6..].split(|octet| *octet == b' ').all(alone);
    match &found {
        Ok(_) => {
            assert!(every && parse_record(&whole(b"?all")).is_ok());
            assert!(matches!(parse_record(&whole(b"all:x")), Err(SyntaxError::Term { .. })));
        }
        Err(SyntaxError::Character { position, .. }) => assert!(!matches!(text[*position], b' '..=b'~')),
        Err(SyntaxError::Repeated { name }) => {
            let modifier = [name.as_bytes(), b"="].concat();
            let is_modifier =
                |term: &&[u8]| term.get(..modifier.len()).is_some_and(|start| start.eq_ignore_ascii_case(&modifier));
            assert!(text.split(|octet| *octet == b' ').filter(is_modifier).count() > 1);
        }
        Err(_) => assert!(!every),
    }
}

fn check(lines: &[&[u8]], client_ip: IpAddr, limits: &Limits, beside: &[&[u8]]) -> SpfOutcome {
    let dns = Counting::new(Answers(|question: &Question| answer(question, lines, beside)));
    let session = Session::new(&dns, Budgets { spf: limits.spf_questions, ..budgets() });
    let domain = Domain::parse(DOMAIN).expect("a name");
    let identity = Identity {
        client_ip,
        helo: Some(b"mail.\xff.example.test"),
        local_part: b"a.b-c+%{d}\xc3\xbc\xff",
        domain: &domain,
    };
    let outcome = wait(check_host(&session, &identity, limits));

    let asked = dns.asked();
    assert!(asked.len() <= limits.spf_questions);
    let records = asked.iter().filter(|question| question.rtype == RecordType::Txt).count();
    assert!(records <= 1 + limits.spf_lookup_terms.min(limits.spf_questions));
    for text in outcome.mechanism.iter().chain(&outcome.at) {
        assert!(text.len() <= 256 && text.bytes().all(|octet| octet.is_ascii_graphic()));
    }
    let matched = matches!(outcome.cause, SpfCause::Pass | SpfCause::Fail | SpfCause::SoftFail | SpfCause::Neutral);
    assert_eq!(outcome.mechanism.is_some(), matched);
    assert!(!outcome.permissive || outcome.cause == SpfCause::Pass);
    let error = matches!(outcome.cause.word(), ResultWord::PermError | ResultWord::TempError);
    assert!(outcome.at.is_none() || error);
    outcome
}

/// Records at six names; addresses, hosts and pointers, or their absence, depend on what the name begins with.
fn answer(question: &Question, lines: &[&[u8]], beside: &[&[u8]]) -> Outcome {
    let name = question.name.as_str();
    let first = name.bytes().next().unwrap_or_default();
    match question.rtype {
        RecordType::Txt => {
            let Some(at) = [DOMAIN, "a.test", "b.test", "c.test", "d.test", "e.test"].iter().position(|known| *known == name)
            else {
                return Outcome::NxDomain;
            };
            texts(lines.get(at).copied().into_iter().chain(beside.iter().copied().filter(|_| at == 0)))
        }
        _ if first % 5 == 0 => Outcome::NxDomain,
        RecordType::A => Outcome::of(vec![Record::A(Ipv4Addr::new(203, 0, 113, first % 9))]),
        RecordType::Aaaa => Outcome::of(vec![Record::Aaaa(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(first % 9)))]),
        RecordType::Mx => {
            let hosts = 0..u16::from(first % 12);
            Outcome::of(hosts.map(|number| Record::Mx(number, format!("{number}.{name}").into())).collect())
        }
        RecordType::Ptr => {
            Outcome::of(["mail.example.test", "x.a.test", "y.other.test"].map(|host| Record::Ptr(host.into())).to_vec())
        }
    }
}
