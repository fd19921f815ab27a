//! Counts the rows of one report: one policy domain, one window, one policy, one generation
//! (Decisions: group of rows).

use super::about::About;
use super::id::Id;
use super::links::Links;
use super::names::Names;
use super::row::{Canonical, Key};
use crate::event::{FailureEvent, TraceContext};
use crate::report::{Collapse, ReportRow};
use foldhash::quality::RandomState;
use indexmap::IndexMap;
use indexmap::map::Entry;

/// The numbers of rows of a group above which further rows are collapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caps {
    /// Number of exact rows.
    pub(super) exact: usize,
    /// Number of rows of each level of collapse except the last, which never has many rows.
    pub(super) merged: usize,
}

impl Caps {
    pub(super) fn of(exact: usize) -> Self {
        Self { exact, merged: (exact / 4).max(LEAST_MERGED) }
    }
}

/// Smallest cap on the rows of one level of collapse, however small the cap on exact rows is.
const LEAST_MERGED: usize = 256;

/// The count of a row, and whether the count waits to be written.
#[derive(Debug, Clone, Copy)]
struct Counted {
    count: u64,
    dirty: bool,
}

/// The rows of one report with its description.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) about: About,
    pub(super) id: Id,
    pub(super) rows: Rows,
    /// True when the description waits to be written.
    pub(super) dirty: bool,
    /// Number of messages in the rows that the group was restored with.
    pub(super) restored: u64,
    /// The traces of its failures; `None` as long as no failure was sampled.
    pub(super) links: Option<Box<Links>>,
}

/// Rows together with the names that they use.
#[derive(Debug, Default)]
pub(super) struct Rows {
    names: Names,
    counted: IndexMap<Key, Counted, RandomState>,
    /// Number of rows of each level of collapse.
    levels: [usize; 4],
}

/// The row in which a message was counted, and the effects of that.
pub(super) struct Placed {
    pub(super) row: usize,
    /// Estimated bytes of the row in the changelog.
    pub(super) written: usize,
    /// True when the row did not wait to be written before.
    pub(super) newly_dirty: bool,
    /// True when the description of the group changed.
    pub(super) about_changed: bool,
    pub(super) collapse: Collapse,
}

/// Estimated bytes of a row: its entry, its hash and its places in the table.
const ROW_BYTES: usize = size_of::<Key>() + size_of::<Counted>() + 8 + 12;
impl Group {
    pub(super) fn new(about: About, id: Id) -> Self {
        Self { about, id, rows: Rows::default(), dirty: true, restored: 0, links: None }
    }

    /// Counts a message in its row, or in a collapsed row when there are too many rows.
    pub(super) fn count(&mut self, event: &FailureEvent, caps: Caps) -> Placed {
        let about_changed = self.about.update(&event.report_addresses, &event.record_errors);
        let canonical = Canonical::of(&event.row);
        let (row, newly_dirty, collapse) = self.rows.count(&canonical, self.about.policy_domain.as_str(), caps);
        Placed { row, written: canonical.bytes(), newly_dirty, about_changed, collapse }
    }

    /// Notes the trace of a failure that was counted in this group.
    pub(super) fn link(&mut self, context: TraceContext) {
        self.links.get_or_insert_with(|| Box::new(Links::restored_with(self.restored))).add(context);
    }

    /// Returns the estimated bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        let links = self.links.as_ref().map_or(0, |links| size_of::<Links>() + links.bytes());
        self.about.bytes() + self.rows.bytes() + links
    }
}

impl Rows {
    fn count(&mut self, exact: &Canonical<'_>, policy_domain: &str, caps: Caps) -> (usize, bool, Collapse) {
        for (level, room) in
            [(Collapse::Exact, caps.exact), (Collapse::Identifiers, caps.merged), (Collapse::Networks, caps.merged)]
        {
            let merged;
            let row = if level == Collapse::Exact {
                exact
            } else {
                merged = exact.collapsed(level, policy_domain);
                &merged
            };
            let key = if self.levels[level as usize] < room {
                Some(row.keep(&mut self.names))
            } else {
                row.find(&self.names).filter(|key| self.counted.contains_key(key))
            };
            if let Some(key) = key {
                let (row, newly_dirty) = self.add(key);
                return (row, newly_dirty, level);
            }
        }
        // This level needs no cap. Its rows differ only in address family, disposition, alignment
        // and overrides.
        let key = exact.collapsed(Collapse::Sources, policy_domain).keep(&mut self.names);
        let (row, newly_dirty) = self.add(key);
        (row, newly_dirty, Collapse::Sources)
    }

    fn add(&mut self, key: Key) -> (usize, bool) {
        match self.counted.entry(key) {
            Entry::Occupied(mut entry) => {
                let counted = entry.get_mut();
                counted.count += 1;
                let newly_dirty = !std::mem::replace(&mut counted.dirty, true);
                (entry.index(), newly_dirty)
            }
            Entry::Vacant(entry) => {
                let row = entry.index();
                self.levels[key.collapse as usize] += 1;
                entry.insert(Counted { count: 1, dirty: true });
                (row, true)
            }
        }
    }

    /// Puts back a row that was written. Its count replaces the one that was there.
    pub(super) fn put(&mut self, row: &Canonical<'_>, count: u64) {
        let key = row.keep(&mut self.names);
        if self.counted.insert(key, Counted { count, dirty: false }).is_none() {
            self.levels[key.collapse as usize] += 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.counted.len()
    }

    /// Returns every row, in the order in which the rows came.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, Canonical<'_>)> {
        self.counted.keys().map(|key| (key, key.canonical(&self.names)))
    }

    /// Returns the number of messages in all rows.
    pub(super) fn messages(&self) -> u64 {
        self.counted.values().map(|counted| counted.count).sum()
    }

    /// Returns a row in the form for a report; `None` when there is no such row.
    pub(super) fn to_report(&self, row: usize) -> Option<ReportRow<'_>> {
        self.counted.get_index(row).map(|(key, counted)| key.to_report(&self.names, counted.count))
    }

    pub(super) fn get(&self, row: usize) -> Option<(Canonical<'_>, u64)> {
        self.counted.get_index(row).map(|(key, counted)| (key.canonical(&self.names), counted.count))
    }

    /// Notes whether a row waits to be written. Returns what was noted before; `None` when there is
    /// no such row.
    pub(super) fn set_dirty(&mut self, row: usize, dirty: bool) -> Option<bool> {
        self.counted.get_index_mut(row).map(|(_, counted)| std::mem::replace(&mut counted.dirty, dirty))
    }

    /// Returns the number of rows that are not collapsed.
    pub(super) fn exact(&self) -> usize {
        self.levels[0]
    }

    /// Returns whether some rows are collapsed.
    pub(super) fn are_collapsed(&self) -> bool {
        self.levels.iter().skip(1).any(|rows| *rows > 0)
    }

    /// Returns the estimated bytes in memory.
    fn bytes(&self) -> usize {
        self.counted.len() * ROW_BYTES + self.names.bytes()
    }
}
