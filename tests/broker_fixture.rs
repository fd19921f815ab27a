//! The broker that tests run on does what they trust it to do.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails, and its modules serve several binaries"
)]

#[path = "support/broker/mod.rs"]
mod broker;

use broker::{Broker, Certificates, Client, Cluster, Found, Options, PASSWORD, USER, within};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use std::time::Duration;

type Writer = ThreadedProducer<DefaultProducerContext>;

/// Many times what a test takes, because several JVMs may start at once on a slow machine.
const LIMIT: Duration = Duration::from_mins(2);
const ANSWER: Duration = Duration::from_secs(20);

fn writer(client: &Client, settings: &[(&str, &str)]) -> Writer {
    let mut config = client.config();
    config.set("acks", "all").set("linger.ms", "0");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

/// A transactional writer, ready to begin.
fn transactional(client: &Client, id: &str) -> Writer {
    let writer = writer(client, &[("transactional.id", id), ("transaction.timeout.ms", "30000")]);
    writer.init_transactions(ANSWER).unwrap();
    writer
}

fn write(writer: &Writer, topic: &str, partition: i32, value: &str) {
    let headers = OwnedHeaders::new().insert(Header { key: "ce_id", value: Some("id") });
    let record = BaseRecord::to(topic).partition(partition).key("key").payload(value).headers(headers);
    writer.send(record).map_err(|(error, _)| error).unwrap();
    writer.flush(ANSWER).unwrap();
}

fn texts(found: &[Found]) -> Vec<&str> {
    found.iter().map(Found::text).collect()
}

#[test]
fn what_is_committed_is_read_and_what_is_aborted_or_open_is_not() {
    within(LIMIT, || {
        let broker = broker::shared();
        broker.create_topics(&[("isolation", 2, &[("retention.ms", "-1")])]);
        let producer = transactional(broker, "isolation");
        producer.begin_transaction().unwrap();
        write(&producer, "isolation", 0, "committed");
        producer.commit_transaction(ANSWER).unwrap();
        producer.begin_transaction().unwrap();
        write(&producer, "isolation", 0, "aborted");
        producer.abort_transaction(ANSWER).unwrap();

        let read = broker.read_committed("isolation");
        assert_eq!(texts(&read), ["committed"]);
        assert_eq!((read[0].partition, read[0].offset, read[0].key.as_deref()), (0, 0, Some(&b"key"[..])));
        assert_eq!(read[0].headers, [("ce_id".to_owned(), Some(b"id".to_vec()))]);
        assert_eq!(texts(&broker.read_uncommitted("isolation")), ["committed", "aborted"]);
        // Each end of a transaction takes an offset too.
        assert_eq!(broker.end_offsets("isolation"), [4, 0]);
        assert_eq!(broker.last_stable_offsets("isolation"), [4, 0]);

        producer.begin_transaction().unwrap();
        write(&producer, "isolation", 1, "open");
        let open = || broker.open_transactions().into_iter().filter(|open| open.id == "isolation").count();
        assert_eq!(open(), 1);
        assert_eq!(texts(&broker.read_committed("isolation")), ["committed"]);
        assert_eq!((broker.end_offsets("isolation"), broker.last_stable_offsets("isolation")), (vec![4, 1], vec![4, 0]));
        producer.commit_transaction(ANSWER).unwrap();
        assert_eq!(texts(&broker.read_committed("isolation")), ["committed", "open"]);
        assert_eq!(open(), 0);
    });
}

#[test]
fn positions_are_committed_with_their_transaction_and_not_before() {
    within(LIMIT, || {
        let broker = broker::shared();
        broker.create_topics(&[("positions.in", 2, &[]), ("positions.out", 1, &[])]);
        write(&writer(broker, &[]), "positions.in", 1, "one");
        let mut config = broker.config();
        config.set("group.id", "positions").set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.set("session.timeout.ms", "3000").create().unwrap();
        consumer.subscribe(&["positions.in"]).unwrap();
        broker::eventually("the record", || consumer.poll(Duration::from_millis(100))).unwrap();
        let producer = transactional(broker, "positions");
        producer.begin_transaction().unwrap();
        write(&producer, "positions.out", 0, "one");
        let mut positions = rdkafka::TopicPartitionList::new();
        positions.add_partition_offset("positions.in", 1, rdkafka::Offset::Offset(1)).unwrap();
        producer.send_offsets_to_transaction(&positions, &consumer.group_metadata().unwrap(), ANSWER).unwrap();
        assert_eq!(broker.committed("positions", "positions.in"), [None, None]);
        producer.commit_transaction(ANSWER).unwrap();
        assert_eq!(broker.committed("positions", "positions.in"), [None, Some(1)]);
    });
}

#[test]
fn a_second_writer_of_the_same_id_fences_the_first() {
    within(LIMIT, || {
        let broker = broker::shared();
        broker.create_topics(&[("fenced", 1, &[])]);
        let first = transactional(broker, "fenced");
        first.begin_transaction().unwrap();
        write(&first, "fenced", 0, "first");
        let second = transactional(broker, "fenced");
        second.begin_transaction().unwrap();
        write(&second, "fenced", 0, "second");
        second.commit_transaction(ANSWER).unwrap();
        let refused = first.commit_transaction(ANSWER).unwrap_err();
        let KafkaError::Transaction(reason) = &refused else { panic!("{refused}") };
        assert!(reason.is_fatal() && reason.code() == RDKafkaErrorCode::Fenced, "{refused}");
        assert_eq!(texts(&broker.read_committed("fenced")), ["second"]);
    });
}

#[test]
fn a_record_of_57_mib_fits() {
    within(LIMIT, || {
        let broker = broker::shared();
        broker.create_topics(&[("large", 1, &[])]);
        let value = "m".repeat(57 << 20);
        write(&writer(broker, &[("message.max.bytes", "67108864")]), "large", 0, &value);
        assert!(broker.read_committed("large")[0].text() == value);
    });
}

#[test]
fn a_broker_keeps_its_data_through_stop_kill_and_pause() {
    within(LIMIT, || {
        let broker = Broker::start(Options::default());
        broker.create_topics(&[("kept", 1, &[])]);
        let (producer, address) = (writer(&broker, &[]), broker.bootstrap());
        write(&producer, "kept", 0, "one");
        broker.stop();
        broker.restart();
        write(&producer, "kept", 0, "two");
        broker.kill();
        broker.restart();
        write(&producer, "kept", 0, "three");
        broker.pause();
        let unanswered = producer.client().fetch_metadata(Some("kept"), Duration::from_millis(500));
        assert!(unanswered.is_err());
        broker.resume();
        write(&producer, "kept", 0, "four");
        assert_eq!(texts(&broker.read_committed("kept")), ["one", "two", "three", "four"]);
        assert_eq!(broker.bootstrap(), address);
    });
}

#[test]
fn two_of_three_nodes_go_on() {
    within(LIMIT, || {
        let cluster = Cluster::start(3);
        cluster.create_topics(&[("replicated", 3, &[])]);
        let producer = transactional(&cluster, "replicated");
        let commit = |value: &str| {
            producer.begin_transaction().unwrap();
            (0..3).for_each(|partition| write(&producer, "replicated", partition, value));
            producer.commit_transaction(ANSWER).unwrap();
        };
        commit("all");
        cluster.kill(0);
        commit("two");
        cluster.restart(0);
        commit("again");
        let read = cluster.read_committed("replicated");
        assert_eq!(texts(&read), ["all", "two", "again"].repeat(3));
    });
}

#[test]
fn the_tls_listener_takes_the_right_password_only() {
    within(LIMIT, || {
        let broker = Broker::start(Options { tls_sasl: true, ..Options::default() });
        broker.create_topics(&[("secret", 1, &[])]);
        let config = |password: &str| {
            let mut config = ClientConfig::new();
            config.set("bootstrap.servers", broker.sasl_bootstrap()).set("security.protocol", "SASL_SSL");
            config.set("ssl.ca.location", broker.ca_pem().to_str().unwrap()).set("sasl.mechanism", "SCRAM-SHA-512");
            config.set("sasl.username", USER).set("sasl.password", password);
            config
        };
        write(&config(PASSWORD).create().unwrap(), "secret", 0, "one");
        assert_eq!(texts(&broker.read_committed("secret")), ["one"]);

        fails_with(&config("wrong"), RDKafkaErrorCode::Authentication);
        let elsewhere = tempfile::tempdir().unwrap();
        let other = Certificates::make(elsewhere.path());
        fails_with(config(PASSWORD).set("ssl.ca.location", other.ca.to_str().unwrap()), RDKafkaErrorCode::SSL);
    });
}

fn fails_with(config: &ClientConfig, code: RDKafkaErrorCode) {
    let consumer: BaseConsumer = config.clone().set("group.id", "stranger").create().unwrap();
    consumer.subscribe(&["secret"]).unwrap();
    broker::eventually(&format!("{code:?}"), || match consumer.poll(Duration::from_millis(100))? {
        Ok(_) => panic!("it was let in"),
        Err(error) => (error.rdkafka_error_code() == Some(code)).then_some(()),
    });
}
