//! Watches a group of static members, and causes a rebalance when a partition has no owner or when
//! this member holds partitions that it does not read.
//!
//! A cooperative rebalance takes two steps: in the first one a member gives a partition up, in the
//! second one another member takes it. A static member that restarts between the two gets what the
//! first step left to it, joins without a rebalance, and has nothing to give up that would cause
//! the second step. The partition then has no owner until the group changes for another reason.
//!
//! So each member looks at its group now and then. When the group is stable and the same partition
//! had no owner at two looks in a row, a visitor joins the group and leaves it, which makes the
//! brokers assign everything anew. A member does the same when it is assigned topics that it does
//! not read any more: as long as it holds them, the topics that it reads are not shared out evenly.

use crate::config::Kafka;
use crate::kafka::base::error::{Error, of_client};
use crate::kafka::client::instance::Instance;
use crate::kafka::client::{lookup, settings};
use crate::kafka::transaction::membership::Membership;
use crate::kafka::transaction::port::GroupMembership;
use rdkafka::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Partitions by topic and number.
type Partitions = BTreeSet<(String, i32)>;

/// The handle of the watching thread, which ends when the handle is dropped.
#[derive(Debug)]
pub(crate) struct Unowned {
    /// The channel whose closing ends the thread.
    _alive: Sender<()>,
}

/// The longest wait for a description of the group.
const ANSWER: Duration = Duration::from_secs(2);
/// The longest stay of a visitor. The brokers let it in only when every member has joined again.
const VISIT: Duration = Duration::from_mins(1);

impl Unowned {
    /// Starts the thread. It looks once in a session timeout, because until that has passed a
    /// member that has just died still counts as an owner.
    pub(crate) fn watch<C: ConsumerContext + 'static>(
        consumer: Weak<BaseConsumer<C>>,
        kafka: &Kafka,
        group: &str,
        topics: &[String],
    ) -> Result<Self, Error> {
        let (alive, ended) = channel();
        let watch = Watch { consumer, kafka: kafka.clone(), group: group.to_owned(), topics: topics.to_vec() };
        std::thread::Builder::new()
            .name("unowned".to_owned())
            .spawn(move || watch.run(&ended))
            .map_err(|error| Error::Inconsistent(format!("cannot start the thread that looks at the group: {error}")))?;
        Ok(Self { _alive: alive })
    }
}

struct Watch<C: ConsumerContext + 'static> {
    /// The consumer of this member.
    consumer: Weak<BaseConsumer<C>>,
    kafka: Kafka,
    group: String,
    topics: Vec<String>,
}

impl<C: ConsumerContext> Watch<C> {
    fn run(&self, ended: &Receiver<()>) {
        let interval = Duration::from_millis(self.kafka.session_timeout_ms);
        let mut before = Partitions::new();
        while matches!(ended.recv_timeout(interval), Err(RecvTimeoutError::Timeout)) {
            // Without an answer nothing is known, and the next look follows.
            let Some(now) = self.misplaced() else { continue };
            let lasting: Vec<String> = now.intersection(&before).map(|(topic, number)| format!("{topic}/{number}")).collect();
            before = now;
            if lasting.is_empty() {
                continue;
            }
            tracing::warn!(
                partitions = lasting.join(" "),
                "partitions have no owner in a stable group, or an owner that does not read them: a rebalance is brought about"
            );
            if let Err(error) = self.visit() {
                tracing::warn!(%error, "no rebalance could be brought about");
            }
            before.clear();
        }
    }

    /// Returns the partitions without an owner in a stable group, and those that this member holds
    /// and does not read. None when the group is not stable, or when not everything is known of it.
    fn misplaced(&self) -> Option<Partitions> {
        let consumer = self.consumer.upgrade()?;
        let groups = consumer.client().fetch_group_list(Some(&self.group), ANSWER).ok()?;
        let group = groups.groups().iter().find(|group| group.name() == self.group)?;
        if group.state() != "Stable" {
            return None;
        }
        let membership = Membership::of(&consumer)?;
        let (mut owned, mut unread) = (Partitions::new(), Partitions::new());
        for member in group.members() {
            let partitions = assigned(member.assignment()?)?;
            if membership.member().to_str() == Ok(member.id()) {
                unread.extend(partitions.iter().filter(|(topic, _)| !self.topics.contains(topic)).cloned());
            }
            owned.extend(partitions);
        }
        let mut all = Partitions::new();
        for topic in &self.topics {
            let count = lookup::count(&consumer, topic).ok()??;
            all.extend((0..count).map(|number| (topic.clone(), number)));
        }
        unread.extend(all.difference(&owned).cloned());
        Some(unread)
    }

    /// Joins the group as a dynamic member, and leaves it.
    fn visit(&self) -> Result<(), Error> {
        let dynamic = Kafka { static_membership: false, ..self.kafka.clone() };
        let config = settings::role_consumer(&dynamic, &self.group, &Instance { name: "visitor".to_owned(), lasts: false })?;
        let (visitor, joined) = Visitor::new();
        let consumer: BaseConsumer<Visitor> = config.create_with_context(visitor).map_err(of_client)?;
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        let subscribed = consumer.subscribe(&topics);
        subscribed.map_err(|reason| Error::Subscribe { topics: self.topics.join(", "), reason })?;
        let deadline = Instant::now() + VISIT;
        while !joined.load(Ordering::Acquire) && Instant::now() < deadline {
            let _ = consumer.poll(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// The context of a consumer that stays until its first assignment and reads nothing.
struct Visitor(Arc<AtomicBool>);

impl Visitor {
    fn new() -> (Self, Arc<AtomicBool>) {
        let joined = Arc::new(AtomicBool::new(false));
        (Self(joined.clone()), joined)
    }
}

impl ClientContext for Visitor {
    fn stats_raw(&self, _: &[u8]) {}
}

impl ConsumerContext for Visitor {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Reads the partitions from a member's assignment, as Kafka's clients write it
/// (`ConsumerProtocolAssignment`): version, then topics with their partitions. Returns None when
/// the bytes are cut short.
fn assigned(mut bytes: &[u8]) -> Option<Partitions> {
    // The member has no assignment yet.
    if bytes.is_empty() {
        return Some(Partitions::new());
    }
    let _version = take::<2>(&mut bytes)?;
    let mut partitions = Partitions::new();
    for _ in 0..i32::from_be_bytes(take(&mut bytes)?) {
        let length = usize::try_from(i16::from_be_bytes(take(&mut bytes)?)).ok()?;
        let (topic, rest) = bytes.split_at_checked(length)?;
        let topic = std::str::from_utf8(topic).ok()?;
        bytes = rest;
        for _ in 0..i32::from_be_bytes(take(&mut bytes)?) {
            partitions.insert((topic.to_owned(), i32::from_be_bytes(take(&mut bytes)?)));
        }
    }
    Some(partitions)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_as_kafkas_clients_write_it() {
        let mut bytes = vec![0, 1, 0, 0, 0, 2];
        for (topic, partitions) in [("mail.raw", &[0, 7][..]), ("b", &[3])] {
            bytes.extend(i16::try_from(topic.len()).unwrap().to_be_bytes());
            bytes.extend(topic.as_bytes());
            bytes.extend(i32::try_from(partitions.len()).unwrap().to_be_bytes());
            bytes.extend(partitions.iter().flat_map(|partition: &i32| partition.to_be_bytes()));
        }
        let expected = [("b", 3), ("mail.raw", 0), ("mail.raw", 7)].map(|(topic, number)| (topic.to_owned(), number));
        assert_eq!(assigned(&bytes), Some(Partitions::from(expected)));
        assert_eq!(assigned(&[]), Some(Partitions::new()));
        for end in 1..bytes.len() {
            assert_eq!(assigned(&bytes[..end]), None, "cut at {end}");
        }
    }
}
