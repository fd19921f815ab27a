//! Compares a verdict with the expectations of its case.

use super::case::{Case, Subject};
use super::expect::{ExpectedSignature, OrNull};
use crate::auth::cause::ResultWord;
use crate::auth::dmarc::DmarcResult;
use crate::verdict::Verdict;
use serde::Serialize;

/// Returns one text for each difference.
pub(super) fn differences(case: &Case, subject: &Subject, verdict: &Verdict) -> Vec<String> {
    let mut differences = Differences(Vec::new());
    let expect = &case.expect;
    let authentication = &verdict.authentication;
    let dmarc = &authentication.dmarc;

    differences.word("spf", expect.spf, expect.spf_accept.as_deref(), authentication.spf.result, ResultWord::as_str);
    differences.word("arc", expect.arc, expect.arc_accept.as_deref(), authentication.arc.result, ResultWord::as_str);
    differences.word("dmarc", expect.dmarc, expect.dmarc_accept.as_deref(), dmarc.result, DmarcResult::as_str);
    differences.check(!expect.dmarc_not.contains(&dmarc.result), || format!("dmarc must not be {}", dmarc.result.as_str()));
    differences.signatures(case, verdict);

    differences.value_or_null("policy", &expect.policy, dmarc.published_policy.as_ref());
    differences.value_or_null("disposition", &expect.disposition, verdict.dmarc_policy.as_ref());
    differences.value_or_null("dmarc_policy", &expect.dmarc_policy, verdict.dmarc_policy.as_ref());
    differences.value_or_null("author_domain", &expect.author_domain, authentication.author_domain.as_ref());
    differences.value_or_null("policy_domain", &expect.policy_domain, dmarc.policy_domain.as_ref());
    differences.value_or_null("org_domain", &expect.org_domain, dmarc.organizational_domain.as_ref());
    differences.value("ses spf", expect.ses.spf.as_ref(), &verdict.spf);
    differences.value("ses dkim", expect.ses.dkim.as_ref(), &verdict.dkim);
    differences.value("ses dmarc", expect.ses.dmarc.as_ref(), &verdict.dmarc);
    for reason in &expect.reasons {
        differences.check(dmarc.reasons.contains(reason), || format!("reason {} is missing", reason.code()));
    }
    for reason in &expect.reasons_not {
        differences.check(!dmarc.reasons.contains(reason), || format!("reason {} is there", reason.code()));
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

    fn word<W: Copy + PartialEq>(
        &mut self,
        what: &str,
        expected: Option<W>,
        accepted: Option<&[W]>,
        found: W,
        text: fn(W) -> &'static str,
    ) {
        let expected = accepted.or(expected.as_ref().map(std::slice::from_ref));
        if let Some(expected) = expected {
            self.check(expected.contains(&found), || {
                let expected: Vec<_> = expected.iter().copied().map(text).collect();
                format!("{what} {}, expected {}", text(found), expected.join(" or "))
            });
        }
    }

    fn value_or_null<T: PartialEq + Serialize>(&mut self, what: &str, expected: &OrNull<T>, found: Option<&T>) {
        if let OrNull::Is(expected) = expected {
            self.value(what, Some(&expected.as_ref()), &found);
        }
    }

    fn value<T: PartialEq + Serialize>(&mut self, what: &str, expected: Option<&T>, found: &T) {
        if let Some(expected) = expected {
            let text = |value: &T| serde_json::to_string(value).unwrap_or_default();
            self.check(expected == found, || format!("{what} {}, expected {}", text(found), text(expected)));
        }
    }

    fn signatures(&mut self, case: &Case, verdict: &Verdict) {
        let found = &verdict.authentication.dkim;
        let passes = found.iter().any(|signature| signature.result == ResultWord::Pass);
        self.check(!(case.must_not_pass() && passes), || "a signature that must not pass did".into());
        for word in &case.expect.dkim_not {
            self.check(!found.iter().any(|signature| signature.result == *word), || format!("dkim must not be {word}"));
        }
        if let Some(expected) = case.expect.dkim_any {
            let any = if passes { ResultWord::Pass } else { ResultWord::Fail };
            self.check(expected == any || found.iter().any(|signature| signature.result == expected), || {
                format!("no signature is {expected}")
            });
        }
        let Some(expected) = &case.expect.dkim else { return };
        if expected.len() != found.len() {
            self.0.push(format!("{} signatures, expected {}", found.len(), expected.len()));
            return;
        }
        for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
            let ExpectedSignature { d, s, a, result, accept, .. } = expected;
            if !(case.must_not_pass() && found.result != ResultWord::Pass) {
                self.word(&format!("dkim {number}"), *result, accept.as_deref(), found.result, ResultWord::as_str);
            }
            for (tag, expected, found) in [
                ("d", d.as_deref(), found.d.as_ref().map(crate::dns::Domain::as_str)),
                ("s", s.as_deref(), found.s.as_ref().map(crate::dns::Domain::as_str)),
                ("a", a.as_deref(), found.a.as_deref()),
            ] {
                // A tag that could not be read has no value in the verdict to compare.
                if let (Some(expected), Some(found)) = (expected, found) {
                    self.check(expected.eq_ignore_ascii_case(found), || {
                        format!("dkim {number} {tag}={found}, expected {expected}")
                    });
                }
            }
        }
    }
}
