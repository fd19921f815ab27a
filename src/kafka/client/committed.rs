//! Reads and writes the positions that a group commits, with the metadata that names their log.
//!
//! ```text
//! metadata = "verdmarc/1" SP topic-id [SP set]
//! topic-id = 22 characters of base64url, as Kafka's tools show it, or "-" if brokers know none
//! set      = the offsets above the position whose outputs are written too, as run lengths
//! ```
//!
//! The metadata is ASCII. A set without elements is not written at all; this version writes no
//! other, and refuses metadata that holds one.
//! Metadata that does not begin with `verdmarc/1 ` was written by another program and says nothing.
//! Every writer of positions writes this metadata, because a commit replaces the commit
//! before it as a whole.

use super::native;
use crate::event::TopicId;
use crate::kafka::base::error::Error;
use rdkafka::{Offset, TopicPartitionList};

/// A committed position: the next offset to read, and the log that it is an offset of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub next: i64,
    /// The id of the topic when the position was committed; None when it was not known.
    pub log: Option<TopicId>,
}

/// The beginning of this program's metadata.
const OURS: &str = "verdmarc/1 ";
/// The text in the place of an id that is not known.
const NO_ID: &str = "-";

impl Committed {
    /// Returns whether the position belongs to another log than the one that is there now.
    /// False when one of the two is not known.
    pub fn is_of_another(&self, present: Option<TopicId>) -> bool {
        self.log.zip(present).is_some_and(|(log, present)| log != present)
    }

    /// Reads the position of a partition from an answer of the brokers. Returns None when nothing
    /// is committed, or when the answer says nothing of the partition.
    ///
    /// # Errors
    /// The metadata begins as this program's does and cannot be read.
    pub(crate) fn of(answer: &TopicPartitionList, topic: &str, partition: i32) -> Result<Option<Self>, Error> {
        let Some(Offset::Offset(next)) = answer.find_partition(topic, partition).map(|element| element.offset()) else {
            return Ok(None);
        };
        match log(&native::metadata(answer, topic, partition)) {
            Ok(log) => Ok(Some(Self { next, log })),
            Err(text) => Err(Error::Metadata { topic: topic.to_owned(), partition, text }),
        }
    }

    /// Adds the position to those to commit.
    ///
    /// # Errors
    /// librdkafka does not accept the offset.
    pub(crate) fn add_to(self, list: &mut TopicPartitionList, topic: &str, partition: i32) -> Result<(), Error> {
        let mut element = list.add_partition(topic, partition);
        element.set_offset(Offset::Offset(self.next)).map_err(Error::Consume)?;
        element.set_metadata(metadata(self.log));
        Ok(())
    }
}

/// Returns the metadata for a position in this log.
fn metadata(log: Option<TopicId>) -> String {
    log.map_or_else(|| format!("{OURS}{NO_ID}"), |log| format!("{OURS}{log}"))
}

/// Returns the log that the metadata names; None when it names none, or when another program
/// wrote it. The error is the metadata, made safe to show, when it begins as this program's
/// does and cannot be read.
fn log(metadata: &[u8]) -> Result<Option<TopicId>, String> {
    let Some(ours) = metadata.strip_prefix(OURS.as_bytes()) else { return Ok(None) };
    let read = match std::str::from_utf8(ours) {
        Ok(NO_ID) => Some(None),
        Ok(id) => id.parse().ok().map(Some),
        Err(_) => None,
    };
    read.ok_or_else(|| metadata.escape_ascii().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(octet: u8) -> Option<TopicId> {
        TopicId::new([octet; 16])
    }

    #[test]
    fn the_topics_id_is_read_again_from_what_was_committed() {
        for log in [None, id(1), id(255)] {
            assert_eq!(super::log(metadata(log).as_bytes()), Ok(log));
        }
        assert_eq!(metadata(id(255)), "verdmarc/1 _____________________w");
    }

    #[test]
    fn metadata_of_others_says_nothing_and_ours_is_read_as_a_whole_or_refused() {
        for foreign in [&b""[..], b"verdmarc", b"verdmarc/1", b"verdmarc/2 x", b"Verdmarc/1 -", b"\xff\xfe", b" verdmarc/1 -"] {
            assert_eq!(log(foreign), Ok(None), "{}", foreign.escape_ascii());
        }
        for ours in [&b""[..], b"x", b"- ", b"- 1,2", b"_____________________w 3", b"\xff", b"AAAAAAAAAAAAAAAAAAAAAA"] {
            let text = [OURS.as_bytes(), ours].concat();
            assert_eq!(log(&text), Err(text.escape_ascii().to_string()));
        }
    }

    #[test]
    fn the_text_goes_through_the_librarys_list() {
        let mut list = TopicPartitionList::new();
        let committed = Committed { next: 7, log: id(3) };
        committed.add_to(&mut list, "a", 2).unwrap();
        list.add_partition("a", 3);
        assert_eq!(Committed::of(&list, "a", 2).unwrap(), Some(committed));
        assert_eq!(Committed::of(&list, "a", 3).unwrap(), None, "no position");
        assert_eq!(Committed::of(&list, "a", 4).unwrap(), None, "not asked");
    }

    #[test]
    fn a_position_is_of_another_log_only_when_both_ids_are_known() {
        for (log, present, another) in
            [(id(1), id(1), false), (id(1), id(2), true), (None, id(2), false), (id(1), None, false), (None, None, false)]
        {
            assert_eq!(Committed { next: 0, log }.is_of_another(present), another, "{log:?} {present:?}");
        }
    }
}
