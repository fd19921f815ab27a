//! Runs the cases of dkimpy and mox.

use super::support::{ARRIVAL, Case, TxtZone, message_of, suite};
use crate::dns::Domain;

#[test]
fn dkim_synthetic_suite_passes() {
    let mut wrong = Vec::new();
    for case in suite(include_str!("../../../../tests/conformance/dkim_synthetic.jsonl")) {
        let flags: Vec<_> = case["flags"].as_array().into_iter().flatten().filter_map(|flag| flag.as_str()).collect();
        let gates = !flags.iter().any(|flag| matches!(*flag, "impl-specific" | "undefined" | "local-policy"));
        let must_not_pass = flags.iter().any(|flag| matches!(*flag, "weak-key" | "sha1" | "no-v-tag" | "expired"));
        let zone = TxtZone::of_case(&case["zone"]);
        let evaluation = Case { arrival: case["now"].as_i64().unwrap_or(ARRIVAL), ..Case::new(&zone) };
        let outcomes = evaluation.verify(&message_of(&case));
        let expected = case["expect"]["dkim"].as_array().unwrap();
        let mut right = outcomes.len() == expected.len();
        for (outcome, expected) in outcomes.iter().zip(expected) {
            let word = outcome.cause.word().as_str();
            let accept: Vec<_> = expected["accept"].as_array().unwrap().iter().filter_map(|word| word.as_str()).collect();
            right &= if must_not_pass { word != "pass" } else { !gates || accept.contains(&word) };
            let same = |got: Option<&str>, wanted: &serde_json::Value| wanted.as_str().is_none_or(|wanted| got == Some(wanted));
            right &= same(outcome.domain.as_ref().map(Domain::as_str), &expected["d"]);
            right &= same(outcome.selector.as_ref().map(Domain::as_str), &expected["s"]);
            right &= same(outcome.algorithm.as_deref(), &expected["a"]);
            right &= !case["expect"]["dkim_not"].as_array().into_iter().flatten().any(|not| not == word);
            if word == "pass" {
                right &= expected["key_bits"].as_u64().is_none_or(|bits| outcome.key_bits.map(u64::from) == Some(bits));
            }
        }
        if !right {
            wrong.push(format!("{}: {:?}", case["id"], outcomes.iter().map(|outcome| outcome.cause).collect::<Vec<_>>()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
