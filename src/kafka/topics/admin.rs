//! Asks the brokers about topics, and makes and grows topics.

use super::check::{Cluster, Found};
use super::plan::{Layout, Topic};
use crate::config::Kafka;
use crate::kafka::base::error::{Error, is_passing, of_client};
use crate::kafka::client::context::LoggingContext;
use crate::kafka::client::lookup::{METADATA_PATIENCE, no_answer};
use crate::kafka::client::settings;
use futures::executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewPartitions, NewTopic, OwnedResourceSpecifier as Resource, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The time between two requests for metadata that is not complete yet.
const AGAIN: Duration = Duration::from_millis(100);
const MINUTE: u64 = 60;

/// The clients for requests about topics.
pub(crate) struct Admin {
    admin: AdminClient<LoggingContext>,
    /// The client that asks for metadata. A producer or an admin client that asks about a topic can
    /// cause its creation.
    observer: BaseConsumer<LoggingContext>,
}

impl Admin {
    pub(crate) fn new(kafka: &Kafka) -> Result<Self, Error> {
        let config = settings::admin(kafka)?;
        let admin = config.create_with_context(LoggingContext::of(&config)).map_err(of_client)?;
        let observer = LoggingContext::consumer(&settings::plain_reader(kafka)?)?;
        Ok(Self { admin, observer })
    }

    /// Looks up the topics of `plan`, their settings, and the settings of a broker.
    pub(crate) fn cluster(&self, plan: &[Topic]) -> Result<Cluster, Error> {
        let mut cluster = Cluster::default();
        let mut broker = None;
        for topic in plan {
            let (found, brokers) = match self.found(&topic.name) {
                Ok(answer) => answer,
                // A client that does not use the topic need not have the right to see it.
                Err(error) if !topic.used => {
                    tracing::debug!(%error, "not looked at");
                    continue;
                }
                Err(error) => return Err(error),
            };
            cluster.brokers = i32::try_from(brokers.len()).ok().filter(|count| *count > 0).max(cluster.brokers);
            broker = broker.or(brokers.into_iter().min());
            if let Some(found) = found {
                cluster.topics.insert(topic.name.clone(), found);
            }
        }
        let names: Vec<String> = cluster.topics.keys().cloned().collect();
        let resources = names.iter().map(|name| ResourceSpecifier::Topic(name));
        for resource in self.settings(&resources.collect::<Vec<_>>()) {
            if let Resource::Topic(name) = &resource.specifier
                && let Some(found) = cluster.topics.get_mut(name)
            {
                found.settings = values(&resource);
            }
        }
        // This is a separate request, because it goes to that broker and needs another permission.
        let brokers: Vec<ResourceSpecifier<'_>> = broker.into_iter().map(ResourceSpecifier::Broker).collect();
        let settings = self.settings(&brokers).iter().find_map(values).unwrap_or_default();
        let minutes: Option<u64> = settings.get("offsets.retention.minutes").and_then(|minutes| minutes.parse().ok());
        cluster.offsets_retention = minutes.map(|minutes| Duration::from_secs(minutes * MINUTE));
        Ok(cluster)
    }

    /// Returns a topic without its settings, or None when it does not exist, and the ids of the
    /// brokers.
    pub(crate) fn found(&self, name: &str) -> Result<(Option<Found>, Vec<i32>), Error> {
        let deadline = Instant::now() + METADATA_PATIENCE;
        loop {
            let metadata = self
                .observer
                .fetch_metadata(Some(name), METADATA_PATIENCE)
                .map_err(|error| no_answer(&self.observer, name, &error))?;
            let brokers = metadata.brokers().iter().map(rdkafka::metadata::MetadataBroker::id).collect();
            let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else { return Ok((None, brokers)) };
            let error = topic.error().map(RDKafkaErrorCode::from);
            match error {
                None => {
                    let partitions = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
                    let fewest = topic.partitions().iter().map(|partition| partition.replicas().len()).min();
                    let replication = i32::try_from(fewest.unwrap_or_default()).unwrap_or(i32::MAX);
                    return Ok((Some(Found { partitions, replication, settings: None }), brokers));
                }
                Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => return Ok((None, brokers)),
                Some(code) if passes(code) && Instant::now() < deadline => std::thread::sleep(AGAIN),
                Some(code) => return Err(no_answer(&self.observer, name, &KafkaError::MetadataFetch(code))),
            }
        }
    }

    /// Returns the settings of `resources`. The list is empty when they may not be read, which is
    /// no reason to stop a role.
    fn settings(&self, resources: &[ResourceSpecifier<'_>]) -> Vec<ConfigResource> {
        if resources.is_empty() {
            return Vec::new();
        }
        match block_on(self.admin.describe_configs(resources, &options())) {
            Ok(answers) => answers.into_iter().flatten().collect(),
            Err(error) => {
                tracing::debug!(%error, "settings cannot be read");
                Vec::new()
            }
        }
    }

    /// Makes topics, and returns the outcome for each, in their order.
    pub(crate) fn create(&self, topics: &[&Topic], largest: u32, layout: &Layout) -> Result<Vec<Result<(), String>>, Error> {
        let settings: Vec<BTreeMap<&str, String>> = topics.iter().map(|topic| topic.settings(largest, layout)).collect();
        let new = topics.iter().zip(&settings).map(|(topic, settings)| {
            let new = NewTopic::new(&topic.name, layout.partitions, TopicReplication::Fixed(layout.replication));
            settings.iter().fold(new, |new, (name, value)| new.set(name, value))
        });
        let new: Vec<NewTopic<'_>> = new.collect();
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        let failed = |error: KafkaError| Error::Topic { topic: names.join(", "), reason: error.to_string() };
        let made = block_on(self.admin.create_topics(&new, &options())).map_err(failed)?;
        Ok(made.into_iter().map(|made| made.map(drop).map_err(|(_, code)| reason(code))).collect())
    }

    /// Adds partitions to a topic until it has `partitions`.
    pub(crate) fn grow(&self, name: &str, partitions: i32) -> Result<(), Error> {
        let new = [NewPartitions::new(name, usize::try_from(partitions).unwrap_or_default())];
        let failed = |reason: String| Error::Topic { topic: name.to_owned(), reason };
        let grown = block_on(self.admin.create_partitions(&new, &options())).map_err(|error| failed(error.to_string()))?;
        grown.into_iter().try_for_each(|grown| grown.map(drop).map_err(|(_, code)| failed(reason(code))))
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(METADATA_PATIENCE * 2)).operation_timeout(Some(METADATA_PATIENCE))
}

fn passes(code: RDKafkaErrorCode) -> bool {
    is_passing(&KafkaError::MetadataFetch(code))
}

/// Returns the settings by name; None when there are none at all, which is the form of a refusal.
fn values(resource: &ConfigResource) -> Option<BTreeMap<String, String>> {
    let entries = resource.entries.iter().filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)));
    Some(entries.collect()).filter(|values: &BTreeMap<_, _>| !values.is_empty())
}

fn reason(code: RDKafkaErrorCode) -> String {
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor => {
            "there are fewer brokers than replicas: give --replication-factor and --min-insync-replicas".to_owned()
        }
        RDKafkaErrorCode::PolicyViolation => "a policy of the brokers (create.topic.policy) forbids it".to_owned(),
        RDKafkaErrorCode::ClusterAuthorizationFailed | RDKafkaErrorCode::TopicAuthorizationFailed => {
            format!("{code}: allow Create, Alter and Describe on the topic")
        }
        other => other.to_string(),
    }
}
