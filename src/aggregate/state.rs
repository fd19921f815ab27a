//! What one partition of mail.failures came to: counted, cut into transactions, settled, closed.

use super::changelog::{self, Marker, RowValue, group_id, group_key, row_id, row_key};
use super::closing::{Closing, Progress, canonical_bytes};
use super::group::{About, Caps, Group};
use super::links::Linked;
use super::memory::{Held, Level};
use super::outputs::Destination;
use super::settings::Settings;
use super::window::{Calendar, Window};
use crate::dns::Domain;
use crate::event::{CloseWindows, FailureEvent, Output, TopicId, TraceContext};
use crate::metrics::Staged;
use crate::report::Collapse;
use foldhash::quality::RandomState;
use indexmap::IndexMap;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sums since the process took the partition over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Failures counted in rows.
    pub counted: u64,
    /// Of those, in rows that gave something up.
    pub merged: u64,
    /// Failures of windows that are over.
    pub too_late: u64,
    /// Reports written.
    pub reports: u64,
    /// Messages in them.
    pub reported: u64,
    /// Messages of policy domains without reporting address.
    pub no_reporting_address: u64,
    /// Windows closed, each generation by itself.
    pub windows_closed: u64,
    /// When one was closed last, in seconds since 1970.
    pub last_closed: u64,
    /// Records that cannot be read.
    pub unreadable: u64,
    /// Records of unknown type.
    pub skipped: u64,
}

impl Totals {
    /// Both sums together.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.counted += other.counted;
        self.merged += other.merged;
        self.too_late += other.too_late;
        self.reports += other.reports;
        self.reported += other.reported;
        self.no_reporting_address += other.no_reporting_address;
        self.windows_closed += other.windows_closed;
        self.last_closed = self.last_closed.max(other.last_closed);
        self.unreadable += other.unreadable;
        self.skipped += other.skipped;
        self
    }
}

/// What a partition holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Windows with rows.
    pub windows: usize,
    /// Groups.
    pub groups: usize,
    /// Rows.
    pub rows: usize,
    /// Bytes of memory, about.
    pub bytes: usize,
    /// When the next window with rows is to be closed, in seconds since 1970.
    pub next_close: Option<i64>,
}

/// A group's place within its window.
pub(super) type Groups = IndexMap<(Domain, PolicyHash), Group, RandomState>;

/// The digits of `policyHash` as bytes.
pub(super) type PolicyHash = [u8; 16];

/// A window that something is known of.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// The generation that new rows belong to: closings so far.
    pub(super) generation: u32,
    /// When the last closing began.
    pub(super) closed: Option<i64>,
    pub(super) groups: Groups,
    pub(super) closing: Option<Closing>,
    /// The end of the log when it became due, and when that was: the window closes when everything below is counted.
    target: Option<(i64, i64)>,
    /// An operator or the limit on memory wants it closed, whatever the clock says.
    requested: bool,
}

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

impl Open {
    /// When the window is closed next: at its time when it has rows, and for good when it is over.
    pub(super) fn due(&self, window: Window, calendar: &Calendar) -> i64 {
        let over = calendar.over(window);
        if self.groups.is_empty() { over } else { over.min(calendar.due(window, self.closed)) }
    }

    /// Whether it should be closed and is not told yet where the log ends.
    fn wants_end(&self, window: Window, calendar: &Calendar, now: i64) -> bool {
        self.target.is_none() && self.closing.is_none() && now >= self.due(window, calendar)
    }
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
        let destination = Destination { topic: targets.reports.clone(), partition, source: targets.source.clone() };
        Self {
            settings,
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

    /// What a transaction writes that commits the position `next`: absolute values of what changed, the marker, and when it is its
    /// turn the next step of a closing. The transaction before must have ended.
    pub fn cut(&mut self, next: i64, now: Timestamp, with_step: bool) -> Vec<Output> {
        self.totals.cut();
        self.cut_at = now.as_second();
        let changes = std::mem::take(&mut self.changes);
        self.linked.clear();
        let mut outputs = Vec::with_capacity(changes.rows.len() + changes.abouts.len() + 2);
        let (settings, partition) = (self.settings.clone(), self.destination.partition);
        // The mark that freezes a window comes first, so that nobody who reads half of this takes later rows for a contradiction.
        for window in &changes.frozen {
            let Some(closing) = self.windows.get(window).and_then(|open| open.closing.as_ref()) else { continue };
            let value = changelog::value(&closing.progress().window_value(false));
            outputs.push(settings.changelog(partition, changelog::window_key(*window), Some(value)));
        }
        for place in &changes.abouts {
            if let Some(group) = self.group_mut(*place) {
                group.dirty = false;
                outputs.push(settings.changelog(partition, group_key(&group.id), Some(changelog::value(&group.about))));
            }
        }
        for (place, row) in &changes.rows {
            outputs.extend(self.row(*place, *row));
        }
        // The reports of a frozen window follow in transactions of their own, one window after the other.
        let mut under_way = self.windows.iter_mut().filter(|(window, _)| with_step && !changes.frozen.contains(window));
        if let Some(closing) = under_way.find_map(|(_, open)| open.closing.as_mut()) {
            let first = outputs.len();
            let (stepped, linked) = closing.step(&settings, &self.destination, now);
            outputs.extend(stepped);
            self.linked = linked.into_iter().map(|linked| Linked { output: first + linked.output, ..linked }).collect();
        }
        let marker = Marker { next, partitions: self.partitions, over: self.over_after(), input: self.input };
        outputs.push(changelog::marker(&settings.targets.windows, partition, &marker));
        self.in_flight = Some(changes);
        outputs
    }

    /// The limit of what is over, once the transaction under way is committed.
    fn over_after(&self) -> i64 {
        let ending = self.windows.iter().filter(|(_, open)| open.closing.as_ref().is_some_and(Closing::ends_for_good));
        ending.map(|(window, _)| window.end).fold(self.over, i64::max)
    }

    fn row(&mut self, place: Place, row: usize) -> Option<Output> {
        let (partition, deltas) = (self.destination.partition, self.settings.deltas);
        let group = self.group_mut(place)?;
        group.rows.set_dirty(row, false)?;
        let (canonical, count) = group.rows.get(row).map(|(row, count)| (row, if deltas { 1 } else { count }))?;
        let key = row_key(&row_id(&group.id, &canonical_bytes(&canonical)));
        let value = changelog::value(&RowValue { group: group.id, row: canonical, count });
        Some(self.settings.changelog(partition, key, Some(value)))
    }

    /// A group, whether it still takes rows or is frozen.
    fn group_mut(&mut self, Place { window, generation, index }: Place) -> Option<&mut Group> {
        let open = self.windows.get_mut(&window)?;
        if open.generation == generation {
            return open.groups.get_index_mut(index).map(|(_, group)| group);
        }
        open.closing.as_mut()?.group_mut(generation, index)
    }

    /// The transaction under way is committed.
    pub fn committed(&mut self) {
        self.over = self.over_after();
        self.in_flight = None;
        self.totals.commit();
        let closed = u64::try_from(self.cut_at).unwrap_or(0);
        for open in self.windows.values_mut() {
            let Some(step) = open.closing.as_mut().and_then(Closing::committed) else { continue };
            self.held.change(step.freed, 0);
            let (before, after) = step.sums;
            self.totals.committed_too(|totals| {
                totals.reports += after.reports - before.reports;
                totals.reported += after.messages - before.messages;
                totals.no_reporting_address += after.no_reporting_address - before.no_reporting_address;
                if step.done {
                    totals.windows_closed += 1;
                    totals.last_closed = closed;
                }
            });
            if step.done {
                open.closing = None;
            }
        }
        let over = self.over;
        self.windows.retain(|window, open| window.end > over || !open.groups.is_empty() || open.closing.is_some());
    }

    /// The transaction under way is not: what it held is written again.
    pub fn aborted(&mut self) {
        let Some(changes) = self.in_flight.take() else { return };
        for place in changes.abouts {
            if self.group_mut(place).is_some_and(|group| !std::mem::replace(&mut group.dirty, true)) {
                self.changes.abouts.push(place);
            }
        }
        for (place, row) in changes.rows {
            if self.group_mut(place).and_then(|group| group.rows.set_dirty(row, true)) == Some(false) {
                self.changes.rows.push((place, row));
            }
        }
        self.changes.frozen.extend(changes.frozen);
        self.changes.bytes += changes.bytes;
        for closing in self.windows.values_mut().filter_map(|open| open.closing.as_mut()) {
            closing.aborted();
        }
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

/// The digits as bytes; what is none counts as 0, which [`super::read`] never lets through.
pub(super) fn policy_hash(digits: &str) -> PolicyHash {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
    let mut hash = PolicyHash::default();
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = pair.iter().fold(0, |value, digits| value << 4 | digit(*digits));
    }
    hash
}
