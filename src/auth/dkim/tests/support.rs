//! A zone of TXT records that notes the questions, and evaluations of DKIM against it.

use crate::auth::dkim::{BodyHashes, DkimParameters, SignatureOutcome, verify};
use crate::config::{Limits, TestingKey};
use crate::dns::{Answer, Budgets, Domain, Outcome, Question, Record, Resolver, Session, Unanswered};
use crate::message::HeaderSection;
use futures::executor::block_on;
use futures::future::{BoxFuture, FutureExt};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A zone of TXT answers by name. Every other name is NXDOMAIN.
#[derive(Default)]
pub(crate) struct TxtZone {
    answers: BTreeMap<String, Outcome>,
    asked: Mutex<Vec<String>>,
}

impl TxtZone {
    pub(crate) fn with(mut self, name: &str, texts: &[&str]) -> Self {
        let records = texts.iter().map(|text| Record::Txt(text.as_bytes().into())).collect();
        self.answers.insert(name.to_ascii_lowercase(), Outcome::Records(records));
        self
    }

    pub(crate) fn with_outcome(mut self, name: &str, outcome: Outcome) -> Self {
        self.answers.insert(name.to_ascii_lowercase(), outcome);
        self
    }

    /// Returns the names asked for, in the order of asking.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Returns the zone of a conformance case.
    pub(crate) fn of_case(zone: &Value) -> Self {
        let mut answers = BTreeMap::new();
        for (name, records) in zone.as_object().into_iter().flatten() {
            let records = records.as_array().unwrap();
            let word = |record: &Value| record[0].as_str().unwrap().to_owned();
            let outcome = match records.first().map(word).as_deref() {
                Some("TIMEOUT") => Outcome::TempError(Unanswered::Timeout),
                Some("SERVFAIL") => Outcome::TempError(Unanswered::ServFail),
                Some("TXT") => {
                    let join = |record: &Value| -> Arc<[u8]> {
                        let strings = record.as_array().unwrap().iter().skip(1);
                        strings.map(|string| string.as_str().unwrap()).collect::<String>().into_bytes().into()
                    };
                    Outcome::Records(records.iter().filter(|record| word(record) == "TXT").map(join).map(Record::Txt).collect())
                }
                _ => Outcome::NoData,
            };
            answers.insert(name.clone(), outcome);
        }
        Self { answers, asked: Mutex::default() }
    }
}

impl Resolver for TxtZone {
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>> {
        self.asked.lock().unwrap().push(question.name.as_str().to_owned());
        let outcome = self.answers.get(question.name.as_str()).cloned().unwrap_or(Outcome::NxDomain);
        Some(Arc::new(Answer::new(outcome)))
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        async move { self.at_hand(question).unwrap() }.boxed()
    }
}

/// The arrival of the messages of these tests, in Unix seconds.
pub(crate) const ARRIVAL: i64 = 1_700_000_000;

/// One evaluation, with everything that it may depend on.
pub(crate) struct Case<'a> {
    pub(crate) zone: &'a TxtZone,
    pub(crate) author: Option<Domain>,
    pub(crate) arrival: i64,
    pub(crate) testing_key: TestingKey,
    pub(crate) limits: Limits,
}

impl<'a> Case<'a> {
    pub(crate) fn new(zone: &'a TxtZone) -> Self {
        Self { zone, author: None, arrival: ARRIVAL, testing_key: TestingKey::Count, limits: Limits::default() }
    }

    pub(crate) fn session(&self) -> Session<'a> {
        let limits = &self.limits;
        let budgets = Budgets { discovery: 0, dkim_keys: limits.dkim_key_questions, spf: 0, arc_keys: limits.arc_key_questions };
        Session::new(self.zone, budgets)
    }

    pub(crate) fn parameters(&self) -> DkimParameters<'_> {
        DkimParameters {
            author: self.author.as_ref(),
            arrival: self.arrival,
            testing_key: self.testing_key,
            limits: &self.limits,
        }
    }

    pub(crate) fn verify(&self, message: &[u8]) -> Vec<SignatureOutcome> {
        self.verify_counting(message).0
    }

    /// Returns the outcomes, and the number of octets of the body that were hashed.
    pub(crate) fn verify_counting(&self, message: &[u8]) -> (Vec<SignatureOutcome>, u64) {
        let section = HeaderSection::parse(message, &self.limits);
        let bodies = BodyHashes::new(section.body());
        let outcomes = block_on(verify(&self.session(), &section, &bodies, &self.parameters()));
        (outcomes, bodies.hashed_octets())
    }
}

/// Returns the cases of a suite.
pub(crate) fn suite(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the message of a case.
pub(crate) fn message_of(case: &Value) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(case["message_base64"].as_str().unwrap()).unwrap()
}
