//! Plans the topics in one table, which `create`, `check`, `grow` and `print` read.

pub(crate) use crate::config::HEADROOM;
use crate::config::{Config, Topics};
use std::collections::BTreeMap;
use std::time::Duration;

/// A planned topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its key under `[topics]`.
    pub key: &'static str,
    /// Its full name.
    pub name: String,
    /// True when a role with these settings reads or writes it.
    pub used: bool,
    /// The records that are removed from it.
    pub cleanup: Cleanup,
    /// The largest size of its records.
    pub size: Size,
    /// For topics of retries, the time that a record waits before it is read.
    pub delay: Option<Duration>,
    /// True when a group keeps its position in it.
    pub grouped: bool,
    /// The set of topics that must have the same number of partitions, because a role writes to the
    /// partition number that it read from.
    pub set: Option<&'static str>,
}

/// The records that are removed from a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// Records of this age.
    Delete(Duration),
    /// Records that are replaced by a newer one of the same key. The topic holds state.
    Compact,
}

impl Cleanup {
    /// Returns the value of `cleanup.policy`.
    pub fn policy(self) -> &'static str {
        match self {
            Self::Delete(_) => "delete",
            Self::Compact => "compact",
        }
    }
}

/// The largest size of a topic's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// An event, which is bounded: the default limit of Kafka.
    Event,
    /// A producer's record that holds a message.
    Raw,
    /// Such a record with the headers that this program adds.
    Mail,
    /// A report of at most this many bytes, and its headers.
    Report(u64),
}

/// The properties of new topics that the table leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The number of partitions of each topic.
    pub partitions: i32,
    /// The number of replicas of each partition.
    pub replication: i32,
    /// The number of replicas that must have a record before it counts as written.
    pub in_sync: i32,
}

impl Default for Layout {
    fn default() -> Self {
        Self { partitions: 12, replication: 3, in_sync: 2 }
    }
}

/// The topic setting that decides whose clock the timestamps of records show.
pub(crate) const TIMESTAMP_TYPE: &str = "message.timestamp.type";
/// The value of that setting for the brokers' clock.
pub(crate) const LOG_APPEND: &str = "LogAppendTime";
/// The limit on event records in bytes, which is Kafka's default of `max.message.bytes`: 1 MiB and
/// the head of a batch.
const EVENT_BYTES: u64 = 1_048_588;
const DAY: Duration = Duration::from_hours(24);
/// The time for which a retry is kept beyond its delay.
const RETRY_MARGIN: Duration = Duration::from_hours(7 * 24);

/// A row of the table.
struct Row {
    key: &'static str,
    name: fn(&Topics) -> &str,
    used: fn(&Config) -> bool,
    cleanup: Cleanup,
    size: fn(&Config) -> Size,
    grouped: fn(&Config) -> bool,
    set: Option<&'static str>,
}

const fn days(count: u32) -> Cleanup {
    Cleanup::Delete(DAY.saturating_mul(count))
}

/// The topics in the order of the data path. The retry topics, one for each delay, are inserted
/// before the last row.
const TABLE: [Row; 7] = [
    Row {
        key: "raw",
        name: |topics| &topics.raw,
        used: |_| true,
        cleanup: days(7),
        size: |_| Size::Raw,
        grouped: |_| true,
        set: None,
    },
    Row {
        key: "verdicts",
        name: |topics| &topics.verdicts,
        used: |_| true,
        cleanup: days(14),
        size: |_| Size::Event,
        grouped: |_| false,
        set: None,
    },
    Row {
        key: "annotated",
        name: |topics| &topics.annotated,
        used: |config| config.verdict.annotated,
        cleanup: days(7),
        size: |_| Size::Mail,
        grouped: |_| false,
        set: None,
    },
    Row {
        key: "failures",
        name: |topics| &topics.failures,
        used: |_| true,
        cleanup: days(14),
        size: |_| Size::Event,
        grouped: Config::makes_reports,
        set: Some("failures"),
    },
    Row {
        key: "windows",
        name: |topics| &topics.windows,
        used: Config::makes_reports,
        cleanup: Cleanup::Compact,
        size: |_| Size::Event,
        grouped: |_| false,
        set: Some("failures"),
    },
    Row {
        key: "reports",
        name: |topics| &topics.reports,
        used: Config::makes_reports,
        cleanup: days(30),
        size: |config| Size::Report(config.aggregate.report_bytes as u64),
        grouped: |_| false,
        set: Some("failures"),
    },
    Row {
        key: "dead_letters",
        name: |topics| &topics.dead_letters,
        used: |_| true,
        cleanup: days(30),
        size: |_| Size::Mail,
        grouped: |_| false,
        set: None,
    },
];

/// Returns the topics for these settings, in the order of the data path.
pub fn plan(config: &Config) -> Vec<Topic> {
    let mut topics: Vec<Topic> = TABLE.iter().map(|row| row.topic(config)).collect();
    let last = topics.pop();
    let delays = config.verdict.retry_delays_s.iter().map(|seconds| Duration::from_secs(*seconds));
    topics.extend(delays.enumerate().map(|(index, delay)| Topic {
        key: "retries",
        name: config.topics.retry(index + 1),
        used: config.verdict.retries,
        cleanup: Cleanup::Delete(delay + RETRY_MARGIN),
        size: Size::Mail,
        delay: Some(delay),
        grouped: true,
        set: None,
    }));
    topics.extend(last);
    topics
}

impl Row {
    fn topic(&self, config: &Config) -> Topic {
        Topic {
            key: self.key,
            name: config.topics.full((self.name)(&config.topics)),
            used: (self.used)(config),
            cleanup: self.cleanup,
            size: (self.size)(config),
            delay: None,
            grouped: (self.grouped)(config),
            set: self.set,
        }
    }
}

impl Size {
    /// Returns the size in bytes. `largest` is the largest record that this program writes, in
    /// bytes.
    pub fn bytes(self, largest: u32) -> u64 {
        let largest = u64::from(largest);
        match self {
            Self::Event => EVENT_BYTES,
            Self::Raw => largest.saturating_sub(HEADROOM).max(EVENT_BYTES),
            Self::Mail => largest.max(EVENT_BYTES + HEADROOM),
            Self::Report(bytes) => bytes + HEADROOM,
        }
    }
}

impl Topic {
    /// Returns whether the topic's records must carry the brokers' clock, because others than this
    /// program write them (Decisions: clocks).
    pub fn is_stamped_by_brokers(&self) -> bool {
        self.size == Size::Raw
    }

    /// Returns the settings with which the topic is made.
    pub fn settings(&self, largest: u32, layout: &Layout) -> BTreeMap<&'static str, String> {
        let mut settings = BTreeMap::from([
            ("cleanup.policy", self.cleanup.policy().to_owned()),
            ("max.message.bytes", self.size.bytes(largest).to_string()),
            ("min.insync.replicas", layout.in_sync.to_string()),
        ]);
        if self.is_stamped_by_brokers() {
            settings.insert(TIMESTAMP_TYPE, LOG_APPEND.to_owned());
        }
        match self.cleanup {
            Cleanup::Delete(retention) => {
                settings.insert("retention.ms", retention.as_millis().to_string());
            }
            Cleanup::Compact => settings.extend([
                ("segment.ms", "600000".to_owned()),
                ("min.cleanable.dirty.ratio", "0.1".to_owned()),
                ("max.compaction.lag.ms", "3600000".to_owned()),
                ("delete.retention.ms", "86400000".to_owned()),
            ]),
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(config: &Config) -> BTreeMap<String, BTreeMap<&'static str, String>> {
        let largest = config.kafka.max_record_bytes;
        plan(config).iter().map(|topic| (topic.name.clone(), topic.settings(largest, &Layout::default()))).collect()
    }

    #[test]
    fn the_table_is_that_of_the_architecture() {
        let found = settings(&Config::default());
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "mail.annotated",
                "mail.dead-letters",
                "mail.failures",
                "mail.raw",
                "mail.reports",
                "mail.retries.1",
                "mail.retries.2",
                "mail.retries.3",
                "mail.verdicts",
                "mail.windows"
            ]
        );
        let of = |topic: &str, setting: &str| found[topic].get(setting).cloned().unwrap_or_default();
        for (topic, days) in [
            ("mail.raw", 7),
            ("mail.verdicts", 14),
            ("mail.annotated", 7),
            ("mail.failures", 14),
            ("mail.reports", 30),
            ("mail.dead-letters", 30),
        ] {
            assert_eq!(of(topic, "retention.ms"), (days * 86_400_000_u64).to_string(), "{topic}");
        }
        assert_eq!(of("mail.retries.2", "retention.ms"), (600_000 + 7 * 86_400_000_u64).to_string());
        assert_eq!(of("mail.raw", "max.message.bytes"), (56 << 20).to_string());
        for topic in ["mail.annotated", "mail.retries.1", "mail.dead-letters"] {
            assert_eq!(of(topic, "max.message.bytes"), (57 << 20).to_string(), "{topic}");
        }
        assert_eq!(of("mail.reports", "max.message.bytes"), (6 << 20).to_string());
        for topic in names {
            let cleanup = if topic == "mail.windows" { "compact" } else { "delete" };
            assert_eq!((of(topic, "cleanup.policy").as_str(), of(topic, "min.insync.replicas").as_str()), (cleanup, "2"));
        }
    }

    #[test]
    fn names_and_sizes_follow_the_settings() {
        let mut config = Config::default();
        config.topics.prefix = "p.".into();
        config.topics.retries = "again".into();
        config.verdict.retry_delays_s = vec![5];
        config.kafka.max_record_bytes = 8 << 20;
        let found = settings(&config);
        assert_eq!(found["p.again.1"]["retention.ms"], (5_000 + 7 * 86_400_000_u64).to_string());
        assert_eq!(found["p.mail.raw"]["max.message.bytes"], (7 << 20).to_string());
        config.kafka.max_record_bytes = 1;
        assert_eq!(settings(&config)["p.mail.raw"]["max.message.bytes"], EVENT_BYTES.to_string());
    }

    #[test]
    fn what_no_role_uses_is_made_all_the_same() {
        let used = |config: &Config| -> Vec<&'static str> {
            plan(config).iter().filter(|topic| topic.used).map(|topic| topic.key).collect()
        };
        let mut config = Config::default();
        assert_eq!(used(&config), ["raw", "verdicts", "failures", "dead_letters"]);
        (config.verdict.annotated, config.verdict.retries) = (true, true);
        config.receiver.domain = crate::dns::Domain::parse("mx.example").ok();
        (config.receiver.organization, config.receiver.contact) = (Some("x".into()), Some("x@mx.example".into()));
        assert_eq!(used(&config).len(), plan(&config).len());
    }

    #[test]
    fn what_producers_write_carries_the_brokers_clock() {
        for (topic, settings) in settings(&Config::default()) {
            let expected = (topic == "mail.raw").then_some("LogAppendTime");
            assert_eq!(settings.get("message.timestamp.type").map(String::as_str), expected, "{topic}");
        }
    }

    #[test]
    fn state_is_compacted_soon() {
        let windows = &settings(&Config::default())["mail.windows"];
        assert_eq!((windows["cleanup.policy"].as_str(), windows["segment.ms"].as_str()), ("compact", "600000"));
        assert!(!windows.contains_key("retention.ms"));
    }
}
