//! The table `[dns]`: settings for where DNS answers come from, and for the limits on questions.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Where DNS answers come from: a zone in memory, given servers, or the system's resolvers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Dns {
    /// DNS servers: addresses, with a port where it is not 53 (`192.0.2.1:5353`,
    /// `[2001:db8::1]:5353`). Default none: those of the system (`/etc/resolv.conf`).
    #[schemars(example = ["192.0.2.53", "[2001:db8::53]:5353"])]
    pub servers: Vec<DnsServer>,
    /// A file with a zone that answers instead of any server, for tests and trials: JSON, or a
    /// master file. Default none.
    #[schemars(example = "zone.json")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<PathBuf>,
    /// Milliseconds that one attempt at one server may take. Default 3 000.
    pub timeout_ms: u64,
    /// Attempts for one question. Default 2.
    pub attempts: usize,
    /// Questions in flight at once, for all messages. A question may have six sockets open, and all
    /// questions together at most half of the files that the process may open (`run` raises the
    /// soft limit to the hard one). Default 1 000.
    pub in_flight: usize,
    /// Questions in flight at once for the names of one registered domain (public suffix list), so
    /// that one sender whose DNS does not answer holds up nobody else. A domain that has just not
    /// answered in time has four until it answers. Default 64.
    pub in_flight_per_domain: usize,
    /// Bytes of answers kept in memory. Default 64 MiB.
    pub cache_bytes: u64,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            zone: None,
            timeout_ms: 3_000,
            attempts: 2,
            in_flight: 1_000,
            in_flight_per_domain: 64,
            cache_bytes: 64 << 20,
        }
    }
}

impl Dns {
    pub(super) fn validate(&self, problems: &mut Vec<String>) {
        if self.zone.is_some() && !self.servers.is_empty() {
            problems.push("dns.zone and dns.servers exclude each other: remove one".to_owned());
        }
        for (key, value) in [("in_flight", self.in_flight), ("in_flight_per_domain", self.in_flight_per_domain)] {
            if value == 0 {
                problems.push(format!("dns.{key} must be at least 1"));
            }
        }
    }
}

/// A DNS server's address and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct DnsServer(pub SocketAddr);

impl TryFrom<String> for DnsServer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let address = text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53)).or_else(|_| text.parse());
        address
            .map(Self)
            .map_err(|_| format!("dns.servers: `{text}` is no address; write 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53"))
    }
}

impl Serialize for DnsServer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.port() == 53 { serializer.collect_str(&self.0.ip()) } else { serializer.collect_str(&self.0) }
    }
}
