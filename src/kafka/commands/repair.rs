//! Compares the positions of a stateful role's group with its state, and repairs those that do not
//! fit.

use super::sole_member;
use super::sole_member::{GroupError, Member};
use super::transaction::{CommandError, Writer};
use crate::config::Config;
use crate::event::{Output, TopicId};
use crate::kafka::base::error::Error;
use crate::kafka::client::committed::Committed;
use crate::kafka::client::group;
use crate::kafka::client::log_id::LogIds;
use crate::kafka::client::lookup::{METADATA_PATIENCE, UncommittedEnds};
use crate::kafka::client::read_range::{Range, Span};
use std::sync::Arc;

/// A repair of a role's positions, and what it needs to know of the role.
pub struct Repair<'r> {
    /// The settings.
    pub config: &'r Config,
    /// The role's group.
    pub group: &'r str,
    /// The topic that the role reads.
    pub input: &'r str,
    /// The topic of the role's state.
    pub changelog: &'r str,
    /// Returns the position in a record of a partition's state; None when the record is not the
    /// marker.
    pub marker: &'r dyn Fn(i32, &[u8], Option<&[u8]>) -> Option<Committed>,
    /// Makes the records that let the state of a partition continue at a position.
    pub mark: &'r dyn Fn(i32, Committed) -> Vec<Output>,
}

/// The facts about a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The partition.
    pub partition: i32,
    /// The position that the group has committed.
    pub committed: Option<Committed>,
    /// The position that the state was written with.
    pub marker: Option<Committed>,
    /// The id of the topic; None when the brokers do not give it.
    pub log: Option<TopicId>,
    /// The offset of the oldest record.
    pub first: i64,
    /// The offset after the newest record.
    pub end: i64,
}

/// The remedy for a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing is done, because both positions agree.
    None,
    /// The group's position is set to that of the state. Nothing is lost or counted twice.
    Position(i64),
    /// The role gives up what cannot be recovered, and continues here.
    GiveUp {
        /// The position to continue at.
        at: i64,
        /// The loss.
        loss: Loss,
    },
}

/// The loss that a remedy accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Records were deleted before they were counted.
    Deleted,
    /// The input was made anew. The state stays, and the new records are counted from the first one
    /// on.
    Anew,
    /// The state is gone. Reports will lack what was counted and not reported.
    State,
}

impl Found {
    /// Returns the remedy for the partition.
    pub fn remedy(&self) -> Remedy {
        let anew = |known: Option<Committed>| known.is_some_and(|known| known.is_of_another(self.log));
        // The marker decides, and the group's position where there is no marker.
        if anew(self.marker.or(self.committed)) {
            return Remedy::GiveUp { at: self.first, loss: Loss::Anew };
        }
        match (self.marker.map(|marker| marker.next), self.committed.map(|committed| committed.next)) {
            (marker, committed) if marker == committed && marker.is_none_or(|next| self.holds(next)) => Remedy::None,
            (Some(next), _) if self.holds(next) => Remedy::Position(next),
            (Some(next), _) if next < self.first => Remedy::GiveUp { at: self.first, loss: Loss::Deleted },
            (Some(_), _) => Remedy::GiveUp { at: self.first, loss: Loss::Anew },
            (None, Some(committed)) => Remedy::GiveUp { at: committed.clamp(self.first, self.end), loss: Loss::State },
            (None, None) => Remedy::None,
        }
    }

    fn holds(&self, next: i64) -> bool {
        self.first <= next && next <= self.end
    }
}

impl Repair<'_> {
    /// Looks up the facts about every partition.
    ///
    /// # Errors
    /// No broker answers.
    pub fn look(&self) -> Result<Vec<Found>, Error> {
        let kafka = &self.config.kafka;
        let positions = group::positions(kafka, self.group, self.input)?;
        let log = LogIds::new(kafka)?.of(self.input)?;
        let mut markers: Vec<Option<Committed>> = vec![None; positions.len()];
        let mut range = Range::open(kafka, &Arc::from(self.changelog), &Span::Beginning)?;
        while let Some(record) = range.next()? {
            let key = record.key.as_deref().unwrap_or_default();
            let place = usize::try_from(record.partition).ok().and_then(|partition| markers.get_mut(partition));
            if let (Some(marker), Some(next)) = (place, (self.marker)(record.partition, key, record.value.as_deref())) {
                *marker = Some(next);
            }
        }
        let client = UncommittedEnds::new(kafka)?;
        let mut found = Vec::with_capacity(positions.len());
        for (partition, (committed, marker)) in (0..).zip(positions.into_iter().zip(markers)) {
            let (first, end) = client.log(self.input, partition, METADATA_PATIENCE)?;
            let committed = committed.map(|commit| commit.position);
            found.push(Found { partition, committed, marker, log, first, end });
        }
        Ok(found)
    }

    /// Applies the remedies, all or none, while the group has no other member.
    ///
    /// # Errors
    /// The group has members, or Kafka fails.
    pub fn apply(&self, found: &[Found]) -> Result<(), RepairError> {
        let kafka = &self.config.kafka;
        sole_member::nobody_in(kafka, self.group)?;
        let member = Member::join(kafka, self.group, self.input)?;
        let (mut outputs, mut positions) = (Vec::new(), Vec::new());
        for partition in found {
            let position = |next| Committed { next, log: partition.log };
            match partition.remedy() {
                Remedy::None => {}
                Remedy::Position(next) => positions.push((partition.partition, position(next))),
                Remedy::GiveUp { at, .. } => {
                    outputs.extend((self.mark)(partition.partition, position(at)));
                    positions.push((partition.partition, position(at)));
                }
            }
        }
        let writer = Writer::start(kafka, &format!("{}.repair", self.group))?;
        Ok(member.commit(&writer, &outputs, self.input, positions)?)
    }
}

/// The reason why nothing was repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// Kafka failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The group has members, or may have some.
    #[error(transparent)]
    Group(#[from] GroupError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_put_to_the_states_where_the_log_still_has_it() {
        let known = |next| Committed { next, log: None };
        let found = |marker: Option<i64>, committed: Option<i64>| Found {
            partition: 0,
            committed: committed.map(known),
            marker: marker.map(known),
            log: None,
            first: 10,
            end: 20,
        };
        for (marker, committed, remedy) in [
            (None, None, Remedy::None),
            (Some(15), Some(15), Remedy::None),
            (Some(20), Some(20), Remedy::None),
            (Some(15), None, Remedy::Position(15)),
            (Some(15), Some(12), Remedy::Position(15)),
            (Some(15), Some(18), Remedy::Position(15)),
            (Some(5), Some(5), Remedy::GiveUp { at: 10, loss: Loss::Deleted }),
            (Some(5), None, Remedy::GiveUp { at: 10, loss: Loss::Deleted }),
            (Some(25), Some(25), Remedy::GiveUp { at: 10, loss: Loss::Anew }),
            (None, Some(15), Remedy::GiveUp { at: 15, loss: Loss::State }),
        ] {
            assert_eq!(found(marker, committed).remedy(), remedy, "{marker:?} {committed:?}");
        }
    }

    #[test]
    fn a_log_that_was_made_anew_is_counted_from_its_first_record_whether_shorter_or_longer_and_with_or_without_a_position() {
        let [old, new] = [1, 2].map(|octet| TopicId::new([octet; 16]));
        let anew = Remedy::GiveUp { at: 10, loss: Loss::Anew };
        for (marker, committed, remedy) in [
            // The log is shorter than the marker, longer, and as long.
            (Some((25, old)), Some((25, old)), anew),
            (Some((15, old)), Some((15, old)), anew),
            (Some((20, old)), Some((20, old)), anew),
            (Some((5, old)), None, anew),
            (Some((15, old)), None, anew),
            // The position was set by a tool that knows nothing of ids.
            (Some((15, old)), Some((15, None)), anew),
            (None, Some((15, old)), anew),
            (Some((15, new)), Some((15, new)), Remedy::None),
            (Some((15, new)), Some((12, old)), Remedy::Position(15)),
            (Some((15, new)), None, Remedy::Position(15)),
            // The position carries no id, because it was written by a version without ids: the
            // present id is adopted.
            (Some((15, None)), Some((15, None)), Remedy::None),
            (Some((15, None)), None, Remedy::Position(15)),
        ] {
            let known = |known: Option<(i64, Option<TopicId>)>| known.map(|(next, log)| Committed { next, log });
            let found = Found { partition: 0, committed: known(committed), marker: known(marker), log: new, first: 10, end: 20 };
            assert_eq!(found.remedy(), remedy, "{marker:?} {committed:?}");
        }
    }
}
