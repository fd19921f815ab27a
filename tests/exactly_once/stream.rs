//! The topics of one test: what goes in, and the proof that it came out once.

use crate::broker::{Client, Found, PATIENCE, eventually, send};
use crate::fleet::Fleet;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Policies and senders: `good` passes for bank, everything else is a spoof of it.
pub const ZONE: &str = r#"{
    "_dmarc.bank.example": [["TXT", "v=DMARC1; p=reject; rua=mailto:d@bank.example"]],
    "bank.example": [["TXT", "v=spf1 ip4:198.51.100.10 -all"]],
    "plain.example": [["A", "198.51.100.1"]],
    "_dmarc.flaky.example": [["SERVFAIL", "TXT"]]
}"#;

/// Ways in which a record can come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Pass,
    Fail,
    Gray,
    Undecided,
    Refused,
}

pub struct Stream<'b> {
    broker: &'b Client,
    pub prefix: String,
    partitions: i32,
}

/// One record to produce.
pub struct Raw {
    pub key: String,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(&'static str, Vec<u8>)>,
}

impl Raw {
    pub fn of(kind: Kind, key: String) -> Self {
        let (from, ip) = match kind {
            Kind::Pass => ("a@bank.example", "198.51.100.10"),
            Kind::Fail => ("a@bank.example", "203.0.113.5"),
            Kind::Gray => ("a@plain.example", "203.0.113.5"),
            Kind::Undecided => ("a@flaky.example", "203.0.113.5"),
            Kind::Refused => ("a@bank.example", "no address"),
        };
        let value = format!("From: {from}\r\nSubject: {key}\r\n\r\nhello\r\n").into_bytes();
        let headers = [("ce_clientip", ip), ("ce_helo", "client.example"), ("ce_mailfrom", from)];
        Self { key, value: Some(value), headers: headers.map(|(name, value)| (name, value.into())).to_vec() }
    }
}

/// Messages that fail and messages that pass, in turns.
pub fn mail(count: usize) -> impl Iterator<Item = Raw> {
    (0..count).map(|number| Raw::of(if number % 2 == 0 { Kind::Fail } else { Kind::Pass }, format!("m{number}")))
}

/// What came out, by the record that it answers.
#[derive(Default)]
pub struct Outcome {
    pub verdicts: BTreeMap<(i32, i64), Vec<Value>>,
    pub failures: BTreeMap<(i32, i64), usize>,
    pub refused: BTreeMap<(i32, i64), Vec<String>>,
}

impl<'b> Stream<'b> {
    pub fn new(broker: &'b Client, prefix: &str, partitions: i32) -> Self {
        let stream = Self::over(broker, prefix, partitions);
        let large = [("max.message.bytes", "58720256")];
        let names = ["mail.raw", "mail.verdicts", "mail.failures", "mail.dead-letters"].map(|name| stream.topic(name));
        let topics: Vec<_> = names.iter().map(|name| (name.as_str(), partitions, &large[..])).collect();
        broker.create_topics(&topics);
        stream
    }

    /// Of topics that somebody else makes.
    pub fn over(broker: &'b Client, prefix: &str, partitions: i32) -> Self {
        Self { broker, prefix: prefix.to_owned(), partitions }
    }

    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub fn fleet(&self) -> Fleet {
        Fleet::new(&self.broker.bootstrap(), &self.prefix, ZONE)
    }

    /// Writes records to mail.raw, over all partitions in turn, and waits until they are acknowledged.
    pub fn produce(&self, records: impl IntoIterator<Item = Raw>) {
        let mut config = self.broker.config();
        config.set("message.max.bytes", "58720256").set("linger.ms", "5").set("queue.buffering.max.messages", "200000");
        self.write(&config.create().unwrap(), records);
    }

    /// The same in one transaction, whose control record stands behind them in each partition.
    pub fn produce_in_transaction(&self, id: &str, records: impl IntoIterator<Item = Raw>) {
        let mut config = self.broker.config();
        config.set("transactional.id", format!("{}{id}", self.prefix));
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        self.write(&producer, records);
        producer.commit_transaction(PATIENCE).unwrap();
    }

    fn write(&self, producer: &ThreadedProducer<DefaultProducerContext>, records: impl IntoIterator<Item = Raw>) {
        let topic = self.topic("mail.raw");
        for (index, raw) in records.into_iter().enumerate() {
            let headers = raw
                .headers
                .iter()
                .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
            let mut record = BaseRecord::<str, [u8]>::to(&topic).key(raw.key.as_str()).headers(headers);
            record = record.partition(i32::try_from(index).unwrap() % self.partitions);
            if let Some(value) = &raw.value {
                record = record.payload(value.as_slice());
            }
            send(producer, record);
        }
        producer.flush(Duration::from_mins(1)).unwrap();
    }

    /// Deletes mail.raw and makes it anew with so many partitions.
    pub fn make_anew(&mut self, partitions: i32) {
        self.broker.delete_topic(&self.topic("mail.raw"));
        self.make_again(partitions);
    }

    /// Makes mail.raw again after it was deleted.
    pub fn make_again(&mut self, partitions: i32) {
        self.partitions = partitions;
        self.broker.create_topics(&[(&self.topic("mail.raw"), partitions, &[("max.message.bytes", "58720256")])]);
    }

    /// How many verdicts there are for each key.
    pub fn judged(&self) -> BTreeMap<String, usize> {
        let mut judged = BTreeMap::new();
        for record in self.broker.read_committed(&self.topic("mail.verdicts")) {
            *judged.entry(String::from_utf8(record.key.unwrap()).unwrap()).or_default() += 1;
        }
        judged
    }

    /// Whether the group has committed everything that is in mail.raw.
    pub fn is_done(&self) -> bool {
        let ends = self.broker.end_offsets(&self.topic("mail.raw"));
        ends.iter().zip(self.positions()).all(|(end, position)| *end == position.unwrap_or(0))
    }

    /// Waits until the group has committed everything that is in mail.raw.
    pub fn wait_until_done(&self, patience: Duration) {
        let deadline = std::time::Instant::now() + patience;
        while !self.is_done() {
            assert!(std::time::Instant::now() < deadline, "not done: {}", self.progress());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// For people: what is committed of each partition.
    pub fn progress(&self) -> String {
        format!("{:?} of {:?}", self.positions(), self.broker.end_offsets(&self.topic("mail.raw")))
    }

    /// What is committed of each partition of mail.raw.
    pub fn positions(&self) -> Vec<Option<i64>> {
        self.broker.committed(&self.group(), &self.topic("mail.raw"))
    }

    /// The role's group.
    pub fn group(&self) -> String {
        format!("{}verdmarc-verdict", self.prefix)
    }

    /// What a reader of committed records finds.
    pub fn outcome(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for record in self.broker.read_committed(&self.topic("mail.verdicts")) {
            let verdict: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
            outcome.verdicts.entry(input(&verdict)).or_default().push(verdict);
        }
        for record in self.broker.read_committed(&self.topic("mail.failures")) {
            let failure: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
            *outcome.failures.entry(input(&failure)).or_default() += 1;
        }
        for record in self.broker.read_committed(&self.topic("mail.dead-letters")) {
            let number = |name| header(&record, name).parse::<i64>().unwrap();
            let place = (i32::try_from(number("verdmarc-origin-partition")).unwrap(), number("verdmarc-origin-offset"));
            outcome.refused.entry(place).or_default().push(header(&record, "verdmarc-reason"));
        }
        outcome
    }

    /// Promise 1: every record of mail.raw has exactly one verdict or exactly one dead letter, and every FAIL exactly one failure.
    /// And no transaction of this test's processes stays behind; that of one that was killed holds readers back until its time is over.
    pub fn assert_exactly_once(&self, fleet: &Fleet) -> Outcome {
        self.assert_nothing_open();
        let outcome = self.outcome();
        let raw = self.broker.read_committed(&self.topic("mail.raw"));
        let mut wrong = Vec::new();
        for record in &raw {
            let place = (record.partition, record.offset);
            let verdicts = outcome.verdicts.get(&place).map_or(0, Vec::len);
            let refused = outcome.refused.get(&place).map_or(0, Vec::len);
            if verdicts + refused != 1 {
                wrong.push(format!("{place:?}: {verdicts} verdicts, {refused} dead letters"));
            }
            // A row of a report needs the client's address.
            let reportable = |verdict: &&Value| status(verdict) == "FAIL" && !verdict["envelope"]["clientIp"].is_null();
            let fails = outcome.verdicts.get(&place).into_iter().flatten().filter(reportable).count();
            let failures = outcome.failures.get(&place).copied().unwrap_or_default();
            if fails != failures {
                wrong.push(format!("{place:?}: {fails} FAIL, {failures} failures"));
            }
        }
        let answered = outcome.verdicts.len() + outcome.refused.len();
        if answered > raw.len() {
            wrong.push(format!("{answered} answered of {}", raw.len()));
        }
        wrong.extend(fleet.logged("\"sentinel\""));
        assert!(wrong.is_empty(), "{} wrong of {}: {:?}", wrong.len(), raw.len(), &wrong[..wrong.len().min(10)]);
        outcome
    }

    /// No transaction of this test's processes stays behind.
    pub fn assert_nothing_open(&self) {
        eventually("the end of every transaction", || {
            let open = self.broker.open_transactions();
            open.iter().all(|transaction| !transaction.id.starts_with(&self.prefix)).then_some(())
        });
    }
}

/// Looks at what the brokers say is committed: it never moves back.
#[derive(Default)]
pub struct CommitMonitor(Vec<Option<i64>>);

impl CommitMonitor {
    pub fn look(&mut self, stream: &Stream<'_>) {
        let now = stream.broker.committed_so_far(&stream.group(), &stream.topic("mail.raw"));
        let moved_back = self.0.iter().zip(&now).any(|(before, now)| before > now);
        assert!(!moved_back, "positions moved back: {:?}, then {now:?}", self.0);
        self.0 = now;
    }
}

/// The word of a verdict's dmarcVerdict.
pub fn status(verdict: &Value) -> &str {
    verdict["receipt"]["dmarcVerdict"]["status"].as_str().unwrap()
}

fn input(event: &Value) -> (i32, i64) {
    let input = &event["input"];
    (i32::try_from(input["partition"].as_i64().unwrap()).unwrap(), input["offset"].as_i64().unwrap())
}

/// A header of a record as text.
pub fn header(record: &Found, name: &str) -> String {
    let found = record.headers.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.as_ref());
    found.map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}
