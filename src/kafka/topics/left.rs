//! Counts the records that are left in the retry topics while the retry lane is off, because nobody
//! reads them then.

use super::admin::Admin;
use super::check::{Deviation, Problem};
use crate::config::{Config, Kafka};
use crate::kafka::base::error::Error;
use crate::kafka::client::context::LoggingContext;
use crate::kafka::client::group::Group;
use crate::kafka::client::log_id::LogIds;
use crate::kafka::client::lookup::{METADATA_PATIENCE, log};
use crate::kafka::client::read_range::{Range, Span};
use crate::kafka::client::settings;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The number of records after which counting ends.
const ENOUGH: usize = 1_000;
/// The number of bytes after which counting ends, because each record holds a whole message.
const ENOUGH_BYTES: usize = 64 << 20;

/// Returns a warning for each retry topic that still holds records. A topic that this client may
/// not see is passed over.
pub(crate) fn in_lane(config: &Config, admin: &Admin, lane: &Group) -> Vec<Problem> {
    let mut problems = Vec::new();
    for topic in config.topics.all_retries() {
        match admin.found(&topic) {
            Ok((Some(_), _)) => {}
            Ok((None, _)) => continue,
            // A client that does not use the topic need not have the right to see it.
            Err(error) => {
                tracing::debug!(%error, "not looked at");
                continue;
            }
        }
        let deviation = match left(&config.kafka, lane, &topic) {
            Ok((0, _)) => continue,
            Ok((records, is_all)) => Deviation::Left { records, is_all },
            Err(error) => Deviation::Uncounted { reason: error.to_string() },
        };
        let remedy = "run the verdict role with verdict.retries = true until they are judged, or delete the topic".to_owned();
        problems.push(Problem { topic, deviation, remedy });
    }
    problems
}

/// Counts the committed records that the group is not done with, and returns whether these are all.
/// Offsets do not give the number, because the ends of transactions have offsets too.
fn left(kafka: &Kafka, lane: &Group, topic: &str) -> Result<(usize, bool), Error> {
    let log_id = LogIds::new(kafka)?.of(topic)?;
    let observer = LoggingContext::consumer(&settings::plain_reader(kafka)?)?;
    let (mut spans, mut done) = (BTreeMap::new(), BTreeMap::new());
    for (partition, commit) in (0..).zip(lane.positions(kafka, topic)?) {
        let commit = commit.filter(|commit| !commit.position.is_of_another(log_id));
        let next = commit.as_ref().map_or(0, |commit| commit.position.next);
        done.extend(commit.map(|commit| (partition, commit.written)));
        // This does not wait for an open transaction, which may last long.
        let (_, stable) = log(&observer, topic, partition, METADATA_PATIENCE)?;
        spans.insert(partition, (next, stable));
    }
    let mut range = Range::open(kafka, &Arc::from(topic), &Span::Offsets(spans))?;
    let (mut records, mut bytes) = (0, 0);
    while let Some(record) = range.next()? {
        if done.get(&record.partition).is_some_and(|written| written.contains(record.offset)) {
            continue;
        }
        if records == ENOUGH || bytes >= ENOUGH_BYTES {
            return Ok((records, false));
        }
        records += 1;
        bytes += record.weight();
    }
    Ok((records, true))
}
