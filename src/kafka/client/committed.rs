//! Reads and writes the positions that a group commits, with the metadata that names their log.
//!
//! ```text
//! metadata = "verdmarc/1" SP topic-id [SP set]
//! topic-id = 22 characters of base64url, as Kafka's tools show it, or "-" if brokers know none
//! set      = the offsets above the position whose outputs are written too, see `written`
//! ```
//!
//! The metadata is ASCII. A set without elements is not written at all.
//! Metadata that does not begin with `verdmarc/1 ` was written by another program and says nothing.
//! Every writer of positions writes this metadata, because a commit replaces the commit
//! before it as a whole.

use super::native;
use super::written::Written;
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

/// All that a group commits of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) position: Committed,
    /// The offsets from the position on whose outputs are written too.
    pub(crate) written: Written,
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
}

impl From<Committed> for Commit {
    /// Returns the commit of a position above which nothing is written.
    fn from(position: Committed) -> Self {
        Self { position, written: Written::default() }
    }
}

impl Commit {
    /// Reads what is committed of a partition from an answer of the brokers. Returns None when
    /// nothing is, or when the answer says nothing of the partition.
    ///
    /// # Errors
    /// The metadata begins as this program's does and cannot be read.
    pub(crate) fn of(answer: &TopicPartitionList, topic: &str, partition: i32) -> Result<Option<Self>, Error> {
        let Some(Offset::Offset(next)) = answer.find_partition(topic, partition).map(|element| element.offset()) else {
            return Ok(None);
        };
        match read(&native::metadata(answer, topic, partition), next) {
            Ok(commit) => Ok(Some(commit)),
            Err(text) => Err(Error::Metadata { topic: topic.to_owned(), partition, text }),
        }
    }

    /// Adds the position to those to commit.
    ///
    /// # Errors
    /// librdkafka does not accept the offset.
    pub(crate) fn add_to(&self, list: &mut TopicPartitionList, topic: &str, partition: i32) -> Result<(), Error> {
        let mut element = list.add_partition(topic, partition);
        element.set_offset(Offset::Offset(self.position.next)).map_err(Error::Consume)?;
        element.set_metadata(self.metadata());
        Ok(())
    }

    /// Returns the metadata of the position.
    fn metadata(&self) -> String {
        let log = self.position.log.map_or_else(|| NO_ID.to_owned(), |log| log.to_string());
        let set = self.written.text(self.position.next);
        if set.is_empty() { format!("{OURS}{log}") } else { format!("{OURS}{log} {set}") }
    }
}

/// Reads the position `next` with this metadata. Metadata of another program says nothing. The
/// error is the metadata, made safe to show, when it begins as this program's does and cannot be
/// read.
fn read(metadata: &[u8], next: i64) -> Result<Commit, String> {
    let Some(ours) = metadata.strip_prefix(OURS.as_bytes()) else { return Ok(Committed { next, log: None }.into()) };
    let parse = || {
        let text = std::str::from_utf8(ours).ok()?;
        let (id, set) = text.split_once(' ').map_or((text, None), |(id, set)| (id, Some(set)));
        let log = if id == NO_ID { None } else { Some(id.parse().ok()?) };
        let written = set.map_or_else(|| Some(Written::default()), |set| Written::parse(set, next))?;
        Some(Commit { position: Committed { next, log }, written })
    };
    parse().ok_or_else(|| metadata.escape_ascii().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(octet: u8) -> Option<TopicId> {
        TopicId::new([octet; 16])
    }

    fn commit(log: Option<TopicId>, set: &str) -> Commit {
        Commit { position: Committed { next: 7, log }, written: Written::parse(set, 7).unwrap_or_default() }
    }

    #[test]
    fn the_topics_id_and_the_set_are_read_again_from_what_was_committed() {
        for log in [None, id(1), id(255)] {
            for commit in [commit(log, ""), commit(log, "1,3,2,8")] {
                assert_eq!(read(commit.metadata().as_bytes(), 7), Ok(commit));
            }
        }
        assert_eq!(commit(id(255), "").metadata(), "verdmarc/1 _____________________w");
        assert_eq!(commit(None, "1,3").metadata(), "verdmarc/1 - 1,3");
    }

    #[test]
    fn metadata_of_others_says_nothing_and_ours_is_read_as_a_whole_or_refused() {
        for foreign in [&b""[..], b"verdmarc", b"verdmarc/1", b"verdmarc/2 x", b"Verdmarc/1 -", b"\xff\xfe", b" verdmarc/1 -"] {
            assert_eq!(read(foreign, 7), Ok(commit(None, "")), "{}", foreign.escape_ascii());
        }
        let refused: [&[u8]; 8] =
            [b"", b"x", b"- ", b"- 1,2 ", b"-  1,2", b"_____________________w 3", b"\xff", b"AAAAAAAAAAAAAAAAAAAAAA"];
        for ours in refused {
            let text = [OURS.as_bytes(), ours].concat();
            assert_eq!(read(&text, 7), Err(text.escape_ascii().to_string()));
        }
    }

    #[test]
    fn the_text_goes_through_the_librarys_list() {
        let mut list = TopicPartitionList::new();
        let commit = commit(id(3), "2,5");
        commit.add_to(&mut list, "a", 2).unwrap();
        list.add_partition("a", 3);
        assert_eq!(Commit::of(&list, "a", 2).unwrap(), Some(commit));
        assert_eq!(Commit::of(&list, "a", 3).unwrap(), None, "no position");
        assert_eq!(Commit::of(&list, "a", 4).unwrap(), None, "not asked");
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
