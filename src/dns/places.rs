//! Decides which question may ask the network next, within a limit for all questions and one for
//! each registered domain.
//!
//! A question that nobody answers keeps its place for seconds, an answered one for milliseconds.
//! One sender's dead DNS must take no places from others, however many names and domains that
//! sender has. Therefore:
//!
//! - The domain that has the fewest places is next, however many questions it has waiting.
//! - A domain that did not answer is silent until it answers. It has few places, and comes after
//!   the domains of which nothing is known. These come after the domains that have answered.
//!   If others wait, every second place goes to a silent domain, the least silent first, because
//!   an honest domain may have been slow for once.
//! - A question that keeps its place without an answer gives the place back when another question
//!   waits for it ([`Place::contended`]).
//!
//! A question counts for the domain of its name, and not for the domain that an alias leads to.
//! So aliases give nobody the places of a second domain.
//! And domains that have their keys at one provider do not share the provider's places.

use super::{QueryName, suffix};
use quick_cache::unsync::Cache;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The limits on the number of questions in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceLimits {
    /// The number for all domains together.
    pub all: usize,
    /// The number for the names of one registered domain.
    pub each: usize,
}

impl PlaceLimits {
    /// The number for the names of a silent domain.
    pub const SILENT: usize = 4;
}

impl Default for PlaceLimits {
    fn default() -> Self {
        Self { all: 1_000, each: 64 }
    }
}

/// The time for which a question keeps its place before it gives way to others.
///
/// A question that has heard nothing for this long counts against its domain.
pub(super) const SLICE: Duration = Duration::from_millis(500);

/// The number of domains whose standing is remembered while no question about them is asked.
const REMEMBERED: usize = 16 * 1024;

/// The response that a question has when it gives its place back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// There was no answer so far.
    Nothing,
    /// There was no answer in all the time that is allowed for one.
    Timeout,
    /// The resolver failed, and could not tell anything about the domain.
    Failure,
    /// The domain answered.
    Answer,
}

/// The places of all questions in flight, and the questions that wait for one.
#[derive(Clone)]
pub(super) struct Places {
    state: Arc<Mutex<State>>,
}

impl Places {
    pub(super) fn new(limits: PlaceLimits) -> Self {
        let limits = PlaceLimits { all: limits.all.max(1), each: limits.each.max(1) };
        Self { state: Arc::new(Mutex::new(State::new(limits))) }
    }

    /// Waits for a place. A caller that stops waiting leaves nothing behind.
    ///
    /// `vain` is the number of times that the question gave a place back without an answer.
    /// A question of the same domain with a lower number comes first.
    /// Among equals, a name nearer to the registered domain comes first.
    pub(super) async fn take(&self, name: &QueryName, vain: u32) -> Place {
        let home: Home = suffix::registered(name).into();
        let depth = name.as_str().len() - home.len();
        let (granted, wait) = oneshot::channel();
        let ticket = {
            let mut state = self.lock();
            let ticket = Ticket { vain, depth, number: state.next_number() };
            state.enter(&home, ticket, granted);
            ticket
        };
        // From here on, dropping `place` takes the question off the list or gives its place back.
        let mut place = Place { places: self.clone(), home, ticket, since: None, heard: Heard::Nothing };
        // The sender is dropped only together with the ticket, which belongs to this place.
        let _ = wait.await;
        place.since = Some(Instant::now());
        place
    }

    /// Returns whether a domain without open questions gave no answer to its last one.
    #[cfg(test)]
    pub(super) fn is_silent(&self, domain: &str) -> bool {
        matches!(self.lock().remembered.peek(domain), Some(Standing::Silent(_)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The permission to ask one question. Dropping it gives the place to the next question.
pub(super) struct Place {
    places: Places,
    home: Home,
    ticket: Ticket,
    /// The time at which the question got its place, or `None` while it waits.
    since: Option<Instant>,
    heard: Heard,
}

impl Place {
    /// Notes the response to the question.
    pub(super) fn hear(&mut self, heard: Heard) {
        self.heard = heard;
    }

    /// Returns whether another question waits for this place.
    pub(super) fn contended(&self) -> bool {
        let state = self.places.lock();
        !state.ready.is_empty() || state.homes.get(&self.home).is_some_and(|domain| !domain.waiting.is_empty())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let had_time = self.since.is_some_and(|since| since.elapsed() >= SLICE);
        self.places.lock().leave(&self.home, self.ticket, self.heard, had_time);
    }
}

/// The name of a registered domain.
type Home = Arc<str>;

/// The conduct of a domain when it was last asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// The domain answered.
    Answering,
    /// Nothing is known of the domain.
    Unknown,
    /// This many questions to the domain got no answer in time.
    Silent(u32),
}

impl Standing {
    /// Returns the standing after a question with the response `heard`.
    ///
    /// `had_time` says whether the question had its place for long enough to count.
    fn after(self, heard: Heard, had_time: bool) -> Self {
        match (heard, self) {
            (Heard::Answer, _) => Self::Answering,
            (Heard::Timeout, Self::Silent(times)) => Self::Silent(times.saturating_add(1)),
            (Heard::Timeout, _) => Self::Silent(1),
            // A domain that has answered may have been slow for once.
            (Heard::Nothing, Self::Answering) if had_time => Self::Unknown,
            (Heard::Nothing, _) if had_time => self.after(Heard::Timeout, had_time),
            (Heard::Nothing | Heard::Failure, standing) => standing,
        }
    }
}

/// The order of a question among those of its domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket {
    vain: u32,
    depth: usize,
    number: u64,
}

/// The order of a domain among those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    standing: Standing,
    taken: usize,
    /// The number of the turn in which the domain last had a place. No two domains have the same.
    turn: u64,
}

/// A domain whose questions are in flight or wait.
struct AskedDomain {
    standing: Standing,
    taken: usize,
    turn: u64,
    waiting: BTreeMap<Ticket, oneshot::Sender<()>>,
    /// The rank of the domain in the list of ready domains.
    /// It is `None` if no question waits, or if the domain has all the places that it may have.
    ranked: Option<Rank>,
}

struct State {
    limits: PlaceLimits,
    taken: usize,
    numbers: u64,
    granted: u64,
    homes: HashMap<Home, AskedDomain>,
    /// The domains that would get a place if one were free.
    ready: BTreeMap<Rank, Home>,
    /// The standing of domains whose questions are neither in flight nor waiting.
    remembered: Cache<Home, Standing>,
}

impl State {
    fn new(limits: PlaceLimits) -> Self {
        let (homes, ready) = (HashMap::new(), BTreeMap::new());
        Self { limits, taken: 0, numbers: 0, granted: 0, homes, ready, remembered: Cache::new(REMEMBERED) }
    }

    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn enter(&mut self, home: &Home, ticket: Ticket, granted: oneshot::Sender<()>) {
        if !self.homes.contains_key(home) {
            let standing = self.remembered.remove(home).map_or(Standing::Unknown, |(_, standing)| standing);
            let turn = self.next_number();
            let asked = AskedDomain { standing, taken: 0, turn, waiting: BTreeMap::new(), ranked: None };
            self.homes.insert(home.clone(), asked);
        }
        if let Some(domain) = self.homes.get_mut(home) {
            domain.waiting.insert(ticket, granted);
        }
        self.rank(home);
        self.grant();
    }

    /// Takes a question off the list, or gives its place back.
    fn leave(&mut self, home: &Home, ticket: Ticket, heard: Heard, had_time: bool) {
        let Some(domain) = self.homes.get_mut(home) else { return };
        if domain.waiting.remove(&ticket).is_none() {
            domain.taken -= 1;
            self.taken -= 1;
            domain.standing = domain.standing.after(heard, had_time);
        }
        self.rank(home);
        self.grant();
        if let Some(domain) = self.homes.get(home)
            && domain.taken == 0
            && domain.waiting.is_empty()
        {
            if domain.standing != Standing::Unknown {
                self.remembered.insert(home.clone(), domain.standing);
            }
            self.homes.remove(home);
        }
    }

    /// Puts a domain into its position in the list of ready domains.
    fn rank(&mut self, home: &Home) {
        let Some(domain) = self.homes.get_mut(home) else { return };
        if let Some(old) = domain.ranked.take() {
            self.ready.remove(&old);
        }
        let most = match domain.standing {
            Standing::Silent(_) => self.limits.each.min(PlaceLimits::SILENT),
            Standing::Answering | Standing::Unknown => self.limits.each,
        };
        if !domain.waiting.is_empty() && domain.taken < most {
            let rank = Rank { standing: domain.standing, taken: domain.taken, turn: domain.turn };
            domain.ranked = Some(rank);
            self.ready.insert(rank, home.clone());
        }
    }

    /// Gives the free places to the questions that are next.
    fn grant(&mut self) {
        while self.taken < self.limits.all {
            let Some(home) = self.next() else { return };
            let turn = self.next_number();
            let Some(domain) = self.homes.get_mut(&home) else { return };
            let Some((_, granted)) = domain.waiting.pop_first() else { return };
            domain.taken += 1;
            domain.turn = turn;
            self.taken += 1;
            self.granted += 1;
            // A question that has just stopped waiting gives its place back when it is dropped.
            let _ = granted.send(());
            self.rank(&home);
        }
    }

    fn next(&self) -> Option<Home> {
        let standing = if self.granted.is_multiple_of(2) { Standing::Answering } else { Standing::Silent(0) };
        let from = Rank { standing, taken: 0, turn: 0 };
        let (_, home) = self.ready.range(from..).next().or_else(|| self.ready.first_key_value())?;
        Some(home.clone())
    }
}

#[cfg(test)]
mod tests;
