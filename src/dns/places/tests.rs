use super::*;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::poll;
use std::task::Poll;

fn places(all: usize, each: usize) -> Places {
    Places::new(PlaceLimits { all, each })
}

fn name(text: &str) -> QueryName {
    QueryName::new(text).unwrap()
}

/// A question that waits for a place.
type Waiting = BoxFuture<'static, Place>;

fn waiting(places: &Places, text: &str, vain: u32) -> Waiting {
    let (places, name) = (places.clone(), name(text));
    async move { places.take(&name, vain).await }.boxed()
}

/// Returns the place of a question that is next, or `None` while the question must wait.
async fn had(waiting: &mut Waiting) -> Option<Place> {
    match poll!(waiting) {
        Poll::Ready(place) => Some(place),
        Poll::Pending => None,
    }
}

async fn at_once(places: &Places, text: &str) -> Option<Place> {
    had(&mut waiting(places, text, 0)).await
}

/// Returns as many places as names of this domain get at once.
async fn fill(places: &Places, domain: &str) -> Vec<Place> {
    let mut taken = Vec::new();
    while let Some(place) = at_once(places, &format!("n{}.{domain}", taken.len())).await {
        taken.push(place);
    }
    taken
}

/// Asks the domain in vain for long enough that it becomes silent.
async fn silence(places: &Places, domain: &str) {
    let place = at_once(places, domain).await.unwrap();
    tokio::time::advance(SLICE).await;
    drop(place);
}

fn empty(places: &Places) -> bool {
    let state = places.lock();
    state.taken == 0 && state.homes.is_empty() && state.ready.is_empty()
}

#[tokio::test(start_paused = true)]
async fn questions_in_flight_are_limited_for_all_and_for_each_registered_domain() {
    let places = places(10, 4);
    let first = fill(&places, "a.example").await;
    assert_eq!(first.len(), 4);
    assert!(at_once(&places, "sel._domainkey.sub.a.example").await.is_none());
    let (second, third) = (fill(&places, "b.example").await, fill(&places, "c.example").await);
    assert_eq!((second.len(), third.len()), (4, 2));
    assert!(at_once(&places, "d.example").await.is_none());
    drop((first, second, third));
    assert!(empty(&places));
}

#[tokio::test(start_paused = true)]
async fn a_silent_domain_has_four_places_until_it_answers() {
    let places = places(100, 64);
    silence(&places, "a.example").await;
    for heard in [Heard::Nothing, Heard::Failure] {
        let mut few = fill(&places, "a.example").await;
        assert_eq!(few.len(), PlaceLimits::SILENT, "{heard:?}");
        few[0].hear(heard);
        drop(few);
        assert!(empty(&places));
    }
    at_once(&places, "a.example").await.unwrap().hear(Heard::Answer);
    assert_eq!(fill(&places, "a.example").await.len(), 64);
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_has_answered_is_silent_after_a_time_out_or_the_second_silence() {
    let places = places(100, 64);
    let answers = async || at_once(&places, "a.example").await.unwrap().hear(Heard::Answer);
    answers().await;
    silence(&places, "a.example").await;
    assert!(!places.is_silent("a.example"));
    silence(&places, "a.example").await;
    assert!(places.is_silent("a.example"));
    answers().await;
    at_once(&places, "a.example").await.unwrap().hear(Heard::Timeout);
    assert!(places.is_silent("a.example"));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_had_no_time_for_an_answer_says_nothing_about_its_domain() {
    let places = places(100, 64);
    let place = at_once(&places, "a.example").await.unwrap();
    tokio::time::advance(SLICE.saturating_sub(Duration::from_millis(1))).await;
    drop(place);
    assert_eq!(fill(&places, "a.example").await.len(), 64);
}

#[tokio::test(start_paused = true)]
async fn one_domains_questions_do_not_come_before_another_that_has_fewer_places() {
    let places = places(10, 10);
    let mut taken = fill(&places, "a.example").await;
    let mut many: Vec<_> = (0..100).map(|number| waiting(&places, &format!("w{number}.a.example"), 0)).collect();
    for one in &mut many {
        assert!(had(one).await.is_none());
    }
    let mut other = waiting(&places, "b.example", 0);
    assert!(had(&mut other).await.is_none());
    taken.pop();
    assert!(had(&mut many[0]).await.is_none());
    assert!(had(&mut other).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn every_second_place_goes_to_a_silent_domain_the_least_silent_first() {
    let places = places(1, 64);
    for (domain, times) in [("often.example", 3), ("twice.example", 2), ("once.example", 1)] {
        for _ in 0..times {
            silence(&places, domain).await;
        }
    }
    let mut taken = at_once(&places, "first.example").await;
    let names = ["often.example", "twice.example", "once.example", "a.example", "b.example", "c.example", "d.example"];
    let mut order: Vec<_> = names.iter().map(|domain| (*domain, waiting(&places, domain, 0))).collect();
    for (_, one) in &mut order {
        assert!(had(one).await.is_none());
    }
    let mut turns = Vec::new();
    while !order.is_empty() {
        drop(taken.take());
        for index in 0..order.len() {
            taken = had(&mut order[index].1).await;
            if taken.is_some() {
                turns.push(order.remove(index).0);
                break;
            }
        }
    }
    let (silent, others): (Vec<&str>, Vec<&str>) = turns.iter().partition(|domain| domain.len() > "a.example".len());
    assert_eq!(silent, ["once.example", "twice.example", "often.example"]);
    assert_eq!(others, ["a.example", "b.example", "c.example", "d.example"]);
    assert!(turns[..6].chunks(2).all(|pair| pair[0].len() != pair[1].len()), "{turns:?}");
}

#[tokio::test(start_paused = true)]
async fn domains_that_have_answered_come_before_unknown_ones() {
    let places = places(1, 1);
    at_once(&places, "known.example").await.unwrap().hear(Heard::Answer);
    let taken = at_once(&places, "first.example").await.unwrap();
    let mut unknown: Vec<_> = (0..10).map(|number| waiting(&places, &format!("unknown{number}.example"), 0)).collect();
    for one in &mut unknown {
        assert!(had(one).await.is_none());
    }
    let mut known = waiting(&places, "key._domainkey.known.example", 0);
    assert!(had(&mut known).await.is_none());
    drop(taken);
    assert!(had(&mut known).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_in_vain_comes_later_and_names_near_the_registered_domain_come_first() {
    let places = places(1, 1);
    let mut taken = at_once(&places, "x.a.example").await;
    let names = [("s1._domainkey.lab.a.example", 0), ("b.a.example", 1), ("s1._domainkey.a.example", 0), ("_dmarc.a.example", 0)];
    let mut order: Vec<_> = names.iter().map(|(text, vain)| waiting(&places, text, *vain)).collect();
    for one in &mut order {
        assert!(had(one).await.is_none());
    }
    for next in [3, 2, 0, 1] {
        drop(taken.take());
        taken = had(&mut order[next]).await;
        assert!(taken.is_some(), "{}", names[next].0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_is_contended_when_somebody_could_have_it() {
    let places = places(3, 2);
    let (a, b) = (at_once(&places, "a.example").await.unwrap(), at_once(&places, "b.example").await.unwrap());
    assert!(!a.contended());
    let second = at_once(&places, "b.example").await.unwrap();
    assert!(!a.contended());
    // This question waits for a place of its own domain, however many other places are free.
    let mut third = waiting(&places, "b.example", 0);
    assert!(had(&mut third).await.is_none());
    assert!(!a.contended() && b.contended());
    // This question waits for any place.
    let mut other = waiting(&places, "c.example", 0);
    assert!(had(&mut other).await.is_none());
    assert!(a.contended());
    drop(other);
    assert!(!a.contended());
    drop((a, b, second, third));
    assert!(empty(&places));
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_leaves_nothing_behind() {
    let places = places(1, 1);
    let taken = at_once(&places, "a.example").await;
    let mut kept = Vec::new();
    for number in 0..100 {
        let mut one = waiting(&places, &format!("d{number}.example"), 0);
        assert!(had(&mut one).await.is_none());
        kept.push(one);
    }
    let last = kept.pop();
    drop(kept);
    assert_eq!(places.lock().homes.len(), 2);
    // The last question gets the place but never learns of it.
    drop(taken);
    assert_eq!(places.lock().taken, 1);
    drop(last);
    assert!(empty(&places));
}

#[tokio::test(start_paused = true)]
async fn domains_are_remembered_within_a_bound() {
    let places = places(10, 8);
    for number in 0..REMEMBERED + 1_000 {
        let place = at_once(&places, &format!("d{number}.example")).await.unwrap();
        tokio::time::advance(SLICE).await;
        drop(place);
    }
    assert!(places.lock().remembered.len() <= REMEMBERED);
    assert!(empty(&places));
}
