//! Asks the questions that a decision needs, one after the other.
//!
//! Each question is one on which the result depends.

use super::decision::{Decision, DmarcResult, decide};
use super::judgement::{Alignment, Identifier};
use super::knowledge::{AtName, DiscoveryRules, Existence, Knowledge, Stop};
use super::walk::{InForce, policy};
use super::{DmarcFlag, knowledge::Assumed};
use crate::dns::{Domain, Purpose, Question, RecordType, Session};

/// The evaluation of DMARC for one author domain.
pub struct Dmarc<'s, 'r> {
    session: &'s Session<'r>,
    author: Domain,
    rules: DiscoveryRules,
    /// The number of distinct domains that may be walked for alignment.
    alignment_walks: usize,
    knowledge: Knowledge,
}

impl<'s, 'r> Dmarc<'s, 'r> {
    /// Creates the evaluation for `author`, which asks its questions through `session`.
    pub fn new(session: &'s Session<'r>, author: Domain, rules: DiscoveryRules, alignment_walks: usize) -> Self {
        Self { session, author, rules, alignment_walks, knowledge: Knowledge::default() }
    }

    /// Does policy discovery alone, which can proceed while identifiers are being authenticated.
    pub async fn discover(&mut self) {
        loop {
            let open = {
                let known = Assumed { knowledge: &self.knowledge, completions: Vec::new(), rules: self.rules };
                match policy(&self.author, &known) {
                    Err(stop) => Some(stop),
                    Ok(found) => self.existence_needed(found.as_ref()).then_some(Stop::AskExistence),
                }
            };
            match open {
                // The decision weighs unknown answers together with the identifiers.
                None | Some(Stop::Branch(_)) => return,
                Some(stop) => self.ask(stop).await,
            }
        }
    }

    fn existence_needed(&self, found: Option<&InForce<'_>>) -> bool {
        self.knowledge.existence.is_none()
            && found.is_some_and(|found| {
                found.domain != self.author
                    && found.record.is_some_and(|record| record.subdomain_policy() != record.nonexistent_policy())
            })
    }

    /// Decides with these identifiers, and asks the questions that alignment needs.
    pub async fn decide(&mut self, identifiers: &[Identifier]) -> Decision {
        let (identifiers, kept, over_limit) = self.within_limit(identifiers);
        loop {
            match decide(&self.author, &identifiers, &self.knowledge, self.rules) {
                Ok(mut decision) => {
                    let mut looked_at = decision.alignment.into_iter();
                    let mut next = |kept: &bool| kept.then(|| looked_at.next()).flatten().unwrap_or(Alignment::NotAligned);
                    decision.alignment = kept.iter().map(&mut next).collect();
                    if over_limit && decision.result != DmarcResult::None {
                        decision.flags.push(DmarcFlag::AlignmentBudget);
                    }
                    return decision;
                }
                Err(stop) => self.ask(stop).await,
            }
        }
    }

    /// Decides with these identifiers and the answers so far.
    ///
    /// Returns `None` if that needs another question.
    pub fn decided(&self, identifiers: &[Identifier]) -> Option<Decision> {
        decide(&self.author, identifiers, &self.knowledge, self.rules).ok()
    }

    /// Applies the limit on distinct domains to the identifiers.
    ///
    /// Returns the identifiers within the limit, for each given one whether it is within the limit,
    /// and whether any is over it.
    fn within_limit(&self, identifiers: &[Identifier]) -> (Vec<Identifier>, Vec<bool>, bool) {
        let mut domains: Vec<&Domain> = Vec::new();
        let kept: Vec<bool> = identifiers
            .iter()
            .map(|identifier| match &identifier.domain {
                // An unknown domain costs no walk, and neither do the next ones.
                None => true,
                Some(domain)
                    if *domain == self.author || domain.common_labels(&self.author) == 0 || domains.contains(&domain) =>
                {
                    true
                }
                Some(domain) if domains.len() < self.alignment_walks => {
                    domains.push(domain);
                    true
                }
                Some(_) => false,
            })
            .collect();
        let within = identifiers.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(identifier, _)| identifier.clone()).collect();
        let over_limit = kept.contains(&false);
        (within, kept, over_limit)
    }

    async fn ask(&mut self, stop: Stop) {
        match stop {
            Stop::Ask(name) => match name.prefixed("_dmarc") {
                // DNS cannot hold such a name, so it has no record (A10).
                None => self.knowledge.learn(name, AtName::Absent),
                Some(question) => {
                    let answer = self.session.ask(Purpose::Discovery, Question::txt(question)).await;
                    self.knowledge.learn_from(name, &answer, self.rules.report_addresses);
                }
            },
            Stop::AskExistence | Stop::Branch(_) => {
                let existence = match self.author.query_name() {
                    None => Existence::NonExistent,
                    Some(name) => {
                        Existence::read(&*self.session.ask(Purpose::Discovery, Question::new(name, RecordType::A)).await)
                    }
                };
                self.knowledge.existence = Some(existence);
            }
        }
    }
}
