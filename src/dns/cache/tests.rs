use super::super::{QueryName, RecordType};
use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A resolver that gives each question the answer of `give` after `delay`, and counts questions.
struct Upstream<F> {
    asked: AtomicUsize,
    delay: Duration,
    give: F,
}

impl<F: Fn(&Question) -> Answer + Send + Sync> Resolver for Upstream<F> {
    fn at_hand(&self, _: &Question) -> Option<Arc<Answer>> {
        None
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(self.delay).await;
            Arc::new((self.give)(question))
        }
        .boxed()
    }
}

fn cache<F: Fn(&Question) -> Answer + Send + Sync + 'static>(limits: CacheLimits, give: F) -> Cache<Upstream<F>> {
    Cache::new(Upstream { asked: AtomicUsize::new(0), delay: Duration::from_secs(1), give }, limits)
}

fn asked<F: Fn(&Question) -> Answer + Send + Sync + 'static>(cache: &Cache<Upstream<F>>) -> usize {
    cache.resolver().asked.load(Ordering::SeqCst)
}

fn question(name: &str) -> Question {
    Question::txt(QueryName::new(name).unwrap())
}

fn records(ttl: u32) -> Answer {
    Answer { ttl, ..Answer::new(Outcome::of(vec![Record::Txt(b"v=spf1 -all".as_slice().into())])) }
}

async fn after(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn answers_are_kept_by_kind_and_ttl() {
    const HOUR: u64 = 3600;
    let day = u32::try_from(24 * HOUR).unwrap();
    let outcome = |outcome, ttl| Answer { ttl, ..Answer::new(outcome) };
    // Each row has the answer from upstream, and the seconds for which it must be kept.
    for (answer, seconds) in [
        (records(300), 300),
        (records(day), 24 * HOUR),
        (records(day * 7), 24 * HOUR),
        (records(0), 0),
        (outcome(Outcome::NxDomain, 60), 60),
        (outcome(Outcome::NoData, day), HOUR),
        (outcome(Outcome::NxDomain, 0), 0),
        (outcome(Outcome::TempError(Unanswered::Timeout), 0), 5),
        (outcome(Outcome::TempError(Unanswered::ServFail), 0), 5),
        (outcome(Outcome::TempError(Unanswered::Refused), 0), 5),
        (outcome(Outcome::TempError(Unanswered::Network), 0), 5),
        (outcome(Outcome::Invalid, 900), 5),
        (outcome(Outcome::TempError(Unanswered::Deadline), 0), 0),
        (outcome(Outcome::TempError(Unanswered::Budget), 0), 0),
    ] {
        let name = format!("{answer:?}");
        let given = answer.clone();
        let cache = cache(CacheLimits::default(), move |_| given.clone());
        let question = question("a.example");
        assert_eq!(cache.at_hand(&question), None);
        assert_eq!(cache.resolve(&question).await.outcome, answer.outcome);
        if seconds > 0 {
            after(seconds - 1).await;
            assert!(cache.at_hand(&question).is_some(), "{name}");
            assert_eq!(cache.resolve(&question).await.outcome, answer.outcome);
            assert_eq!(asked(&cache), 1, "{name}");
            after(1).await;
        }
        assert_eq!(cache.at_hand(&question), None, "{name}");
        cache.resolve(&question).await;
        assert_eq!(asked(&cache), 2, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_never_kept_for_more_than_five_minutes() {
    let limits = CacheLimits { failure: Duration::from_hours(2), ..CacheLimits::default() };
    let cache = cache(limits, |_| Answer::new(Outcome::TempError(Unanswered::ServFail)));
    cache.resolve(&question("a.example")).await;
    after(299).await;
    assert!(cache.at_hand(&question("a.example")).is_some());
    after(1).await;
    assert!(cache.at_hand(&question("a.example")).is_none());
}

#[tokio::test(start_paused = true)]
async fn ttl_counts_down_from_its_cap() {
    let cache = cache(CacheLimits::default(), |_| records(u32::MAX));
    let question = question("a.example");
    assert_eq!(cache.resolve(&question).await.ttl, 86400);
    after(400).await;
    assert_eq!(cache.at_hand(&question).unwrap().ttl, 86000);
    assert_eq!(cache.resolve(&question).await.ttl, 86000);
}

#[tokio::test(start_paused = true)]
async fn questions_are_told_apart_by_name_and_type() {
    let cache = cache(CacheLimits::default(), |_| records(300));
    let name = QueryName::new("a.example").unwrap();
    for _ in 0..3 {
        cache.resolve(&Question::txt(name.clone())).await;
        cache.resolve(&Question::new(name.clone(), RecordType::Mx)).await;
        cache.resolve(&question("b.example")).await;
    }
    assert_eq!(asked(&cache), 3);
}

#[tokio::test(start_paused = true)]
async fn the_same_question_flies_once() {
    let cache = cache(CacheLimits::default(), |_| records(0));
    let question = question("a.example");
    let answers = futures::future::join_all((0..50).map(|_| cache.resolve(&question))).await;
    assert_eq!(asked(&cache), 1);
    assert!(answers.iter().all(|answer| **answer == records(0)));
    assert_eq!(cache.flights(), 0);
    cache.resolve(&question).await;
    assert_eq!(asked(&cache), 2);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_does_not_end_the_flight_for_others() {
    let cache = cache(CacheLimits::default(), |_| records(300));
    let question = question("a.example");
    let leader = tokio::time::timeout(Duration::from_millis(300), cache.resolve(&question));
    let follower = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cache.resolve(&question).await
    };
    let (leader, follower) = tokio::join!(leader, follower);
    assert!(leader.is_err());
    assert_eq!(*follower, records(300));
    assert_eq!(asked(&cache), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_all_left_is_given_up() {
    let cache = cache(CacheLimits::default(), |_| records(300));
    let question = question("a.example");
    let leaving = |millis| tokio::time::timeout(Duration::from_millis(millis), cache.resolve(&question));
    let (first, second) = tokio::join!(leaving(300), leaving(600));
    assert!(first.is_err() && second.is_err());
    assert_eq!((asked(&cache), cache.flights()), (1, 0));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(cache.at_hand(&question), None);

    // The next caller has a flight of its own, which the end of the other one does not touch.
    assert!(leaving(300).await.is_err());
    assert_eq!(*cache.resolve(&question).await, records(300));
    assert_eq!((asked(&cache), cache.flights()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_all_left_before_it_began_leaves_nothing_behind() {
    let cache = cache(CacheLimits::default(), |_| records(300));
    let question = question("a.example");
    assert!(futures::poll!(Box::pin(cache.resolve(&question))).is_pending());
    assert_eq!((asked(&cache), cache.flights()), (0, 0));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((asked(&cache), cache.flights()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_flight_is_an_answer_and_leaves_nothing_behind() {
    let panics = AtomicUsize::new(0);
    let cache = cache(CacheLimits::default(), move |_| {
        assert!(panics.fetch_add(1, Ordering::SeqCst) > 0, "the first flight is lost");
        records(300)
    });
    let question = question("a.example");
    assert_eq!(cache.resolve(&question).await.outcome, Outcome::TempError(Unanswered::Network));
    assert_eq!(cache.flights(), 0);
    assert_eq!(*cache.resolve(&question).await, records(300));
}

#[tokio::test(start_paused = true)]
async fn memory_stays_within_its_bound() {
    const BOUND: u64 = 256 * 1024;
    let limits = CacheLimits { octets: BOUND, ..CacheLimits::default() };
    let cache = cache(limits, |_| {
        let text = vec![b'x'; 8 * 1024].into();
        Answer { ttl: 300, ..Answer::new(Outcome::of(vec![Record::Txt(text)])) }
    });
    let questions: Vec<_> = (0..500).map(|number| question(&format!("n{number}.example"))).collect();
    futures::future::join_all(questions.iter().map(|question| cache.resolve(question))).await;
    assert!(cache.octets() <= BOUND);
    let kept = questions.iter().filter(|question| cache.at_hand(question).is_some()).count();
    assert!((1..=31).contains(&kept), "{kept}");
}

#[test]
fn a_flight_in_a_runtime_that_has_ended_is_an_answer() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    let _entered = handle.enter();
    let cache = cache(CacheLimits::default(), |_| records(300));
    let answer = futures::executor::block_on(cache.resolve(&question("a.example")));
    assert_eq!(answer.outcome, Outcome::TempError(Unanswered::Network));
}
