//! The role as a process of its own, its topics, and what it takes.

use crate::broker::{Client, eventually, send};
use crate::child::Measured;
use crate::corpus::{ARRIVAL, Corpus};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 4;
/// Names of the threads that the client library starts.
const LIBRARY: [&str; 2] = ["rdk:", "producer pollin"];

/// The topics of one run.
pub struct Topics {
    prefix: String,
}

impl Topics {
    pub fn create(broker: &Client, prefix: &str) -> Self {
        let topics = Self { prefix: prefix.to_owned() };
        let names = ["mail.raw", "mail.verdicts", "mail.failures", "mail.dead-letters"].map(|name| topics.named(name));
        broker.create_topics(&names.each_ref().map(|name| (name.as_str(), PARTITIONS, &[("max.message.bytes", "58720256")][..])));
        topics
    }

    fn named(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn committed(&self, broker: &Client) -> i64 {
        let group = format!("{}verdmarc-verdict", self.prefix);
        broker.committed(&group, &self.named("mail.raw")).into_iter().flatten().sum()
    }

    pub fn produce(&self, broker: &Client, corpus: &Corpus, times: usize, compression: &str) {
        let producer = producer(broker, compression);
        for round in 0..times {
            for index in 0..corpus.cases.len() {
                self.send(&producer, corpus, index, &format!("{round}-{index}"));
            }
        }
        producer.flush(Duration::from_mins(2)).unwrap();
    }

    fn send(&self, producer: &ThreadedProducer<DefaultProducerContext>, corpus: &Corpus, index: usize, key: &str) {
        let case = &corpus.cases[index];
        let (ip, arrival) = (case.client_ip.to_string(), jiff::Timestamp::from_second(ARRIVAL).unwrap().to_string());
        let envelope = [("ce_clientip", &ip), ("ce_helo", &case.helo), ("ce_mailfrom", &case.mail_from), ("ce_time", &arrival)];
        let topic = self.named("mail.raw");
        let headers = envelope
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value.as_bytes()) }));
        let record = BaseRecord::<str, [u8]>::to(&topic).key(key).payload(&case.message).headers(headers);
        send(producer, record.partition(index as i32 % PARTITIONS));
    }
}

fn producer(broker: &Client, compression: &str) -> ThreadedProducer<DefaultProducerContext> {
    let mut config = broker.config();
    config.set("compression.type", compression).set("linger.ms", "5").set("message.max.bytes", "58720256");
    config.set("queue.buffering.max.kbytes", "131072").create().unwrap()
}

/// What one run took.
pub struct Run {
    pub micros: f64,
    /// The part of it that the client library's own threads took.
    pub library: f64,
    pub per_second: f64,
    pub peak: usize,
}

/// The role in a process of its own.
pub struct Role {
    child: Measured,
    _zone: tempfile::NamedTempFile,
}

impl Role {
    pub fn start(broker: &Client, topics: &Topics, corpus: &Corpus) -> Self {
        Self::start_with(broker, topics, corpus, &[])
    }

    /// With further settings.
    pub fn start_with(broker: &Client, topics: &Topics, corpus: &Corpus, more: &[(&str, String)]) -> Self {
        let zone = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
        serde_json::to_writer(zone.as_file(), &corpus.zone.to_json()).unwrap();
        let settings = [
            ("KAFKA__BROKERS", broker.bootstrap()),
            ("KAFKA__GROUP_PREFIX", topics.prefix.clone()),
            ("KAFKA__INSTANCE", "bench".to_owned()),
            ("KAFKA__CHECK_TOPICS", "false".to_owned()),
            ("TOPICS__PREFIX", topics.prefix.clone()),
            ("DNS__ZONE", zone.path().display().to_string()),
            ("LOG__FILTER", "error".to_owned()),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_verdmarc"));
        command.args(["run", "--roles", "verdict"]).stdin(Stdio::null());
        command.envs(settings.map(|(name, value)| (format!("VERDMARC_{name}"), value)));
        command.envs(more.iter().map(|(name, value)| (format!("VERDMARC_{name}"), value)));
        Self { child: Measured(command.spawn().unwrap()), _zone: zone }
    }

    /// From a fifth of the messages, when everything is warm, to the last one.
    pub fn measure(self, broker: &Client, topics: &Topics) -> Run {
        let total: i64 = broker.end_offsets(&topics.named("mail.raw")).iter().sum();
        let reached = |count: i64| {
            eventually("the role to go on", || {
                let committed = topics.committed(broker);
                (committed >= count).then_some(committed)
            })
        };
        let first = reached(total / 5);
        let cpu = || (self.child.cpu(), self.child.cpu_of_threads(&LIBRARY));
        let (before, started) = (cpu(), Instant::now());
        let last = reached(total);
        let (elapsed, after) = (started.elapsed(), cpu());
        let messages = (last - first) as f64;
        let micros = |after: Duration, before| after.saturating_sub(before).as_secs_f64() * 1e6 / messages;
        Run {
            micros: micros(after.0, before.0),
            library: micros(after.1, before.1),
            per_second: messages / elapsed.as_secs_f64(),
            peak: crate::memory::peak(self.child.0.id()),
        }
    }
}

/// Times from produce to visible verdict.
pub struct Latency(Vec<Duration>);

impl Latency {
    /// Sends at a fixed rate, whatever comes back, and reads verdicts as a subscriber does. What was due within `warm` of the start
    /// does not count: clients, caches and a broker's virtual machine are slower in their first seconds.
    pub fn measure(broker: &Client, topics: &Topics, corpus: &Corpus, per_second: f64, warm: Duration, length: Duration) -> Self {
        let mut config = broker.config();
        config.set("group.id", "bench-latency").set("isolation.level", "read_committed").set("fetch.wait.max.ms", "10");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition_range(&topics.named("mail.verdicts"), 0, PARTITIONS - 1);
        list.set_all_offsets(rdkafka::Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let producer = producer(broker, "none");
        // Joining the group is no part of the time.
        topics.send(&producer, corpus, 0, "warm");
        eventually("the first verdict", || consumer.poll(Duration::from_millis(50)).map(|message| message.unwrap().offset()));
        let (mut sent, mut times) = (HashMap::new(), Vec::new());
        let started = Instant::now();
        let count = |time: Duration| (per_second * time.as_secs_f64()) as usize;
        let (early, total) = (count(warm), count(warm + length));
        let mut next = 0;
        while times.len() < total {
            assert!(started.elapsed() < warm + length + Duration::from_secs(30), "{} of {total} verdicts came", times.len());
            while next < total && started.elapsed().as_secs_f64() * per_second > next as f64 {
                let key = next.to_string();
                // When it was due, not when there was time to send it.
                sent.insert(key.clone(), (next, started + Duration::from_secs_f64(next as f64 / per_second)));
                topics.send(&producer, corpus, next % corpus.cases.len(), &key);
                next += 1;
            }
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(1))
                && let Some((number, due)) = message.key_view::<str>().and_then(Result::ok).and_then(|key| sent.get(key))
            {
                times.push((*number, due.elapsed()));
            }
        }
        Self(times.into_iter().filter(|(number, _)| *number >= early).map(|(_, time)| time).collect())
    }

    pub fn percentile(&mut self, percent: usize) -> Duration {
        self.0.sort_unstable();
        self.0.get(self.0.len() * percent / 100).copied().unwrap_or_default()
    }
}

/// What undoing the compression alone takes, per message, in batches of a megabyte as they travel.
pub fn decoding_micros(corpus: &Corpus, compression: &str) -> f64 {
    let mut batches: Vec<Vec<u8>> = vec![Vec::new()];
    for case in &corpus.cases {
        if batches.last().unwrap().len() > 900_000 {
            batches.push(Vec::new());
        }
        batches.last_mut().unwrap().extend_from_slice(&case.message);
    }
    let decode: Box<dyn Fn() -> usize> = match compression {
        "lz4" => {
            let packed: Vec<_> = batches.iter().map(|batch| lz4_flex::compress_prepend_size(batch)).collect();
            Box::new(move || packed.iter().map(|batch| lz4_flex::decompress_size_prepended(batch).unwrap().len()).sum())
        }
        "zstd" => {
            let packed: Vec<_> = batches.iter().map(|batch| zstd::encode_all(&batch[..], 3).unwrap()).collect();
            Box::new(move || packed.iter().map(|batch| zstd::decode_all(&batch[..]).unwrap().len()).sum())
        }
        _ => return 0.0,
    };
    let mut times: Vec<_> = (0..5).map(|_| crate::measure::cpu(|| std::hint::black_box(decode())).1).collect();
    crate::measure::median(&mut times).as_secs_f64() * 1e6 / corpus.cases.len() as f64
}
