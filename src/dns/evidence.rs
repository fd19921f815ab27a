//! What was asked and answered, as it travels with a verdict, and the resolver that answers from it.

#[cfg(test)]
mod tests;
mod text;

use super::{Answer, Outcome, Question, Record, Resolver, Unanswered};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};

/// Every question that was asked for a message, with the answer that was used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Questions and answers, sorted by name and type.
    pub answers: Vec<Entry>,
    /// Whether answers were left out because they would have been too big; such evidence cannot be replayed.
    pub truncated: bool,
}

/// One question and the answer that was used. It is written as JSON from the shared answer, without copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What was asked.
    pub question: Question,
    /// What was answered.
    pub answer: Arc<Answer>,
}

impl Evidence {
    /// Octets of JSON for the object around the answers.
    const FRAME: usize = r#"{"answers":[],"truncated":false}"#.len();

    /// Evidence of at most `octets` of JSON, from [`super::Session::into_answers`]. What does not fit is cut off the end.
    pub fn new(answers: Vec<(Question, Arc<Answer>)>, octets: usize) -> Self {
        let mut answers: Vec<_> = answers.into_iter().map(|(question, answer)| Entry { question, answer }).collect();
        let at_most: usize = answers.iter().map(Entry::octets_at_most).sum();
        let mut truncated = false;
        if Self::FRAME + at_most > octets {
            let mut left = octets.saturating_sub(Self::FRAME);
            let fit = answers.iter().take_while(|entry| {
                let fits = left.checked_sub(entry.octets());
                left = fits.unwrap_or(left);
                fits.is_some()
            });
            let fit = fit.count();
            truncated = fit < answers.len();
            answers.truncate(fit);
        }
        Self { answers, truncated }
    }
}

impl Entry {
    /// Octets of JSON beside the name and the records.
    const FRAME: usize =
        r#"{"name":"","type":"AAAA","rcode":"NXDOMAIN","records":[],"ttl":4294967295,"authenticated":false},"#.len();
    /// Octets of JSON of a record beside the text inside: an address or preference, quotes, comma, the mark of base64.
    const RECORD_FRAME: usize = 64;

    /// A bound that costs no look at the text: an octet takes at most six of JSON.
    fn octets_at_most(&self) -> usize {
        let records = self.answer.records().iter().map(|record| Self::RECORD_FRAME + 6 * record.octets());
        Self::FRAME + 6 * self.question.name.as_str().len() + records.sum::<usize>()
    }

    /// A bound close to what is written.
    fn octets(&self) -> usize {
        let records = self.answer.records().iter().map(|record| {
            let text = match record {
                Record::A(_) | Record::Aaaa(_) => 0,
                Record::Mx(_, host) | Record::Ptr(host) => json_octets(host.as_bytes()),
                Record::Txt(text) => json_octets(text).max(text.len().div_ceil(3) * 4),
            };
            Self::RECORD_FRAME + text
        });
        Self::FRAME + json_octets(self.question.name.as_str().as_bytes()) + records.sum::<usize>()
    }
}

/// Octets that `text` takes inside a JSON string.
fn json_octets(text: &[u8]) -> usize {
    text.iter()
        .map(|octet| match octet {
            b'"' | b'\\' => 2,
            0..0x20 => 6,
            _ => 1,
        })
        .sum()
}

/// Answers from evidence alone. A question that the evidence does not hold is kept in [`EvidenceResolver::missing`] and
/// answered as [`Unanswered::Deadline`]: with it, what follows cannot be called a replay.
#[derive(Debug, Default)]
pub struct EvidenceResolver {
    answers: Vec<Entry>,
    missing: Mutex<Vec<Question>>,
}

impl EvidenceResolver {
    /// A resolver that knows what the evidence holds; of two answers to one question, the first.
    pub fn new(evidence: &Evidence) -> Self {
        let mut answers = evidence.answers.clone();
        answers.sort_by(|a, b| a.question.cmp(&b.question));
        answers.dedup_by(|later, first| later.question == first.question);
        Self { answers, missing: Mutex::default() }
    }

    /// The questions that the evidence does not hold, in the order in which they were first asked.
    pub fn missing(&self) -> Vec<Question> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find(&self, question: &Question) -> Arc<Answer> {
        let found = self.answers.binary_search_by(|entry| entry.question.cmp(question)).ok();
        if let Some(entry) = found.and_then(|index| self.answers.get(index)) {
            return entry.answer.clone();
        }
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if !missing.contains(question) {
            missing.push(question.clone());
        }
        Arc::new(Answer::new(Outcome::TempError(Unanswered::Deadline)))
    }
}

impl Resolver for EvidenceResolver {
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>> {
        Some(self.find(question))
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        futures::future::ready(self.find(question)).boxed()
    }
}
