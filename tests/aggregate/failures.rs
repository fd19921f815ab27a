//! The topics of one test: failures in, and the proof that each was counted once.

use crate::broker::{Client, PATIENCE, eventually, send};
use crate::fleet::Fleet;
use flate2::read::GzDecoder;
use quick_xml::events::Event;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What one message is counted as: policy domain, source, author domain.
pub type Row = (String, String, String);

/// One failure to produce.
#[derive(Debug, Clone)]
pub struct Failure {
    pub policy_domain: String,
    pub source: String,
    pub header_from: String,
    /// Unix seconds.
    pub arrival: i64,
    pub has_address: bool,
}

impl Failure {
    pub fn of(owner: usize, source: usize, arrival: i64) -> Self {
        let policy_domain = format!("owner{owner}.example");
        Self {
            header_from: format!("mail.{policy_domain}"),
            source: format!("192.0.2.{source}"),
            has_address: !owner.is_multiple_of(10),
            policy_domain,
            arrival,
        }
    }

    pub fn row(&self) -> Row {
        (self.policy_domain.clone(), self.source.clone(), self.header_from.clone())
    }

    pub fn event(&self, offset: usize) -> Value {
        let addresses: Vec<String> = self.has_address.then(|| format!("dmarc@{}", self.policy_domain)).into_iter().collect();
        let arrival = jiff::Timestamp::from_second(self.arrival).unwrap();
        json!({
            "input": {"topic": "mail.raw", "partition": 0, "offset": offset, "attempt": 1},
            "arrival": format!("{arrival:.3}"),
            "policyDomain": self.policy_domain,
            "policy": {"p": "reject", "sp": "reject", "np": "reject", "adkim": "r", "aspf": "r", "fo": "0", "psd": "u", "t": false, "rua": addresses},
            "discovery": "treewalk",
            "policyHash": "0123456789abcdef0123456789abcdef",
            "recordErrors": [],
            "reportAddresses": addresses,
            "row": {
                "sourceIp": self.source, "headerFrom": self.header_from, "envelopeFrom": "bounce.example",
                "disposition": "reject", "dkimAligned": false, "spfAligned": false, "overrides": [],
                "dkim": [{"domain": "signer.example", "selector": "s", "result": "fail"}],
                "spf": {"domain": "bounce.example", "result": "pass"}
            }
        })
    }
}

pub struct Failures<'b> {
    pub broker: &'b Client,
    pub prefix: String,
    producer: ThreadedProducer<DefaultProducerContext>,
    produced: usize,
    /// How often each row was produced, those without reporting address apart.
    pub expected: BTreeMap<Row, u64>,
    pub without_address: u64,
}

/// What a reader of committed records finds in mail.reports.
#[derive(Debug, Default)]
pub struct Found {
    /// File name, with the report as XML.
    pub reports: BTreeMap<String, Vec<u8>>,
    pub rows: BTreeMap<Row, u64>,
    pub without_address: u64,
    /// What closed windows said of themselves.
    pub closed: Vec<Value>,
    /// Generations and parts by policy domain and period.
    pub generations: BTreeMap<(String, String), Vec<(u32, u32)>>,
}

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

fn producer(broker: &Client) -> ThreadedProducer<DefaultProducerContext> {
    let mut config = broker.config();
    config.set("linger.ms", "5").set("queue.buffering.max.messages", "300000").set("partitioner", "murmur2_random");
    config.create().unwrap()
}

impl<'b> Failures<'b> {
    pub fn new(broker: &'b Client, prefix: &str, partitions: i32) -> Self {
        let name = |topic: &str| format!("{prefix}{topic}");
        // Small segments, so that the cleaner has something to do.
        let compact = [
            ("cleanup.policy", "compact"),
            ("segment.ms", "2000"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("max.compaction.lag.ms", "2000"),
            ("delete.retention.ms", "1000"),
        ];
        let large = [("max.message.bytes", "6291456")];
        broker.create_topics(&[
            (&name("mail.windows"), partitions, &compact),
            (&name("mail.failures"), partitions, &[]),
            (&name("mail.reports"), partitions, &large),
            (&name("mail.dead-letters"), partitions, &large),
        ]);
        Self {
            broker,
            prefix: prefix.to_owned(),
            producer: producer(broker),
            produced: 0,
            expected: BTreeMap::new(),
            without_address: 0,
        }
    }

    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Processes of the aggregate role, with windows of so many seconds.
    pub fn fleet(&self, window: u32) -> Fleet {
        let mut fleet = Fleet::new(&self.broker.bootstrap(), &self.prefix, "{}");
        fleet.roles("aggregate");
        for (name, value) in [
            ("RECEIVER__ORGANIZATION", "Receiver"),
            ("RECEIVER__CONTACT", "dmarc@recv.example"),
            ("AGGREGATE__WINDOW_S", &window.to_string()),
            ("AGGREGATE__ALLOW_SHORT_WINDOWS", "true"),
            ("AGGREGATE__GRACE_S", "1"),
            ("AGGREGATE__COMMIT_INTERVAL_MS", "300"),
        ] {
            fleet.set(name, value);
        }
        fleet
    }

    /// Notes that a failure must be counted, however it is written.
    pub fn expect(&mut self, failure: &Failure) {
        *self.expected.entry(failure.row()).or_default() += u64::from(failure.has_address);
        self.without_address += u64::from(!failure.has_address);
    }

    /// Writes failures to mail.failures and waits until they are acknowledged.
    pub fn produce(&mut self, failures: impl IntoIterator<Item = Failure>) {
        for failure in failures {
            let value = failure.event(self.produced).to_string();
            self.produced += 1;
            self.expect(&failure);
            self.write(&failure.policy_domain, "verdmarc.failure.v1", &value, None);
        }
        self.expected.retain(|_, count| *count > 0);
        self.producer.flush(Duration::from_mins(1)).unwrap();
    }

    /// The same in one transaction, whose control record stands behind them in each partition.
    pub fn produce_in_transaction(&mut self, failures: impl IntoIterator<Item = Failure>) {
        let mut config = self.broker.config();
        config.set("transactional.id", format!("{}writer", self.prefix)).set("partitioner", "murmur2_random");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        let plain = std::mem::replace(&mut self.producer, producer);
        self.produce(failures);
        std::mem::replace(&mut self.producer, plain).commit_transaction(PATIENCE).unwrap();
    }

    /// Writes one record as it is.
    pub fn write(&self, key: &str, kind: &str, value: &str, partition: Option<i32>) {
        let topic = self.topic("mail.failures");
        let headers = OwnedHeaders::new().insert(Header { key: "ce_type", value: Some(kind) });
        let mut record = BaseRecord::<str, str>::to(&topic).key(key).payload(value).headers(headers);
        record.partition = partition;
        send(&self.producer, record);
    }

    pub fn total(&self) -> u64 {
        self.expected.values().sum::<u64>() + self.without_address
    }

    pub fn flush(&self) {
        self.producer.flush(Duration::from_mins(1)).unwrap();
    }

    /// Has the brokers forget the group and its positions.
    pub fn delete_group(&self) {
        let admin: AdminClient<DefaultClientContext> = self.broker.config().create().unwrap();
        let group = format!("{}verdmarc-aggregate", self.prefix);
        eventually("the end of the group", || {
            let deleted = futures::executor::block_on(admin.delete_groups(&[&group], &AdminOptions::new()));
            deleted.unwrap().into_iter().all(|deleted| deleted.is_ok()).then_some(())
        });
    }

    /// Deletes what lies below an offset, as retention does.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let admin: AdminClient<DefaultClientContext> = self.broker.config().create().unwrap();
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition_offset(&self.topic(topic), partition, rdkafka::Offset::Offset(before)).unwrap();
        let deleted = futures::executor::block_on(admin.delete_records(&list, &AdminOptions::new())).unwrap();
        assert!(deleted.elements().iter().all(|element| element.error().is_ok()));
    }

    /// More partitions for a topic, as somebody does who knows nothing of the others.
    pub fn grow(&self, topic: &str, partitions: usize) {
        let admin: AdminClient<DefaultClientContext> = self.broker.config().create().unwrap();
        let topic = self.topic(topic);
        let more = NewPartitions::new(&topic, partitions);
        let grown = futures::executor::block_on(admin.create_partitions(&[more], &AdminOptions::new()));
        assert!(grown.unwrap().into_iter().all(|grown| grown.is_ok()));
    }

    /// Makes mail.failures again after it was deleted.
    pub fn make_again(self, partitions: i32) -> Self {
        self.broker.create_topics(&[(&self.topic("mail.failures"), partitions, &[])]);
        self.reconnected()
    }

    /// The same with a producer that knows the topics as they are now.
    pub fn reconnected(self) -> Self {
        Self { producer: producer(self.broker), ..self }
    }

    /// Reason of every dead letter.
    pub fn refused(&self) -> Vec<String> {
        let letters = self.broker.read_committed(&self.topic("mail.dead-letters"));
        let reason = |(name, value): &(String, Option<Vec<u8>>)| (name == "verdmarc-reason").then(|| value.clone());
        letters
            .iter()
            .filter_map(|letter| letter.headers.iter().find_map(reason).flatten())
            .map(|reason| String::from_utf8(reason).unwrap())
            .collect()
    }

    /// Positions of the group in mail.failures.
    pub fn positions(&self) -> Vec<Option<i64>> {
        self.broker.committed(&format!("{}verdmarc-aggregate", self.prefix), &self.topic("mail.failures"))
    }

    pub fn wait_until_read(&self) {
        eventually("the end of mail.failures", || {
            let ends = self.broker.end_offsets(&self.topic("mail.failures"));
            let read = ends.iter().zip(self.positions()).all(|(end, position)| *end == position.unwrap_or(0));
            read.then_some(())
        });
    }

    /// What is in mail.reports. No file name, and so no id, is there twice.
    pub fn found(&self) -> Found {
        let mut found = Found::default();
        for record in self.broker.read_committed(&self.topic("mail.reports")) {
            let header = |name: &str| {
                let value = record.headers.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.clone());
                String::from_utf8(value.unwrap_or_default()).unwrap()
            };
            let value = record.value.as_deref().unwrap();
            if header("ce_type") == "verdmarc.window-closed.v1" {
                let closed: Value = serde_json::from_slice(value).unwrap();
                found.without_address += closed["noReportingAddress"].as_u64().unwrap();
                found.closed.push(closed);
                continue;
            }
            let mut xml = Vec::new();
            GzDecoder::new(value).read_to_end(&mut xml).unwrap();
            let mut messages = 0;
            for (row, count) in rows(&xml) {
                *found.rows.entry((header("ce_policydomain"), row.0, row.1)).or_default() += count;
                messages += count;
            }
            assert_eq!(header("ce_messages"), messages.to_string());
            let period = (header("ce_policydomain"), header("ce_periodbegin"));
            let place = (header("ce_generation").parse().unwrap(), header("ce_part").parse().unwrap());
            found.generations.entry(period).or_default().push(place);
            let before = found.reports.insert(header("ce_filename"), xml);
            assert!(before.is_none(), "{} was written twice", header("ce_filename"));
        }
        found
    }

    /// Waits until every failure is in a report, or counted as one of somebody who asks for none.
    pub fn wait_until_reported(&self, patience: Duration) -> Found {
        let deadline = Instant::now() + patience;
        loop {
            let found = self.found();
            let counted = found.rows.values().sum::<u64>() + found.without_address;
            if counted >= self.total() {
                return found;
            }
            let total = self.total();
            assert!(Instant::now() < deadline, "{counted} of {total} reported; positions {:?}", self.positions());
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Promise 6: the sums over all reports of every row are what was produced.
    pub fn assert_exact(&self, found: &Found, fleet: &Fleet) {
        let differs = |(row, count): (&Row, &u64)| {
            let reported = found.rows.get(row).copied().unwrap_or_default();
            (reported != *count).then(|| format!("{row:?}: {reported} of {count}"))
        };
        let mut wrong: Vec<String> = self.expected.iter().filter_map(differs).collect();
        wrong.extend(found.rows.keys().filter(|row| !self.expected.contains_key(row)).map(|row| format!("{row:?} is nobody's")));
        wrong.extend(fleet.logged("\"sentinel\""));
        let many = wrong.len();
        wrong.truncate(10);
        assert!(many == 0, "{many} wrong: {wrong:#?}");
        assert_eq!(found.without_address, self.without_address);
    }
}

/// Source and author domain of every record of a report, with its count.
fn rows(xml: &[u8]) -> Vec<((String, String), u64)> {
    let mut reader = quick_xml::Reader::from_str(std::str::from_utf8(xml).unwrap());
    let (mut rows, mut element) = (Vec::new(), String::new());
    let (mut source, mut from, mut count) = (String::new(), String::new(), 0);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => start.name().as_ref().clone_into(&mut element),
            Event::Text(text) => {
                let text = text.to_string();
                match element.as_str() {
                    "source_ip" => source = text,
                    "header_from" => from = text,
                    "count" => count = text.parse().unwrap(),
                    _ => {}
                }
            }
            Event::End(end) if end.name().as_ref() == "record" => {
                rows.push(((std::mem::take(&mut source), std::mem::take(&mut from)), count));
            }
            Event::Eof => return rows,
            _ => {}
        }
    }
}
