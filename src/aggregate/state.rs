//! What one partition of mail.failures came to: counted, cut into transactions, settled, closed.

mod transaction;

use super::about::About;
use super::changelog::{Changelog, Progress};
use super::closing::Closing;
use super::group::{Caps, Group};
use super::id::group_id;
use super::links::Linked;
use super::memory::{Held, Level};
use super::open::{Open, policy_hash};
use super::outputs::Destination;
use super::settings::Settings;
use super::totals::{Counts, Totals};
use super::window::Window;
use crate::event::{CloseWindows, FailureEvent, TopicId, TraceContext};
use crate::metrics::Staged;
use crate::report::Collapse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a group is.
#[derive(Debug, Clone, Copy)]
struct Place {
    window: Window,
    generation: u32,
    /// Within the generation.
    index: usize,
}

/// What is not written, or is about to be.
#[derive(Debug, Default)]
struct Changes {
    /// Rows, by their group and their place in it.
    rows: Vec<(Place, usize)>,
    /// Groups that say something else of themselves.
    abouts: Vec<Place>,
    frozen: Vec<Window>,
    /// Bytes of the rows, about.
    bytes: usize,
}

/// The windows of one partition.
#[derive(Debug)]
pub struct State {
    pub(super) settings: Arc<Settings>,
    changelog: Changelog,
    destination: Destination,
    partitions: i32,
    /// Which topic of its name mail.failures is, as far as that is known.
    pub(super) input: Option<TopicId>,
    pub(super) windows: BTreeMap<Window, Open>,
    /// The next record to read.
    pub(super) next: Option<i64>,
    /// Windows that end here or before are over.
    pub(super) over: i64,
    changes: Changes,
    /// The changes that the transaction under way holds, in case it is aborted.
    in_flight: Option<Changes>,
    pub(super) held: Held,
    totals: Staged<Totals>,
    /// When a batch was cut last.
    cut_at: i64,
    /// Failures in the rows that were restored.
    pub(super) restored: u64,
    /// The reports of the transaction under way whose failures have traces.
    linked: Vec<Linked>,
}

/// Bytes of rows in one transaction, about.
const BATCH_BYTES: usize = 32 << 20;

/// A group has so many exact rows, however many bytes it or others take.
const FAIR_ROWS: usize = 1_000;

impl State {
    /// The empty state of a partition, of so many.
    pub fn new(settings: Arc<Settings>, partition: i32, partitions: i32) -> Self {
        let targets = &settings.targets;
        let held = Held::new(settings.partition_bytes, &settings.memory);
        let changelog = Changelog { topic: targets.windows.clone(), partition };
        let destination = Destination { topic: targets.reports.clone(), partition, source: targets.source.clone() };
        Self {
            settings,
            changelog,
            destination,
            partitions,
            input: None,
            windows: BTreeMap::new(),
            next: None,
            over: i64::MIN,
            changes: Changes::default(),
            in_flight: None,
            held,
            totals: Staged::default(),
            cut_at: 0,
            restored: 0,
            linked: Vec::new(),
        }
    }

    /// Counts a failure that Kafka took at `taken`; false when its window is over (Decisions: late rows).
    #[must_use]
    pub fn count(&mut self, event: &FailureEvent, taken: i64) -> bool {
        let window = self.settings.calendar.window(event.arrival.as_second());
        if taken > self.settings.calendar.over(window) || self.is_over(window) {
            self.totals.count().too_late += 1;
            return false;
        }
        let under_pressure = self.held.is_beyond(Level::Pressed);
        let open = self.windows.entry(window).or_default();
        let generation = open.generation;
        let entry = open.groups.entry((event.policy_domain.clone(), policy_hash(&event.policy_hash)));
        let place = Place { window, generation, index: entry.index() };
        let group = entry.or_insert_with(|| {
            let about = About::of(event, window, generation);
            let id = group_id(&about);
            self.changes.abouts.push(place);
            let group = Group::new(about, id);
            self.held.change(0, group.bytes());
            group
        });
        let before = group.bytes();
        let pressed = (under_pressure || before >= self.settings.group_bytes) && group.rows.exact() >= FAIR_ROWS;
        let caps = Caps::of(if pressed { FAIR_ROWS } else { self.settings.group_rows });
        let placed = group.count(event, caps);
        self.held.change(before, group.bytes());
        if placed.about_changed && !std::mem::replace(&mut group.dirty, true) {
            self.changes.abouts.push(place);
        }
        if placed.newly_dirty {
            self.changes.rows.push((place, placed.row));
            self.changes.bytes += placed.written;
        }
        self.totals.count().counted += 1;
        self.totals.count().merged += u64::from(placed.collapse != Collapse::Exact);
        true
    }

    /// Notes the trace of a failure that was just counted.
    pub fn link(&mut self, event: &FailureEvent, context: TraceContext) {
        let window = self.settings.calendar.window(event.arrival.as_second());
        let key = (event.policy_domain.clone(), policy_hash(&event.policy_hash));
        if let Some(group) = self.windows.get_mut(&window).and_then(|open| open.groups.get_mut(&key)) {
            let before = group.bytes();
            group.link(context);
            self.held.change(before, group.bytes());
        }
    }

    /// Whether nothing is counted for a window any more, or after the closing that is under way.
    fn is_over(&self, window: Window) -> bool {
        let closing = self.windows.get(&window).and_then(|open| open.closing.as_ref());
        window.end <= self.over || closing.is_some_and(|closing| closing.progress().last)
    }

    /// Does what an operator asks for.
    pub fn control(&mut self, control: &CloseWindows) {
        let asked = |window: &Window| control.at.is_none_or(|at| window.begin <= at && at < window.end);
        let wanted = self.windows.iter_mut().filter(|(window, open)| asked(window) && !open.groups.is_empty());
        wanted.for_each(|(_, open)| open.requested = true);
    }

    /// Notes that everything below `next` is read.
    pub fn advance(&mut self, next: i64) {
        self.next = Some(next);
    }

    /// The next record to read; none before the first.
    pub fn next(&self) -> Option<i64> {
        self.next
    }

    /// Whether a window waits for the end of the log.
    pub fn wants_end(&self, now: i64) -> bool {
        self.windows.iter().any(|(window, open)| open.wants_end(*window, &self.settings.calendar, now))
    }

    /// The end of the log was here at this time: what is due closes when everything below is counted.
    pub fn end_of_log(&mut self, end: i64, now: i64) {
        for (window, open) in &mut self.windows {
            if open.wants_end(*window, &self.settings.calendar, now) {
                open.target = Some((end, now));
            }
        }
    }

    /// Whether a window waits until everything below some offset is counted.
    pub fn waits_for_position(&self) -> bool {
        self.windows.values().any(|open| open.target.is_some() && open.closing.is_none())
    }

    /// Freezes the windows whose turn it is, when everything below `position` is counted.
    pub fn freeze(&mut self, position: i64, now: i64) {
        if self.in_flight.is_some() {
            return;
        }
        let position = position.max(self.next.unwrap_or(0));
        self.relieve();
        let (calendar, limits) = (self.settings.calendar, self.settings.limits);
        let reached = |open: &Open| open.requested || open.target.is_some_and(|(end, _)| position >= end);
        for (window, open) in &mut self.windows {
            if open.closing.is_some() || !reached(open) {
                continue;
            }
            let last = open.target.is_some_and(|(end, taken)| position >= end && taken >= calendar.over(*window));
            let progress = Progress::begin(open.generation, position, limits, now, last);
            let groups = std::mem::take(&mut open.groups);
            open.closing = Some(Closing::new(*window, progress, groups.into_values()));
            open.generation += 1;
            open.closed = Some(now);
            (open.target, open.requested) = (None, false);
            self.changes.frozen.push(*window);
            tracing::info!(
                partition = self.destination.partition,
                begin = window.begin,
                end = window.end,
                cut = position,
                "window closes"
            );
        }
    }

    /// Above the limit on memory the window that holds most is closed early.
    fn relieve(&mut self) {
        if !self.held.is_beyond(Level::Full) || self.windows.values().any(|open| open.closing.is_some()) {
            return;
        }
        let bytes = |open: &Open| open.groups.values().map(Group::bytes).sum::<usize>();
        if let Some((window, open)) = self.windows.iter_mut().max_by_key(|(_, open)| bytes(open)) {
            tracing::warn!(
                partition = self.destination.partition,
                begin = window.begin,
                bytes = self.held.bytes(),
                "aggregate.partition_bytes or aggregate.process_bytes is used up: the largest window closes early, the rest of it makes a further report"
            );
            open.requested = true;
        }
    }

    /// Whether so much is held that reading should wait: for a closing, or for a transaction.
    pub fn is_full(&self) -> bool {
        self.held.is_beyond(Level::Overfull) || self.changes.bytes > 2 * BATCH_BYTES
    }

    /// Whether there is something to write although no record was read, the next step of a closing apart.
    pub fn has_outputs(&self) -> bool {
        let Changes { rows, abouts, frozen, .. } = &self.changes;
        !(rows.is_empty() && abouts.is_empty() && frozen.is_empty())
    }

    /// Whether that should not wait for the next commit's time.
    pub fn is_urgent(&self) -> bool {
        self.changes.bytes > BATCH_BYTES || !self.changes.frozen.is_empty()
    }

    /// Whether a closing is under way.
    pub fn is_closing(&self) -> bool {
        self.windows.values().any(|open| open.closing.is_some())
    }

    /// Counts a record that cannot be read.
    pub fn note_unreadable(&mut self) {
        self.totals.count().unreadable += 1;
    }

    /// Counts a record of unknown type.
    pub fn note_skipped(&mut self) {
        self.totals.count().skipped += 1;
    }

    /// The reports among the outputs of the last cut whose failures have traces. They are told once.
    pub fn take_linked(&mut self) -> Vec<Linked> {
        std::mem::take(&mut self.linked)
    }

    /// Failures in the rows that were restored, whose traces are lost if they had any.
    pub fn restored(&self) -> u64 {
        self.restored
    }

    /// Sums since the partition was taken over, of what is committed.
    pub fn totals(&self) -> Totals {
        *self.totals.committed()
    }

    /// What is held now.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { bytes: self.held.bytes(), ..Counts::default() };
        for (window, open) in &self.windows {
            if !open.groups.is_empty() {
                let due = open.due(*window, &self.settings.calendar);
                counts.next_close = Some(counts.next_close.map_or(due, |next| next.min(due)));
            }
            let groups = open.groups.values().chain(open.closing.iter().flat_map(Closing::groups));
            let before = counts.groups;
            for group in groups {
                counts.groups += 1;
                counts.rows += group.rows.len();
            }
            counts.windows += usize::from(counts.groups > before);
        }
        counts
    }
}
