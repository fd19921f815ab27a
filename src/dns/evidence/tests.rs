use super::super::{QueryName, RecordType};
use super::*;
use proptest::prelude::*;
use serde_json::json;

fn question(name: &str, rtype: RecordType) -> Question {
    Question::new(QueryName::new(name).unwrap(), rtype)
}

fn answer(outcome: Outcome) -> Arc<Answer> {
    Arc::new(Answer { ttl: 300, ..Answer::new(outcome) })
}

fn txt(text: &[u8]) -> Outcome {
    Outcome::of(vec![Record::Txt(text.into())])
}

fn every_outcome() -> Vec<(Question, Arc<Answer>)> {
    let temporary = |why| answer(Outcome::TempError(why));
    vec![
        (question("a.example", RecordType::A), answer(Outcome::of(vec![Record::A([192, 0, 2, 1].into())]))),
        (question("a.example", RecordType::Aaaa), answer(Outcome::of(vec![Record::Aaaa("2001:db8::1".parse().unwrap())]))),
        (
            question("a.example", RecordType::Mx),
            answer(Outcome::of(vec![Record::Mx(10, "mx.example".into()), Record::Mx(0, "".into())])),
        ),
        (question("a.example", RecordType::Ptr), answer(Outcome::of(vec![Record::Ptr("host.example".into())]))),
        (question("a.example", RecordType::Txt), answer(txt(b"v=DMARC1; \"p\"=reject"))),
        (question("b.example", RecordType::Txt), Arc::new(Answer { authenticated: true, ..Answer::new(txt(b"\xff\x00")) })),
        (question("c.example", RecordType::Txt), answer(Outcome::NoData)),
        (question("d.example", RecordType::Txt), answer(Outcome::NxDomain)),
        (question("e.example", RecordType::Txt), answer(Outcome::Invalid)),
        (question("f.example", RecordType::Txt), temporary(Unanswered::ServFail)),
        (question("g.example", RecordType::Txt), temporary(Unanswered::Refused)),
        (question("h.example", RecordType::Txt), temporary(Unanswered::Timeout)),
        (question("i.example", RecordType::Txt), temporary(Unanswered::Network)),
        (question("j.example", RecordType::Txt), temporary(Unanswered::Deadline)),
        (question("k.example", RecordType::Txt), temporary(Unanswered::Budget)),
    ]
}

#[test]
fn entries_are_written_as_documented() {
    let evidence = Evidence::new(every_outcome(), 128 * 1024);
    let json = serde_json::to_value(&evidence).unwrap();
    assert_eq!(json["truncated"], false);
    assert_eq!(
        json["answers"][4],
        json!({"name": "a.example", "type": "TXT", "rcode": "NOERROR", "records": ["v=DMARC1; \"p\"=reject"], "ttl": 300, "authenticated": false})
    );
    let answers = json["answers"].as_array().unwrap();
    let written: Vec<_> = answers.iter().map(|entry| (entry["rcode"].as_str().unwrap(), entry["records"].to_string())).collect();
    let expected = [
        ("NOERROR", r#"["192.0.2.1"]"#),
        ("NOERROR", r#"["2001:db8::1"]"#),
        ("NOERROR", r#"["10 mx.example","0 ."]"#),
        ("NOERROR", r#"["host.example"]"#),
        ("NOERROR", r#"["v=DMARC1; \"p\"=reject"]"#),
        ("NOERROR", r#"[{"base64":"/wA="}]"#),
        ("NOERROR", "[]"),
        ("NXDOMAIN", "[]"),
        ("FORMERR", "[]"),
        ("SERVFAIL", "[]"),
        ("REFUSED", "[]"),
        ("TIMEOUT", "[]"),
        ("NETWORK", "[]"),
        ("DEADLINE", "[]"),
        ("BUDGET", "[]"),
    ];
    assert_eq!(written, expected.map(|(rcode, records)| (rcode, records.to_owned())));
}

#[test]
fn what_is_written_fits_the_schema() {
    let schema = serde_json::to_value(schemars::schema_for!(Evidence)).unwrap();
    let evidence = serde_json::to_value(Evidence::new(every_outcome(), 128 * 1024)).unwrap();
    jsonschema::validate(&schema, &evidence).unwrap();
    let mut wrong = evidence;
    wrong["answers"][0]["rcode"] = "REFUSED BY US".into();
    assert!(!jsonschema::is_valid(&schema, &wrong));
}

#[test]
fn bad_entries_are_refused() {
    let good =
        json!({"name": "a.example", "type": "A", "rcode": "NOERROR", "records": ["192.0.2.1"], "ttl": 1, "authenticated": false});
    serde_json::from_value::<Entry>(good.clone()).unwrap();
    for (field, value) in [
        ("name", json!("a..example")),
        ("type", json!("NS")),
        ("type", json!("AAAA")),
        ("type", json!("MX")),
        ("rcode", json!("NXDOMAIN")),
        ("rcode", json!("OTHER")),
        ("records", json!([{"base64": "AAAA"}])),
        ("ttl", json!(-1)),
    ] {
        let mut entry = good.clone();
        entry[field] = value;
        assert!(serde_json::from_value::<Entry>(entry.clone()).is_err(), "{entry}");
    }
}

#[test]
fn over_the_limit_the_list_is_cut_and_says_so() {
    let all = every_outcome();
    let whole = serde_json::to_string(&Evidence::new(all.clone(), usize::MAX)).unwrap().len();
    for limit in 0..whole + 2000 {
        let evidence = Evidence::new(all.clone(), limit);
        let written = serde_json::to_string(&evidence).unwrap().len();
        assert!(written <= limit.max(Evidence::FRAME), "{written} > {limit}");
        assert_eq!(evidence.truncated, evidence.answers.len() < all.len());
        let kept: Vec<_> = evidence.answers.into_iter().map(|entry| (entry.question, entry.answer)).collect();
        assert_eq!(kept, all[..kept.len()]);
    }
    assert!(!Evidence::new(all, whole + 2000).truncated);
}

#[test]
fn replay_answers_from_the_evidence_alone_and_names_what_is_missing() {
    let evidence = Evidence::new(every_outcome(), 128 * 1024);
    let resolver = EvidenceResolver::new(&evidence);
    for (question, answer) in every_outcome() {
        assert_eq!(resolver.at_hand(&question), Some(answer));
    }
    assert_eq!(resolver.missing(), []);
    let unknown = [question("b.example", RecordType::A), question("z.example", RecordType::Txt)];
    for question in [&unknown[0], &unknown[1], &unknown[0]] {
        assert_eq!(resolver.at_hand(question).unwrap().outcome, Outcome::TempError(Unanswered::Deadline));
    }
    assert_eq!(resolver.missing(), unknown);
}

fn any_host() -> impl Strategy<Value = Box<str>> {
    prop_oneof![Just("".into()), "[a-z0-9_\\\\ \u{1}\"-]{1,20}(\\.[a-z]{1,5}){0,3}".prop_map(Into::into)]
}

fn any_record(rtype: RecordType) -> BoxedStrategy<Record> {
    match rtype {
        RecordType::A => any::<u32>().prop_map(|address| Record::A(address.into())).boxed(),
        RecordType::Aaaa => any::<u128>().prop_map(|address| Record::Aaaa(address.into())).boxed(),
        RecordType::Mx => (any::<u16>(), any_host()).prop_map(|(preference, host)| Record::Mx(preference, host)).boxed(),
        RecordType::Ptr => any_host().prop_map(Record::Ptr).boxed(),
        RecordType::Txt => prop_oneof![
            any::<Vec<u8>>().prop_map(|text| Record::Txt(text.into())),
            any::<String>().prop_map(|text| Record::Txt(text.as_bytes().into())),
            "[\u{0}-\u{1f}\"\\\\]{0,200}".prop_map(|text| Record::Txt(text.as_bytes().into())),
        ]
        .boxed(),
    }
}

fn any_outcome(rtype: RecordType) -> impl Strategy<Value = Outcome> {
    use Unanswered::{Budget, Deadline, Network, Refused, ServFail, Timeout};
    prop_oneof![
        4 => prop::collection::vec(any_record(rtype), 1..5).prop_map(|records| Outcome::Records(records.into())),
        1 => prop::sample::select(vec![Outcome::NoData, Outcome::NxDomain, Outcome::Invalid]),
        1 => prop::sample::select(vec![Timeout, ServFail, Refused, Network, Deadline, Budget]).prop_map(Outcome::TempError),
    ]
}

fn any_entry() -> impl Strategy<Value = (Question, Arc<Answer>)> {
    use RecordType::{A, Aaaa, Mx, Ptr, Txt};
    let name = "[^.]{1,15}(\\.[^.]{1,15}){0,3}".prop_filter_map("a name", |name| QueryName::new(&name));
    (name, prop::sample::select(vec![A, Aaaa, Mx, Ptr, Txt])).prop_flat_map(|(name, rtype)| {
        (any_outcome(rtype), any::<u32>(), any::<bool>()).prop_map(move |(outcome, ttl, authenticated)| {
            (Question::new(name.clone(), rtype), Arc::new(Answer { outcome, ttl, authenticated }))
        })
    })
}

proptest! {
    #[test]
    fn evidence_comes_back_as_it_was(answers in prop::collection::vec(any_entry(), 0..8)) {
        let evidence = Evidence::new(answers, usize::MAX);
        let json = serde_json::to_string(&evidence).unwrap();
        prop_assert_eq!(serde_json::from_str::<Evidence>(&json).unwrap(), evidence);
    }

    #[test]
    fn evidence_is_never_longer_than_its_limit(answers in prop::collection::vec(any_entry(), 0..20), limit in 100usize..6000) {
        let evidence = Evidence::new(answers, limit);
        prop_assert!(serde_json::to_string(&evidence).unwrap().len() <= limit);
        let at_most: usize = evidence.answers.iter().map(Entry::octets_at_most).sum();
        prop_assert!(serde_json::to_string(&evidence).unwrap().len() <= Evidence::FRAME + at_most);
    }
}
