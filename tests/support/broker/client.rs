//! What a broker holds, asked as any client would.

use super::wire::{self, Rule, Transaction, transactions};
use super::{PATIENCE, eventually};
use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message, ToBytes};
use rdkafka::metadata::MetadataBroker;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// One answer of a broker that runs. Longer waits are made of several.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A record as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// In their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Found {
    /// The value as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().unwrap_or_default()).unwrap()
    }
}

/// What may be refused, by the numbers of `org.apache.kafka.common.acl.AclOperation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    Read = 3,
    Write = 4,
}

/// What a right is about, by the numbers of `org.apache.kafka.common.resource.ResourceType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Topic = 2,
    Group = 3,
    TransactionalId = 5,
}

/// One operation that is allowed on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    pub resource: Resource,
    pub name: String,
    /// The name is the beginning of others.
    pub is_prefix: bool,
    /// Its word, and its number in `org.apache.kafka.common.acl.AclOperation`.
    pub word: &'static str,
    operation: u8,
}

const OPERATIONS: [(&str, u8); 6] =
    [("Read", 3), ("Write", 4), ("Create", 5), ("Alter", 7), ("Describe", 8), ("DescribeConfigs", 10)];

impl Acl {
    /// What these options of `kafka-acls.sh` mean, with `prefix` before every name.
    pub fn parse(options: &str, prefix: &str) -> Vec<Self> {
        let words: Vec<&str> = options.split_whitespace().collect();
        let (mut operations, mut resources, mut is_prefix) = (Vec::new(), Vec::new(), false);
        for option in words.chunks(2) {
            let &[option, value] = option else { panic!("no value: {options}") };
            let mut named = |resource| resources.push((resource, format!("{prefix}{value}")));
            match option {
                "--operation" => operations.push(OPERATIONS.into_iter().find(|(word, _)| *word == value).unwrap()),
                "--topic" => named(Resource::Topic),
                "--group" => named(Resource::Group),
                "--transactional-id" => named(Resource::TransactionalId),
                "--resource-pattern-type" if value == "prefixed" => is_prefix = true,
                other => panic!("{other} in {options}"),
            }
        }
        let on = |(resource, name): &(Resource, String)| {
            let (resource, name) = (*resource, name.clone());
            let of = move |(word, operation): &(&'static str, u8)| Self {
                resource,
                name: name.clone(),
                is_prefix,
                word: *word,
                operation: *operation,
            };
            operations.iter().map(of).collect::<Vec<_>>()
        };
        resources.iter().flat_map(on).collect()
    }

    /// The rights that the documentation names for a role or command.
    pub fn documented(who: &str, prefix: &str) -> Vec<Self> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md");
        let text = std::fs::read_to_string(path).unwrap();
        let rows = text.lines().filter_map(|line| line.strip_prefix(&format!("| `{who}` | `"))?.split('`').next());
        let found: Vec<Self> = rows.flat_map(|options| Self::parse(options, prefix)).collect();
        assert!(!found.is_empty(), "the documentation names no right for {who}");
        found
    }
}

/// Which records a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Isolation {
    Committed,
    Uncommitted,
}

/// Asks the nodes at some addresses. It holds no connection between two calls, so nodes may come and go.
#[derive(Debug, Clone)]
pub struct Client {
    addresses: Vec<SocketAddr>,
}

impl Client {
    pub(super) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self { addresses }
    }

    /// What `bootstrap.servers` must say.
    pub fn bootstrap(&self) -> String {
        self.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    /// Settings of a client of this broker, to which a test adds its own.
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap());
        // A node that was restarted is found again soon, as it is by a service that waited longer.
        config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "200");
        config
    }

    /// Makes topics with their numbers of partitions and settings, and waits until every node that runs knows who leads them.
    pub fn create_topics(&self, topics: &[(&str, i32, &[(&str, &str)])]) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let new = topics.iter().map(|(name, partitions, settings)| {
            let topic = NewTopic::new(name, *partitions, TopicReplication::Fixed(-1));
            settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
        });
        let new: Vec<NewTopic<'_>> = new.collect();
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        for made in block_on(admin.create_topics(&new, &options)).unwrap() {
            made.unwrap();
        }
        for address in &self.addresses {
            let consumer = Self::new(vec![*address]).reader(Isolation::Uncommitted);
            for (name, partitions, _) in topics {
                eventually(&format!("leaders of {name}"), || {
                    if std::net::TcpStream::connect_timeout(address, TIMEOUT).is_err() {
                        return Some(());
                    }
                    let metadata = consumer.fetch_metadata(Some(name), TIMEOUT).ok()?;
                    let known = metadata.topics().first()?.partitions();
                    let led = known.iter().filter(|partition| partition.leader() >= 0).count();
                    (led == usize::try_from(*partitions).unwrap()).then_some(())
                });
            }
        }
    }

    /// Deletes a topic, and waits until every node that runs has forgotten it.
    pub fn delete_topic(&self, topic: &str) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        for deleted in block_on(admin.delete_topics(&[topic], &options)).unwrap() {
            deleted.unwrap();
        }
        let consumer = self.reader(Isolation::Uncommitted);
        eventually(&format!("the end of {topic}"), || {
            let metadata = consumer.fetch_metadata(None, TIMEOUT).ok()?;
            metadata.topics().iter().all(|known| known.name() != topic).then_some(())
        });
    }

    /// The text that a group has committed with its position in each partition, which must be UTF-8.
    pub fn committed_texts(&self, group: &str, topic: &str, partitions: i32) -> Vec<String> {
        let consumer: BaseConsumer = self.config().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        let committed = consumer.committed_offsets(list, TIMEOUT).unwrap();
        (0..partitions).map(|partition| committed.find_partition(topic, partition).unwrap().metadata().to_owned()).collect()
    }

    /// Commits a position with a text, for a group without members.
    pub fn commit_with_text(&self, group: &str, topic: &str, (partition, offset): (i32, i64), text: &str) {
        let consumer: BaseConsumer = self.config().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        let mut element = list.add_partition(topic, partition);
        element.set_offset(Offset::Offset(offset)).unwrap();
        element.set_metadata(text);
        eventually("a commit for a group that its members have left", || {
            consumer.commit(&list, rdkafka::consumer::CommitMode::Sync).ok()
        });
    }

    /// Sets a topic's setting, and all its others back to their defaults.
    pub fn set_topic(&self, topic: &str, name: &str, value: &str) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let changed = block_on(admin.alter_configs(&[change], &options)).unwrap();
        assert!(changed.iter().all(Result::is_ok), "{changed:?}");
    }

    /// Every record of `topic` that a reader of committed records sees at this moment, in the order of partitions and offsets.
    /// What a producer was told is committed is among them: the call waits for transactions that are just ending.
    pub fn read_committed(&self, topic: &str) -> Vec<Found> {
        self.settle();
        self.read(topic, Isolation::Committed)
    }

    /// Every record of `topic`, those of aborted and open transactions too.
    pub fn read_uncommitted(&self, topic: &str) -> Vec<Found> {
        self.read(topic, Isolation::Uncommitted)
    }

    /// The offset after the last record of each partition. The records that end transactions count.
    pub fn end_offsets(&self, topic: &str) -> Vec<i64> {
        self.ends(Isolation::Uncommitted, topic)
    }

    /// For each partition the offset that readers of committed records do not pass: the first record of its oldest open
    /// transaction, or its end when there is none.
    pub fn last_stable_offsets(&self, topic: &str) -> Vec<i64> {
        self.settle();
        self.ends(Isolation::Committed, topic)
    }

    /// The position that `group` has committed for each partition of `topic`. That of an open transaction is not.
    pub fn committed(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        self.settle();
        self.committed_so_far(group, topic)
    }

    /// The same while transactions may be ending.
    pub fn committed_so_far(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        // A reader of committed records would be made to wait for the end of an open transaction.
        // Its coordinator may be away for a moment, or another one.
        let positions = eventually(&format!("positions of {group}"), || {
            let consumer: BaseConsumer =
                self.config().set("group.id", group).set("isolation.level", "read_uncommitted").create().unwrap();
            let mut asked = TopicPartitionList::new();
            asked.add_partition_range(topic, 0, partitions(&consumer, topic)? - 1);
            consumer.committed_offsets(asked, TIMEOUT).ok()
        });
        positions
            .elements()
            .iter()
            .map(|element| match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            })
            .collect()
    }

    /// What the coordinators that run know of each transactional id, in the order of ids.
    pub fn transactions(&self) -> Vec<Transaction> {
        let mut found: Vec<Transaction> = eventually("the coordinators' lists of transactions", || {
            self.addresses.iter().map(|address| transactions(*address)).collect::<Option<Vec<_>>>()
        })
        .concat();
        found.sort();
        found
    }

    /// Transactions that have begun and whose end is not yet written everywhere. One without a record has not begun.
    pub fn open_transactions(&self) -> Vec<Transaction> {
        self.transactions().into_iter().filter(Transaction::is_open).collect()
    }

    /// Allows everybody everything on `topic` except [`super::USER`] to do this; `deny` says whether that is so from now on. Only with
    /// [`super::Options::ACLS`].
    pub fn deny(&self, topic: &str, right: Right, deny: bool) {
        let (all, denied, allowed) = (2, 2, 3);
        let user = format!("User:{}", super::USER);
        let (of_topic, literal) = (2, 3);
        let of_user =
            Rule { resource: of_topic, name: topic, pattern: literal, principal: &user, operation: 0, permission: denied };
        let rule = Rule { operation: right as u8, ..of_user };
        if deny {
            wire::add(self.addresses[0], Rule { principal: "User:*", operation: all, permission: allowed, ..rule });
            wire::add(self.addresses[0], rule);
        } else {
            wire::remove(self.addresses[0], rule);
        }
    }

    /// Gives [`super::USER`] a right, or takes it away; only with [`super::Options::STRICT`] does he need it.
    pub fn allow(&self, acl: &Acl, allow: bool) {
        let (principal, allowed) = (format!("User:{}", super::USER), 3);
        let rule = Rule {
            resource: acl.resource as u8,
            name: &acl.name,
            pattern: if acl.is_prefix { 4 } else { 3 },
            principal: &principal,
            operation: acl.operation,
            permission: allowed,
        };
        if allow { wire::add(self.addresses[0], rule) } else { wire::remove(self.addresses[0], rule) }
    }

    /// Waits until no transaction is just ending: a producer hears of the end before its partitions do.
    pub fn settle(&self) {
        eventually("transactions that have ended are written to their partitions", || {
            self.transactions().iter().all(|transaction| !transaction.is_ending()).then_some(())
        });
    }

    /// Asks for the ids of the nodes that this one counts as running; none when it does not answer.
    pub(super) fn members(&self) -> impl Fn() -> Vec<i32> + use<> {
        let consumer = self.reader(Isolation::Uncommitted);
        move || match consumer.fetch_metadata(Some("none"), Duration::from_millis(500)) {
            Ok(metadata) => metadata.brokers().iter().map(MetadataBroker::id).collect(),
            Err(_) => Vec::new(),
        }
    }

    fn reader(&self, isolation: Isolation) -> BaseConsumer {
        let isolation = match isolation {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        };
        let mut config = self.config();
        config.set("isolation.level", isolation).set("enable.partition.eof", "true").set("fetch.wait.max.ms", "10");
        config
            .set("fetch.error.backoff.ms", "20")
            .set("fetch.max.bytes", "104857600")
            .set("receive.message.max.bytes", "209715200");
        // The name is needed to create a consumer; it never becomes a member.
        config.set("group.id", "fixture").set("enable.auto.commit", "false").create().unwrap()
    }

    /// Where the partitions of a topic end for such a reader. Each try has a client of its own: one that was told of no brokers, as
    /// by a cluster that stood still, may never ask again (librdkafka#5301).
    fn ends(&self, isolation: Isolation, topic: &str) -> Vec<i64> {
        eventually(&format!("the ends of {topic}"), || {
            let consumer = self.reader(isolation);
            let end = |partition| consumer.fetch_watermarks(topic, partition, TIMEOUT).ok().map(|(_, end)| end);
            (0..partitions(&consumer, topic)?).map(end).collect::<Option<Vec<i64>>>()
        })
    }

    fn read(&self, topic: &str, isolation: Isolation) -> Vec<Found> {
        let mut left: BTreeMap<i32, i64> = (0..).zip(self.ends(isolation, topic)).filter(|(_, end)| *end > 0).collect();
        let consumer = self.reader(isolation);
        let ends = left.clone();
        let mut assignment = TopicPartitionList::new();
        for partition in left.keys() {
            assignment.add_partition_offset(topic, *partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let mut found = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while !left.is_empty() {
            assert!(Instant::now() < deadline, "{topic} was not read to its ends within {PATIENCE:?}: {left:?}");
            let Some(next) = consumer.poll(Duration::from_millis(100)) else { continue };
            match next {
                Ok(record) => {
                    let (partition, offset) = (record.partition(), record.offset());
                    if offset + 1 >= ends[&partition] {
                        left.remove(&partition);
                    }
                    if offset < ends[&partition] {
                        found.push(read_out(&record));
                    }
                }
                // The only sign that a partition ends with records that are not shown: those that end transactions.
                Err(KafkaError::PartitionEOF(partition)) => {
                    left.remove(&partition);
                }
                // A broker that is away for a moment; the deadline decides.
                Err(_) => {}
            }
        }
        found.sort_by_key(|record| (record.partition, record.offset));
        found
    }
}

/// None when no broker answers, or the topic is not there.
fn partitions(consumer: &BaseConsumer, topic: &str) -> Option<i32> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).ok()?;
    i32::try_from(metadata.topics().first()?.partitions().len()).ok().filter(|count| *count > 0)
}

fn read_out(record: &impl Message) -> Found {
    let headers = record.headers().map(|headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect::<Vec<_>>()
    });
    Found {
        partition: record.partition(),
        offset: record.offset(),
        key: record.key().map(<[u8]>::to_vec),
        value: record.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}

/// Hands a record to a producer, as soon as there is room.
pub fn send<K: ToBytes + ?Sized, V: ToBytes + ?Sized>(
    producer: &ThreadedProducer<DefaultProducerContext>,
    record: BaseRecord<'_, K, V>,
) {
    let mut open = Some(record);
    eventually("room to produce", || {
        match producer.send(open.take()?) {
            Ok(()) => return Some(()),
            Err((_, back)) => open = Some(back),
        }
        None
    });
}
