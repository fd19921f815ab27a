use super::super::{Counting, QueryName, Zone};
use super::*;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;

const BUDGETS: Budgets = Budgets { discovery: 2, dkim_keys: 3, spf: 1, arc_keys: 1 };

fn zone() -> Counting<Zone> {
    let records = |text: &str| json!([["TXT", text]]);
    let zone =
        json!({"a.example": records("a"), "b.example": records("b"), "c.example": records("c"), "d.example": records("d")});
    Counting::new(Zone::from_json(&zone).unwrap())
}

fn question(name: &str) -> Question {
    Question::txt(QueryName::new(name).unwrap())
}

/// A resolver that never answers.
struct Silent;

impl Resolver for Silent {
    fn at_hand(&self, _: &Question) -> Option<Arc<Answer>> {
        None
    }

    fn resolve<'a>(&'a self, _: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        futures::future::pending().boxed()
    }
}

#[tokio::test]
async fn budgets_are_separate_and_none_lends_to_another() {
    let resolver = zone();
    for (purpose, budget) in [(Purpose::Discovery, 2), (Purpose::DkimKey, 3), (Purpose::Spf, 1), (Purpose::ArcKey, 1)] {
        let session = Session::new(&resolver, BUDGETS);
        let mut answered = 0;
        for name in ["a.example", "b.example", "c.example", "d.example"] {
            answered += usize::from(session.ask(purpose, question(name)).await.outcome != BUDGET);
        }
        assert_eq!(answered, budget, "{purpose:?}");
        for other in [Purpose::Discovery, Purpose::DkimKey, Purpose::Spf, Purpose::ArcKey] {
            let outcome = &session.ask(other, question("a.example")).await.outcome;
            assert_ne!(*outcome, BUDGET, "{other:?} after {purpose:?}");
        }
    }
}

#[tokio::test]
async fn budgets_are_charged_in_the_order_of_calls() {
    let resolver = zone();
    let session = Session::new(&resolver, BUDGETS);
    let first = session.ask(Purpose::Spf, question("a.example"));
    let second = session.ask(Purpose::Spf, question("b.example"));
    // They are polled in the other order, but the first call is the one that is answered.
    assert_eq!(second.await.outcome, BUDGET);
    assert_ne!(first.await.outcome, BUDGET);
    drop(session.ask(Purpose::ArcKey, question("a.example")));
    assert_eq!(session.ask(Purpose::ArcKey, question("b.example")).await.outcome, BUDGET);
    assert_eq!(resolver.asked(), [question("a.example")]);
}

#[tokio::test]
async fn a_purpose_pays_once_for_a_question_and_answers_are_used_again() {
    let resolver = zone();
    let session = Session::new(&resolver, BUDGETS);
    for _ in 0..5 {
        for purpose in [Purpose::Spf, Purpose::Discovery, Purpose::DkimKey, Purpose::ArcKey] {
            assert_ne!(session.ask(purpose, question("a.example")).await.outcome, BUDGET);
        }
    }
    assert_ne!(session.ask(Purpose::Discovery, question("b.example")).await.outcome, BUDGET);
    assert_eq!(resolver.asked(), [question("a.example"), question("b.example")]);
}

#[tokio::test]
async fn a_refusal_gives_way_to_an_answer_never_the_reverse() {
    let resolver = zone();
    let session = Session::new(&resolver, BUDGETS);
    session.ask(Purpose::Spf, question("a.example")).await;
    assert_eq!(session.ask(Purpose::Spf, question("b.example")).await.outcome, BUDGET);
    assert_ne!(session.ask(Purpose::Discovery, question("b.example")).await.outcome, BUDGET);
    // The question is refused again although its answer is known: only the order of calls counts.
    assert_eq!(session.ask(Purpose::Spf, question("b.example")).await.outcome, BUDGET);
    assert_eq!(session.ask(Purpose::Spf, question("c.example")).await.outcome, BUDGET);
    let answers = session.into_answers();
    let seen: Vec<_> = answers.iter().map(|(asked, answer)| (asked.name.as_str(), answer.outcome == BUDGET)).collect();
    assert_eq!(seen, [("a.example", false), ("b.example", false), ("c.example", true)]);
}

#[tokio::test]
async fn the_cut_ends_open_questions_and_later_ones() {
    let session = Session::new(&Silent, BUDGETS);
    let open = futures::future::join(
        session.ask(Purpose::Discovery, question("a.example")),
        session.ask(Purpose::DkimKey, question("b.example")),
    );
    let mut open = Box::pin(open);
    assert!(futures::poll!(&mut open).is_pending());
    session.passed(Deadline::Everything);
    let (a, b) = open.await;
    let deadline = Outcome::TempError(Unanswered::Deadline);
    assert_eq!((&a.outcome, &b.outcome), (&deadline, &deadline));
    assert_eq!(session.ask(Purpose::Spf, question("c.example")).await.outcome, deadline);
    assert_eq!(session.into_answers().len(), 3);
}

#[tokio::test]
async fn the_cut_of_identifiers_leaves_discovery_open() {
    let session = Session::new(&Silent, BUDGETS);
    let mut discovery = Box::pin(session.ask(Purpose::Discovery, question("a.example")));
    assert!(futures::poll!(&mut discovery).is_pending());
    session.passed(Deadline::Identifiers);
    let deadline = Outcome::TempError(Unanswered::Deadline);
    for (purpose, name) in [(Purpose::Spf, "b.example"), (Purpose::DkimKey, "c.example"), (Purpose::ArcKey, "d.example")] {
        assert_eq!(session.ask(purpose, question(name)).await.outcome, deadline, "{purpose:?}");
    }
    assert!(futures::poll!(&mut discovery).is_pending());
    session.passed(Deadline::Everything);
    assert_eq!(discovery.await.outcome, deadline);
}

#[tokio::test]
async fn after_the_cut_what_is_at_hand_is_still_answered() {
    let resolver = zone();
    let session = Session::new(&resolver, BUDGETS);
    session.passed(Deadline::Everything);
    assert!(matches!(session.ask(Purpose::Spf, question("a.example")).await.outcome, Outcome::Records(_)));
}

#[tokio::test]
async fn answers_come_sorted_by_name_and_type() {
    use super::super::RecordType::{A, Mx, Txt};
    let resolver = zone();
    let session = Session::new(&resolver, Budgets { discovery: 9, ..BUDGETS });
    let name = |name| QueryName::new(name).unwrap();
    for (asked, rtype) in [("b.example", Txt), ("a.example", Txt), ("b.example", A), ("a.example", Mx)] {
        session.ask(Purpose::Discovery, Question::new(name(asked), rtype)).await;
    }
    let answers = session.into_answers();
    let order: Vec<_> = answers.iter().map(|(question, _)| (question.name.as_str(), question.rtype)).collect();
    assert_eq!(order, [("a.example", Mx), ("a.example", Txt), ("b.example", A), ("b.example", Txt)]);
}

#[tokio::test]
async fn f28_a_question_of_discovery_outlives_the_cut_of_identifiers_whoever_asked_first() {
    let session = Session::new(&Silent, BUDGETS);
    let mut spf = Box::pin(session.ask(Purpose::Spf, question("_dmarc.a.example")));
    assert!(futures::poll!(&mut spf).is_pending());
    let mut discovery = Box::pin(session.ask(Purpose::Discovery, question("_dmarc.a.example")));
    assert!(futures::poll!(&mut discovery).is_pending());
    session.passed(Deadline::Identifiers);
    assert!(futures::poll!(&mut spf).is_pending());
    assert!(futures::poll!(&mut discovery).is_pending());
    session.passed(Deadline::Everything);
    assert_eq!(discovery.await.outcome, Outcome::TempError(Unanswered::Deadline));
}

#[tokio::test]
async fn f28_discovery_asks_again_what_spf_ran_out_of_time_for() {
    let session = Session::new(&Silent, BUDGETS);
    let mut spf = Box::pin(session.ask(Purpose::Spf, question("_dmarc.a.example")));
    assert!(futures::poll!(&mut spf).is_pending());
    session.passed(Deadline::Identifiers);
    assert_eq!(spf.await.outcome, Outcome::TempError(Unanswered::Deadline));
    let mut discovery = Box::pin(session.ask(Purpose::Discovery, question("_dmarc.a.example")));
    assert!(futures::poll!(&mut discovery).is_pending());
}

#[test]
fn a_placeholder_never_replaces_an_answer() {
    let resolver = zone();
    let real = |text: &str| Answer::new(Outcome::of(vec![super::super::Record::Txt(text.as_bytes().into())]));
    let (first, second) = (real("first"), real("second"));
    let (budget, deadline) = (Answer::new(BUDGET), Answer::new(DEADLINE));
    // Each row has the kept answer, the next one, the one kept afterwards, and the caller's answer.
    for (kept, next, kept_then, told) in [
        (&first, &second, &first, &first),
        (&first, &deadline, &first, &first),
        (&first, &budget, &first, &budget),
        (&deadline, &first, &first, &first),
        (&deadline, &deadline, &deadline, &deadline),
        (&deadline, &budget, &deadline, &budget),
        (&budget, &first, &first, &first),
        (&budget, &deadline, &deadline, &deadline),
        (&budget, &budget, &budget, &budget),
    ] {
        let session = Session::new(&resolver, BUDGETS);
        let (place, _) = session.charge(Purpose::Spf, question("a.example"));
        session.record(place, Arc::new(kept.clone()));
        assert_eq!(*session.record(place, Arc::new(next.clone())), *told, "{kept:?} {next:?}");
        assert_eq!(*session.into_answers()[0].1, *kept_then, "{kept:?} {next:?}");
    }
}

/// A resolver that answers the second question and no other.
#[derive(Default)]
struct Second(std::sync::atomic::AtomicUsize);

impl Resolver for Second {
    fn at_hand(&self, _: &Question) -> Option<Arc<Answer>> {
        None
    }

    fn resolve<'a>(&'a self, _: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        match self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            1 => futures::future::ready(Arc::new(Answer::new(Outcome::NxDomain))).boxed(),
            _ => futures::future::pending().boxed(),
        }
    }
}

#[tokio::test]
async fn who_runs_out_of_time_is_told_what_another_was_answered() {
    let resolver = Second::default();
    let session = Session::new(&resolver, BUDGETS);
    let mut spf = Box::pin(session.ask(Purpose::Spf, question("a.example")));
    assert!(futures::poll!(&mut spf).is_pending());
    assert_eq!(session.ask(Purpose::Discovery, question("a.example")).await.outcome, Outcome::NxDomain);
    session.passed(Deadline::Everything);
    assert_eq!(spf.await.outcome, Outcome::NxDomain);
    assert_eq!(session.into_answers()[0].1.outcome, Outcome::NxDomain);
}
