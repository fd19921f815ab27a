//! Restores the state of a partition from the records of its changelog.

use super::about::About;
use super::changelog::{self, ChangelogRecord, Foreign, Marker, WindowValue};
use super::closing::Closing;
use super::group::{Group, Rows};
use super::id::Id;
use super::open::policy_hash;
use super::settings::Settings;
use super::state::State;
use super::window::Window;
use crate::event::TopicId;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A restore that is in progress. It takes the changelog's records in their order.
#[derive(Debug)]
pub struct Restore {
    settings: Arc<Settings>,
    partition: i32,
    partitions: i32,
    groups: HashMap<Id, Staged>,
    windows: BTreeMap<Window, WindowValue>,
    marker: Option<Marker>,
    /// The partition count that an operator has set.
    layout: Option<i32>,
    unchecked: bool,
}

/// A group, as far as the records so far describe it.
#[derive(Debug, Default)]
struct Staged {
    about: Option<About>,
    rows: Rows,
}

/// The reason why a state is not restored: the changelog does not fit what Kafka knows of the
/// group. Continuing would count messages twice, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrestorable {
    /// The position in mail.failures is not the one that the state was written with.
    #[error(
        "the state was written up to offset {}, the group's committed position is {}: it was reset, has expired, or the state is \
         another's; `verdmarc aggregate repair` shows both and puts the position back",
        shown(*.marker), shown(*.committed)
    )]
    Position {
        /// The position that the state was written with.
        marker: Option<i64>,
        /// The position that the group has committed.
        committed: Option<i64>,
    },
    /// mail.failures is not the topic that the state was written for.
    #[error(
        "mail.failures was deleted and made anew since the state was written up to offset {next}: it had the id {counted} then and has {present} now; \
         `verdmarc aggregate repair` shows it and has the new topic counted from its first record"
    )]
    Anew {
        /// The position that the state was written with.
        next: i64,
        /// The id of the topic that was counted.
        counted: TopicId,
        /// The id of the topic that exists.
        present: TopicId,
    },
    /// There are more or fewer partitions than when the state was written.
    #[error(
        "mail.failures has {found} partitions, the state was written with {expected}: use `verdmarc topics grow`, which grows the \
         topics of the state first"
    )]
    Partitions {
        /// The number that the state was written with.
        expected: i32,
        /// The number that exists.
        found: i32,
    },
    /// The changelog contains records that cannot stand together.
    #[error("the state contradicts itself: {0}")]
    Contradiction(String),
}

fn shown(position: Option<i64>) -> String {
    position.map_or_else(|| "none".to_owned(), |position| position.to_string())
}

impl Restore {
    /// Begins a restore of one partition, when mail.failures has `partitions` partitions.
    pub fn new(settings: Arc<Settings>, partition: i32, partitions: i32) -> Self {
        Self {
            settings,
            partition,
            partitions,
            groups: HashMap::new(),
            windows: BTreeMap::new(),
            marker: None,
            layout: None,
            unchecked: false,
        }
    }

    /// Accepts a state whatever position and partition count it was written with. It is for
    /// commands that only show the state.
    #[must_use]
    pub fn unchecked(mut self) -> Self {
        self.unchecked = true;
        self
    }

    /// Takes the next record of the changelog.
    ///
    /// # Errors
    /// The record is not one that this version knows.
    pub fn take(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Foreign> {
        match changelog::read(key, value)? {
            ChangelogRecord::Row(value) => self.groups.entry(value.group).or_default().rows.put(&value.row, value.count),
            ChangelogRecord::Group(id, about) => self.groups.entry(id).or_default().about = Some(about),
            ChangelogRecord::GroupGone(id) => {
                self.groups.remove(&id);
            }
            ChangelogRecord::Window(window, value) => {
                self.windows.insert(window, value);
            }
            ChangelogRecord::WindowGone(window) => {
                self.windows.remove(&window);
            }
            ChangelogRecord::Marker(marker) => self.marker = Some(marker),
            ChangelogRecord::Layout(partitions) => self.layout = Some(partitions),
            ChangelogRecord::Nothing => {}
        }
        Ok(())
    }

    /// Returns whether the records so far say how many partitions there are. A new partition has no
    /// record that says so.
    pub fn knows_partitions(&self) -> bool {
        self.marker.is_some() || self.layout.is_some()
    }

    /// Takes a record of partition 0, only for the partition count.
    ///
    /// # Errors
    /// The record is not one that this version knows.
    pub fn take_of_first(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Foreign> {
        match changelog::read(key, value)? {
            ChangelogRecord::Marker(marker) => self.layout = self.layout.or(Some(marker.partitions)),
            ChangelogRecord::Layout(partitions) => self.layout = Some(partitions),
            _ => {}
        }
        Ok(())
    }

    /// Returns the state if it belongs to the group's committed position in `input`, the topic
    /// mail.failures that exists now. A state that names no topic adopts that one.
    ///
    /// # Errors
    /// See [`Unrestorable`].
    pub fn finish(self, committed: Option<i64>, input: Option<TopicId>) -> Result<State, Unrestorable> {
        if let Some(Marker { next, input: Some(counted), .. }) = self.marker
            && let Some(present) = input.filter(|present| *present != counted && !self.unchecked)
        {
            return Err(Unrestorable::Anew { next, counted, present });
        }
        let marker = self.marker.map(|marker| marker.next);
        if marker != committed && !self.unchecked {
            return Err(Unrestorable::Position { marker, committed });
        }
        let known = [self.marker.map(|marker| marker.partitions), self.layout];
        if let Some(expected) = known.into_iter().flatten().next()
            && !known.contains(&Some(self.partitions))
            && !self.unchecked
        {
            return Err(Unrestorable::Partitions { expected, found: self.partitions });
        }
        let mut state = State::new(self.settings, self.partition, self.partitions);
        (state.next, state.input) = (committed, input);
        state.over = self.marker.map_or(i64::MIN, |marker| marker.over);
        let mut frozen: BTreeMap<Window, Vec<Group>> = BTreeMap::new();
        for (id, staged) in self.groups {
            let Some(about) = staged.about else {
                return Err(Unrestorable::Contradiction("rows of a group that is not there".to_owned()));
            };
            let restored = staged.rows.messages();
            let group = Group { about, id, rows: staged.rows, dirty: false, restored, links: None };
            state.restored += restored;
            state.held.change(0, group.bytes());
            let about = &group.about;
            let known = self.windows.get(&about.window);
            if known.map_or(0, |known| known.generation) == about.generation {
                let key = (about.policy_domain.clone(), policy_hash(&about.policy_hash));
                state.windows.entry(about.window).or_default().groups.insert(key, group);
            } else if known
                .and_then(|known| known.closing.as_ref())
                .is_some_and(|under_way| under_way.generation == about.generation)
            {
                frozen.entry(about.window).or_default().push(group);
            } else {
                return Err(Unrestorable::Contradiction(format!(
                    "rows of {} in a generation that is reported already",
                    about.policy_domain
                )));
            }
        }
        for (window, value) in self.windows {
            let open = state.windows.entry(window).or_default();
            (open.generation, open.closed) = (value.generation, Some(value.closed));
            let groups = frozen.remove(&window).unwrap_or_default();
            open.closing = value.closing.map(|progress| Closing::new(window, progress, groups));
        }
        Ok(state)
    }
}
