//! The resolver that the settings ask for.

use crate::config::Dns;
use crate::dns::{Cache, CacheLimits, NetworkError, NetworkOptions, NetworkResolver, PlaceLimits, Resolver, Zone, ZoneError};
use nix::sys::resource::{Resource, getrlimit};
use std::sync::Arc;
use std::time::Duration;

/// Why there is no resolver.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolverError {
    /// `dns.zone` cannot be used.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// The system's resolvers, or `dns.servers`, cannot be used.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// The zone in memory if there is one, else the given servers, else those of the system, behind the cache.
///
/// # Errors
/// A zone file that cannot be read or is wrong, with its line; a system without resolvers.
pub(super) fn configured(settings: &Dns) -> Result<Arc<dyn Resolver>, ResolverError> {
    if let Some(path) = &settings.zone {
        return Ok(Arc::new(Zone::load(path)?));
    }
    let options = NetworkOptions {
        timeout: Duration::from_millis(settings.timeout_ms),
        attempts: settings.attempts,
        places: PlaceLimits { all: settings.in_flight, each: settings.in_flight_per_domain },
        descriptors: descriptors(),
        ..NetworkOptions::default()
    };
    let network = if settings.servers.is_empty() {
        NetworkResolver::from_system(options)?
    } else {
        let servers: Vec<_> = settings.servers.iter().map(|server| server.0).collect();
        NetworkResolver::with_servers(&servers, options)?
    };
    let limits = CacheLimits { octets: settings.cache_bytes, ..CacheLimits::default() };
    Ok(Arc::new(Cache::new(network, limits)))
}

/// Half of the files that this process may open: the other half is for brokers, storage and whatever else it has open.
fn descriptors() -> usize {
    // Without an answer the sockets are not limited by it.
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    usize::try_from(files / 2).unwrap_or(usize::MAX)
}
