//! What slow DNS may and may not do; the clock is tokio's paused one.

use super::scene::{Scene, runtime};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use verdmarc::dns::{Answer, Question, Resolver, Zone};
use verdmarc::event::Reason;
use verdmarc::verdict::{Verdict, evaluate};

/// A zone whose answers for some names take long.
struct Slow {
    zone: Zone,
    /// Ends of names, and how long their answers take.
    delays: Vec<(&'static str, Duration)>,
}

impl Resolver for Slow {
    fn at_hand(&self, _: &Question) -> Option<Arc<Answer>> {
        None
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        let delay = self.delays.iter().find(|(end, _)| question.name.as_str().ends_with(end)).map(|(_, delay)| *delay);
        Box::pin(async move {
            if let Some(delay) = delay {
                sleep(delay).await;
            }
            self.zone.at_hand(question).expect("a zone answers at once")
        })
    }
}

const NEVER: Duration = Duration::from_hours(24);

fn judged(scene: &Scene, delays: &[(&'static str, Duration)]) -> (Verdict, Duration) {
    let resolver = Slow { zone: scene.zone(), delays: delays.to_vec() };
    runtime().block_on(async {
        let start = Instant::now();
        let verdict = evaluate(&scene.message(), &scene.envelope, &resolver, scene.now, &scene.settings).await;
        (verdict, start.elapsed())
    })
}

#[test]
fn f28_a_black_hole_ends_at_the_deadline_as_processing_failed() {
    let (verdict, took) = judged(&Scene::spoof(), &[("", NEVER)]);
    assert_eq!(verdict.dmarc.as_str(), "PROCESSING_FAILED");
    assert!(verdict.has(Reason::DeadlineExceeded) && verdict.has(Reason::DnsUnanswered));
    assert_eq!(took.as_secs(), 15);
}

#[test]
fn f28_slow_dns_of_a_domain_that_cannot_align_stays_fail_and_costs_two_seconds() {
    let (verdict, took) = judged(&Scene::spoof(), &[("bad.test", NEVER)]);
    assert_eq!((verdict.dmarc.as_str(), verdict.spf.as_str()), ("FAIL", "PROCESSING_FAILED"));
    assert_eq!(took.as_secs(), 2);
}

#[test]
fn f28_slow_dns_of_an_attacker_leaves_time_for_the_questions_about_his_victim() {
    // The walk for a name that shares a label with the author's begins only when SPF has ended.
    let scene = Scene::from("a@victim.example").dmarc("victim.example", "p=reject").spf_pass("evil.example");
    let scene = scene.set(|settings| settings.psl_guard = false);
    let (verdict, took) = judged(&scene, &[("evil.example", NEVER), ("_dmarc.example", Duration::from_secs(3))]);
    assert_eq!(verdict.dmarc.as_str(), "FAIL", "{:#?}", verdict.authentication.dmarc);
    assert!(took.as_secs() <= 15);
}

#[test]
fn f28_an_aligned_signature_decides_before_slow_spf() {
    let scene =
        Scene::from("a@victim.example").dmarc("victim.example", "p=reject").signed("victim.example").spf_pass("slow.test");
    let (verdict, took) = judged(&scene, &[("slow.test", NEVER)]);
    assert_eq!(verdict.dmarc.as_str(), "PASS");
    assert_eq!(took.as_secs(), 2);
}

#[test]
fn questions_that_do_not_depend_on_each_other_are_asked_at_the_same_time() {
    let scene =
        Scene::from("a@victim.example").dmarc("victim.example", "p=reject").signed("victim.example").spf_pass("victim.example");
    let (verdict, took) = judged(&scene, &[("", Duration::from_secs(1))]);
    assert_eq!(verdict.dmarc.as_str(), "PASS");
    assert_eq!(took.as_secs(), 1, "policy, key and SPF record in one round");
}
