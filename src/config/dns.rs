//! `[dns]`

use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

/// Where DNS answers come from: a zone in memory, given servers, or the system's resolvers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Dns {
    /// Addresses of DNS servers, asked at port 53. Default none: those of the system (`/etc/resolv.conf`).
    pub servers: Vec<IpAddr>,
    /// A file with a zone that answers instead of any server, for tests and trials: JSON, or a master file. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<PathBuf>,
    /// Milliseconds that one attempt at one server may take. Default 3 000.
    pub timeout_ms: u64,
    /// Attempts for one question. Default 2.
    pub attempts: usize,
    /// Bytes of answers kept in memory. Default 64 MiB.
    pub cache_bytes: u64,
}

impl Default for Dns {
    fn default() -> Self {
        Self { servers: Vec::new(), zone: None, timeout_ms: 3_000, attempts: 2, cache_bytes: 64 << 20 }
    }
}
