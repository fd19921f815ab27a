//! The topics themselves: what they should be, what they are, and how one becomes the other.
//!
//! `plan` is the table, `check` compares it with what `admin` finds, `left` looks for what nobody reads any more, `strimzi` writes the
//! table for Kubernetes.

mod admin;
mod check;
pub(crate) mod existing;
mod left;
mod plan;
mod strimzi;

pub use check::{Cluster, Deviation, Found, Problem, Report, compare};
pub use plan::{Cleanup, Layout, Size, Topic, plan};
pub use strimzi::strimzi;

use crate::config::{Config, Kafka};
use crate::event::Output;
use crate::kafka::base::error::Error;
use crate::kafka::client::context::LoggingContext;
use crate::kafka::client::group::Group;
use crate::kafka::client::{lookup, settings};
use crate::kafka::transaction::delivery::Producer;
use admin::Admin;
use std::time::{Duration, Instant};

/// Looks at the topics and says what is wrong with them, and what the retry lane, which its group reads, holds when it is off. Blocks
/// until the brokers answer.
///
/// # Errors
/// No broker answers. A topic that is missing is a finding, not an error.
pub fn check(config: &Config, lane: &Group) -> Result<Report, Error> {
    let plan = plan(config);
    let admin = Admin::new(&config.kafka)?;
    let mut report = compare(config, &plan, &admin.cluster(&plan)?);
    if !config.verdict.retries {
        report.warnings.extend(left::in_lane(config, &admin, lane));
    }
    Ok(report)
}

/// Partitions of a topic.
///
/// # Errors
/// No broker answers, or there is no such topic.
pub fn partitions(kafka: &Kafka, topic: &str) -> Result<i32, Error> {
    let reader = LoggingContext::consumer(&settings::plain_reader(kafka)?)?;
    lookup::partitions(&reader, topic)
}

/// What became, or would become, of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was there and was left alone.
    Kept(Found),
    /// It is to be made.
    Planned,
    /// It was made.
    Made,
    /// It could not be made.
    Failed(String),
}

/// Makes the topics that are missing and leaves the others alone; with `dry` it only says which those are.
///
/// # Errors
/// No broker answers. A topic that cannot be made is an [`Outcome`].
pub fn create(config: &Config, layout: &Layout, dry: bool) -> Result<Vec<(Topic, Outcome)>, Error> {
    let plan = plan(config);
    let admin = Admin::new(&config.kafka)?;
    let mut cluster = admin.cluster(&plan)?;
    let missing: Vec<&Topic> = plan.iter().filter(|topic| !cluster.topics.contains_key(&topic.name)).collect();
    let mut made =
        if dry || missing.is_empty() { Vec::new() } else { admin.create(&missing, config.kafka.max_record_bytes, layout)? }
            .into_iter();
    let outcome = |topic: &Topic| match cluster.topics.remove(&topic.name) {
        Some(found) => Outcome::Kept(found),
        None => match made.next() {
            Some(Ok(())) => Outcome::Made,
            Some(Err(reason)) => Outcome::Failed(reason),
            None => Outcome::Planned,
        },
    };
    let outcomes: Vec<Outcome> = plan.iter().map(outcome).collect();
    let made = plan.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::Made).map(|(topic, _)| topic.name.as_str());
    wait_for(&admin, &plan, &made.collect::<Vec<_>>())?;
    Ok(plan.into_iter().zip(outcomes).collect())
}

/// Longest wait until every broker may know of a topic that was made.
const KNOWN: Duration = Duration::from_secs(10);

/// Waits until the brokers name these topics: they do so some time after they have agreed to make them, and whoever looks meanwhile
/// is told that there are none.
fn wait_for(admin: &Admin, plan: &[Topic], made: &[&str]) -> Result<(), Error> {
    let deadline = Instant::now() + KNOWN;
    while !made.is_empty() && Instant::now() < deadline {
        let cluster = admin.cluster(plan)?;
        if made.iter().all(|name| cluster.topics.contains_key(*name)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// More partitions for a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// The topic.
    pub topic: Topic,
    /// Its partitions, none when it does not exist.
    pub from: Option<i32>,
    /// Partitions that it is to have; none when it stays as it is.
    pub to: Option<i32>,
}

/// The input of the role that keeps state.
const INPUT: &str = "failures";

/// Which topics are to grow, in the order in which they are grown: state first and its input last, so that no input is there whose
/// state or reports have no place yet. None shrinks.
pub fn growth(plan: &[Topic], cluster: &Cluster, partitions: i32) -> Vec<Growth> {
    let mut growth: Vec<Growth> = plan
        .iter()
        .map(|topic| {
            let from = cluster.topics.get(&topic.name).map(|found| found.partitions);
            Growth { topic: topic.clone(), from, to: from.filter(|from| *from < partitions).map(|_| partitions) }
        })
        .collect();
    // A partition that is new in the input needs its siblings in the topics beside it.
    growth.sort_by_key(|growth| (growth.topic.cleanup != Cleanup::Compact, growth.topic.key == INPUT));
    growth
}

/// Gives every topic `partitions` partitions that has fewer; with `dry` it only says which those are. In every partition of the topics
/// of state, `layout` says how many there are now, before the input grows: a role that finds another count stops.
///
/// # Errors
/// No broker answers, or a topic cannot be grown; those before it are, and the same call goes on from there.
pub fn grow(config: &Config, partitions: i32, dry: bool, layout: &dyn Fn(i32) -> Output) -> Result<Vec<Growth>, Error> {
    let plan = plan(config);
    let admin = Admin::new(&config.kafka)?;
    let growth = growth(&plan, &admin.cluster(&plan)?, partitions);
    if dry {
        return Ok(growth);
    }
    let (state, others): (Vec<&Growth>, Vec<&Growth>) =
        growth.iter().partition(|growth| growth.topic.cleanup == Cleanup::Compact);
    let grow = |Growth { topic, to, .. }: &Growth| to.map_or(Ok(()), |to| admin.grow(&topic.name, to));
    for topic in &state {
        grow(topic)?;
    }
    if state.iter().any(|topic| topic.to.or(topic.from) == Some(partitions)) {
        let records: Vec<Output> = (0..partitions).map(layout).collect();
        // The partitions are new: their leaders may not be known yet.
        Producer::new(&config.kafka)?.write_all(&records, Duration::from_millis(config.kafka.delivery_timeout_ms) * 2)?;
    }
    others.into_iter().try_for_each(grow)?;
    Ok(growth)
}
