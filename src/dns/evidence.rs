//! Holds the questions and answers that travel with a verdict, and answers from them.

#[cfg(test)]
mod tests;
mod text;

use super::{Answer, Outcome, Question, Record, Resolver, Unanswered};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};

/// All questions that were asked for a message, with the answers that were used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The questions and answers, sorted by name and type.
    pub answers: Vec<Entry>,
    /// True when answers were left out because the evidence would be too big.
    /// Such evidence cannot be replayed.
    pub truncated: bool,
}

/// One question and the answer that was used.
///
/// It is written as JSON from the shared answer, without copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The question.
    pub question: Question,
    /// The answer that was used.
    pub answer: Arc<Answer>,
}

impl Evidence {
    /// The length of the JSON around the answers, in octets.
    const FRAME: usize = r#"{"answers":[],"truncated":false}"#.len();

    /// Returns the evidence of [`super::Session::into_answers`], at most `octets` of JSON.
    ///
    /// Entries that do not fit are cut off at the end.
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
    /// The length of an entry's JSON without the name and the records, in octets.
    const FRAME: usize =
        r#"{"name":"","type":"AAAA","rcode":"NXDOMAIN","records":[],"ttl":4294967295,"authenticated":false},"#.len();
    /// The length of a record's JSON without its text, in octets.
    ///
    /// It covers an address or preference, quotes, a comma, and the mark of base64.
    const RECORD_FRAME: usize = 64;

    /// Returns a bound on the octets of JSON that is found without a look at the text.
    ///
    /// An octet takes at most six octets of JSON.
    fn octets_at_most(&self) -> usize {
        let records = self.answer.records().iter().map(|record| Self::RECORD_FRAME + 6 * record.octets());
        Self::FRAME + 6 * self.question.name.as_str().len() + records.sum::<usize>()
    }

    /// Returns a bound on the octets of JSON that is close to what is written.
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

/// Returns the octets that `text` takes inside a JSON string.
fn json_octets(text: &[u8]) -> usize {
    text.iter()
        .map(|octet| match octet {
            b'"' | b'\\' => 2,
            0..0x20 => 6,
            _ => 1,
        })
        .sum()
}

/// A resolver that answers from evidence alone.
///
/// It notes a question that the evidence does not hold, for [`EvidenceResolver::missing`], and
/// answers it with [`Unanswered::Deadline`]. After that, the evaluation cannot be called a replay.
#[derive(Debug, Default)]
pub struct EvidenceResolver {
    answers: Vec<Entry>,
    missing: Mutex<Vec<Question>>,
}

impl EvidenceResolver {
    /// Creates a resolver that knows the answers of the evidence.
    ///
    /// Of two answers to one question, the first counts.
    pub fn new(evidence: &Evidence) -> Self {
        let mut answers = evidence.answers.clone();
        answers.sort_by(|a, b| a.question.cmp(&b.question));
        answers.dedup_by(|later, first| later.question == first.question);
        Self { answers, missing: Mutex::default() }
    }

    /// Returns the questions that the evidence lacks, in the order in which they were first asked.
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
