//! Writes and reads the state of a partition as records of mail.windows (K7). The records are small
//! and absolute, and each has a version.
//!
//! | key | value |
//! |---|---|
//! | version, `r`, hash of group and row | the row and its count |
//! | version, `g`, hash of the group | the description of its report |
//! | version, `w`, begin, end | closings of the window so far, and the one under way |
//! | version, `p` | the next record to read, the partition count, and the id of mail.failures |
//! | version, `l` | the partition count that an operator has set |
//!
//! When a row or a group is reported, its record is deleted, and so is that of a window when it is
//! over. Values are postcard behind a version byte.

mod values;

pub use values::Marker;
pub(super) use values::{Progress, RowValue, Sums, WindowValue};

use super::about::About;
use super::id::Id;
use super::window::Window;
use crate::event::{Headers, Output};
use serde::Serialize;
use std::sync::Arc;

/// The version of the records that are written. Later versions read this version too.
const VERSION: u8 = 1;

/// The content of a record of the changelog.
#[derive(Debug)]
pub(super) enum ChangelogRecord<'a> {
    Row(RowValue<'a>),
    Group(Id, About),
    GroupGone(Id),
    Window(Window, WindowValue),
    WindowGone(Window),
    Marker(Marker),
    Layout(i32),
    /// The deletion of a row. It needs no action, because rows are dropped with their group.
    Nothing,
}

/// The error for a record that this version cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a record of the changelog cannot be read ({0}): it was written by a newer version, or not by verdmarc")]
pub struct Foreign(pub String);

pub(super) fn row_key(id: &Id) -> Vec<u8> {
    key(b'r', id)
}

pub(super) fn group_key(id: &Id) -> Vec<u8> {
    key(b'g', id)
}

pub(super) fn window_key(window: Window) -> Vec<u8> {
    key(b'w', &[window.begin.to_be_bytes(), window.end.to_be_bytes()].concat())
}

/// The changelog of one partition. It makes the records that change the state.
#[derive(Debug)]
pub(super) struct Changelog {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
}

impl Changelog {
    /// Returns the record that sets a key to this value.
    pub(super) fn set(&self, key: Vec<u8>, value: &impl Serialize) -> Output {
        record(&self.topic, self.partition, key, Some(self::value(value)))
    }

    /// Returns the record that deletes a key.
    pub(super) fn delete(&self, key: Vec<u8>) -> Output {
        record(&self.topic, self.partition, key, None)
    }

    /// Returns the record that says up to which offset the partition is counted.
    pub(super) fn marker(&self, marker: &Marker) -> Output {
        self::marker(&self.topic, self.partition, marker)
    }
}

fn record(topic: &Arc<str>, partition: i32, key: Vec<u8>, value: Option<Vec<u8>>) -> Output {
    Output { topic: topic.clone(), partition: Some(partition), key: Some(key), value, headers: Headers::default() }
}

fn key(kind: u8, rest: &[u8]) -> Vec<u8> {
    [&[VERSION, kind], rest].concat()
}

/// Returns a value with its version. Every type that is written here can be encoded.
pub(super) fn value(value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).unwrap_or_default()
}

/// Returns the record that says up to which offset a partition is counted.
pub fn marker(topic: &Arc<str>, partition: i32, marker: &Marker) -> Output {
    record(topic, partition, key(b'p', &[]), Some(value(marker)))
}

/// Returns the record that permits another partition count than the one that the state was written
/// with.
pub fn layout(topic: &Arc<str>, partition: i32, partitions: i32) -> Output {
    record(topic, partition, key(b'l', &[]), Some(value(&partitions)))
}

/// Returns the record of a window whose earlier closings are unknown. Its generation is the number
/// of minutes since 1970, which no earlier closing had unless the window was closed that often.
pub fn forgotten_window(topic: &Arc<str>, partition: i32, window: Window, now: i64) -> Output {
    let generation = u32::try_from(now / 60).unwrap_or(u32::MAX);
    let value = WindowValue { generation, closed: now, closing: None };
    record(topic, partition, window_key(window), Some(self::value(&value)))
}

/// Reads a marker from its record; `None` when the record is something else.
pub fn read_marker(key: &[u8], value: Option<&[u8]>) -> Option<Marker> {
    match read(key, value) {
        Ok(ChangelogRecord::Marker(marker)) => Some(marker),
        _ => None,
    }
}

pub(super) fn read<'a>(key: &[u8], value: Option<&'a [u8]>) -> Result<ChangelogRecord<'a>, Foreign> {
    let foreign = |why: &str| Foreign(why.to_owned());
    let [VERSION, kind, rest @ ..] = key else { return Err(foreign("its key has an unknown version")) };
    let value = match value {
        Some([VERSION, value @ ..]) => Some(value),
        Some(_) => return Err(foreign("its value has an unknown version")),
        None => None,
    };
    let broken = |error: postcard::Error| Foreign(error.to_string());
    let id = || Id::try_from(rest).map_err(|_| foreign("its key is too short"));
    let window = || match rest.split_first_chunk::<8>().map(|(begin, end)| (begin, <&[u8; 8]>::try_from(end))) {
        Some((begin, Ok(end))) => Ok(Window { begin: i64::from_be_bytes(*begin), end: i64::from_be_bytes(*end) }),
        _ => Err(foreign("its key is too short")),
    };
    match (kind, value) {
        (b'r', Some(value)) => postcard::from_bytes(value).map(ChangelogRecord::Row).map_err(broken),
        (b'r', None) => Ok(ChangelogRecord::Nothing),
        (b'g', Some(value)) => Ok(ChangelogRecord::Group(id()?, postcard::from_bytes(value).map_err(broken)?)),
        (b'g', None) => Ok(ChangelogRecord::GroupGone(id()?)),
        (b'w', Some(value)) => Ok(ChangelogRecord::Window(window()?, postcard::from_bytes(value).map_err(broken)?)),
        (b'w', None) => Ok(ChangelogRecord::WindowGone(window()?)),
        (b'p', Some(value)) => marker_of(value).map(ChangelogRecord::Marker).map_err(broken),
        (b'l', Some(value)) => postcard::from_bytes(value).map(ChangelogRecord::Layout).map_err(broken),
        _ => Err(foreign("its kind is unknown")),
    }
}

/// Reads a marker. A marker of a version that did not name the topic ends where others say whether
/// there is an id. The zero that is added here says that there is none.
/// In a marker that names the topic, the zero lies behind the end and is not read.
fn marker_of(value: &[u8]) -> postcard::Result<Marker> {
    postcard::from_bytes(&[value, &[0]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TopicId;

    #[test]
    fn a_marker_is_read_again_and_one_from_before_markers_named_the_topic_names_none() {
        let windows = Arc::from("mail.windows");
        for input in [None, TopicId::new([9; 16])] {
            let marker = Marker { next: 300, partitions: 12, over: -1, input };
            let written = super::marker(&windows, 0, &marker);
            assert_eq!(read_marker(&written.key.unwrap(), written.value.as_deref()), Some(marker));
        }
        let before = value(&(300_i64, 12_i32, -1_i64));
        let marker = Marker { next: 300, partitions: 12, over: -1, input: None };
        assert_eq!(read_marker(&key(b'p', &[]), Some(&before)), Some(marker));
        for end in 0..before.len() {
            assert_eq!(read_marker(&key(b'p', &[]), Some(&before[..end])), None, "cut at {end}");
        }
    }
}
