//! Keeps answers for their TTL, and asks the same question only once at the same time.

#[cfg(test)]
mod tests;

use super::{Answer, Outcome, Question, Record, Resolver, Unanswered};
use crate::metrics::DNS_CACHE;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// The index of an answer from the cache in [`crate::metrics::labels::CACHE`].
const HIT: usize = 0;
/// The index of an answer from a flight that another caller began.
const JOINED: usize = 1;
/// The index of an answer from a flight that the caller began.
const MISS: usize = 2;

/// The limits of a [`Cache`] on memory and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// The memory for questions and answers, in octets.
    pub octets: u64,
    /// The longest time for which records are kept.
    pub positive: Duration,
    /// The longest time for which NXDOMAIN and NODATA are kept (RFC 2308 5).
    pub negative: Duration,
    /// The time for which failures are kept (RFC 9520 3.2), at most five minutes.
    pub failure: Duration,
}

impl CacheLimits {
    const MAX_FAILURE: Duration = Duration::from_mins(5);
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self {
            octets: 64 * 1024 * 1024,
            positive: Duration::from_hours(24),
            negative: Duration::from_hours(1),
            failure: Duration::from_secs(5),
        }
    }
}

/// A resolver that keeps the answers of `R` for their TTL, which counts down.
///
/// Callers that ask the same question at the same time share one flight.
/// A flight runs as a task of its own, so that no caller can cancel it for the others.
/// It is given up when the last of them has left. The callers limit how long a flight may take.
pub struct Cache<R> {
    shared: Arc<Inner<R>>,
}

type Landed = Shared<BoxFuture<'static, Arc<Answer>>>;

/// A flight as each caller that waits for it holds it.
struct Flight<R> {
    landed: Landed,
    seat: Arc<Seat<R>>,
}

/// The part of a flight that its callers share. When the last of them drops it, the flight ends.
struct Seat<R> {
    listing: Listing<R>,
    task: AbortHandle,
}

impl<R> Drop for Seat<R> {
    fn drop(&mut self) {
        self.task.abort();
        // If the task has not begun, it will not take the flight off the list itself.
        self.listing.strike();
    }
}

/// A flight that other callers may join.
struct Listed<R> {
    number: u64,
    landed: Landed,
    seat: Weak<Seat<R>>,
}

struct Flights<R> {
    listed: HashMap<Question, Listed<R>>,
    /// The number of flights that were begun.
    begun: u64,
}

struct Inner<R> {
    resolver: R,
    limits: CacheLimits,
    kept: quick_cache::sync::Cache<Question, Kept, Octets>,
    flights: Mutex<Flights<R>>,
}

#[derive(Clone)]
struct Kept {
    answer: Arc<Answer>,
    until: Instant,
}

#[derive(Clone)]
struct Octets;

impl quick_cache::Weighter<Question, Kept> for Octets {
    fn weight(&self, question: &Question, kept: &Kept) -> u64 {
        const FIXED: usize = size_of::<Question>() + size_of::<Kept>() + size_of::<Answer>() + 96;
        let records: usize = kept.answer.records().iter().map(|record| size_of::<Record>() + 16 + record.octets()).sum();
        (FIXED + question.name.as_str().len() + records) as u64
    }
}

impl<R: Resolver + 'static> Cache<R> {
    /// Creates a cache in front of `resolver`.
    pub fn new(resolver: R, limits: CacheLimits) -> Self {
        /// The size of a typical entry, in octets.
        const TYPICAL_ENTRY: u64 = 512;
        let items = usize::try_from(limits.octets / TYPICAL_ENTRY).unwrap_or(usize::MAX).max(16);
        let kept = quick_cache::sync::Cache::with_weighter(items, limits.octets, Octets);
        let flights = Mutex::new(Flights { listed: HashMap::new(), begun: 0 });
        Self { shared: Arc::new(Inner { resolver, limits, kept, flights }) }
    }

    /// Returns the resolver behind the cache.
    pub fn resolver(&self) -> &R {
        &self.shared.resolver
    }

    /// Returns the octets in use, as they are counted against [`CacheLimits::octets`].
    pub fn octets(&self) -> u64 {
        self.shared.kept.weight()
    }

    /// Returns the number of questions that are being asked at this moment.
    pub fn flights(&self) -> usize {
        self.shared.flights.lock().unwrap_or_else(PoisonError::into_inner).listed.len()
    }

    fn flight(&self, question: &Question) -> Result<Arc<Answer>, Flight<R>> {
        let mut flights = self.shared.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Listed { landed, seat, .. }) = flights.listed.get(question)
            && let Some(seat) = seat.upgrade()
        {
            DNS_CACHE.add(JOINED);
            return Err(Flight { landed: landed.clone(), seat });
        }
        // A flight may have ended between the caller's look into the cache and the lock.
        // It kept its answer before it left the list.
        if let Some(answer) = self.shared.at_hand(question) {
            DNS_CACHE.add(HIT);
            return Ok(answer);
        }
        DNS_CACHE.add(MISS);
        flights.begun += 1;
        let number = flights.begun;
        let listing = || Listing { inner: self.shared.clone(), question: question.clone(), number };
        let landing = listing();
        let task = tokio::spawn(async move {
            // `Landing` is made inside the task, because a runtime that is ending drops the
            // task at once, while the lock is still held.
            let Landing(listing) = &Landing(landing);
            let answer = listing.inner.resolver.resolve(&listing.question).await;
            listing.inner.keep(&listing.question, answer)
        });
        let seat = Arc::new(Seat { listing: listing(), task: task.abort_handle() });
        let landed = task.map(|joined| joined.unwrap_or_else(|_| lost())).boxed().shared();
        flights.listed.insert(question.clone(), Listed { number, landed: landed.clone(), seat: Arc::downgrade(&seat) });
        Err(Flight { landed, seat })
    }
}

/// Returns the answer of a flight whose task panicked, or ended with its runtime.
fn lost() -> Arc<Answer> {
    Arc::new(Answer::new(Outcome::TempError(Unanswered::Network)))
}

/// The entry of a flight in the list.
struct Listing<R> {
    inner: Arc<Inner<R>>,
    question: Question,
    number: u64,
}

impl<R> Listing<R> {
    /// Takes the flight off the list, unless the next one for the same question has its entry.
    fn strike(&self) {
        let mut flights = self.inner.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if flights.listed.get(&self.question).is_some_and(|listed| listed.number == self.number) {
            flights.listed.remove(&self.question);
        }
    }
}

/// A guard that takes a flight off the list when its task ends, however it ends.
struct Landing<R>(Listing<R>);

impl<R> Drop for Landing<R> {
    fn drop(&mut self) {
        self.0.strike();
    }
}

impl<R> Inner<R> {
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>> {
        let kept = self.kept.get(question)?;
        let left = kept.until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        let ttl = kept.answer.ttl.min(u32::try_from(left.as_secs()).unwrap_or(u32::MAX));
        Some(if ttl == kept.answer.ttl { kept.answer } else { Arc::new(Answer { ttl, ..(*kept.answer).clone() }) })
    }

    /// Keeps an answer for as long as it may be kept, and returns it with its TTL capped.
    fn keep(&self, question: &Question, answer: Arc<Answer>) -> Arc<Answer> {
        let ttl = Duration::from_secs(answer.ttl.into());
        let (time, answer) = match answer.outcome {
            Outcome::Records(_) => capped(answer, ttl.min(self.limits.positive)),
            Outcome::NoData | Outcome::NxDomain => capped(answer, ttl.min(self.limits.negative)),
            Outcome::TempError(Unanswered::Deadline | Unanswered::Budget) => (Duration::ZERO, answer),
            Outcome::TempError(_) | Outcome::Invalid => (self.limits.failure.min(CacheLimits::MAX_FAILURE), answer),
        };
        if !time.is_zero()
            && let Some(until) = Instant::now().checked_add(time)
        {
            self.kept.insert(question.clone(), Kept { answer: answer.clone(), until });
        }
        answer
    }
}

fn capped(answer: Arc<Answer>, time: Duration) -> (Duration, Arc<Answer>) {
    let ttl = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    (time, if ttl == answer.ttl { answer } else { Arc::new(Answer { ttl, ..(*answer).clone() }) })
}

impl<R: Resolver + 'static> Resolver for Cache<R> {
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>> {
        let answer = self.shared.at_hand(question);
        if answer.is_some() {
            DNS_CACHE.add(HIT);
        }
        answer.or_else(|| self.shared.resolver.at_hand(question))
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        async move {
            if let Some(answer) = self.shared.at_hand(question) {
                DNS_CACHE.add(HIT);
                return answer;
            }
            match self.flight(question) {
                Ok(answer) => answer,
                Err(Flight { landed, seat }) => {
                    let answer = landed.await;
                    drop(seat);
                    answer
                }
            }
        }
        .boxed()
    }
}
