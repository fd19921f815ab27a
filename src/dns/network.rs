//! DNS servers, by hickory-resolver's pool of connections.
//!
//! Only its transport is used (servers, ports, retries, TCP after truncation): aliases, limits, who may ask and what an answer
//! means are decided here, and nothing is kept; put a [`super::Cache`] in front.

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

/// Servers that a question goes to at the same time.
const SERVERS_AT_ONCE: usize = 2;

/// Sockets that a question may have open to one server: each time that it is sent over UDP it has one of its own.
const SOCKETS_A_SERVER: usize = 3;

/// Pause after a fault of this host, which may have passed then.
const LOCAL_PAUSE: Duration = Duration::from_millis(50);

/// Time between two warnings of such faults.
const WARNING_PAUSE: Duration = Duration::from_mins(1);

/// How servers are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkOptions {
    /// Longest time for one try. Over UDP, a try that hears nothing sends its question up to twice more.
    pub timeout: Duration,
    /// Tries in all, at least one.
    pub attempts: usize,
    /// Whether EDNS is used, which lets answers up to 1232 octets come without TCP.
    pub edns: bool,
    /// Whether letters of the name are sent in random case and must come back so, against forged answers.
    pub case_randomization: bool,
    /// Questions in flight.
    pub places: PlaceLimits,
    /// File descriptors that sockets may take. Fewer questions are in flight where [`PlaceLimits::all`] could need more.
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
    /// The questions in flight for which the descriptors suffice.
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

/// No servers could be had.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The system's resolver configuration (`/etc/resolv.conf`) cannot be used.
    #[error("cannot read the system's resolver configuration: {0}; name DNS servers in the settings instead")]
    System(NetError),
    /// There is not a single server.
    #[error("no DNS server is configured")]
    NoServers,
    /// TLS, which the pool of connections asks for, could not be set up.
    #[error("cannot set up connections to DNS servers: {0}")]
    Setup(NetError),
}

/// Asks recursive DNS servers. Names are absolute; no hosts file, search list or cache takes part.
///
/// Its connections live in the tokio runtime in which it is first used.
pub struct NetworkResolver {
    handle: RetryDnsHandle<NameServerPool<Sockets>>,
    sockets: Sockets,
    request: DnsRequestOptions,
    longest: Duration,
    places: Places,
    /// When a fault of this host was last warned of.
    warned: Mutex<Option<Instant>>,
}

/// How a question gave its place back.
enum Asked {
    Answered(Answer),
    /// Others waited, and there was no answer for a while.
    Yielded,
    /// This host could not send it.
    Unsent,
}

/// A fault of this host, which says nothing about the domain or its servers.
struct LocalFault;

impl NetworkResolver {
    /// A resolver that asks the servers of the system.
    pub fn from_system(options: NetworkOptions) -> Result<Self, NetworkError> {
        let (config, _) = hickory_resolver::system_conf::read_system_conf().map_err(NetworkError::System)?;
        Self::new(config.name_servers, options)
    }

    /// A resolver that asks these servers, over UDP and, when an answer is too big for that, over TCP.
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
            // Each try may go out twice, over UDP and then over TCP.
            longest: options.timeout.saturating_mul(u32::try_from(attempts).unwrap_or(u32::MAX).saturating_mul(2)),
            places,
            warned: Mutex::new(None),
        })
    }

    /// Asks when there is a place, again after a place was given back, and again after a fault of this host: that is no answer, and
    /// how long to wait for one is for those who ask to say.
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

    /// Asks for no longer than `left`.
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

    /// The answer at the end of the chain of aliases, or the fault of this host that kept it from being asked for.
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

    /// Whether this host may be why a question failed, when `faults` of its sockets were counted before.
    fn could_be_local(&self, error: &NetError, faults: u64) -> bool {
        match error {
            // Of UDP sockets only this host refuses one, because they are not connected to the server.
            NetError::Busy | NetError::NoConnections => true,
            // TCP could not be had, from the server or from this host.
            NetError::Dns(_) | NetError::Proto(_) | NetError::ForeignClassRecord { .. } | NetError::Timeout => false,
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
        // Without DO, AD in a question asks for AD in the answer (RFC 6840 5.7).
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

/// A question that is counted when it ends, or when nobody waits for its answer any more.
struct Measured {
    begun: Instant,
    outcome: usize,
}

/// The deadline passed, as [`crate::metrics::labels::DNS`] lists it.
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

/// What an outcome says about the domain that was asked. A resolver says SERVFAIL for servers that it does not reach.
fn heard(outcome: &Outcome) -> Heard {
    match outcome {
        Outcome::Records(_) | Outcome::NoData | Outcome::NxDomain | Outcome::Invalid => Heard::Answer,
        Outcome::TempError(Unanswered::Timeout) => Heard::Timeout,
        Outcome::TempError(_) => Heard::Failure,
    }
}
