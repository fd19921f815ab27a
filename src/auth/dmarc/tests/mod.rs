//! Tests of the tables of rules, against a zone in memory.

mod alignment;
mod discovery;
mod properties;
mod records;
mod survey;
mod unknown;

use super::{Certainty, Decision, DiscoveryRules, Dmarc, DmarcResult, Identifier, Mechanism, Policy};
use crate::config::Discovery;
use crate::dns::{Budgets, Counting, Domain, RecordType, Session, Zone};
use serde_json::{Map, Value, json};

pub(super) fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

/// One row of a table: a zone, an author, identifiers that passed or could have, and the rules.
#[derive(Clone)]
pub(super) struct Case {
    zone: Map<String, Value>,
    author: Domain,
    identifiers: Vec<Identifier>,
    rules: DiscoveryRules,
    walks: usize,
}

/// Returns a case whose `_dmarc` names hold these records. The author domain exists.
pub(super) fn case(author: &str, records: &[(&str, &str)]) -> Case {
    let mut case = Case {
        zone: Map::new(),
        author: domain(author),
        identifiers: Vec::new(),
        rules: DiscoveryRules { discovery: Discovery::TreeWalk, psl_guard: true, report_addresses: 10 },
        walks: 12,
    }
    .exists(author);
    for (name, tags) in records {
        case = case.text(name, &format!("v=DMARC1; {tags}"));
    }
    case
}

impl Case {
    fn entry(mut self, name: &str, record: Value) -> Self {
        let entry = self.zone.entry(name.to_owned()).or_insert_with(|| json!([]));
        if let Value::Array(records) = entry {
            records.push(record);
        }
        self
    }

    /// Gives the name an address.
    pub(super) fn exists(self, name: &str) -> Self {
        self.entry(name, json!(["A", "192.0.2.1"]))
    }

    /// Removes the author domain, so that it does not exist.
    pub(super) fn nonexistent(mut self) -> Self {
        self.zone.remove(self.author.as_str());
        self
    }

    /// Adds a whole TXT record at `_dmarc.<name>`.
    pub(super) fn text(self, name: &str, text: &str) -> Self {
        self.entry(&format!("_dmarc.{name}"), json!(["TXT", text]))
    }

    /// Makes the question for `_dmarc.<name>` fail.
    pub(super) fn servfail(self, name: &str) -> Self {
        self.entry(&format!("_dmarc.{name}"), json!(["SERVFAIL"]))
    }

    fn identifier(mut self, name: Option<&str>, mechanism: Mechanism, certainty: Certainty) -> Self {
        self.identifiers.push(Identifier { domain: name.map(domain), mechanism, certainty });
        self
    }

    /// Adds an SPF pass for this domain.
    pub(super) fn spf(self, name: &str) -> Self {
        self.identifier(Some(name), Mechanism::Spf, Certainty::Authenticated)
    }

    /// Adds a signature of this domain that passed.
    pub(super) fn dkim(self, name: &str) -> Self {
        self.identifier(Some(name), Mechanism::Dkim, Certainty::Authenticated)
    }

    /// Adds an SPF result that could have been a pass for this domain. `None` means any domain.
    pub(super) fn spf_unknown(self, name: Option<&str>) -> Self {
        self.identifier(name, Mechanism::Spf, Certainty::Possible)
    }

    /// Adds a signature of this domain that could have passed.
    pub(super) fn dkim_unknown(self, name: &str) -> Self {
        self.identifier(Some(name), Mechanism::Dkim, Certainty::Possible)
    }

    /// Adds an SPF pass for a domain that is unrelated to the author.
    pub(super) fn other(self) -> Self {
        self.spf("bad.test")
    }

    pub(super) fn guard_off(mut self) -> Self {
        self.rules.psl_guard = false;
        self
    }

    pub(super) fn psl(mut self) -> Self {
        self.rules.discovery = Discovery::Psl;
        self
    }

    pub(super) fn walks(mut self, walks: usize) -> Self {
        self.walks = walks;
        self
    }

    /// Returns the decision, and the names that were asked for, in order.
    pub(super) fn judge_counted(&self) -> (Decision, Vec<String>) {
        let zone = Counting::new(Zone::from_json(&Value::Object(self.zone.clone())).unwrap());
        let budgets = Budgets { discovery: 20, dkim_keys: 0, spf: 0, arc_keys: 0 };
        let session = Session::new(&zone, budgets);
        let mut dmarc = Dmarc::new(&session, self.author.clone(), self.rules, self.walks);
        let decision = futures::executor::block_on(async {
            dmarc.discover().await;
            dmarc.decide(&self.identifiers).await
        });
        let asked = zone.asked();
        let names = asked.into_iter().map(|question| match question.rtype {
            RecordType::Txt => question.name.to_string(),
            other => format!("{} {other:?}", question.name),
        });
        (decision, names.collect())
    }

    pub(super) fn judge(&self) -> Decision {
        self.judge_counted().0
    }

    #[track_caller]
    pub(super) fn passes(&self) -> Decision {
        let decision = self.judge();
        assert_eq!(decision.result, DmarcResult::Pass, "{decision:?}");
        decision
    }

    /// Asserts that DMARC fails with this effective policy of the record at this domain.
    #[track_caller]
    pub(super) fn fails(&self, effective: Policy, policy_domain: &str) -> Decision {
        let decision = self.judge();
        assert_eq!(
            (decision.result, decision.effective, decision.policy_domain.clone()),
            (DmarcResult::Fail, Some(effective), Some(domain(policy_domain))),
            "{decision:?}"
        );
        decision
    }

    #[track_caller]
    pub(super) fn is(&self, result: DmarcResult) -> Decision {
        let decision = self.judge();
        assert_eq!(decision.result, result, "{decision:?}");
        decision
    }
}
