//! Cuts the outputs of one transaction from the state, and applies the end of the transaction to
//! the state.

use super::{GroupKey, State};
use crate::aggregate::changelog::{Marker, RowValue, group_key, row_key, window_key};
use crate::aggregate::closing::{Closing, canonical_bytes};
use crate::aggregate::group::Group;
use crate::aggregate::id::row_id;
use crate::aggregate::links::Linked;
use crate::aggregate::open::Open;
use crate::aggregate::window::Window;
use crate::event::Output;
use jiff::Timestamp;
use std::collections::BTreeMap;

impl State {
    /// Returns the outputs of a transaction that commits the position `next`: the absolute values
    /// of everything that changed, the marker, and with `with_step` the next step of a closing. The
    /// transaction before must have ended.
    pub fn cut(&mut self, next: i64, now: Timestamp, with_step: bool) -> Vec<Output> {
        self.totals.cut();
        self.cut_at = now.as_second();
        let changes = std::mem::take(&mut self.changes);
        self.linked.clear();
        let mut outputs = Vec::with_capacity(changes.rows.len() + changes.abouts.len() + 2);
        // The record that freezes a window comes first. A reader that has only half of the outputs
        // then does not take later rows for a contradiction.
        for window in &changes.frozen {
            let Some(closing) = self.windows.get(window).and_then(|open| open.closing.as_ref()) else { continue };
            outputs.push(self.changelog.set(window_key(*window), &closing.progress().window_value(false)));
        }
        for place in &changes.abouts {
            if let Some(group) = group_mut(&mut self.windows, *place) {
                group.dirty = false;
                outputs.push(self.changelog.set(group_key(&group.id), &group.about));
            }
        }
        for (place, row) in &changes.rows {
            outputs.extend(self.row(*place, *row));
        }
        // The reports of a frozen window follow in transactions of their own, one window after the
        // other.
        let mut under_way = self.windows.iter_mut().filter(|(window, _)| with_step && !changes.frozen.contains(window));
        if let Some(closing) = under_way.find_map(|(_, open)| open.closing.as_mut()) {
            let first = outputs.len();
            let (stepped, linked) = closing.step(&self.settings, &self.changelog, &self.destination, now);
            outputs.extend(stepped);
            self.linked = linked.into_iter().map(|linked| Linked { output: first + linked.output, ..linked }).collect();
        }
        let marker = Marker { next, partitions: self.partitions, over: self.over_after(), input: self.input };
        outputs.push(self.changelog.marker(&marker));
        self.in_flight = Some(changes);
        outputs
    }

    /// Returns the second up to which windows are over, once the transaction under way is
    /// committed.
    fn over_after(&self) -> i64 {
        let ending = self.windows.iter().filter(|(_, open)| open.closing.as_ref().is_some_and(Closing::ends_for_good));
        ending.map(|(window, _)| window.end).fold(self.over, i64::max)
    }

    fn row(&mut self, place: GroupKey, row: usize) -> Option<Output> {
        let group = group_mut(&mut self.windows, place)?;
        group.rows.set_dirty(row, false)?;
        let (canonical, count) = group.rows.get(row)?;
        let key = row_key(&row_id(&group.id, &canonical_bytes(&canonical)));
        Some(self.changelog.set(key, &RowValue { group: group.id, row: canonical, count }))
    }

    /// Applies the transaction under way, which is committed.
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

    /// Takes back the changes of the transaction under way, which is aborted, so that they are
    /// written again.
    pub fn aborted(&mut self) {
        let Some(changes) = self.in_flight.take() else { return };
        for place in changes.abouts {
            if group_mut(&mut self.windows, place).is_some_and(|group| !std::mem::replace(&mut group.dirty, true)) {
                self.changes.abouts.push(place);
            }
        }
        for (place, row) in changes.rows {
            if group_mut(&mut self.windows, place).and_then(|group| group.rows.set_dirty(row, true)) == Some(false) {
                self.changes.rows.push((place, row));
            }
        }
        self.changes.frozen.extend(changes.frozen);
        self.changes.bytes += changes.bytes;
        for closing in self.windows.values_mut().filter_map(|open| open.closing.as_mut()) {
            closing.aborted();
        }
    }
}

/// Returns a group, whether it still takes rows or is frozen.
fn group_mut(windows: &mut BTreeMap<Window, Open>, GroupKey { window, generation, index }: GroupKey) -> Option<&mut Group> {
    let open = windows.get_mut(&window)?;
    if open.generation == generation {
        return open.groups.get_index_mut(index).map(|(_, group)| group);
    }
    open.closing.as_mut()?.group_mut(generation, index)
}
