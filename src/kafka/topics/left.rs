//! What is left in the topics of a retry lane that is off: nobody reads them then.

use super::admin::Admin;
use super::check::{Deviation, Problem};
use crate::config::{Config, Kafka};
use crate::kafka::base::error::Error;
use crate::kafka::client::context::LoggingContext;
use crate::kafka::client::group::Group;
use crate::kafka::client::log_id::LogIds;
use crate::kafka::client::lookup::{METADATA_PATIENCE, log};
use crate::kafka::client::settings;
use crate::kafka::commands::read_range::{Range, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Records, and bytes of them, after which nobody counts on: each holds a whole message.
const ENOUGH: usize = 1_000;
const ENOUGH_BYTES: usize = 64 << 20;

/// A warning for each topic in which something is left. A topic that this client may not see is none.
pub(crate) fn in_lane(config: &Config, admin: &Admin, lane: &Group) -> Vec<Problem> {
    let mut problems = Vec::new();
    for topic in config.topics.all_retries() {
        match admin.found(&topic) {
            Ok((Some(_), _)) => {}
            Ok((None, _)) => continue,
            // Who does not use it need not be allowed to see it.
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

/// How many committed records lie behind the group's positions, and whether there are no more than that. Offsets do not say it: the ends
/// of transactions have some too.
fn left(kafka: &Kafka, lane: &Group, topic: &str) -> Result<(usize, bool), Error> {
    let log_id = LogIds::new(kafka)?.of(topic)?;
    let observer = LoggingContext::consumer(&settings::plain_reader(kafka)?)?;
    let mut spans = BTreeMap::new();
    for (partition, position) in (0..).zip(lane.positions(kafka, topic)?) {
        let next = position.filter(|position| !position.is_of_another(log_id)).map_or(0, |position| position.next);
        // An open transaction is not waited for: whoever has it may go on for long.
        let (_, stable) = log(&observer, topic, partition, METADATA_PATIENCE)?;
        spans.insert(partition, (next, stable));
    }
    let mut range = Range::open(kafka, &Arc::from(topic), &Span::Offsets(spans))?;
    let (mut records, mut bytes) = (0, 0);
    while let Some(record) = range.next()? {
        if records == ENOUGH || bytes >= ENOUGH_BYTES {
            return Ok((records, false));
        }
        records += 1;
        bytes += record.weight();
    }
    Ok((records, true))
}
