//! One message's questions: budgets, the cut at the deadline, and the record of every answer that was used.

use super::{Answer, Outcome, Question, Resolver, Unanswered};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Who asks. Each has a budget of its own, none lends to another (Decisions: limits on what the sender controls).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// DMARC discovery and alignment.
    Discovery,
    /// DKIM keys.
    DkimKey,
    /// SPF evaluation.
    Spf,
    /// ARC keys, which never bear on the verdict.
    ArcKey,
}

const PURPOSES: usize = 4;

/// Which questions have run out of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// None.
    Nothing,
    /// All but those of discovery and alignment.
    Identifiers,
    /// All.
    Everything,
}

impl Cut {
    fn ends(self, purpose: Purpose) -> bool {
        match self {
            Self::Nothing => false,
            Self::Identifiers => purpose != Purpose::Discovery,
            Self::Everything => true,
        }
    }
}

/// Questions that one message may ask, by purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// DMARC discovery and alignment.
    pub discovery: usize,
    /// DKIM keys.
    pub dkim_keys: usize,
    /// SPF.
    pub spf: usize,
    /// ARC keys.
    pub arc_keys: usize,
}

impl Budgets {
    fn of(self, purpose: Purpose) -> usize {
        match purpose {
            Purpose::Discovery => self.discovery,
            Purpose::DkimKey => self.dkim_keys,
            Purpose::Spf => self.spf,
            Purpose::ArcKey => self.arc_keys,
        }
    }
}

/// The recording resolver of one message.
///
/// A question that was answered once is answered the same for the rest of the message, whoever asks, so that the
/// evidence holds one answer a question and a replay sees what was seen.
pub struct Session<'r> {
    resolver: &'r dyn Resolver,
    budgets: Budgets,
    cut: watch::Sender<Cut>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: [Vec<Question>; PURPOSES],
    answers: Vec<(Question, Arc<Answer>)>,
}

impl<'r> Session<'r> {
    /// A session that asks `resolver`.
    pub fn new(resolver: &'r dyn Resolver, budgets: Budgets) -> Self {
        Self { resolver, budgets, cut: watch::Sender::new(Cut::Nothing), state: Mutex::default() }
    }

    /// Asks on behalf of `purpose`. The budget is charged when this is called, not when the future is first polled, so
    /// that the order of calls alone decides what a budget refuses. A purpose pays once for the same question.
    pub fn ask(&self, purpose: Purpose, question: Question) -> impl Future<Output = Arc<Answer>> + Send + '_ {
        let charged = self.charge(purpose, &question);
        async move {
            if !charged {
                return self.record(question, Arc::new(Answer::new(Outcome::TempError(Unanswered::Budget))));
            }
            if let Some(known) = self.known(purpose, &question) {
                return known;
            }
            if let Some(answer) = self.resolver.at_hand(&question) {
                return self.record(question, answer);
            }
            let mut cut = self.cut.subscribe();
            let answer = tokio::select! {
                biased;
                answer = self.resolver.resolve(&question) => answer,
                _ = cut.wait_for(|cut| self.is_cut(*cut, purpose, &question)) => Arc::new(Answer::new(Outcome::TempError(Unanswered::Deadline))),
            };
            self.record(question, answer)
        }
    }

    /// Ends open questions as [`Unanswered::Deadline`]; later ones too, unless their answer is at hand.
    pub fn cut(&self, cut: Cut) {
        self.cut.send_replace(cut);
    }

    /// Every question asked, with the answer that was used, sorted by name and type.
    pub fn into_answers(self) -> Vec<(Question, Arc<Answer>)> {
        let mut answers = self.state.into_inner().unwrap_or_else(PoisonError::into_inner).answers;
        answers.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        answers
    }

    fn charge(&self, purpose: Purpose, question: &Question) -> bool {
        let mut state = self.lock();
        let asked = &mut state.asked[purpose as usize];
        if asked.contains(question) {
            return true;
        }
        let within = asked.len() < self.budgets.of(purpose);
        if within {
            asked.push(question.clone());
        }
        within
    }

    /// A question that discovery asked too goes on for as long as discovery's: otherwise SPF, made to ask for the victim's policy
    /// record, would end that question early (F-28).
    fn is_cut(&self, cut: Cut, purpose: Purpose, question: &Question) -> bool {
        cut.ends(purpose) && (cut == Cut::Everything || !self.lock().asked[Purpose::Discovery as usize].contains(question))
    }

    fn known(&self, purpose: Purpose, question: &Question) -> Option<Arc<Answer>> {
        let open_again = |answer: &Answer| answer.outcome == DEADLINE && !self.cut.borrow().ends(purpose);
        let state = self.lock();
        let known = state.answers.iter().find(|(known, _)| known == question).map(|(_, answer)| answer)?;
        (known.outcome != BUDGET && !open_again(known)).then(|| known.clone())
    }

    /// Keeps the first answer to a question and returns it. What only says that nothing was asked or waited for gives way to a
    /// real answer, never the reverse; a refusal by a budget is returned whatever others were answered.
    fn record(&self, question: Question, answer: Arc<Answer>) -> Arc<Answer> {
        let mut state = self.lock();
        match state.answers.iter_mut().find(|(known, _)| *known == question) {
            None => state.answers.push((question, answer.clone())),
            Some(_) if answer.outcome == BUDGET => {}
            Some((_, known)) if matches!(known.outcome, BUDGET | DEADLINE) => *known = answer.clone(),
            Some((_, known)) => return known.clone(),
        }
        answer
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const BUDGET: Outcome = Outcome::TempError(Unanswered::Budget);
const DEADLINE: Outcome = Outcome::TempError(Unanswered::Deadline);

#[cfg(test)]
mod tests;
