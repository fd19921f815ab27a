use super::super::{Answer, Outcome, QueryName, Question, Record, RecordType, Resolver as _, Unanswered};
use super::nodes::TYPES;
use super::*;
use serde_json::json;

fn ask(zone: &Zone, name: &str, rtype: RecordType) -> Answer {
    let question = Question::new(QueryName::new(name).unwrap(), rtype);
    (*zone.at_hand(&question).unwrap()).clone()
}

fn outcome(zone: &Zone, name: &str, rtype: RecordType) -> Outcome {
    ask(zone, name, rtype).outcome
}

fn txt(text: &str) -> Outcome {
    Outcome::Records([Record::Txt(text.as_bytes().into())].into())
}

fn error(json: &serde_json::Value) -> ZoneProblem {
    Zone::from_json(json).unwrap_err().problem
}

const TIMEOUT: Outcome = Outcome::TempError(Unanswered::Timeout);
const SERVFAIL: Outcome = Outcome::TempError(Unanswered::ServFail);

#[test]
fn types_are_indexed_by_their_discriminant() {
    for (index, rtype) in TYPES.into_iter().enumerate() {
        assert_eq!(rtype as usize, index);
    }
}

#[test]
fn json_holds_records_of_every_type() {
    let zone = Zone::from_json(&json!({"zone": {
        "Example.COM": [
            ["TXT", "v=spf1 ", "-all"], ["SPF", "ignored"], ["A", "192.0.2.1"], ["AAAA", "2001:db8::1"],
            ["MX", 10, "MX.example.com."], ["MX", 0, "."],
        ],
        "1.2.0.192.in-addr.arpa": [["PTR", "Mail.example.com"]],
        "old.example.com": [["SPF", "v=spf1 -all"]],
        "foo:bar/baz.example.com": [["A", "192.0.2.2"]],
    }}))
    .unwrap();
    for (name, rtype, expected) in [
        ("example.com", RecordType::Txt, txt("v=spf1 -all")),
        ("example.com", RecordType::A, Outcome::Records([Record::A([192, 0, 2, 1].into())].into())),
        ("example.com", RecordType::Aaaa, Outcome::Records([Record::Aaaa("2001:db8::1".parse().unwrap())].into())),
        (
            "example.com",
            RecordType::Mx,
            Outcome::Records([Record::Mx(10, "mx.example.com".into()), Record::Mx(0, "".into())].into()),
        ),
        ("example.com", RecordType::Ptr, Outcome::NoData),
        ("1.2.0.192.in-addr.arpa", RecordType::Ptr, Outcome::Records([Record::Ptr("mail.example.com".into())].into())),
        ("old.example.com", RecordType::Txt, Outcome::NoData),
        ("foo:bar/baz.example.com", RecordType::A, Outcome::Records([Record::A([192, 0, 2, 2].into())].into())),
    ] {
        assert_eq!(outcome(&zone, name, rtype), expected, "{name} {rtype:?}");
    }
}

#[test]
fn absent_names_are_nxdomain_and_empty_non_terminals_nodata() {
    let zone = Zone::from_json(
        &json!({"a.b.example.com": [["A", "192.0.2.1"]], "none.example.org": [["NODATA"]], "bare.example.org": []}),
    )
    .unwrap();
    for (name, expected) in [
        ("b.example.com", Outcome::NoData),
        ("com", Outcome::NoData),
        ("c.example.com", Outcome::NxDomain),
        ("x.a.b.example.com", Outcome::NxDomain),
        ("net", Outcome::NxDomain),
        ("ample.com", Outcome::NxDomain),
        ("none.example.org", Outcome::NoData),
        ("bare.example.org", Outcome::NoData),
    ] {
        assert_eq!(outcome(&zone, name, RecordType::Txt), expected, "{name}");
    }
}

#[test]
fn faults_strike_a_type_or_every_type_not_listed() {
    let zone = Zone::from_json(&json!({
        "all.example": [["TIMEOUT"], ["A", "192.0.2.1"]],
        "one.example": [["TIMEOUT", "TXT"], ["A", "192.0.2.1"]],
        "fail.example": [["SERVFAIL", "TXT"]],
        "refused.example": [["REFUSED"]],
        "formerr.example": [["FORMERR", "TXT"]],
        "void.example": [["TIMEOUT"], ["NODATA", "TXT"]],
    }))
    .unwrap();
    let a = Outcome::Records([Record::A([192, 0, 2, 1].into())].into());
    for (name, rtype, expected) in [
        ("all.example", RecordType::Txt, TIMEOUT),
        ("all.example", RecordType::Mx, TIMEOUT),
        ("all.example", RecordType::A, a.clone()),
        ("one.example", RecordType::Txt, TIMEOUT),
        ("one.example", RecordType::Mx, Outcome::NoData),
        ("one.example", RecordType::A, a),
        ("fail.example", RecordType::Txt, SERVFAIL),
        ("fail.example", RecordType::A, Outcome::NoData),
        ("refused.example", RecordType::A, Outcome::TempError(Unanswered::Refused)),
        ("formerr.example", RecordType::Txt, Outcome::Invalid),
        ("void.example", RecordType::Txt, Outcome::NoData),
        ("void.example", RecordType::A, TIMEOUT),
    ] {
        assert_eq!(outcome(&zone, name, rtype), expected, "{name} {rtype:?}");
    }
}

#[test]
fn f38_aliases_are_followed_for_eight_links() {
    let mut names = serde_json::Map::new();
    names.insert("c0.example".into(), json!([["TXT", "end"]]));
    for link in 1..=9 {
        names.insert(format!("c{link}.example"), json!([["CNAME", format!("C{}.example.", link - 1)]]));
    }
    names.insert("loop.example".into(), json!([["CNAME", "pool.example"]]));
    names.insert("pool.example".into(), json!([["CNAME", "loop.example"]]));
    names.insert("self.example".into(), json!([["CNAME", "self.example"]]));
    names.insert("lost.example".into(), json!([["CNAME", "nowhere.example"]]));
    names.insert("late.example".into(), json!([["CNAME", "slow.example"]]));
    names.insert("slow.example".into(), json!([["TIMEOUT"]]));
    let zone = Zone::from_json(&serde_json::Value::Object(names)).unwrap();
    for (name, expected) in [
        ("c8.example", txt("end")),
        ("c9.example", SERVFAIL),
        ("loop.example", SERVFAIL),
        ("self.example", SERVFAIL),
        ("lost.example", Outcome::NxDomain),
        ("late.example", TIMEOUT),
    ] {
        assert_eq!(outcome(&zone, name, RecordType::Txt), expected, "{name}");
    }
}

#[test]
fn f39_wildcards_follow_rfc_4592() {
    let zone = Zone::from_json(&json!({
        "*.example.com": [["TXT", "wild"]],
        "host.example.com": [["A", "192.0.2.1"]],
        "deep.sub.example.com": [["A", "192.0.2.1"]],
        "*.alias.example": [["CNAME", "x.example.com"]],
        "to-wild.example": [["CNAME", "any.example.com"]],
    }))
    .unwrap();
    for (name, expected) in [
        ("any.example.com", txt("wild")),
        ("_dmarc.any.example.com", txt("wild")),
        ("*.example.com", txt("wild")),
        ("example.com", Outcome::NoData),
        ("host.example.com", Outcome::NoData),
        ("below.host.example.com", Outcome::NxDomain),
        ("sub.example.com", Outcome::NoData),
        ("other.sub.example.com", Outcome::NxDomain),
        ("some.alias.example", txt("wild")),
        ("to-wild.example", txt("wild")),
    ] {
        assert_eq!(outcome(&zone, name, RecordType::Txt), expected, "{name}");
    }
    assert_eq!(outcome(&zone, "any.example.com", RecordType::A), Outcome::NoData);
}

#[test]
fn f38_answers_over_16_kib_are_invalid() {
    let zone = Zone::from_json(&json!({
        "fits.example": [["TXT", "x".repeat(16 * 1024)]],
        "big.example": [["TXT", "x".repeat(16 * 1024), "y"]],
        "many.example": [["TXT", "x".repeat(8 * 1024)], ["TXT", "y".repeat(8 * 1024 + 1)]],
    }))
    .unwrap();
    assert!(matches!(outcome(&zone, "fits.example", RecordType::Txt), Outcome::Records(_)));
    assert_eq!(outcome(&zone, "big.example", RecordType::Txt), Outcome::Invalid);
    assert_eq!(outcome(&zone, "many.example", RecordType::Txt), Outcome::Invalid);
}

#[test]
fn json_errors_name_owner_and_record() {
    for (record, expected) in [
        (json!(["A", "192.0.2.256"]), "an IPv4 address"),
        (json!(["AAAA", "192.0.2.1"]), "an IPv6 address"),
        (json!(["MX", "mx.example"]), "a preference and a host"),
        (json!(["MX", 65536, "mx.example"]), "a preference from 0 to 65535"),
        (json!(["TXT", 5]), "strings"),
        (json!(["PTR"]), "one string"),
        (json!(["CNAME", "a..b"]), "a name that can be asked for"),
        (json!(["TIMEOUT", "NS"]), "one of the types A, AAAA, MX, PTR, TXT"),
        (json!(["NS", "ns.example"]), "TXT, SPF, A, AAAA, MX, PTR, CNAME, TIMEOUT, SERVFAIL, REFUSED, FORMERR or NODATA"),
        (json!([]), "a list whose first element is a type"),
        (json!("TXT"), "a list whose first element is a type"),
    ] {
        let problem = error(&json!({"bad.example": [["A", "192.0.2.1"], record.clone()]}));
        assert_eq!(problem, ZoneProblem::Record { owner: "bad.example".into(), record: record.to_string(), expected });
    }
    assert_eq!(error(&json!({"a..b": []})), ZoneProblem::Owner("a..b".into()));
    assert!(matches!(error(&json!({"a.example": "v=spf1"})), ZoneProblem::Record { .. }));
    assert!(matches!(error(&json!({"c.example": [["CNAME", "a.example"], ["CNAME", "b.example"]]})), ZoneProblem::Record { .. }));
    assert!(matches!(error(&json!([])), ZoneProblem::Syntax(_)));
}

#[test]
fn errors_name_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, line, says) in [
        ("syntax.json", "{\n\"a.example\": [],\n\"b.example\" []}", 3, "not JSON of a zone"),
        ("record.json", "{\n\"a.example\": [],\n\n\"b.example\": [[\"A\", \"b.example\"]]}", 4, "an IPv4 address"),
        ("twice.json", "{\n\"a.example\": [],\n\"a.example\": []}", 3, "stands twice"),
        ("nested.json", "{\"zone\": {\"a.example\": [],\n\"a.example\": []}}", 2, "stands twice"),
        ("syntax.zone", "$ORIGIN example.com.\n; fine\n@ 300 IN A 192.0.2.1\nwww 300 IN A 192.0.2.300\n", 4, "IPv4"),
        ("last.zone", "a.example. 300 IN A 192.0.2.1\na.example. 300 IN A x", 2, "IPv4"),
        ("blank.zone", "a.example. 300 IN A x\n\n\n", 1, "IPv4"),
        ("directive.zone", "a.example. 300 IN A 192.0.2.1\n$TTL never\nb.example. A 192.0.2.1\n", 2, ""),
        ("relative.zone", "www 300 IN A 192.0.2.1\n", 1, "no $ORIGIN above"),
        ("type.zone", "\n\na.example. 300 IN FOO bar\n", 3, ""),
        ("include.zone", "$ORIGIN example.com.\n\n$INCLUDE other.zone\n", 3, "$INCLUDE"),
        ("owner.zone", "a.example. 300 IN A 192.0.2.1\n; a comment\n\na\\.b.example. 300 IN A 192.0.2.1\n", 4, "a\\.b.example"),
        ("alias.zone", "a.example. 1 CNAME b.example.\na.example. 1 CNAME c.example.\n", 2, "one CNAME"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let error = Zone::load(&path).unwrap_err();
        let shown = error.to_string();
        assert_eq!((error.file.as_deref(), error.line), (Some(path.as_path()), Some(line)), "{name}: {shown}");
        assert!(shown.contains(says), "{name}: {shown}");
        assert!(shown.contains(&format!("{name}, line {line}: ")), "{name}: {shown}");
    }
    std::fs::write(folder.path().join("latin"), b"; fine\na.example. TXT \"\xE9\"\n").unwrap();
    assert_eq!(Zone::load(folder.path().join("latin")).unwrap_err().problem, ZoneProblem::NotUtf8);
    let missing = Zone::load(folder.path().join("missing")).unwrap_err();
    assert!(matches!(missing.problem, ZoneProblem::Unreadable(_)));
    assert!(missing.to_string().contains("missing"));
}

#[test]
fn master_files_are_read_with_their_ttls() {
    let zone = Zone::parse(
        br#"$ORIGIN Example.com.
$TTL 600
@       IN SOA ns hostmaster 1 7200 3600 1209600 120
        IN NS  ns
@       IN TXT "v=spf1 " "ip4:192.0.2.0/24 -all"
        30 IN MX 10 MX
        20 IN MX 20 mx.example.net.
        IN MX 0 .
ns      IN A   192.0.2.53
        IN AAAA 2001:db8::53
www     60 IN CNAME web
web     IN A   192.0.2.80
*.wild  IN TXT "w\195\169"
_dmarc  IN TXT ( "v=DMARC1;"   ; comment
                 " p=reject" )
1.2.0.192.in-addr.arpa. IN PTR mail
"#,
    )
    .unwrap();
    assert_eq!(
        ask(&zone, "example.com", RecordType::Txt),
        Answer { ttl: 600, ..Answer::new(txt("v=spf1 ip4:192.0.2.0/24 -all")) }
    );
    assert_eq!(outcome(&zone, "_dmarc.example.com", RecordType::Txt), txt("v=DMARC1; p=reject"));
    assert_eq!(outcome(&zone, "x.wild.example.com", RecordType::Txt), txt("w\u{e9}"));
    let mx = ask(&zone, "example.com", RecordType::Mx);
    assert_eq!(mx.ttl, 20);
    let expected = [Record::Mx(10, "mx.example.com".into()), Record::Mx(20, "mx.example.net".into()), Record::Mx(0, "".into())];
    assert_eq!(mx.records(), expected);
    assert_eq!(ask(&zone, "www.example.com", RecordType::A).ttl, 60);
    assert_eq!(outcome(&zone, "www.example.com", RecordType::A), Outcome::Records([Record::A([192, 0, 2, 80].into())].into()));
    assert_eq!(ask(&zone, "none.example.com", RecordType::A), Answer { ttl: 120, ..Answer::new(Outcome::NxDomain) });
    assert_eq!(ask(&zone, "ns.example.com", RecordType::Txt), Answer { ttl: 120, ..Answer::new(Outcome::NoData) });
    assert_eq!(
        outcome(&zone, "1.2.0.192.in-addr.arpa", RecordType::Ptr),
        Outcome::Records([Record::Ptr("mail.example.com".into())].into())
    );
}

#[test]
fn entries_at_which_the_scanner_panics_are_an_error_with_their_line() {
    for text in ["$INCLUDE\"\"A", ".(TXT\"\""] {
        let error = Zone::from_master(&format!("; a comment\n{text}")).err().unwrap();
        assert_eq!(
            error.to_string(),
            "zone, line 2: the entry cannot be read; put white space around its quoted strings",
            "{text}"
        );
    }
}

#[test]
fn every_zone_of_the_published_suites_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    for suite in ["spf_rfc7208.jsonl", "dkim_synthetic.jsonl", "arc_validation.jsonl"] {
        let cases = std::fs::read_to_string(folder.join(suite)).unwrap();
        for line in cases.lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            Zone::from_json(&case["zone"]).unwrap_or_else(|error| panic!("{}: {error}", case["id"]));
        }
    }
}

proptest::proptest! {
    #[test]
    fn hostile_zone_files_do_not_panic(text in "([a-z@.$*]{0,6}[ \t\n;()\"\\\\0-9]{0,3}(A|TXT|MX|SOA|IN|CNAME|\\$TTL|\\$ORIGIN|\\$INCLUDE)?){0,12}") {
        let _ = Zone::from_master(&text);
    }

    #[test]
    fn hostile_json_zones_do_not_panic(text in "[{}\\[\\]:,\"a-zA.0-9 ]{0,60}") {
        let _ = Zone::from_json_str(&text);
        let _ = Zone::from_json_str(&format!("{{\"a.example\": [[{text}]]}}"));
    }
}
