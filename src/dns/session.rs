//! Asks the questions of one message within budgets and a deadline, and records every answer that
//! was used.

use super::{Answer, Outcome, Question, Resolver, Unanswered};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::watch;

/// The part of the evaluation that asks a question.
///
/// Each part has a budget of its own, and no part lends to another (Decisions: limits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// DMARC discovery and alignment.
    Discovery,
    /// DKIM keys.
    DkimKey,
    /// SPF evaluation.
    Spf,
    /// ARC keys, which never affect the verdict.
    ArcKey,
}

const PURPOSES: usize = 4;

/// The questions that have run out of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// No question.
    Nothing,
    /// All questions but those of discovery and alignment.
    Identifiers,
    /// All questions.
    Everything,
}

impl Deadline {
    fn ends(self, purpose: Purpose) -> bool {
        match self {
            Self::Nothing => false,
            Self::Identifiers => purpose != Purpose::Discovery,
            Self::Everything => true,
        }
    }
}

/// The numbers of questions that one message may ask, by purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// The number of questions of DMARC discovery and alignment.
    pub discovery: usize,
    /// The number of questions for DKIM keys.
    pub dkim_keys: usize,
    /// The number of questions of SPF.
    pub spf: usize,
    /// The number of questions for ARC keys.
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

/// The resolver of one message, which records the answers.
///
/// A question that was answered once has the same answer for the rest of the message, for every
/// purpose. So the evidence holds one answer to each question, and a replay sees the same answers.
pub struct Session<'r> {
    resolver: &'r dyn Resolver,
    budgets: Budgets,
    /// The sender of the deadline, which is made when a question must wait.
    /// Most messages ask only for answers that are at hand.
    deadline: OnceLock<watch::Sender<Deadline>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: Vec<AskedQuestion>,
    /// The number of questions that each purpose has paid for.
    paid: [usize; PURPOSES],
}

/// One question of the message.
struct AskedQuestion {
    question: Question,
    /// The purposes that have paid for it.
    paid_by: [bool; PURPOSES],
    /// The answer, or `None` as long as there is none.
    answer: Option<Arc<Answer>>,
}

/// The position of a question in the list of its session.
#[derive(Debug, Clone, Copy)]
struct Index(usize);

/// The number of questions that a typical message asks.
const TYPICAL: usize = 12;

impl<'r> Session<'r> {
    /// Creates a session that asks `resolver`.
    pub fn new(resolver: &'r dyn Resolver, budgets: Budgets) -> Self {
        Self { resolver, budgets, deadline: OnceLock::new(), state: Mutex::default() }
    }

    /// Asks on behalf of `purpose`.
    ///
    /// The budget is charged in this call, and not when the future is first polled.
    /// So the order of calls alone decides which questions a budget refuses.
    /// A purpose pays only once for the same question.
    pub fn ask(&self, purpose: Purpose, question: Question) -> impl Future<Output = Arc<Answer>> + Send + '_ {
        let (place, paid) = self.charge(purpose, question);
        async move {
            if !paid {
                return self.record(place, Arc::new(Answer::new(BUDGET)));
            }
            if let Some(known) = self.known(purpose, place) {
                return known;
            }
            let question = self.lock().entries[place.0].question.clone();
            if let Some(answer) = self.resolver.at_hand(&question) {
                return self.record(place, answer);
            }
            let mut deadline = self.deadlines().subscribe();
            let answer = tokio::select! {
                biased;
                answer = self.resolver.resolve(&question) => answer,
                _ = deadline.wait_for(|deadline| self.has_ended(*deadline, purpose, place)) => Arc::new(Answer::new(DEADLINE)),
            };
            self.record(place, answer)
        }
    }

    /// Ends open questions with [`Unanswered::Deadline`].
    ///
    /// Later questions end in the same way, unless their answer is at hand.
    pub fn passed(&self, deadline: Deadline) {
        self.deadlines().send_replace(deadline);
    }

    fn deadlines(&self) -> &watch::Sender<Deadline> {
        self.deadline.get_or_init(|| watch::Sender::new(Deadline::Nothing))
    }

    /// Returns every question asked with the answer that was used, sorted by name and type.
    pub fn into_answers(self) -> Vec<(Question, Arc<Answer>)> {
        let entries = self.state.into_inner().unwrap_or_else(PoisonError::into_inner).entries;
        let mut answers: Vec<_> = entries.into_iter().filter_map(|entry| Some((entry.question, entry.answer?))).collect();
        answers.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        answers
    }

    /// Returns the place of the question, and whether `purpose` may ask it.
    fn charge(&self, purpose: Purpose, question: Question) -> (Index, bool) {
        let mut state = self.lock();
        let State { entries, paid } = &mut *state;
        let place = entries.iter().position(|entry| entry.question == question).unwrap_or_else(|| {
            if entries.is_empty() {
                entries.reserve(TYPICAL);
            }
            entries.push(AskedQuestion { question, paid_by: [false; PURPOSES], answer: None });
            entries.len() - 1
        });
        let (paid, paid_by) = (&mut paid[purpose as usize], &mut entries[place].paid_by[purpose as usize]);
        if !*paid_by && *paid < self.budgets.of(purpose) {
            *paid += 1;
            *paid_by = true;
        }
        (Index(place), *paid_by)
    }

    /// Returns whether the time of a question is over.
    ///
    /// A question that discovery asked too stays open for as long as discovery's questions do.
    /// Otherwise a sender could make SPF ask for the victim's policy record, and SPF would end that
    /// question early (F-28).
    fn has_ended(&self, deadline: Deadline, purpose: Purpose, place: Index) -> bool {
        deadline.ends(purpose)
            && (deadline == Deadline::Everything || !self.lock().entries[place.0].paid_by[Purpose::Discovery as usize])
    }

    fn known(&self, purpose: Purpose, place: Index) -> Option<Arc<Answer>> {
        let open_again =
            |answer: &Answer| answer.outcome == DEADLINE && !self.deadline.get().is_some_and(|cut| cut.borrow().ends(purpose));
        let state = self.lock();
        let known = state.entries[place.0].answer.as_ref()?;
        (known.outcome != BUDGET && !open_again(known)).then(|| known.clone())
    }

    /// Keeps the first answer to a question, and returns it.
    ///
    /// An answer that only says that nothing was asked or waited for is replaced by a real answer,
    /// but never the reverse. A refusal by a budget is returned even if there is another answer.
    fn record(&self, place: Index, answer: Arc<Answer>) -> Arc<Answer> {
        let mut state = self.lock();
        match &mut state.entries[place.0].answer {
            kept @ None => *kept = Some(answer.clone()),
            Some(_) if answer.outcome == BUDGET => {}
            Some(known) if matches!(known.outcome, BUDGET | DEADLINE) => *known = answer.clone(),
            Some(known) => return known.clone(),
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
