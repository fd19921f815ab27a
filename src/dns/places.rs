//! Who may ask next: so many questions in flight for all, and so many for each registered domain.
//!
//! A question that nobody answers keeps its place for seconds, one that is answered for milliseconds. So that one sender's dead
//! DNS takes no places from others, however many names and domains he has:
//!
//! - the domain that has the fewest places is next, whatever waits behind it;
//! - a domain that did not answer is silent: it has few places and comes after those of which nothing is known, which come after
//!   those that have answered, until it answers. Where others wait, every second place goes to a silent one, the least silent first,
//!   because an honest one may have been slow for once;
//! - a question that keeps its place without an answer gives it back when somebody waits for it ([`Place::contended`]).
//!
//! Questions are counted where their name lies, not where an alias leads: aliases give nobody places of a second domain, and
//! domains that have their keys at one provider do not share the provider's places.

use super::{QueryName, suffix};
use quick_cache::unsync::Cache;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How many questions may be in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceLimits {
    /// For all domains.
    pub all: usize,
    /// For the names of one registered domain.
    pub each: usize,
}

impl PlaceLimits {
    /// For a domain that is silent.
    pub const SILENT: usize = 4;
}

impl Default for PlaceLimits {
    fn default() -> Self {
        Self { all: 1_000, each: 64 }
    }
}

/// How long a question keeps its place before it gives way to others, and after which it counts that it has heard nothing.
pub(super) const SLICE: Duration = Duration::from_millis(500);

/// Domains whose standing is remembered while nothing is asked of them.
const REMEMBERED: usize = 16 * 1024;

/// What a question has heard by the time that it gives its place back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing, so far.
    Nothing,
    /// Nothing in all the time that there is for an answer.
    Timeout,
    /// Its resolver could not tell.
    Failure,
    /// Its domain's answer.
    Answer,
}

/// The places.
#[derive(Clone)]
pub(super) struct Places {
    state: Arc<Mutex<State>>,
}

impl Places {
    pub(super) fn new(limits: PlaceLimits) -> Self {
        let limits = PlaceLimits { all: limits.all.max(1), each: limits.each.max(1) };
        Self { state: Arc::new(Mutex::new(State::new(limits))) }
    }

    /// Waits for a place. Who stops waiting leaves nothing behind.
    ///
    /// `vain` says how often the question gave a place back without an answer: it comes after those of its domain that did so less
    /// often, and among equals a name nearer to the registered domain first.
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
        // From here on dropping it takes the question off the list or gives the place back, whichever it has.
        let mut place = Place { places: self.clone(), home, ticket, since: None, heard: Heard::Nothing };
        // The sender goes only with the ticket, which is the place's.
        let _ = wait.await;
        place.since = Some(Instant::now());
        place
    }

    /// Whether a domain of which nothing is asked now was last asked in vain.
    #[cfg(test)]
    pub(super) fn is_silent(&self, domain: &str) -> bool {
        matches!(self.lock().remembered.peek(domain), Some(Standing::Silent(_)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to ask one question. Dropping it gives the place to who is next.
pub(super) struct Place {
    places: Places,
    home: Home,
    ticket: Ticket,
    /// None as long as it waits.
    since: Option<Instant>,
    heard: Heard,
}

impl Place {
    /// Notes what was heard.
    pub(super) fn hear(&mut self, heard: Heard) {
        self.heard = heard;
    }

    /// Somebody waits for this place.
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

/// A registered domain.
type Home = Arc<str>;

/// What a domain did when it was last asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It answered.
    Answering,
    /// Nothing is known of it.
    Unknown,
    /// So many of its questions were not answered in time.
    Silent(u32),
}

impl Standing {
    /// The standing after a question.
    fn after(self, heard: Heard, had_time: bool) -> Self {
        match (heard, self) {
            (Heard::Answer, _) => Self::Answering,
            (Heard::Timeout, Self::Silent(times)) => Self::Silent(times.saturating_add(1)),
            (Heard::Timeout, _) => Self::Silent(1),
            // One that has answered may have been slow for once.
            (Heard::Nothing, Self::Answering) if had_time => Self::Unknown,
            (Heard::Nothing, _) if had_time => self.after(Heard::Timeout, had_time),
            (Heard::Nothing | Heard::Failure, standing) => standing,
        }
    }
}

/// Where a question stands among those of its domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket {
    vain: u32,
    depth: usize,
    number: u64,
}

/// Where a domain stands among those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    standing: Standing,
    taken: usize,
    /// When it last had a place; no two have the same.
    turn: u64,
}

/// A domain of which something is asked or waits.
struct AskedDomain {
    standing: Standing,
    taken: usize,
    turn: u64,
    waiting: BTreeMap<Ticket, oneshot::Sender<()>>,
    /// Its rank in the list of those that are ready; none when nothing waits, or when it has all the places that it may have.
    ranked: Option<Rank>,
}

struct State {
    limits: PlaceLimits,
    taken: usize,
    numbers: u64,
    granted: u64,
    homes: HashMap<Home, AskedDomain>,
    /// Domains that would have a place if there were one.
    ready: BTreeMap<Rank, Home>,
    /// The standing of domains of which nothing is asked now.
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

    /// Puts a domain where it belongs among those that are ready.
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

    /// Gives the places that are free to those that are next.
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
            // One that has just stopped waiting gives its place back when it is dropped.
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
