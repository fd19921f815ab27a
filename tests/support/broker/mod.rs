//! Apache Kafka itself for tests: one node or three, in JVMs that end with the test binary, however it ends.
//!
//! `scripts/kafka` fetches what it needs; the first start in a fresh checkout does so too. A node answers about four seconds after
//! its start. Nothing here sleeps to be right: everything waits for a condition, and fails when its deadline has passed.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "test support, of which each test binary uses a part")]

mod certificates;
mod client;
mod node;
mod settings;
mod wire;

pub use certificates::Certificates;
pub use client::{Acl, Client, Found, Resource, Right, send};
pub use settings::Options;
pub use wire::Transaction;

use node::{Failure, Node};
use std::ops::Deref;
use std::path::Path;
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// What a start, a stop or a read may take on a slow machine that runs several JVMs.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The user of the SASL listener.
pub const USER: &str = "verdmarc";

/// The password of [`USER`].
pub const PASSWORD: &str = "open sesame";

/// Starts with other ports after a clash before it gives up.
const ATTEMPTS: usize = 5;

/// What `ask` gives when it first gives something. It is asked again and again for [`PATIENCE`].
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a test, which fails when it has not ended after `limit`.
pub fn within(limit: Duration, test: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        test();
        let _ = sender.send(());
    });
    // A test that panics ends too: its half of the channel is gone.
    let late = receiver.recv_timeout(limit) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
    assert!(!late, "the test did not end within {limit:?}");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Tests that run, of this binary.
static RUNNING: RwLock<()> = RwLock::new(());

/// Runs a test while no other of its binary runs: with its processes and brokers it needs all cores, and others would make it late.
pub fn alone(limit: Duration, test: impl FnOnce() + Send + 'static) {
    let _guard = RUNNING.write().unwrap_or_else(PoisonError::into_inner);
    within(limit, test);
}

/// Runs a test beside as many others as the test runner starts: it mostly waits for sessions and time-outs.
pub fn beside_others(limit: Duration, test: impl FnOnce() + Send + 'static) {
    let _guard = RUNNING.read().unwrap_or_else(PoisonError::into_inner);
    within(limit, test);
}

/// The broker that the tests of one binary share. Each test makes topics and groups of its own names, and none stops it.
pub fn shared() -> &'static Broker {
    static SHARED: LazyLock<Broker> = LazyLock::new(|| Broker::start(Options::default()));
    &SHARED
}

/// A single node. Its [`Client`] asks it what it holds. It ends, and its data is removed, when this is dropped.
pub struct Broker {
    cluster: Cluster,
}

impl Deref for Broker {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.cluster.client
    }
}

impl Broker {
    /// Starts it and waits until it answers.
    pub fn start(options: Options) -> Self {
        Self { cluster: Cluster::launch(1, options) }
    }

    /// Lets it shut down in order (SIGTERM), and waits for that.
    pub fn stop(&self) {
        self.cluster.stop(0);
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&self) {
        self.cluster.kill(0);
    }

    /// Holds it still (SIGSTOP): connections stay open, nothing answers.
    pub fn pause(&self) {
        self.cluster.pause(0);
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.cluster.resume(0);
    }

    /// Starts it again with the same ports and data, after a stop in order when it still runs, and waits until it answers.
    pub fn restart(&self) {
        self.cluster.restart(0);
    }

    /// The address of the listener with TLS and SASL, by SCRAM-SHA-512 for [`USER`] and [`PASSWORD`]; only with [`Options::tls_sasl`].
    pub fn sasl_bootstrap(&self) -> String {
        self.cluster.nodes[0].sasl_address()
    }

    /// The authority that signed that listener's certificate, for `ssl.ca.location`.
    pub fn ca_pem(&self) -> &Path {
        self.cluster.nodes[0].ca_pem()
    }
}

/// Several nodes, each a broker and a controller. Topics are replicated to three of them and need two.
pub struct Cluster {
    client: Client,
    nodes: Vec<Node>,
}

impl Deref for Cluster {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Cluster {
    /// Starts `count` nodes and waits until they know each other.
    pub fn start(count: usize) -> Self {
        Self::launch(count, Options::default())
    }

    /// Lets node `index` shut down in order.
    pub fn stop(&self, index: usize) {
        self.nodes[index].stop();
    }

    /// Ends node `index` at once.
    pub fn kill(&self, index: usize) {
        self.nodes[index].kill();
    }

    /// Holds node `index` still.
    pub fn pause(&self, index: usize) {
        self.nodes[index].pause();
    }

    /// Lets node `index` go on.
    pub fn resume(&self, index: usize) {
        self.nodes[index].resume();
    }

    /// Starts node `index` again with the same ports and data and waits until it is one of the cluster.
    pub fn restart(&self, index: usize) {
        let node = &self.nodes[index];
        node.stop();
        eventually("a free port to start again on", || {
            node.spawn();
            match self.answers(index, None) {
                Ok(()) => Some(()),
                Err(Failure::PortTaken) => None,
                Err(Failure::Ended(log)) => panic!("the broker does not start again: {log}"),
            }
        });
    }

    fn launch(count: usize, options: Options) -> Self {
        node::fetch_jars();
        for _ in 0..ATTEMPTS {
            let nodes = Node::several(count, options);
            let client = Client::new(nodes.iter().map(Node::address).collect());
            let cluster = Self { client, nodes };
            let started = (0..count).try_for_each(|index| cluster.answers(index, Some(count)));
            match started {
                Ok(()) => return cluster,
                Err(Failure::PortTaken) => {}
                Err(Failure::Ended(log)) => panic!("the broker does not start: {log}"),
            }
        }
        panic!("in {ATTEMPTS} attempts the broker's ports were taken each time");
    }

    /// Waits until node `index` says that it belongs to the cluster, which has `count` nodes.
    fn answers(&self, index: usize, count: Option<usize>) -> Result<(), Failure> {
        let node = &self.nodes[index];
        let members = Client::new(vec![node.address()]).members();
        let deadline = Instant::now() + PATIENCE;
        loop {
            node.lives()?;
            let members = members();
            if members.contains(&node.id()) && count.is_none_or(|count| members.len() == count) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::Ended(node.log_tail()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
