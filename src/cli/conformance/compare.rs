//! What differs between a verdict and what its case expects.

use super::case::{Case, ExpectedSignature, Subject};
use crate::verdict::Verdict;
use serde_json::Value;

/// One text for each difference.
pub(super) fn differences(case: &Case, subject: &Subject, verdict: &Verdict) -> Vec<String> {
    let mut differences = Differences(Vec::new());
    let expect = &case.expect;
    let authentication = &verdict.authentication;
    let dmarc = &authentication.dmarc;

    differences.word("spf", expect.spf.as_deref(), expect.spf_accept.as_deref(), authentication.spf.result.as_str());
    differences.word("arc", expect.arc.as_deref(), expect.arc_accept.as_deref(), authentication.arc.result.as_str());
    differences.word("dmarc", expect.dmarc.as_deref(), expect.dmarc_accept.as_deref(), dmarc.result.as_str());
    if expect.dmarc_not.contains(dmarc.result.as_str()) {
        differences.0.push(format!("dmarc must not be {}", dmarc.result.as_str()));
    }
    differences.signatures(case, verdict);

    for (what, expected, found) in [
        ("policy", &expect.policy, serde_json::to_value(dmarc.published_policy)),
        ("disposition", &expect.disposition, serde_json::to_value(verdict.dmarc_policy)),
        ("dmarc_policy", &expect.dmarc_policy, serde_json::to_value(verdict.dmarc_policy)),
        ("author_domain", &expect.author_domain, serde_json::to_value(&authentication.author_domain)),
        ("policy_domain", &expect.policy_domain, serde_json::to_value(&dmarc.policy_domain)),
        ("org_domain", &expect.org_domain, serde_json::to_value(&dmarc.organizational_domain)),
    ] {
        differences.value(what, expected.as_ref(), &found.unwrap_or_default());
    }
    for (what, status) in [("spf", verdict.spf), ("dkim", verdict.dkim), ("dmarc", verdict.dmarc)] {
        let expected = expect.ses.as_ref().and_then(|ses| ses.get(what));
        differences.value(&format!("ses {what}"), expected, &Value::from(status.as_str()));
    }
    for code in &expect.reasons {
        differences.check(dmarc.reasons.iter().any(|reason| reason.code() == code), || format!("reason {code} is missing"));
    }
    for code in &expect.reasons_not {
        differences.check(!dmarc.reasons.iter().any(|reason| reason.code() == code), || format!("reason {code} is there"));
    }
    if let Some(expected) = &expect.queries {
        let found = subject.policy_questions();
        differences.check(*expected == found, || format!("questions {found:?}, expected {expected:?}"));
    }
    differences.0
}

struct Differences(Vec<String>);

impl Differences {
    fn check(&mut self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.0.push(text());
        }
    }

    fn word(&mut self, what: &str, expected: Option<&str>, accepted: Option<&[String]>, found: &str) {
        let holds = match (accepted, expected) {
            (Some(accepted), _) => accepted.iter().any(|word| word == found),
            (None, Some(expected)) => expected == found,
            (None, None) => true,
        };
        self.check(holds, || {
            format!("{what} {found}, expected {}", accepted.map_or(expected.unwrap_or("").into(), |all| all.join(" or ")))
        });
    }

    fn value(&mut self, what: &str, expected: Option<&Value>, found: &Value) {
        if let Some(expected) = expected {
            self.check(same(expected, found), || format!("{what} {found}, expected {expected}"));
        }
    }

    fn signatures(&mut self, case: &Case, verdict: &Verdict) {
        let found = &verdict.authentication.dkim;
        let passes = found.iter().any(|signature| signature.result.as_str() == "pass");
        self.check(!(case.must_not_pass() && passes), || "a signature that must not pass did".into());
        for word in &case.expect.dkim_not {
            self.check(!found.iter().any(|signature| signature.result.as_str() == word), || format!("dkim must not be {word}"));
        }
        if let Some(expected) = &case.expect.dkim_any {
            let any = if passes { "pass" } else { "fail" };
            self.check(expected == any || found.iter().any(|signature| signature.result.as_str() == expected), || {
                format!("no signature is {expected}")
            });
        }
        let Some(expected) = &case.expect.dkim else { return };
        if expected.len() != found.len() {
            self.0.push(format!("{} signatures, expected {}", found.len(), expected.len()));
            return;
        }
        for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
            let ExpectedSignature { d, s, a, result, accept } = expected;
            let word = found.result.as_str();
            if !(case.must_not_pass() && word != "pass") {
                self.word(&format!("dkim {number}"), result.as_deref(), accept.as_deref(), word);
            }
            for (tag, expected, found) in [
                ("d", d.as_deref(), found.d.as_ref().map(crate::dns::Domain::as_str)),
                ("s", s.as_deref(), found.s.as_ref().map(crate::dns::Domain::as_str)),
                ("a", a.as_deref(), found.a.as_deref()),
            ] {
                // A tag that could not be read has no value of ours to compare.
                if let (Some(expected), Some(found)) = (expected, found) {
                    self.check(expected.eq_ignore_ascii_case(found), || {
                        format!("dkim {number} {tag}={found}, expected {expected}")
                    });
                }
            }
        }
    }
}

/// Words compare in any case, so that `reject` and `REJECT` are one.
fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(expected), Value::String(found)) => expected.eq_ignore_ascii_case(found),
        (expected, found) => expected == found,
    }
}
