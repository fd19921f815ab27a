//! One message's questions: budgets, the cut at the deadline, and the record of every answer that was used.

use super::{Answer, Outcome, Question, Resolver, Unanswered};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::watch;

/// Who asks. Each has a budget of its own, none lends to another (Decisions: limits).
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
    /// Made when a question must wait: most messages ask nothing but what is at hand.
    cut: OnceLock<watch::Sender<Cut>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    /// Questions that each purpose has paid for.
    paid: [usize; PURPOSES],
}

/// One question of the message.
struct Entry {
    question: Question,
    /// The purposes that have paid for it.
    paid_by: [bool; PURPOSES],
    /// None as long as nobody has an answer.
    answer: Option<Arc<Answer>>,
}

/// Where a question stands among those of its session.
#[derive(Debug, Clone, Copy)]
struct Place(usize);

/// Questions of most messages.
const TYPICAL: usize = 12;

impl<'r> Session<'r> {
    /// A session that asks `resolver`.
    pub fn new(resolver: &'r dyn Resolver, budgets: Budgets) -> Self {
        Self { resolver, budgets, cut: OnceLock::new(), state: Mutex::default() }
    }

    /// Asks on behalf of `purpose`. The budget is charged when this is called, not when the future is first polled, so
    /// that the order of calls alone decides what a budget refuses. A purpose pays once for the same question.
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
            let mut cut = self.cutter().subscribe();
            let answer = tokio::select! {
                biased;
                answer = self.resolver.resolve(&question) => answer,
                _ = cut.wait_for(|cut| self.is_cut(*cut, purpose, place)) => Arc::new(Answer::new(DEADLINE)),
            };
            self.record(place, answer)
        }
    }

    /// Ends open questions as [`Unanswered::Deadline`]; later ones too, unless their answer is at hand.
    pub fn cut(&self, cut: Cut) {
        self.cutter().send_replace(cut);
    }

    fn cutter(&self) -> &watch::Sender<Cut> {
        self.cut.get_or_init(|| watch::Sender::new(Cut::Nothing))
    }

    /// Every question asked, with the answer that was used, sorted by name and type.
    pub fn into_answers(self) -> Vec<(Question, Arc<Answer>)> {
        let entries = self.state.into_inner().unwrap_or_else(PoisonError::into_inner).entries;
        let mut answers: Vec<_> = entries.into_iter().filter_map(|entry| Some((entry.question, entry.answer?))).collect();
        answers.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        answers
    }

    /// Where the question stands, and whether `purpose` may ask it.
    fn charge(&self, purpose: Purpose, question: Question) -> (Place, bool) {
        let mut state = self.lock();
        let State { entries, paid } = &mut *state;
        let place = entries.iter().position(|entry| entry.question == question).unwrap_or_else(|| {
            if entries.is_empty() {
                entries.reserve(TYPICAL);
            }
            entries.push(Entry { question, paid_by: [false; PURPOSES], answer: None });
            entries.len() - 1
        });
        let (paid, paid_by) = (&mut paid[purpose as usize], &mut entries[place].paid_by[purpose as usize]);
        if !*paid_by && *paid < self.budgets.of(purpose) {
            *paid += 1;
            *paid_by = true;
        }
        (Place(place), *paid_by)
    }

    /// A question that discovery asked too goes on for as long as discovery's: otherwise SPF, made to ask for the victim's policy
    /// record, would end that question early (F-28).
    fn is_cut(&self, cut: Cut, purpose: Purpose, place: Place) -> bool {
        cut.ends(purpose) && (cut == Cut::Everything || !self.lock().entries[place.0].paid_by[Purpose::Discovery as usize])
    }

    fn known(&self, purpose: Purpose, place: Place) -> Option<Arc<Answer>> {
        let open_again =
            |answer: &Answer| answer.outcome == DEADLINE && !self.cut.get().is_some_and(|cut| cut.borrow().ends(purpose));
        let state = self.lock();
        let known = state.entries[place.0].answer.as_ref()?;
        (known.outcome != BUDGET && !open_again(known)).then(|| known.clone())
    }

    /// Keeps the first answer to a question and returns it. What only says that nothing was asked or waited for gives way to a
    /// real answer, never the reverse; a refusal by a budget is returned whatever others were answered.
    fn record(&self, place: Place, answer: Arc<Answer>) -> Arc<Answer> {
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
