//! An operator with a prefix of his own: topics, groups and transactional ids of tests stay apart.

#![allow(dead_code, unreachable_pub, reason = "test support")]

use super::broker::{self, Broker, Found};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use std::process::{Command, Stdio};
use std::time::Duration;
use verdmarc::config::{Config, Profile};
use verdmarc::event::dead_letter::letter;
use verdmarc::event::redrive::{RecordId, RedrivenEvent};
use verdmarc::event::{Headers, Lineage, Output, Record, ReportAttributes, Stamp};
use verdmarc::kafka::Producer;

const ANSWER: Duration = Duration::from_secs(20);

pub type Writer = ThreadedProducer<DefaultProducerContext>;

const REPORT_ID: &str = "0123456789abcdef0123456789abcdef";

/// The file name of a report that [`Desk::report`] writes.
pub fn report_file(domain: &str) -> String {
    format!("mx.example!{domain}!1769817600!1769903999!{REPORT_ID}.xml.gz")
}

/// Where commands are run.
pub struct Desk {
    pub broker: &'static Broker,
    prefix: &'static str,
}

/// How a command ended.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// How often `text` stands in what was printed.
    pub fn count(&self, text: &str) -> usize {
        self.out.matches(text).count()
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "exit code {}\n{}\n{}", self.code, self.out, self.err)
    }
}

/// A refused record: reason, origin's topic and offset, attempt, value.
pub type Refused<'r> = (&'r str, &'r str, i64, u32, Option<&'r str>);

impl Desk {
    pub fn new(prefix: &'static str) -> Self {
        Self { broker: broker::shared(), prefix }
    }

    /// The binary, with settings for the broker and the prefix.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.prefix, arguments);
        command.env("VERDMARC_KAFKA__BROKERS", self.broker.bootstrap());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(&[], arguments)
    }

    pub fn run_with(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Ran {
        finish(self.command(arguments).envs(settings.iter().copied()))
    }

    /// Makes topics of two partitions.
    pub fn topics(&self, topics: &[(&str, &[(&str, &str)])]) {
        let names: Vec<String> = topics.iter().map(|(name, _)| format!("{}{name}", self.prefix)).collect();
        let topics: Vec<_> = names.iter().zip(topics).map(|(name, (_, settings))| (name.as_str(), 2, *settings)).collect();
        self.broker.create_topics(&topics);
    }

    /// Writes dead letters as the verdict role does, one after another into both partitions.
    pub fn refuse(&self, refused: &[Refused<'_>]) {
        let mut config = Config::default();
        config.kafka.brokers = self.broker.bootstrap();
        let topic = format!("{}mail.dead-letters", self.prefix).into();
        let outputs = refused.iter().enumerate().map(|(index, (reason, origin, offset, attempt, value))| {
            let record = Record {
                topic: (*origin).into(),
                partition: 0,
                offset: *offset,
                timestamp: Some(Stamp::of_producer("2026-01-02T03:04:05Z".parse().unwrap())),
                key: Some(format!("key-{offset}").into_bytes()),
                value: value.map(|value| value.as_bytes().to_vec()),
                headers: Some(Headers::default().with("ce_id", format!("id-{offset}"))),
            };
            let mut lineage = Lineage::itself(&record);
            lineage.input.attempt = *attempt;
            Output { partition: Some(i32::from(index % 2 == 1)), ..letter(&topic, record, &lineage, (reason, "why")) }
        });
        Producer::new(&config.kafka).unwrap().write_all(&outputs.collect::<Vec<_>>(), ANSWER).unwrap();
    }

    /// Writes dead letters of records with these headers: reason, headers, value.
    pub fn refuse_with(&self, refused: &[(&str, &[(&str, &str)], Option<&str>)]) {
        let mut config = Config::default();
        config.kafka.brokers = self.broker.bootstrap();
        let (topic, raw) = (format!("{}mail.dead-letters", self.prefix).into(), format!("{}mail.raw", self.prefix));
        let outputs = (0_i64..).zip(refused).map(|(offset, (reason, headers, value))| {
            let record = Record {
                topic: raw.as_str().into(),
                partition: 0,
                offset,
                timestamp: Some(Stamp::of_producer("2026-01-02T03:04:05Z".parse().unwrap())),
                key: None,
                value: value.map(|value| value.as_bytes().to_vec()),
                headers: Some(headers.iter().fold(Headers::default(), |headers, (name, value)| headers.with(name, *value))),
            };
            let lineage = Lineage::itself(&record);
            Output { partition: Some(0), ..letter(&topic, record, &lineage, (reason, "why")) }
        });
        Producer::new(&config.kafka).unwrap().write_all(&outputs.collect::<Vec<_>>(), ANSWER).unwrap();
    }

    /// Writes reports about these policy domains, which are none that anybody could read.
    pub fn report(&self, domains: &[&str]) {
        let mut config = Config::default();
        config.kafka.brokers = self.broker.bootstrap();
        let topic: std::sync::Arc<str> = format!("{}mail.reports", self.prefix).into();
        let outputs = domains.iter().map(|domain| {
            let attributes = ReportAttributes {
                id: REPORT_ID.to_owned(),
                policy_domain: domain.parse().unwrap(),
                submitter: "mx.example".parse().unwrap(),
                begin: 1_769_817_600,
                end: 1_769_903_999,
                file_name: report_file(domain),
                subject: "a report".to_owned(),
                generation: 0,
                part: 0,
                profile: Profile::Rfc9990,
                addresses: Vec::new(),
                rows: 1,
                messages: 1,
            };
            let headers = attributes.headers("/test", "2026-02-01T00:00:00Z".parse().unwrap());
            Output { topic: topic.clone(), partition: Some(0), key: None, value: Some(b"report".to_vec()), headers }
        });
        Producer::new(&config.kafka).unwrap().write_all(&outputs.collect::<Vec<_>>(), ANSWER).unwrap();
    }

    /// Writes one record.
    pub fn write(&self, topic: &str, partition: i32, value: &str) {
        let writer: Writer = self.broker.config().create().unwrap();
        let headers = OwnedHeaders::new().insert(Header { key: "ce_id", value: Some(value) });
        writer.send(BaseRecord::to(topic).partition(partition).key("key").payload(value).headers(headers)).unwrap();
        writer.flush(ANSWER).unwrap();
    }

    /// Writes one record in a transaction that is aborted: two offsets that nobody reads.
    pub fn abort(&self, topic: &str, partition: i32) {
        let writer = self.transactional(&format!("{}abort", self.prefix));
        writer.begin_transaction().unwrap();
        writer.send(BaseRecord::to(topic).partition(partition).key("key").payload("aborted")).unwrap();
        writer.flush(ANSWER).unwrap();
        writer.abort_transaction(ANSWER).unwrap();
        self.broker.settle();
    }

    /// A transactional writer, ready to begin.
    pub fn transactional(&self, id: &str) -> Writer {
        let writer: Writer =
            self.broker.config().set("transactional.id", id).set("transaction.timeout.ms", "60000").create().unwrap();
        writer.init_transactions(ANSWER).unwrap();
        writer
    }

    /// A desk that no broker stands behind.
    pub fn offline(prefix: &'static str) -> Offline {
        Offline { prefix }
    }
}

/// Where commands are run that need no broker.
pub struct Offline {
    prefix: &'static str,
}

impl Offline {
    pub fn run(&self, arguments: &[&str]) -> Ran {
        finish(&mut command(self.prefix, arguments))
    }
}

pub fn command(prefix: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verdmarc"));
    command.args(arguments).env_remove("VERDMARC_CONFIG").env("VERDMARC_TOPICS__PREFIX", prefix);
    let settings = [
        ("GROUP_PREFIX", prefix),
        ("TRANSACTION_TIMEOUT_MS", "4000"),
        ("DELIVERY_TIMEOUT_MS", "3000"),
        ("SESSION_TIMEOUT_MS", "3000"),
        ("HEARTBEAT_INTERVAL_MS", "500"),
    ];
    command.envs(settings.map(|(name, value)| (format!("VERDMARC_KAFKA__{name}"), value)));
    command.stdin(Stdio::null());
    command
}

pub fn finish(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A header as text, empty when it is not there.
pub fn header(record: &Found, name: &str) -> String {
    let value = record.headers.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.clone());
    String::from_utf8(value.unwrap_or_default()).unwrap()
}

/// Writes a mark of a letter, as part of the writer's transaction.
pub fn mark(writer: &Writer, topic: &str, letter: RecordId) {
    let mark = RedrivenEvent { redriven: vec![letter] }.output(&topic.into(), jiff::Timestamp::now());
    let headers = OwnedHeaders::new();
    let headers = mark.headers.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value }));
    let record = BaseRecord::<[u8], [u8]>::to(topic).partition(letter.partition);
    writer.send(record.payload(mark.value.as_deref().unwrap()).headers(headers)).unwrap();
}
