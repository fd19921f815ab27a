//! Compares the topics that were found with those that are planned, and says what is wrong and how
//! to correct it. The comparison is a function of values.

use super::plan::{Cleanup, HEADROOM, LOG_APPEND, Layout, Size, TIMESTAMP_TYPE, Topic};
use crate::config::Config;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A topic that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The number of partitions.
    pub partitions: i32,
    /// The smallest number of replicas of any of its partitions.
    pub replication: i32,
    /// Its settings, with the brokers' values for those that it does not set; None when this client
    /// may not read them.
    pub settings: Option<BTreeMap<String, String>>,
}

/// The state of the cluster, as the brokers report it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The planned topics that exist, by name.
    pub topics: BTreeMap<String, Found>,
    /// The number of brokers; None when they do not give it.
    pub brokers: Option<i32>,
    /// The time for which the position of an idle group is kept; None when this client may not read
    /// it.
    pub offsets_retention: Option<Duration>,
}

/// The result of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Every planned topic, and the topic that was found, if any.
    pub topics: Vec<(Topic, Option<Found>)>,
    /// The problems that keep a role from working, or that break a promise.
    pub errors: Vec<Problem>,
    /// The problems that are worth knowing.
    pub warnings: Vec<Problem>,
}

/// A deviation and its remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The topic.
    pub topic: String,
    /// The deviation.
    pub deviation: Deviation,
    /// The remedy.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}: {}", self.topic, self.deviation, self.remedy)
    }
}

/// A difference between a topic and its plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Deviation {
    /// It does not exist.
    #[error("it does not exist")]
    Missing,
    /// It has fewer partitions than another topic of its set.
    #[error("it has {partitions} partitions and {other} has {others}, they must be equal")]
    Uneven {
        /// Its partitions.
        partitions: i32,
        /// The topic that has more.
        other: String,
        /// The partitions of that topic.
        others: i32,
    },
    /// It removes records that must stay, or keeps records that must go.
    #[error("cleanup.policy is {found}, it must be {wanted}")]
    Cleanup {
        /// The policy.
        found: String,
        /// The policy that it must have.
        wanted: &'static str,
    },
    /// It refuses records that are written to it.
    #[error("it takes records of {found} bytes, it must take {needed}")]
    TooSmall {
        /// The largest record that it takes, in bytes.
        found: u64,
        /// The largest record that it must take, in bytes.
        needed: u64,
    },
    /// It takes smaller records than producers are promised.
    #[error(
        "it takes records of {found} bytes, so a message of the largest size in structured mode ({planned}) cannot be written"
    )]
    SmallRaw {
        /// The largest record that it takes, in bytes.
        found: u64,
        /// The largest record of the plan, in bytes.
        planned: u64,
    },
    /// This program's own limit is smaller than a record that it may have to write.
    #[error("kafka.max_record_bytes is {found}, a record of this topic and its headers may have {needed}")]
    SmallWriter {
        /// The value of that setting, in bytes.
        found: u64,
        /// The value that it must have, in bytes.
        needed: u64,
    },
    /// Retries are removed before they are due.
    #[error("records are removed after {} s, before their delay of {} s is over", found.as_secs(), delay.as_secs())]
    ExpiresUntried {
        /// The retention.
        found: Duration,
        /// The delay.
        delay: Duration,
    },
    /// Records are removed earlier than planned.
    #[error("records are removed after {} s, planned are {} s", found.as_secs(), planned.as_secs())]
    ExpiresEarly {
        /// The retention.
        found: Duration,
        /// The planned retention.
        planned: Duration,
    },
    /// Nothing can be written.
    #[error("min.insync.replicas is {in_sync} and there are {replication} replicas, nothing can be written")]
    Unwritable {
        /// The value of `min.insync.replicas`.
        in_sync: i32,
        /// The number of replicas.
        replication: i32,
    },
    /// A record counts as written with a single copy.
    #[error("min.insync.replicas is {in_sync} of {replication} replicas, the loss of one broker can lose records")]
    OneCopy {
        /// The value of `min.insync.replicas`.
        in_sync: i32,
        /// The number of replicas.
        replication: i32,
    },
    /// All writing stops when one broker is away.
    #[error("min.insync.replicas is {in_sync} of {replication} replicas, one broker away stops all writing")]
    NoSpare {
        /// The value of `min.insync.replicas`.
        in_sync: i32,
        /// The number of replicas.
        replication: i32,
    },
    /// Positions are forgotten while the topic still holds their records, which are then read
    /// again.
    #[error("records are kept for {}, but the position of a group that is idle for {} s is forgotten, and then read again", seconds(*retention), offsets.as_secs())]
    OffsetsExpire {
        /// The retention; None when records are kept for ever.
        retention: Option<Duration>,
        /// The time for which positions are kept.
        offsets: Duration,
    },
    /// Records carry the clock of their producer.
    #[error(
        "message.timestamp.type is {found}, so records carry their producer's clock: one that is wrong, or that counts seconds where \
         milliseconds are meant, has the brokers delete them before they are read, and says nothing of when a message without ce_time \
         arrived"
    )]
    ProducersClock {
        /// The value of `message.timestamp.type`.
        found: String,
    },
    /// The topic holds records, and nobody reads it.
    #[error("verdict.retries is off, so nobody reads it, and {}{records} records are left in it whose messages have no verdict", if *is_all { "" } else { "more than " })]
    Left {
        /// The number of records that were counted.
        records: usize,
        /// True when there are no more than these.
        is_all: bool,
    },
    /// The topic may hold records, and nobody reads it.
    #[error("verdict.retries is off, and the records that are left in it cannot be counted: {reason}")]
    Uncounted {
        /// Why the records cannot be counted.
        reason: String,
    },
    /// Its settings cannot be read.
    #[error("its settings cannot be read")]
    Unreadable,
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "ever".to_owned(), |time| format!("{} s", time.as_secs()))
}

/// Compares the topics that were found with the plan.
pub fn compare(config: &Config, plan: &[Topic], cluster: &Cluster) -> Report {
    let mut comparison = Comparison { config, cluster, report: Report::default() };
    for topic in plan {
        let found = cluster.topics.get(&topic.name);
        comparison.report.topics.push((topic.clone(), found.cloned()));
        match found {
            _ if !topic.used => {}
            None => comparison.missing(topic),
            Some(found) => comparison.topic(topic, found, plan),
        }
    }
    comparison.report
}

struct Comparison<'c> {
    config: &'c Config,
    cluster: &'c Cluster,
    report: Report,
}

impl Comparison<'_> {
    fn error(&mut self, topic: &Topic, deviation: Deviation, remedy: String) {
        self.report.errors.push(Problem { topic: topic.name.clone(), deviation, remedy });
    }

    fn warn(&mut self, topic: &Topic, deviation: Deviation, remedy: String) {
        self.report.warnings.push(Problem { topic: topic.name.clone(), deviation, remedy });
    }

    /// Returns the command that changes a setting of a topic.
    fn set(&self, topic: &Topic, setting: &str, value: impl fmt::Display) -> String {
        format!(
            "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {} --add-config {setting}={value}",
            self.config.kafka.brokers, topic.name
        )
    }

    /// Adds to a remedy that more brokers are needed, if the cluster has fewer than `replicas`.
    /// Each replica needs a broker of its own.
    fn more_replicas(&self, replicas: i32, remedy: &str) -> String {
        match self.cluster.brokers.filter(|brokers| *brokers < replicas) {
            Some(brokers) => {
                format!("the cluster has {brokers} broker(s), and needs {replicas} for more replicas; then {remedy}")
            }
            None => remedy.to_owned(),
        }
    }

    fn missing(&mut self, topic: &Topic) {
        // The new topic gets the layout of its siblings, if there are any.
        let sibling = self.cluster.topics.values().max_by_key(|found| found.partitions);
        let default = Layout::default();
        let most = self.cluster.brokers.unwrap_or(default.replication);
        let (partitions, replication) =
            sibling.map_or((default.partitions, default.replication.min(most)), |found| (found.partitions, found.replication));
        let in_sync = default.in_sync.min(replication);
        let command = format!(
            "verdmarc topics create --partitions {partitions} --replication-factor {replication} --min-insync-replicas {in_sync}"
        );
        self.error(topic, Deviation::Missing, command);
    }

    fn topic(&mut self, topic: &Topic, found: &Found, plan: &[Topic]) {
        self.partitions(topic, found, plan);
        let Some(settings) = &found.settings else {
            let remedy = "allow DescribeConfigs on the topic, or look yourself".to_owned();
            return self.warn(topic, Deviation::Unreadable, remedy);
        };
        let number = |name: &str| settings.get(name).and_then(|value| value.parse::<i64>().ok());
        let policy = settings.get("cleanup.policy").map_or("", String::as_str);
        let wanted = topic.cleanup.policy();
        if policy != wanted {
            let deviation = Deviation::Cleanup { found: policy.to_owned(), wanted };
            self.error(topic, deviation, self.set(topic, "cleanup.policy", wanted));
        }
        if let Some(found) = settings.get(TIMESTAMP_TYPE).filter(|found| topic.is_stamped_by_brokers() && *found != LOG_APPEND) {
            let deviation = Deviation::ProducersClock { found: found.clone() };
            self.warn(topic, deviation, self.set(topic, TIMESTAMP_TYPE, LOG_APPEND));
        }
        if let Some(bytes) = number("max.message.bytes").and_then(|bytes| u64::try_from(bytes).ok()) {
            self.size(topic, bytes);
        }
        if let Cleanup::Delete(planned) = topic.cleanup {
            // A negative value means for ever.
            let retention = number("retention.ms").and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
            self.retention(topic, retention, planned);
        }
        if let Some(in_sync) = number("min.insync.replicas").and_then(|count| i32::try_from(count).ok()) {
            self.copies(topic, found.replication, in_sync);
        }
    }

    fn partitions(&mut self, topic: &Topic, found: &Found, plan: &[Topic]) {
        let set = plan.iter().filter(|other| topic.set.is_some() && other.set == topic.set);
        let most = set.filter_map(|other| Some((other, self.cluster.topics.get(&other.name)?.partitions)));
        if let Some((other, others)) = most.max_by_key(|(_, count)| *count)
            && others > found.partitions
        {
            let deviation = Deviation::Uneven { partitions: found.partitions, other: other.name.clone(), others };
            self.error(topic, deviation, format!("verdmarc topics grow --partitions {others} --yes"));
        }
    }

    fn size(&mut self, topic: &Topic, found: u64) {
        let writer = u64::from(self.config.kafka.max_record_bytes);
        let planned = topic.size.bytes(self.config.kafka.max_record_bytes);
        let needed = match topic.size {
            Size::Event | Size::Report(_) => planned,
            Size::Raw => {
                if found < planned {
                    self.warn(topic, Deviation::SmallRaw { found, planned }, self.set(topic, "max.message.bytes", planned));
                }
                let needed = found + HEADROOM;
                if writer < needed {
                    let remedy = format!("set VERDMARC_KAFKA__MAX_RECORD_BYTES={needed}, or the same in the settings");
                    self.error(topic, Deviation::SmallWriter { found: writer, needed }, remedy);
                }
                return;
            }
            // The limit follows the records that producers may write, not the plan.
            Size::Mail => self.raw_bytes().map_or(planned, |raw| raw + HEADROOM),
        };
        if found < needed {
            self.error(topic, Deviation::TooSmall { found, needed }, self.set(topic, "max.message.bytes", needed));
        }
    }

    fn raw_bytes(&self) -> Option<u64> {
        let name = self.config.topics.full(&self.config.topics.raw);
        self.cluster.topics.get(&name)?.settings.as_ref()?.get("max.message.bytes")?.parse().ok()
    }

    fn retention(&mut self, topic: &Topic, retention: Option<Duration>, planned: Duration) {
        let remedy = self.set(topic, "retention.ms", planned.as_millis());
        if let Some(found) = retention.filter(|found| *found < planned) {
            match topic.delay.filter(|delay| found <= *delay) {
                Some(delay) => self.error(topic, Deviation::ExpiresUntried { found, delay }, remedy),
                None => self.warn(topic, Deviation::ExpiresEarly { found, planned }, remedy),
            }
        }
        let Some(offsets) = self.cluster.offsets_retention.filter(|_| topic.grouped) else { return };
        // A retry is read when its delay is over, so it is that much older when its position is
        // committed.
        let delay = topic.delay.unwrap_or_default();
        if retention.is_none_or(|retention| retention.saturating_sub(delay) > offsets) {
            let remedy = match retention {
                Some(retention) => {
                    let minutes = retention.saturating_sub(delay).as_secs().div_ceil(60);
                    format!("start the brokers with offsets.retention.minutes={minutes}, or a shorter retention.ms on the topic")
                }
                None => self.set(topic, "retention.ms", planned.as_millis()),
            };
            self.warn(topic, Deviation::OffsetsExpire { retention, offsets }, remedy);
        }
    }

    fn copies(&mut self, topic: &Topic, replication: i32, in_sync: i32) {
        let default = Layout::default().in_sync;
        if in_sync > replication {
            let remedy = self.set(topic, "min.insync.replicas", default.min(replication));
            self.error(topic, Deviation::Unwritable { in_sync, replication }, remedy);
        } else if in_sync < default {
            let remedy = if replication > default {
                self.set(topic, "min.insync.replicas", default)
            } else {
                self.more_replicas(default + 1, &format!("give it three replicas, then min.insync.replicas={default}"))
            };
            self.warn(topic, Deviation::OneCopy { in_sync, replication }, remedy);
        } else if in_sync == replication {
            let replicas = replication + 1;
            let remedy = self.more_replicas(replicas, &format!("give it {replicas} replicas (kafka-reassign-partitions.sh)"));
            self.warn(topic, Deviation::NoSpare { in_sync, replication }, remedy);
        }
    }
}

#[cfg(test)]
mod tests;
