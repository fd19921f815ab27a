//! DNS servers, by hickory-resolver's pool of connections.
//!
//! Only its transport is used (servers, ports, retries, TCP after truncation): aliases, limits and what an answer means
//! are decided here, and nothing is kept; put a [`super::Cache`] in front.

#[cfg(test)]
mod tests;

use super::{Answer, Outcome, Question, Record, RecordType, Resolver, Unanswered};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use hickory_resolver::config::{NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle as _, RetryDnsHandle};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Query, ResponseCode};
use hickory_resolver::proto::rr::{self, Name, RData};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const MAX_LINKS: usize = 8;
const MAX_TCP_QUESTIONS: usize = 256;

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
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(3), attempts: 3, edns: true, case_randomization: false }
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
    handle: RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>,
    request: DnsRequestOptions,
    longest: Duration,
}

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
        let context = PoolContext::new(pool_options, TlsConfig::new().map_err(NetworkError::Setup)?);
        let pool = NameServerPool::from_config(servers, Arc::new(context), TokioRuntimeProvider::default());
        let mut request = DnsRequestOptions::default();
        request.use_edns = options.edns;
        request.recursion_desired = true;
        request.case_randomization = options.case_randomization;
        Ok(Self {
            handle: RetryDnsHandle::new(pool, attempts - 1),
            request,
            // Each try may go out twice, over UDP and then over TCP.
            longest: options.timeout.saturating_mul(u32::try_from(attempts).unwrap_or(u32::MAX).saturating_mul(2)),
        })
    }

    async fn ask(&self, question: &Question) -> Answer {
        let labels = question.name.as_str().split('.').map(str::as_bytes);
        let Ok(name) = Name::from_labels(labels) else {
            return Answer::new(Outcome::Invalid);
        };
        let mut chain = Chain { name, links: 0, ttl: u32::MAX, authenticated: true };
        loop {
            let answer = match self.send(chain.name.clone(), question.rtype).await {
                Ok(response) => chain.read(&response, question.rtype),
                Err(error) => Some(chain.failed(&error)),
            };
            if let Some(answer) = answer {
                return answer;
            }
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
        tokio::time::timeout(self.longest, self.ask(question))
            .map(|answer| Arc::new(answer.unwrap_or_else(|_| Answer::new(Outcome::TempError(Unanswered::Timeout)))))
            .boxed()
    }
}

/// Where a chain of aliases has led so far.
struct Chain {
    name: Name,
    links: usize,
    ttl: u32,
    authenticated: bool,
}

impl Chain {
    /// What a response says about the end of the chain; none when the end has to be asked for.
    fn read(&mut self, response: &DnsResponse, rtype: RecordType) -> Option<Answer> {
        self.authenticated &= response.metadata.authentic_data;
        let asked = self.links;
        loop {
            let here = || response.answers.iter().filter(|record| record.name == self.name);
            let found: Vec<_> = here().filter_map(|found| Some((record(&found.data, rtype)?, found.ttl))).collect();
            if let Some(ttl) = found.iter().map(|(_, ttl)| *ttl).min() {
                return Some(self.answer(Outcome::of(found.into_iter().map(|(record, _)| record).collect()), ttl));
            }
            let Some((target, ttl)) = here().find_map(alias) else { break };
            self.links += 1;
            if self.links > MAX_LINKS {
                return Some(Answer::new(Outcome::TempError(Unanswered::ServFail)));
            }
            self.ttl = self.ttl.min(ttl);
            self.name = target;
        }
        let negative_ttl = response.negative_ttl();
        match response.metadata.response_code {
            ResponseCode::NXDomain => Some(self.answer(Outcome::NxDomain, negative_ttl.unwrap_or(0))),
            ResponseCode::NoError if self.links > asked && negative_ttl.is_none() => None,
            ResponseCode::NoError => Some(self.answer(Outcome::NoData, negative_ttl.unwrap_or(0))),
            _ => Some(Answer::new(Outcome::TempError(Unanswered::ServFail))),
        }
    }

    fn failed(&self, error: &NetError) -> Answer {
        let outcome = match error {
            NetError::Dns(DnsError::NoRecordsFound(none)) => {
                let outcome = match none.response_code {
                    ResponseCode::NXDomain => Outcome::NxDomain,
                    _ => Outcome::NoData,
                };
                // The response itself is gone, and its AD bit with it.
                return Answer { authenticated: false, ..self.answer(outcome, none.negative_ttl.unwrap_or(0)) };
            }
            NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => Outcome::TempError(Unanswered::Refused),
            NetError::Dns(DnsError::ResponseCode(ResponseCode::FormErr))
            | NetError::Proto(_)
            | NetError::ForeignClassRecord { .. } => Outcome::Invalid,
            NetError::Dns(_) => Outcome::TempError(Unanswered::ServFail),
            NetError::Timeout => Outcome::TempError(Unanswered::Timeout),
            _ => Outcome::TempError(Unanswered::Network),
        };
        Answer::new(outcome)
    }

    fn answer(&self, outcome: Outcome, ttl: u32) -> Answer {
        Answer { outcome, ttl: self.ttl.min(ttl), authenticated: self.authenticated }
    }
}

fn wire_type(rtype: RecordType) -> rr::RecordType {
    match rtype {
        RecordType::A => rr::RecordType::A,
        RecordType::Aaaa => rr::RecordType::AAAA,
        RecordType::Mx => rr::RecordType::MX,
        RecordType::Ptr => rr::RecordType::PTR,
        RecordType::Txt => rr::RecordType::TXT,
    }
}

fn alias(record: &rr::Record) -> Option<(Name, u32)> {
    match &record.data {
        RData::CNAME(target) => Some((target.0.clone(), record.ttl)),
        _ => None,
    }
}

fn record(data: &RData, rtype: RecordType) -> Option<Record> {
    let record = match data {
        RData::A(address) => Record::A(address.0),
        RData::AAAA(address) => Record::Aaaa(address.0),
        RData::MX(mx) => Record::Mx(mx.preference, host(&mx.exchange)),
        RData::PTR(name) => Record::Ptr(host(&name.0)),
        RData::TXT(txt) => Record::Txt(txt.txt_data.concat().into()),
        _ => return None,
    };
    (record.rtype() == rtype).then_some(record)
}

/// A host in lower case without final dot. Octets that are no printable ASCII, dots inside labels and backslashes are
/// written as `\DDD`, so that no host can pass for another.
fn host(name: &Name) -> Box<str> {
    let mut text = String::with_capacity(name.len());
    for label in name {
        if !text.is_empty() {
            text.push('.');
        }
        for octet in label {
            match octet {
                b'.' | b'\\' => write_escaped(&mut text, *octet),
                0x21..=0x7E => text.push(octet.to_ascii_lowercase().into()),
                _ => write_escaped(&mut text, *octet),
            }
        }
    }
    text.into()
}

fn write_escaped(text: &mut String, octet: u8) {
    // Writing to a string cannot fail.
    let _ = write!(text, "\\{octet:03}");
}
