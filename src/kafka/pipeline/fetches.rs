//! Finds out from the library's statistics whether the topics can be fetched (`STATISTICS.md` of
//! librdkafka 2.12).
//!
//! A partition without new records is fetched too: every half second the brokers answer that there
//! is nothing. Each answer sets the partition's `hi_offset`, to -1 when the answer is a refusal.
//! `rxidle` says how long ago a broker answered anything.

use super::flow::Brokers;
use crate::kafka::base::partition::Partition;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time without an answer after which a topic counts as not fetched.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The time at which each topic with assigned partitions was last fetched, and other figures from
/// the statistics.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    last: BTreeMap<Arc<str>, Option<Instant>>,
    /// The last time at which any broker answered. It counts when no partition is assigned.
    answered: Option<Instant>,
    refused: BTreeSet<Arc<str>>,
    unreadable: u64,
    /// The first offset of each log, and the end of the part of it that can be read.
    ends: BTreeMap<Partition, (i64, i64)>,
    brokers: Brokers,
}

/// The topic that was fetched longest ago.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Oldest {
    /// The topic; None when no partition is assigned.
    pub(crate) topic: Option<Arc<str>>,
    /// The time of the last fetch; None when there was none.
    pub(crate) at: Option<Instant>,
}

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    brokers: BTreeMap<String, Broker>,
    #[serde(default)]
    topics: BTreeMap<String, Topic>,
}

#[derive(Deserialize)]
struct Broker {
    nodeid: i32,
    state: String,
    source: String,
    /// Microseconds since the broker last answered; -1 when it has not answered on this connection.
    rxidle: i64,
    /// The round-trip times of requests to this broker.
    #[serde(default)]
    rtt: Latency,
}

/// Percentiles of the round-trip times of the last seconds, in microseconds.
#[derive(Deserialize, Default)]
struct Latency {
    p50: i64,
    p99: i64,
    max: i64,
}

/// Sums up the connections of a client to its brokers, without the extra connection to the
/// coordinator.
fn connections<'b>(brokers: impl Iterator<Item = &'b Broker>) -> Brokers {
    let mut all = Brokers::default();
    for broker in brokers.filter(|broker| broker.source != "logical") {
        let [up, connecting, down] = &mut all.connections;
        match broker.state.as_str() {
            "UP" | "UPDATE" => *up += 1,
            "DOWN" | "INIT" => *down += 1,
            _ => *connecting += 1,
        }
        for (slowest, latency) in all.latency.iter_mut().zip([broker.rtt.p50, broker.rtt.p99, broker.rtt.max]) {
            *slowest = latency.max(*slowest);
        }
    }
    all
}

impl Broker {
    fn answers(&self) -> bool {
        let patience = i64::try_from(PATIENCE.as_micros()).unwrap_or(i64::MAX);
        self.state == "UP" && (0..patience).contains(&self.rxidle)
    }
}

#[derive(Deserialize)]
struct Topic {
    #[serde(default)]
    partitions: BTreeMap<String, Fetched>,
}

#[derive(Deserialize)]
struct Fetched {
    /// The id of the broker from which the partition is fetched.
    broker: i32,
    fetch_state: String,
    hi_offset: i64,
    /// The offset of the oldest record, and the end of the records that no open transaction holds
    /// back. Both are negative as long as nothing is known.
    #[serde(default = "unknown")]
    lo_offset: i64,
    #[serde(default = "unknown")]
    ls_offset: i64,
}

fn unknown() -> i64 {
    -1
}

/// The `hi_offset` of a partition whose fetch the brokers refuse.
const REFUSED: i64 = -1;

impl Fetches {
    /// Sets the assigned partitions, and forgets figures of all others.
    pub(crate) fn assigned<'p>(&mut self, partitions: impl Iterator<Item = &'p Partition>) {
        let partitions: BTreeSet<&Partition> = partitions.collect();
        self.ends.retain(|partition, _| partitions.contains(partition));
        let topics: BTreeSet<&Arc<str>> = partitions.iter().map(|partition| &partition.topic).collect();
        self.last.retain(|topic, _| topics.contains(topic));
        self.refused.retain(|topic| topics.contains(topic));
        for topic in topics {
            self.last.entry(topic.clone()).or_default();
        }
    }

    /// Reads statistics. A paused partition is not fetched because this process does not want it,
    /// which does not mean that its broker is away.
    pub(crate) fn note<'p>(
        &mut self,
        statistics: &[u8],
        partitions: impl Iterator<Item = &'p Partition>,
        paused: &BTreeSet<Partition>,
        now: Instant,
    ) {
        let Ok(Statistics { brokers, topics }) = serde_json::from_slice(statistics) else {
            self.unreadable += 1;
            return;
        };
        if brokers.values().any(Broker::answers) {
            self.answered = Some(now);
        }
        // The coordinator has a second entry, for a connection of its own.
        let nodes: BTreeMap<i32, &Broker> =
            brokers.values().filter(|broker| broker.source != "logical").map(|broker| (broker.nodeid, broker)).collect();
        self.brokers = connections(brokers.values());
        self.refused.clear();
        for partition in partitions {
            let found = topics.get(&*partition.topic).and_then(|topic| topic.partitions.get(&partition.number.to_string()));
            let Some((found, broker)) = found.and_then(|found| Some((found, *nodes.get(&found.broker)?))) else { continue };
            if found.ls_offset >= 0 {
                self.ends.insert(partition.clone(), (found.lo_offset.max(0), found.ls_offset));
            }
            if found.hi_offset == REFUSED {
                self.refused.insert(partition.topic.clone());
            }
            let is_answered = broker.answers() || broker.state == "UP" && paused.contains(partition);
            if found.fetch_state == "active" && found.hi_offset >= 0 && is_answered {
                self.last.insert(partition.topic.clone(), Some(now));
            }
        }
    }

    /// Returns the topic that was fetched longest ago.
    pub(crate) fn oldest(&self) -> Oldest {
        match self.last.iter().min_by_key(|(_, at)| **at) {
            Some((topic, at)) => Oldest { topic: Some(topic.clone()), at: *at },
            None => Oldest { topic: None, at: self.answered },
        }
    }

    /// Returns whether brokers have answered before, and none has for `patience` at `now`.
    pub(crate) fn is_silent(&self, patience: Duration, now: Instant) -> bool {
        self.answered.is_some_and(|at| now.saturating_duration_since(at) >= patience)
    }

    /// Returns the topics that the brokers refuse to let this process fetch.
    pub(crate) fn refused(&self) -> &BTreeSet<Arc<str>> {
        &self.refused
    }

    /// Returns the first offset of a partition's log and the end of the part that can be read, as
    /// last reported; None when neither was reported.
    pub(crate) fn log(&self, partition: &Partition) -> Option<(i64, i64)> {
        self.ends.get(partition).copied()
    }

    /// Returns the figures of the connections to brokers.
    pub(crate) fn brokers(&self) -> Brokers {
        self.brokers
    }

    /// Counts the statistics that could not be read.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(topic: &str, number: i32) -> Partition {
        Partition { topic: topic.into(), number }
    }

    /// Writes statistics of a client with one broker, from which partition 0 of `a` and of `b` is
    /// fetched.
    fn statistics(state: &str, rxidle: i64, a: i64, b: i64) -> String {
        let broker = |id: i32, source: &str, state: &str, rxidle: i64| {
            format!(r#"{{"nodeid": {id}, "source": "{source}", "state": "{state}", "rxidle": {rxidle}, "name": "x"}}"#)
        };
        let topic =
            |hi: i64| format!(r#"{{"partitions": {{"0": {{"broker": 1, "fetch_state": "active", "hi_offset": {hi}}}}}}}"#);
        format!(
            r#"{{"brokers": {{"n": {}, "c": {}}}, "topics": {{"a": {}, "b": {}}}}}"#,
            broker(1, "learned", state, rxidle),
            broker(1, "logical", "UP", 1),
            topic(a),
            topic(b)
        )
    }

    #[test]
    fn a_topic_is_fetched_when_its_broker_answers_and_does_not_refuse() {
        let (started, now) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        for (state, rxidle, hi, is_paused, is_fetched) in [
            ("UP", 400_000, 0, false, true),
            ("UP", 400_000, 17, false, true),
            ("UP", 400_000, -1, false, false),
            ("UP", 400_000, -1001, false, false),
            ("UP", 31_000_000, 17, false, false),
            ("UP", 31_000_000, 17, true, true),
            ("UP", -1, 17, false, false),
            ("DOWN", 400_000, 17, false, false),
            ("DOWN", -1, 17, true, false),
        ] {
            let ours = [partition("a", 0)];
            let mut fetches = Fetches::default();
            fetches.assigned(ours.iter());
            let paused = if is_paused { ours.iter().cloned().collect() } else { BTreeSet::new() };
            fetches.note(statistics("UP", 1, 5, 5).as_bytes(), ours.iter(), &BTreeSet::new(), started);
            fetches.note(statistics(state, rxidle, hi, 5).as_bytes(), ours.iter(), &paused, now);
            let at = Some(if is_fetched { now } else { started });
            assert_eq!(fetches.oldest(), Oldest { topic: Some("a".into()), at }, "{state} {rxidle} {hi} {is_paused}");
            assert_eq!(fetches.refused().len(), usize::from(hi == -1));
        }
    }

    #[test]
    fn the_ends_of_logs_and_the_answers_of_brokers_are_read() {
        let text = r#"{"brokers": {
            "a": {"nodeid": 1, "source": "learned", "state": "UP", "rxidle": 1, "rtt": {"p50": 1, "p99": 20, "max": 30}},
            "b": {"nodeid": 2, "source": "learned", "state": "TRY_CONNECT", "rxidle": -1, "rtt": {"p50": 5, "p99": 6, "max": 7}},
            "c": {"nodeid": 1, "source": "logical", "state": "UP", "rxidle": 1, "rtt": {"p50": 500, "p99": 500, "max": 500}},
            "d": {"nodeid": 3, "source": "configured", "state": "DOWN", "rxidle": -1}},
            "topics": {"a": {"partitions": {
                "0": {"broker": 1, "fetch_state": "active", "hi_offset": 9, "lo_offset": 2, "ls_offset": 7},
                "1": {"broker": 1, "fetch_state": "none", "hi_offset": -1001, "lo_offset": -1001, "ls_offset": -1001}}}}}"#;
        let ours = [partition("a", 0), partition("a", 1)];
        let mut fetches = Fetches::default();
        fetches.assigned(ours.iter());
        fetches.note(text.as_bytes(), ours.iter(), &BTreeSet::new(), Instant::now());
        assert_eq!(fetches.brokers(), Brokers { connections: [1, 1, 1], latency: [5, 20, 30] });
        assert_eq!((fetches.log(&ours[0]), fetches.log(&ours[1])), (Some((2, 7)), None));
        fetches.assigned(ours[1..].iter());
        assert_eq!(fetches.log(&ours[0]), None);
    }

    #[test]
    fn of_several_topics_the_one_that_is_not_fetched_decides_and_with_none_any_answer() {
        let now = Instant::now();
        let ours = [partition("a", 0), partition("b", 0)];
        let mut fetches = Fetches::default();
        assert_eq!(fetches.oldest(), Oldest::default());
        fetches.assigned(ours.iter());
        fetches.note(statistics("UP", 1, 5, -1).as_bytes(), ours.iter(), &BTreeSet::new(), now);
        assert_eq!(fetches.oldest(), Oldest { topic: Some("b".into()), at: None });
        fetches.assigned(ours[..1].iter());
        assert_eq!(fetches.oldest(), Oldest { topic: Some("a".into()), at: Some(now) });
        fetches.assigned([].into_iter());
        assert_eq!(fetches.oldest(), Oldest { topic: None, at: Some(now) });
        assert_eq!((fetches.brokers().connections, fetches.log(&ours[0])), ([1, 0, 0], None));
        fetches.note(b"{", [].into_iter(), &BTreeSet::new(), now);
        assert_eq!(fetches.unreadable(), 1);
    }
}
