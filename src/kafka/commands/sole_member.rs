//! Lets a command act as the only member of a role's group.

use super::transaction::{CommandError, Positions, Writer};
use crate::config::Kafka;
use crate::event::Output;
use crate::kafka::base::error::Error;
use crate::kafka::client::committed::Commit;
use crate::kafka::client::context::LoggingContext;
use crate::kafka::client::instance::Instance;
use crate::kafka::client::lookup::{METADATA_PATIENCE, partitions};
use crate::kafka::client::settings;
use crate::kafka::transaction::membership::Membership;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::groups::GroupInfo;
use std::time::{Duration, Instant};

/// The reason why a command cannot act for a group.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] Error),
    /// The group has members, which may be reading.
    #[error(
        "group {group} has members ({}): stop every process of the role, wait until the group's session timeout is over, and try \
         again",
        members.join(", ")
    )]
    Active {
        /// The group.
        group: String,
        /// Its members.
        members: Vec<String>,
    },
    /// The group did not let this process in.
    #[error("group {group} could not be joined within {} s; nothing was done, try again", waited.as_secs())]
    NotJoined {
        /// The group.
        group: String,
        /// The time that was spent on trying.
        waited: Duration,
    },
}

/// The longest time that the group may take to assign its partitions to this process.
const JOINING: Duration = Duration::from_secs(30);

/// Checks that the brokers list no members of the group. For a group with the protocol `consumer`
/// they never list any (KIP-848); its members are noticed when the group is joined.
pub(crate) fn nobody_in(kafka: &Kafka, group: &str) -> Result<(), GroupError> {
    let observer = LoggingContext::consumer(&settings::plain_reader(kafka)?)?;
    let groups = observer.fetch_group_list(Some(group), METADATA_PATIENCE).map_err(Error::Consume)?;
    let members = groups.groups().iter().filter(|found| found.name() == group).flat_map(GroupInfo::members);
    let members: Vec<String> = members.map(|member| format!("{} at {}", member.client_id(), member.client_host())).collect();
    if members.is_empty() { Ok(()) } else { Err(GroupError::Active { group: group.to_owned(), members }) }
}

/// This process as the only member of the group.
///
/// The brokers would accept the position from a process outside the group too, but without any
/// check: a process that starts meanwhile could read the record as well, and its position would be
/// overwritten. The commit of a member is refused when the group has changed.
pub(crate) struct Member {
    /// The consumer is not polled any more. Whatever the group decides, the partitions stay
    /// assigned until a poll gives them up.
    _consumer: BaseConsumer<LoggingContext>,
    /// The membership at the moment when every partition was assigned. The brokers would accept a
    /// later one even for partitions that this process has lost.
    membership: Membership,
}

impl Member {
    /// Joins the group, and waits until every partition of the topic is assigned to this process.
    pub(crate) fn join(kafka: &Kafka, group: &str, topic: &str) -> Result<Self, GroupError> {
        let consumer = LoggingContext::consumer(&settings::role_consumer(
            kafka,
            group,
            &Instance { name: "skip".to_owned(), lasts: false },
        )?)?;
        let all = partitions(&consumer, topic)?;
        consumer.subscribe(&[topic]).map_err(|reason| Error::Subscribe { topics: topic.to_owned(), reason })?;
        let started = Instant::now();
        let mut ours = 0;
        while started.elapsed() < JOINING {
            // Records that are read are dropped; only the transaction sets the position.
            let _ = consumer.poll(Duration::from_millis(50));
            ours = consumer.assignment().map_err(Error::Consume)?.count();
            if i32::try_from(ours) == Ok(all)
                && let Some(membership) = Membership::of(&consumer)
            {
                return Ok(Self { _consumer: consumer, membership });
            }
        }
        let group = group.to_owned();
        if ours > 0 {
            return Err(GroupError::Active { group, members: vec!["others hold some of its partitions".to_owned()] });
        }
        Err(GroupError::NotJoined { group, waited: started.elapsed() })
    }

    /// Writes `outputs` and sets the group's positions in `topic`, both or neither.
    pub(crate) fn commit(
        &self,
        writer: &Writer,
        outputs: &[Output],
        topic: &str,
        positions: impl IntoIterator<Item = (i32, impl Into<Commit>)>,
    ) -> Result<(), CommandError> {
        let mut offsets = TopicPartitionList::new();
        for (partition, position) in positions {
            position.into().add_to(&mut offsets, topic, partition)?;
        }
        writer.transact(outputs, Some(Positions { offsets: &offsets, membership: &self.membership }))
    }
}
