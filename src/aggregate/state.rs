//! The state of one partition of mail.failures: it counts failures, freezes windows and closes
//! them.

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

/// The place of a group in the state.
#[derive(Debug, Clone, Copy)]
struct GroupKey {
    window: Window,
    generation: u32,
    /// The index within the generation.
    index: usize,
}

/// Changes that wait to be written, or that a transaction is writing.
#[derive(Debug, Default)]
struct Changes {
    /// Rows, each by its group and its index in the group.
    rows: Vec<(GroupKey, usize)>,
    /// Groups whose description changed.
    abouts: Vec<GroupKey>,
    frozen: Vec<Window>,
    /// Estimated bytes of the rows.
    bytes: usize,
}

/// The windows of one partition.
#[derive(Debug)]
pub struct State {
    pub(super) settings: Arc<Settings>,
    changelog: Changelog,
    destination: Destination,
    partitions: i32,
    /// The id of mail.failures, as far as it is known.
    pub(super) input: Option<TopicId>,
    pub(super) windows: BTreeMap<Window, Open>,
    /// The offset of the next record to read.
    pub(super) next: Option<i64>,
    /// Windows that end at or before this second are over.
    pub(super) over: i64,
    changes: Changes,
    /// The changes in the transaction under way, which are needed again if it is aborted.
    in_flight: Option<Changes>,
    pub(super) held: Held,
    totals: Staged<Totals>,
    /// When the outputs of a transaction were last cut, in Unix seconds.
    cut_at: i64,
    /// Number of failures in the rows that were restored.
    pub(super) restored: u64,
    /// The reports in the transaction under way whose failures have traces.
    linked: Vec<Linked>,
}

/// Estimated bytes of changed rows above which a transaction should not wait any longer.
const BATCH_BYTES: usize = 32 << 20;

/// Number of exact rows that every group may have, however many bytes it or others take.
const FAIR_ROWS: usize = 1_000;

impl State {
    /// Returns the empty state of a partition, when mail.failures has `partitions` partitions.
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

    /// Counts a failure that Kafka took at `taken`, in Unix seconds. Returns false when its window
    /// is over (Decisions: late rows).
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
        let place = GroupKey { window, generation, index: entry.index() };
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

    /// Returns whether nothing more is counted for a window, because it is over or because the
    /// closing under way is its last one.
    fn is_over(&self, window: Window) -> bool {
        let closing = self.windows.get(&window).and_then(|open| open.closing.as_ref());
        window.end <= self.over || closing.is_some_and(|closing| closing.progress().last)
    }

    /// Carries out an operator's request.
    pub fn control(&mut self, control: &CloseWindows) {
        let asked = |window: &Window| control.at.is_none_or(|at| window.begin <= at && at < window.end);
        let wanted = self.windows.iter_mut().filter(|(window, open)| asked(window) && !open.groups.is_empty());
        wanted.for_each(|(_, open)| open.requested = true);
    }

    /// Notes that everything below the offset `next` is read.
    pub fn advance(&mut self, next: i64) {
        self.next = Some(next);
    }

    /// Returns the offset of the next record to read; `None` before the first.
    pub fn next(&self) -> Option<i64> {
        self.next
    }

    /// Returns whether a window waits to know the end of the log.
    pub fn wants_end(&self, now: i64) -> bool {
        self.windows.iter().any(|(window, open)| open.wants_end(*window, &self.settings.calendar, now))
    }

    /// Notes that the log ended at `end` at this time. Windows that are due close when everything
    /// below is counted.
    pub fn end_of_log(&mut self, end: i64, now: i64) {
        for (window, open) in &mut self.windows {
            if open.wants_end(*window, &self.settings.calendar, now) {
                open.target = Some((end, now));
            }
        }
    }

    /// Returns whether a window waits until everything below some offset is counted.
    pub fn waits_for_position(&self) -> bool {
        self.windows.values().any(|open| open.target.is_some() && open.closing.is_none())
    }

    /// Freezes the windows that can be closed, when everything below `position` is counted.
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

    /// Asks for an early closing of the window that holds most, when the limit on memory is
    /// exceeded.
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

    /// Returns whether so much is held that reading should pause until a closing or a transaction
    /// ends.
    pub fn is_full(&self) -> bool {
        self.held.is_beyond(Level::Overfull) || self.changes.bytes > 2 * BATCH_BYTES
    }

    /// Returns whether there is something to write even if no record was read, apart from the next
    /// step of a closing.
    pub fn has_outputs(&self) -> bool {
        let Changes { rows, abouts, frozen, .. } = &self.changes;
        !(rows.is_empty() && abouts.is_empty() && frozen.is_empty())
    }

    /// Returns whether the outputs should not wait for the time of the next commit.
    pub fn is_urgent(&self) -> bool {
        self.changes.bytes > BATCH_BYTES || !self.changes.frozen.is_empty()
    }

    /// Returns whether a closing is under way.
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

    /// Returns the reports among the last outputs whose failures have traces. A second call returns
    /// none.
    pub fn take_linked(&mut self) -> Vec<Linked> {
        std::mem::take(&mut self.linked)
    }

    /// Returns the number of failures in the rows that were restored. If they had traces, these are
    /// lost.
    pub fn restored(&self) -> u64 {
        self.restored
    }

    /// Returns the sums of everything that was committed since the partition was taken over.
    pub fn totals(&self) -> Totals {
        *self.totals.committed()
    }

    /// Returns the numbers of windows, groups, rows and bytes that are held now.
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
