//! A broker inside the process: librdkafka's mock cluster. Groups, reading and writing work; transactions are not modelled and
//! each partition keeps 5 MB. For the demo and for tests.

use crate::kafka::base::error::Error;
use rdkafka::mocking::MockCluster;
use std::sync::{Mutex, PoisonError, mpsc};

/// Partitions of every topic.
pub const PARTITIONS: i32 = 4;

/// Where those of this process are.
static RUNNING: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Whether one of this process is there.
pub(crate) fn is_at(brokers: &str) -> bool {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|running| running == brokers)
}

/// A running broker. It lasts until the process ends.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// What `kafka.brokers` must say.
    pub brokers: String,
}

impl Embedded {
    /// Starts a broker with `topics`.
    ///
    /// # Errors
    /// The library could not start it.
    pub fn start(topics: &[String]) -> Result<Self, Error> {
        let topics = topics.to_vec();
        let (sender, receiver) = mpsc::channel();
        // The library's handle must stay on one thread, and ending it while clients are connected can hang: it is left alone.
        std::thread::Builder::new()
            .name("embedded broker".to_owned())
            .spawn(move || match cluster(&topics) {
                Ok((cluster, brokers)) => {
                    let _ = sender.send(Ok(brokers));
                    std::mem::forget(cluster);
                }
                Err(reason) => {
                    let _ = sender.send(Err(reason));
                }
            })
            .map_err(|error| Error::Embedded(error.to_string()))?;
        let brokers = receiver.recv().map_err(|error| Error::Embedded(error.to_string()))?;
        let brokers = brokers.map_err(|error| Error::Embedded(error.to_string()))?;
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).push(brokers.clone());
        Ok(Self { brokers })
    }
}

type Cluster = MockCluster<'static, rdkafka::producer::DefaultProducerContext>;

fn cluster(topics: &[String]) -> rdkafka::error::KafkaResult<(Cluster, String)> {
    let cluster = MockCluster::new(1)?;
    for topic in topics {
        cluster.create_topic(topic, PARTITIONS, 1)?;
    }
    let brokers = cluster.bootstrap_servers();
    Ok((cluster, brokers))
}
