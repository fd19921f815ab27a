//! Runs the RFC 7208 test suite of 2019.08.

use super::{Sender, Zone};
use crate::auth::cause::{ResultWord, SpfCause};
use crate::dns::Domain;
use serde_json::Value;

const SUITE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/spf_rfc7208.jsonl"));

/// Takes the identity from a case as an SMTP receiver would, and returns the result.
///
/// The identity is MAIL FROM, or `postmaster` at HELO for the null path.
fn result_of(case: &Value) -> ResultWord {
    let text = |key: &str| case[key].as_str().unwrap();
    let helo = text("helo");
    let (local_part, domain) = match text("mail_from") {
        "" => ("postmaster", helo),
        path => path.rsplit_once('@').unwrap_or(("", path)),
    };
    if Domain::parse(domain).is_err() {
        return SpfCause::NoDomain.word();
    }
    let zone = Zone::from_case(case["zone"].as_object().unwrap());
    let sender = Sender { ip: text("client_ip"), helo: Some(helo.as_bytes()), local_part: local_part.as_bytes(), domain };
    sender.cause(&zone).word()
}

#[test]
fn all_of_the_rfc_7208_suite_conforms() {
    let mut wrong = Vec::new();
    let mut cases = 0;
    for line in SUITE.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let found = result_of(&case);
        let accepted = case["expect"]["spf_accept"].as_array().unwrap();
        cases += 1;
        if !accepted.iter().any(|word| word == found.as_str()) {
            wrong.push(format!("{}: {found}, not one of {accepted:?}", case["id"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {cases} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(cases, 203);
}
