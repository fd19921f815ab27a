//! Plans, checks, creates and grows the topics.
//!
//! `plan` holds the table of topics, and `check` compares it with the topics that `admin` finds.
//! `left` counts the records that nobody reads any more, and `strimzi` writes the table for
//! Kubernetes.

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

/// Reports what is wrong with the topics, and while retries are off, which records are left in the
/// retry lane. `lane` is the group that reads the retry topics. The call blocks until the brokers
/// answer.
///
/// # Errors
/// No broker answers. A missing topic is a finding and not an error.
pub fn check(config: &Config, lane: &Group) -> Result<Report, Error> {
    let plan = plan(config);
    let admin = Admin::new(&config.kafka)?;
    let mut report = compare(config, &plan, &admin.cluster(&plan)?);
    if !config.verdict.retries {
        report.warnings.extend(left::in_lane(config, &admin, lane));
    }
    Ok(report)
}

/// Returns the number of partitions of a topic.
///
/// # Errors
/// No broker answers, or the topic does not exist.
pub fn partitions(kafka: &Kafka, topic: &str) -> Result<i32, Error> {
    let reader = LoggingContext::consumer(&settings::plain_reader(kafka)?)?;
    lookup::partitions(&reader, topic)
}

/// The outcome for a topic that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation {
    /// It existed and was left as it is.
    Kept(Found),
    /// It would be made.
    Planned,
    /// It was made.
    Made,
    /// It could not be made, for this reason.
    Failed(String),
}

/// Makes the topics that are missing and leaves the others as they are. With `dry` it only returns
/// which those are.
///
/// # Errors
/// No broker answers. A topic that cannot be made is a [`Creation`].
pub fn create(config: &Config, layout: &Layout, dry: bool) -> Result<Vec<(Topic, Creation)>, Error> {
    let plan = plan(config);
    let admin = Admin::new(&config.kafka)?;
    let mut cluster = admin.cluster(&plan)?;
    let missing: Vec<&Topic> = plan.iter().filter(|topic| !cluster.topics.contains_key(&topic.name)).collect();
    let mut made =
        if dry || missing.is_empty() { Vec::new() } else { admin.create(&missing, config.kafka.max_record_bytes, layout)? }
            .into_iter();
    let outcome = |topic: &Topic| match cluster.topics.remove(&topic.name) {
        Some(found) => Creation::Kept(found),
        None => match made.next() {
            Some(Ok(())) => Creation::Made,
            Some(Err(reason)) => Creation::Failed(reason),
            None => Creation::Planned,
        },
    };
    let outcomes: Vec<Creation> = plan.iter().map(outcome).collect();
    let made =
        plan.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Creation::Made).map(|(topic, _)| topic.name.as_str());
    wait_for(&admin, &plan, &made.collect::<Vec<_>>())?;
    Ok(plan.into_iter().zip(outcomes).collect())
}

/// The longest wait until the brokers name a topic that was made.
const KNOWN: Duration = Duration::from_secs(10);

/// Waits until the brokers name these topics. They do so some time after they have agreed to make
/// them, and until then a client that asks is told that the topics do not exist.
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

/// The growth of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// The topic.
    pub topic: Topic,
    /// The number of its partitions; None when it does not exist.
    pub from: Option<i32>,
    /// The number of partitions that it will have; None when it stays as it is.
    pub to: Option<i32>,
}

/// The key of the topic that the role with state reads.
const INPUT: &str = "failures";

/// Returns the growth of each topic, in the order in which the topics must grow: state first and
/// its input last, so that no partition of the input exists before its state and its reports have
/// one. No topic shrinks.
pub fn growth(plan: &[Topic], cluster: &Cluster, partitions: i32) -> Vec<Growth> {
    let mut growth: Vec<Growth> = plan
        .iter()
        .map(|topic| {
            let from = cluster.topics.get(&topic.name).map(|found| found.partitions);
            Growth { topic: topic.clone(), from, to: from.filter(|from| *from < partitions).map(|_| partitions) }
        })
        .collect();
    // A new partition of the input needs a partition of the same number in the topics beside it.
    growth.sort_by_key(|growth| (growth.topic.cleanup != Cleanup::Compact, growth.topic.key == INPUT));
    growth
}

/// Gives every topic that has fewer than `partitions` partitions that number. With `dry` it only
/// returns which topics those are. Before the input grows, it writes a record from `layout` into
/// every partition of the state's topic. These records give the new number of partitions; a role
/// that finds another number stops.
///
/// # Errors
/// No broker answers, or a topic cannot grow. The topics before it have grown by then, and the same
/// call continues from there.
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
        // The partitions are new, and their leaders may not be known yet.
        Producer::new(&config.kafka)?.write_all(&records, Duration::from_millis(config.kafka.delivery_timeout_ms) * 2)?;
    }
    others.into_iter().try_for_each(grow)?;
    Ok(growth)
}
