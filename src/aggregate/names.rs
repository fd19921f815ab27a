//! Stores each name of a group once, however many rows use it.

use crate::auth::cause::ResultWord;
use foldhash::quality::RandomState;
use indexmap::IndexSet;

/// A stored name, by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name(u32);

/// A stored list of signatures, by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct List(u32);

/// A signature whose names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kept {
    pub(super) domain: Name,
    pub(super) selector: Name,
    pub(super) result: ResultWord,
}

/// The names and lists of one group. Nothing is ever removed; they are dropped together with the
/// group.
#[derive(Debug, Default)]
pub(super) struct Names {
    texts: IndexSet<Box<str>, RandomState>,
    lists: IndexSet<Box<[Kept]>, RandomState>,
    bytes: usize,
}

/// Estimated bytes that a name takes besides its text: its entry, its hash, its place in the table,
/// and the head of its allocation.
const NAME_BYTES: usize = 16 + 8 + 8 + 16;
/// Estimated bytes that a list takes besides its signatures, which has the same parts.
const LIST_BYTES: usize = 16 + 8 + 8 + 16;

impl Names {
    pub(super) fn keep(&mut self, name: &str) -> Name {
        if let Some(place) = self.texts.get_index_of(name) {
            return Name(place as u32);
        }
        self.bytes += NAME_BYTES + name.len();
        Name(self.texts.insert_full(name.into()).0 as u32)
    }

    pub(super) fn keep_list(&mut self, list: &[Kept]) -> List {
        if let Some(place) = self.lists.get_index_of(list) {
            return List(place as u32);
        }
        self.bytes += LIST_BYTES + size_of_val(list);
        List(self.lists.insert_full(list.into()).0 as u32)
    }

    /// Returns a name if it is stored.
    pub(super) fn find(&self, name: &str) -> Option<Name> {
        self.texts.get_index_of(name).map(|place| Name(place as u32))
    }

    pub(super) fn find_list(&self, list: &[Kept]) -> Option<List> {
        self.lists.get_index_of(list).map(|place| List(place as u32))
    }

    pub(super) fn name(&self, name: Name) -> &str {
        self.texts.get_index(name.0 as usize).map_or("", |name| name)
    }

    pub(super) fn list(&self, list: List) -> &[Kept] {
        self.lists.get_index(list.0 as usize).map_or(&[], |list| list)
    }

    /// Returns the estimated bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
