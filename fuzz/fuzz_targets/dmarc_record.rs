//! Any octets are a DMARC record or none, and the order of records in an answer does not matter (A11 to A19).
//!
//! Each line is a record: the first, third and so on stand at the author domain, the others at its parent.

#![no_main]

use libfuzzer_sys::fuzz_target;
use verdmarc::auth::dmarc::{
    Certainty, Decision, DiscoveryRules, Dmarc, DmarcResult, Identifier, Mechanism, Policies, Policy, Record, RecordFault,
    is_dmarc,
};
use verdmarc::config::Discovery;
use verdmarc::dns::{Counting, Domain, Outcome, Question, RecordType, Session};
use verdmarc::message::Path;
use verdmarc_fuzz::{Answers, budgets, texts, wait};

const MOST_ADDRESSES: usize = 3;

fuzz_target!(|data: &[u8]| {
    let lines: Vec<_> = data.split(|octet| *octet == b'\n').take(6).collect();
    for line in &lines {
        record(line);
    }
    let author: Vec<_> = lines.iter().copied().step_by(2).collect();
    let parent: Vec<_> = lines.iter().copied().skip(1).step_by(2).collect();
    let decision = decide(&author, &parent);
    several_are_none(&author, &parent, &decision);
    for turn in 1..=3 {
        assert_eq!(decide(&turned(&author, turn), &turned(&parent, turn)), decision, "the order of records matters");
    }
});

/// The texts in another order.
fn turned<'t>(texts: &[&'t [u8]], turn: usize) -> Vec<&'t [u8]> {
    let (first, rest) = texts.split_at(turn.min(texts.len()));
    rest.iter().chain(first.iter().rev()).copied().collect()
}

fn record(text: &[u8]) {
    let found = Record::parse(text, MOST_ADDRESSES);
    assert_eq!(found.is_some(), is_dmarc(text));
    assert_eq!(found, Record::parse(text, MOST_ADDRESSES));
    let Some(found) = found else { return };
    assert!(text[1..].trim_ascii_start().strip_prefix(b"=").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"DMARC1")));

    assert!(found.report_addresses.len() <= MOST_ADDRESSES);
    for (at, address) in found.report_addresses.iter().enumerate() {
        let path = Path::parse(address.to_string().as_bytes()).expect("a reporting address is an address");
        assert_eq!((path.local_part, &path.domain), (address.local_part.clone().into_bytes(), &address.domain));
        assert!(!address.to_string().contains(char::is_control));
        assert!(!found.report_addresses[..at].contains(address), "every address once");
    }
    assert!(found.faults.iter().enumerate().all(|(at, fault)| !found.faults[..at].contains(fault)), "every fault once");
    let options: Vec<_> = found.failure_options.split(':').collect();
    assert!(
        options.iter().enumerate().all(|(at, option)| ["0", "1", "d", "s"].contains(option) && !options[..at].contains(option))
    );
    assert!(!(options.contains(&"0") && options.contains(&"1")));

    let with = |tag: &str| Record::parse(&[text, b";", tag.as_bytes()].concat(), MOST_ADDRESSES).expect("the version stays");
    let unknown = with("zz=1");
    assert_eq!(Record { text: found.text.clone(), ..unknown }, found, "an unknown tag changes nothing");
    let repeated = with("p=none");
    match found.policies {
        Policies::Published { .. } => {
            assert_eq!(repeated.policies, found.policies, "the first of two tags counts");
            assert!(repeated.faults.contains(&RecordFault::DuplicateTag));
        }
        _ if found.faults.contains(&RecordFault::MissingPolicy) => {
            assert!(matches!(repeated.policies, Policies::Published { p: Policy::None, .. }));
        }
        _ => assert_eq!(repeated.policies, found.policies, "an invalid policy is not put right by another"),
    }
}

/// DMARC for a name below `example.com`, which does not exist, with a signature of `example.com`.
fn decide(author: &[&[u8]], parent: &[&[u8]]) -> Decision {
    let dns = Counting::new(Answers(|question: &Question| match (question.rtype, question.name.as_str()) {
        (RecordType::Txt, "_dmarc.news.example.com") => texts(author.iter().copied()),
        (RecordType::Txt, "_dmarc.example.com") => texts(parent.iter().copied()),
        _ => Outcome::NxDomain,
    }));
    let rules = DiscoveryRules { discovery: Discovery::TreeWalk, psl_guard: true, report_addresses: MOST_ADDRESSES };
    let signer =
        Identifier { domain: Domain::parse("example.com").ok(), mechanism: Mechanism::Dkim, certainty: Certainty::Authenticated };
    let session = Session::new(&dns, budgets());
    let domain = Domain::parse("news.example.com").expect("a name");
    let mut dmarc = Dmarc::new(&session, domain, rules, 12);
    let decision = wait(async {
        dmarc.discover().await;
        dmarc.decide(&[signer]).await
    });
    assert!(dns.count() <= budgets().discovery);
    let octets = |texts: &[&[u8]]| texts.iter().map(|text| text.len()).sum::<usize>();
    if octets(author).max(octets(parent)) <= Outcome::MAX_OCTETS {
        assert_ne!(decision.result, DmarcResult::TempError, "every question was answered");
    }
    let judged = matches!(decision.result, DmarcResult::Pass | DmarcResult::Fail);
    assert!(!judged || (decision.published >= decision.effective && decision.effective.is_some()));
    decision
}

/// Several DMARC records at a name count as none there, whatever they say (A12). Only the explanation
/// tells that they are there.
fn several_are_none(author: &[&[u8]], parent: &[&[u8]], decision: &Decision) {
    let unexplained = |decision: Decision| Decision { faults: Vec::new(), details: Vec::new(), ..decision };
    let several = |texts: &[&[u8]]| texts.iter().filter(|text| is_dmarc(text)).count() > 1;
    if several(author) {
        let without = decide(&[], parent);
        assert_eq!(unexplained(without), unexplained(decision.clone()));
    } else if several(parent) {
        let without = decide(author, &[]);
        assert_eq!(unexplained(without), unexplained(decision.clone()));
    }
}
