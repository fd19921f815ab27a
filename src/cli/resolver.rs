//! Opens the resolver that the settings name.

use crate::config::Dns;
use crate::dns::{Cache, CacheLimits, NetworkError, NetworkOptions, NetworkResolver, PlaceLimits, Resolver, Zone, ZoneError};
use nix::sys::resource::{Resource, getrlimit};
use std::sync::Arc;
use std::time::Duration;

/// The reason why the resolver cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolverError {
    /// `dns.zone` cannot be used.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// The system's resolvers, or `dns.servers`, cannot be used.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// Returns the zone in memory if there is one. Otherwise it returns a resolver with a cache, which
/// uses the given servers, or else those of the system.
///
/// # Errors
/// A zone file cannot be read or is wrong, and the error names its line; or the system has no
/// resolvers.
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

/// Returns half of the number of files that this process may open. The other half remains for
/// brokers, storage and everything else.
fn descriptors() -> usize {
    // When the limit cannot be read, it does not limit the sockets.
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    usize::try_from(files / 2).unwrap_or(usize::MAX)
}
