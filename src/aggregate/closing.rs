//! Reports a frozen window report by report, in transactions of bounded size. Each step continues
//! where the last one ended.

use super::changelog::{self, Changelog, Progress, Sums};
use super::group::Group;
use super::id::{ReportOrder, row_id};
use super::links::{Linked, Links};
use super::outputs::Destination;
use super::row::{Canonical, Key};
use super::settings::Settings;
use super::window::Window;
use crate::config::Profile;
use crate::event::{Output, WindowClosed};
use crate::report::{Head, next_part};
use jiff::Timestamp;
use std::collections::VecDeque;

/// Number of records after which the transaction of a step ends. It may be exceeded, because a part
/// is never divided.
const RECORDS: usize = 5_000;
/// Bytes of reports after which the transaction of a step ends. They may be exceeded for the same
/// reason.
const BYTES: usize = 16 << 20;

/// A window that is frozen and being reported.
#[derive(Debug)]
pub(super) struct Closing {
    window: Window,
    progress: Progress,
    /// The groups, at the indices that they had when the window was frozen. Those that are done are
    /// dropped.
    groups: Vec<Option<Group>>,
    /// The indices of the groups that are not done, in the order of their reports.
    order: VecDeque<usize>,
    /// The rows of the first of these groups that are not done, in their order.
    rows: Option<Vec<Sorted>>,
    /// The result of the step whose transaction is under way.
    pending: Option<Advance>,
}

/// A row's place in its report, and its index in its group.
type Sorted = (ReportOrder, usize);

/// The progress after a step, which takes effect when the step's outputs are committed.
#[derive(Debug)]
struct Advance {
    progress: Progress,
    groups: usize,
    rows: Option<Vec<Sorted>>,
    done: bool,
}

/// The effects of a committed step.
pub(super) struct Step {
    /// Bytes of memory that the step freed.
    pub(super) freed: usize,
    /// True when the closing is over.
    pub(super) done: bool,
    /// The sums before and after the step.
    pub(super) sums: (Sums, Sums),
}

impl Closing {
    pub(super) fn new(window: Window, progress: Progress, groups: impl IntoIterator<Item = Group>) -> Self {
        let groups: Vec<Option<Group>> = groups.into_iter().map(Some).collect();
        let mut order: Vec<usize> = (0..groups.len()).collect();
        order.sort_by_key(|index| {
            groups.get(*index).and_then(Option::as_ref).map(|group| (&group.about.policy_domain, &group.about.policy_hash))
        });
        Self { window, progress, groups, order: order.into(), rows: None, pending: None }
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().flatten()
    }

    /// Returns a group of this generation by the index that it had when the window was frozen.
    pub(super) fn group_mut(&mut self, generation: u32, index: usize) -> Option<&mut Group> {
        self.groups.get_mut(index).filter(|_| self.progress.generation == generation)?.as_mut()
    }

    /// Returns the outputs of the next step, and which of them are reports whose failures have
    /// traces.
    pub(super) fn step(
        &mut self,
        settings: &Settings,
        changelog: &Changelog,
        destination: &Destination,
        now: Timestamp,
    ) -> (Vec<Output>, Vec<Linked>) {
        let progress = self.progress.clone();
        let mut step =
            Writing { settings, changelog, destination, now, progress, outputs: Vec::new(), linked: Vec::new(), report_bytes: 0 };
        let mut rest = self.rows.take();
        let mut done = 0;
        for index in &self.order {
            let Some(group) = self.groups.get(*index).and_then(Option::as_ref) else { continue };
            let mut rows = rest.take().unwrap_or_else(|| sort(group, &step.progress));
            let left = step.group(group, &rows);
            if left > 0 {
                rest = Some(rows.split_off(rows.len().saturating_sub(left)));
                break;
            }
            done += 1;
            if step.is_full() {
                break;
            }
        }
        let Writing { progress, mut outputs, linked, .. } = step;
        let is_over = done == self.order.len();
        if is_over && progress.sums.messages + progress.sums.no_reporting_address > 0 {
            outputs.push(destination.closed(&closed(self.window, destination.partition, &progress), now));
        }
        let key = changelog::window_key(self.window);
        let is_gone = is_over && progress.last;
        outputs.push(if is_gone { changelog.delete(key) } else { changelog.set(key, &progress.window_value(is_over)) });
        self.pending = Some(Advance { progress, groups: done, rows: rest, done: is_over });
        (outputs, linked)
    }

    /// Returns whether the step under way is the last step of the last closing of its window.
    pub(super) fn ends_for_good(&self) -> bool {
        self.pending.as_ref().is_some_and(|advance| advance.done && advance.progress.last)
    }

    /// Applies the step under way, which is committed. Returns its effects; `None` when there was
    /// no step.
    pub(super) fn committed(&mut self) -> Option<Step> {
        let advance = self.pending.take()?;
        let sums = (self.progress.sums, advance.progress.sums);
        let done = self.order.drain(..advance.groups);
        let freed = done.filter_map(|index| self.groups.get_mut(index)?.take()).map(|group| group.bytes()).sum();
        (self.progress, self.rows) = (advance.progress, advance.rows);
        Some(Step { freed, done: advance.done, sums })
    }

    /// Forgets the step under way, which is aborted, so that it is made again.
    pub(super) fn aborted(&mut self) {
        self.pending = None;
    }
}

fn closed(window: Window, partition: i32, progress: &Progress) -> WindowClosed {
    let (period, sums) = (window.period(), progress.sums);
    WindowClosed {
        begin: period.begin,
        end: period.end,
        generation: progress.generation,
        partition,
        cut: progress.cut,
        reports: sums.reports,
        rows: sums.rows,
        messages: sums.messages,
        no_reporting_address: sums.no_reporting_address,
    }
}

/// Returns the rows of a group that are not done, in the order of their places.
fn sort(group: &Group, progress: &Progress) -> Vec<Sorted> {
    let after = match progress.within {
        Some((id, _, after)) if id == group.id => Some(after),
        _ => None,
    };
    let place = |(key, row): (&Key, Canonical<'_>)| (key.source(), row_id(&group.id, &canonical_bytes(&row)));
    let mut rows: Vec<Sorted> = group.rows.iter().map(place).enumerate().map(|(index, place)| (place, index)).collect();
    rows.retain(|(place, _)| after.is_none_or(|after| *place > after));
    rows.sort_unstable();
    rows
}

/// Returns a row's canonical form as bytes, from which its hash is taken.
pub(super) fn canonical_bytes(row: &Canonical<'_>) -> Vec<u8> {
    changelog::value(row)
}

struct Writing<'a> {
    settings: &'a Settings,
    changelog: &'a Changelog,
    destination: &'a Destination,
    now: Timestamp,
    progress: Progress,
    outputs: Vec<Output>,
    linked: Vec<Linked>,
    report_bytes: usize,
}

impl Writing<'_> {
    fn is_full(&self) -> bool {
        self.outputs.len() >= RECORDS || self.report_bytes >= BYTES
    }

    /// Writes parts of a group until the group is done or the step is full. Returns how many of its
    /// rows are left.
    fn group(&mut self, group: &Group, rows: &[Sorted]) -> usize {
        let mut rest = rows;
        while !rest.is_empty() {
            if self.is_full() {
                return rest.len();
            }
            let done = if group.about.policy.rua.is_empty() { self.drop_some(group, rest) } else { self.part(group, rest) };
            let (done, left) = rest.split_at(done);
            // Writing to memory does not fail. If it did, the window would stay open.
            let Some((last, _)) = done.last() else { return rest.len() };
            if let Some((_, _, after)) = &mut self.progress.within {
                *after = *last;
            }
            self.delete(done);
            rest = left;
        }
        self.progress.within = None;
        self.outputs.push(self.changelog.delete(changelog::group_key(&group.id)));
        0
    }

    /// Counts some rows of a group about which nobody asks for a report. Returns how many rows
    /// these are.
    fn drop_some(&mut self, group: &Group, rows: &[Sorted]) -> usize {
        let some = rows.get(..RECORDS.min(rows.len())).unwrap_or_default();
        self.progress.sums.no_reporting_address +=
            some.iter().filter_map(|(_, index)| group.rows.get(*index)).map(|(_, count)| count).sum::<u64>();
        self.progress.within = Some((group.id, 0, ReportOrder::default()));
        some.len()
    }

    /// Writes the next part of a group. Returns how many rows the part has.
    fn part(&mut self, group: &Group, rows: &[Sorted]) -> usize {
        let part = match self.progress.within {
            Some((id, part, _)) if id == group.id => part,
            _ => 0,
        };
        let profile = self.settings.reports.profile_of(&group.about.policy_domain);
        let reported = rows.iter().filter_map(|(_, index)| group.rows.to_report(*index));
        let Ok(Some(made)) = next_part(&self.head(group, profile), part, self.progress.limits, reported) else { return 0 };
        let taken = made.rows;
        let sums = &mut self.progress.sums;
        sums.reports += 1;
        sums.rows += made.rows as u64;
        sums.messages += made.messages;
        self.progress.within = Some((group.id, part + 1, ReportOrder::default()));
        self.report_bytes += made.bytes.len();
        if let Some(links) = &group.links {
            self.linked.push(Linked { output: self.outputs.len(), links: Links::clone(links) });
        }
        self.outputs.push(self.destination.report(&group.about, &self.settings.submitter, profile, made, part, self.now));
        taken
    }

    fn head<'g>(&'g self, group: &'g Group, profile: Profile) -> Head<'g> {
        let about = &group.about;
        Head {
            submitter: &self.settings.submitter,
            profile,
            content: self.settings.reports.content,
            policy_domain: &about.policy_domain,
            period: about.window.period(),
            policy: &about.policy,
            discovery: about.discovery,
            policy_hash: &about.policy_hash,
            errors: &about.errors,
            collapsed: group.rows.are_collapsed(),
            partition: self.destination.partition,
            generation: about.generation,
        }
    }

    fn delete(&mut self, rows: &[Sorted]) {
        self.outputs.extend(rows.iter().map(|((_, id), _)| self.changelog.delete(changelog::row_key(id))));
    }
}
