//! Runs a broker inside the process, for the demo and for tests: librdkafka's mock cluster.
//!
//! Groups, reading and writing work. Transactions are not modelled, and each partition keeps 5 MB.

use crate::kafka::base::error::Error;
use rdkafka::mocking::MockCluster;
use std::sync::{Mutex, PoisonError, mpsc};

/// The number of partitions of every topic.
pub const PARTITIONS: i32 = 4;

/// The addresses of the brokers that run in this process.
static RUNNING: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Returns whether `brokers` is the address of a broker in this process.
pub(crate) fn is_at(brokers: &str) -> bool {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|running| running == brokers)
}

/// A running broker, which lasts until the process ends.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// The broker's address, as `kafka.brokers` must give it.
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
        // The library's handle must stay on one thread. To drop it while clients are connected can
        // hang, so it is leaked.
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
