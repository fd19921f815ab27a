//! Asks DNS servers through hickory-resolver's pool of connections.
//!
//! Only its transport is used: servers, ports, retries, and TCP after truncation.
//! This module decides about aliases and limits, which question is next, and what an answer means.
//! It keeps no answers: put a [`super::Cache`] in front of it.

mod response;
mod sockets;
#[cfg(test)]
mod tests;

use self::response::{Chain, wire_type};
use self::sockets::Sockets;
use super::places::{Heard, Place, PlaceLimits, Places, SLICE};
use super::{Answer, Outcome, Question, RecordType, Resolver, Unanswered};
use crate::metrics::{self, DNS_IN_FLIGHT, DNS_QUESTIONS, DNS_WAITING, Histogram};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use hickory_resolver::config::{NameServerConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::xfer::{DnsHandle as _, RetryDnsHandle};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Query};
use hickory_resolver::proto::rr::Name;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use nix::errno::Errno;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const MAX_TCP_QUESTIONS: usize = 256;

/// The number of servers that a question goes to at the same time.
const SERVERS_AT_ONCE: usize = 2;

/// The number of sockets that a question may have open to one server.
///
/// Each time that the question is sent over UDP, it has a socket of its own.
const SOCKETS_A_SERVER: usize = 3;

/// The pause after a fault of this host, which may be over then.
const LOCAL_PAUSE: Duration = Duration::from_millis(50);

/// The time between two warnings about such faults.
const WARNING_PAUSE: Duration = Duration::from_mins(1);

/// The options for asking servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkOptions {
    /// The longest time for one try.
    /// A try over UDP that gets no answer sends its question up to twice more.
    pub timeout: Duration,
    /// The number of tries in all, at least one.
    pub attempts: usize,
    /// True to use EDNS, with which answers of up to 1232 octets come without TCP.
    pub edns: bool,
    /// True to send the letters of a name in random case, in which they must come back.
    /// That makes it harder to forge answers.
    pub case_randomization: bool,
    /// The limits on questions in flight.
    pub places: PlaceLimits,
    /// The number of file descriptors that sockets may take.
    /// If [`PlaceLimits::all`] could need more, fewer questions are in flight.
    pub descriptors: usize,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(3),
            attempts: 3,
            edns: true,
            case_randomization: false,
            places: PlaceLimits::default(),
            descriptors: usize::MAX,
        }
    }
}

impl NetworkOptions {
    /// Returns the limits on questions in flight, lowered if the descriptors do not suffice.
    fn affordable(&self, servers: usize) -> PlaceLimits {
        let affordable = self.descriptors / (SOCKETS_A_SERVER * servers.clamp(1, SERVERS_AT_ONCE));
        if affordable < self.places.all {
            tracing::warn!(
                limit = affordable.max(1),
                "fewer DNS questions than dns.in_flight are asked at once, because the limit of open files is too low for more"
            );
        }
        PlaceLimits { all: self.places.all.min(affordable), ..self.places }
    }
}

/// The reason why no resolver can ask servers.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The system's resolver configuration (`/etc/resolv.conf`) cannot be used.
    #[error("cannot read the system's resolver configuration: {0}; name DNS servers in the settings instead")]
    System(NetError),
    /// There is no server.
    #[error("no DNS server is configured")]
    NoServers,
    /// TLS could not be set up, which the pool of connections requires.
    #[error("cannot set up connections to DNS servers: {0}")]
    Setup(NetError),
}

/// A resolver that asks recursive DNS servers.
///
/// Names are absolute. It uses no hosts file, no search list and no cache.
/// Its connections live in the tokio runtime in which it is first used.
pub struct NetworkResolver {
    handle: RetryDnsHandle<NameServerPool<Sockets>>,
    sockets: Sockets,
    request: DnsRequestOptions,
    longest: Duration,
    places: Places,
    /// The time of the last warning about a fault of this host.
    warned: Mutex<Option<Instant>>,
}

/// The way in which a question gave its place back.
enum Asked {
    Answered(Answer),
    /// Other questions waited, and there was no answer for a while.
    Yielded,
    /// This host could not send the question.
    Unsent,
}

/// The error of a fault of this host, which says nothing about the domain or its servers.
struct LocalFault;

impl NetworkResolver {
    /// Creates a resolver that asks the servers of the system.
    pub fn from_system(options: NetworkOptions) -> Result<Self, NetworkError> {
        let (config, _) = hickory_resolver::system_conf::read_system_conf().map_err(NetworkError::System)?;
        Self::new(config.name_servers, options)
    }

    /// Creates a resolver that asks these servers over UDP, and over TCP if an answer is too big.
    pub fn with_servers(servers: &[SocketAddr], options: NetworkOptions) -> Result<Self, NetworkError> {
        let server = |server: &SocketAddr| {
            let mut config = NameServerConfig::udp_and_tcp(server.ip());
            for connection in &mut config.connections {
                connection.port = server.port();
            }
            config
        };
        Self::new(servers.iter().map(server).collect(), options)
    }

    fn new(servers: Vec<NameServerConfig>, options: NetworkOptions) -> Result<Self, NetworkError> {
        if servers.is_empty() {
            return Err(NetworkError::NoServers);
        }
        let attempts = options.attempts.max(1);
        let mut pool_options = ResolverOpts::default();
        pool_options.timeout = options.timeout;
        pool_options.case_randomization = options.case_randomization;
        pool_options.max_active_requests = MAX_TCP_QUESTIONS;
        pool_options.num_concurrent_reqs = SERVERS_AT_ONCE;
        let places = Places::new(options.affordable(servers.len()));
        let context = PoolContext::new(pool_options, TlsConfig::new().map_err(NetworkError::Setup)?);
        let sockets = Sockets::default();
        let pool = NameServerPool::from_config(servers, Arc::new(context), sockets.clone());
        let mut request = DnsRequestOptions::default();
        request.use_edns = options.edns;
        request.recursion_desired = true;
        request.case_randomization = options.case_randomization;
        Ok(Self {
            handle: RetryDnsHandle::new(pool, attempts - 1),
            sockets,
            request,
            // Each try may go out twice: over UDP, and then over TCP.
            longest: options.timeout.saturating_mul(u32::try_from(attempts).unwrap_or(u32::MAX).saturating_mul(2)),
            places,
            warned: Mutex::new(None),
        })
    }

    /// Asks when there is a place.
    ///
    /// It asks again after it gave its place back, and after a fault of this host, because such a
    /// fault is no answer.
    /// The callers decide how long they wait for an answer.
    async fn ask(&self, question: &Question) -> Answer {
        let (mut left, mut vain) = (self.longest, 0);
        loop {
            let waits = DNS_WAITING.enter();
            let mut place = self.places.take(&question.name, vain).await;
            drop(waits);
            let _in_flight = DNS_IN_FLIGHT.enter();
            let start = Instant::now();
            match self.ask_from(&mut place, question, left).await {
                Asked::Answered(answer) => return answer,
                Asked::Yielded => vain += 1,
                Asked::Unsent => {
                    drop(place);
                    self.warn();
                    sleep(LOCAL_PAUSE).await;
                    continue;
                }
            }
            left = left.saturating_sub(start.elapsed());
        }
    }

    /// Asks from this place, for no longer than `left`.
    async fn ask_from(&self, place: &mut Place, question: &Question, left: Duration) -> Asked {
        let start = Instant::now();
        let mut following = pin!(self.follow(question));
        loop {
            let rest = left.saturating_sub(start.elapsed());
            match timeout(rest.min(SLICE), &mut following).await {
                Ok(Ok(answer)) => {
                    place.hear(heard(&answer.outcome));
                    return Asked::Answered(answer);
                }
                Ok(Err(LocalFault)) => return Asked::Unsent,
                Err(_) if start.elapsed() >= left => {
                    place.hear(Heard::Timeout);
                    return Asked::Answered(Answer::new(Outcome::TempError(Unanswered::Timeout)));
                }
                Err(_) if place.contended() => return Asked::Yielded,
                Err(_) => {}
            }
        }
    }

    /// Returns the answer at the end of the chain of aliases.
    ///
    /// Returns the error if a fault of this host prevented the question.
    async fn follow(&self, question: &Question) -> Result<Answer, LocalFault> {
        let labels = question.name.as_str().split('.').map(str::as_bytes);
        let Ok(name) = Name::from_labels(labels) else {
            return Ok(Answer::new(Outcome::Invalid));
        };
        let mut chain = Chain::of(name);
        loop {
            let faults = self.sockets.faults();
            let answer = match self.send(chain.name.clone(), question.rtype).await {
                Ok(response) => chain.read(&response, question.rtype),
                Err(error) if self.could_be_local(&error, faults) => return Err(LocalFault),
                Err(error) => Some(chain.failed(&error)),
            };
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
    }

    /// Returns whether a fault of this host may be the reason why a question failed.
    ///
    /// `faults` is the number of faults of its sockets before the question.
    fn could_be_local(&self, error: &NetError, faults: u64) -> bool {
        match error {
            // UDP sockets are not connected to the server, so only this host can refuse one.
            NetError::Busy | NetError::NoConnections => true,
            // The server answered, or no answer came in time.
            NetError::Dns(_) | NetError::Proto(_) | NetError::ForeignClassRecord { .. } | NetError::Timeout => false,
            // The TCP connection failed, because of the server or of this host.
            _ => self.sockets.faults() > faults,
        }
    }

    fn warn(&self) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|warned| warned.elapsed() >= WARNING_PAUSE) {
            *warned = Some(Instant::now());
            let fault = self.sockets.last_fault().map(Errno::desc);
            tracing::warn!(fault, "this host has no sockets for DNS questions, or does not let them out; they are asked again");
        }
    }

    async fn send(&self, name: Name, rtype: RecordType) -> Result<DnsResponse, NetError> {
        let mut request = DnsRequest::from_query(Query::query(name, wire_type(rtype)), self.request);
        // Without the DO bit, the AD bit of a question asks for AD in the answer (RFC 6840 5.7).
        request.metadata.authentic_data = true;
        self.handle.send(request).next().await.unwrap_or(Err(NetError::NoConnections))
    }
}

impl Resolver for NetworkResolver {
    fn at_hand(&self, _: &Question) -> Option<Arc<Answer>> {
        None
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        async move {
            let measured = Measured { begun: Instant::now(), outcome: DEADLINE };
            let answer = self.ask(question).await;
            measured.ended(&answer.outcome);
            Arc::new(answer)
        }
        .boxed()
    }
}

/// A question that is counted when it ends, or when nobody waits for its answer any longer.
struct Measured {
    begun: Instant,
    outcome: usize,
}

/// The index of a deadline that passed in [`crate::metrics::labels::DNS`].
const DEADLINE: usize = 8;

impl Measured {
    fn ended(mut self, outcome: &Outcome) {
        self.outcome = match outcome {
            Outcome::Records(_) => 0,
            Outcome::NoData => 1,
            Outcome::NxDomain => 2,
            Outcome::Invalid => 3,
            Outcome::TempError(Unanswered::Timeout) => 4,
            Outcome::TempError(Unanswered::ServFail) => 5,
            Outcome::TempError(Unanswered::Refused) => 6,
            Outcome::TempError(Unanswered::Network) => 7,
            Outcome::TempError(Unanswered::Deadline | Unanswered::Budget) => DEADLINE,
        };
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        DNS_QUESTIONS.add(self.outcome);
        metrics::record(Histogram::Dns, self.begun.elapsed());
    }
}

/// Returns what an outcome says about the domain that was asked.
///
/// A resolver says SERVFAIL for servers that it does not reach.
fn heard(outcome: &Outcome) -> Heard {
    match outcome {
        Outcome::Records(_) | Outcome::NoData | Outcome::NxDomain | Outcome::Invalid => Heard::Answer,
        Outcome::TempError(Unanswered::Timeout) => Heard::Timeout,
        Outcome::TempError(_) => Heard::Failure,
    }
}
