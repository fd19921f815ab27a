//! `verdmarc run`: runs roles until a signal.

use super::resolver::{ResolverError, configured};
use super::role::{Role, chosen};
use super::{Exit, Failure, Settings};
use crate::aggregate::Settings as Counting;
use crate::claim_check::ClaimChecks;
use crate::config::{Config, Source};
use crate::dns::{Resolver, SharedZone, Zone};
use crate::kafka::{Status, Stop, Tally};
use crate::roles::verdict::Statuses;
use crate::telemetry::Telemetry;
use crate::telemetry::health::Roles;
use crate::telemetry::sampling::Sampling;
use crate::telemetry::traces::Traces;
use crate::{reload, roles};
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Run roles until SIGTERM, SIGHUP or SIGINT, then finish and commit the records that were read. A
/// second signal ends the process at once.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Roles to run. Without it, every role whose settings are present.
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    roles: Vec<Role>,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let source = arguments.settings.source();
    let config = source.load()?;
    let telemetry = crate::telemetry::begin(&config)?;
    super::files::raise_limit();
    let roles = chosen(&arguments.roles, &config)?;
    require_brokers(&config)?;
    let too_much = super::config::beyond_own_limit(&config, &roles);
    for warning in config.warnings().into_iter().chain(too_much) {
        tracing::warn!("{warning}");
    }
    for line in not_run(&roles, &arguments.roles, &config) {
        tracing::info!("{line}");
    }
    let runtime = super::runtime()?;
    let ended = runtime.block_on(run_all(source, &config, &roles, &telemetry));
    // A file system or a resolver that hangs must not keep the process from ending.
    runtime.shutdown_background();
    telemetry.shutdown();
    ended
}

/// Returns a line for each role that is not run, with the reason.
fn not_run(roles: &[Role], asked: &[Role], config: &Config) -> Vec<String> {
    let others = [Role::Verdict, Role::Aggregate].into_iter().filter(|role| !roles.contains(role));
    let reason = if asked.is_empty() {
        format!("it needs settings that are missing: {}", config.receiver.missing_for_reports().join(", "))
    } else {
        "--roles does not name it".to_owned()
    };
    others.map(|role| format!("the {} role is not run: {reason}", role.name())).collect()
}

/// Runs the roles side by side. When one ends, for whatever reason, the others are stopped. The
/// process ends with the first error.
async fn run_all(source: Source, config: &Config, roles: &[Role], telemetry: &Telemetry) -> Result<Exit, Failure> {
    let stop = Stop::default();
    stop_on_signals(stop.clone())?;
    let zone = config.dns.zone.as_deref().filter(|_| roles.contains(&Role::Verdict)).map(shared_zone).transpose()?;
    let files = reload::Files::new(source, config.clone(), zone.clone());
    tokio::spawn(reload::watch(files, stop.clone()));
    let lane = Arc::new(Status::default());
    let shown = (roles.contains(&Role::Verdict) && config.verdict.retries).then(|| (roles::verdict::LANE, lane.clone()));
    let statuses = roles.iter().map(|role| (role.name(), Arc::new(Status::default())));
    let statuses: Roles = Arc::new(statuses.chain(shown).collect());
    let exports_metrics = config.telemetry.export().is_some_and(|export| export.metrics);
    if config.health.listen.is_some() || exports_metrics {
        let scrapes = telemetry.measure(statuses.clone());
        if let Some(address) = config.health.listen {
            crate::telemetry::health::serve(address, statuses.clone(), scrapes).await?;
        }
    }
    let traces = telemetry.tracer().map_or_else(Traces::default, |tracer| Traces::of(tracer, Sampling::of(&config.telemetry)));
    let running = roles.iter().zip(statuses.iter()).map(|(role, (name, status))| {
        let (stop, lane, zone, traces) = (stop.clone(), lane.clone(), zone.clone(), traces.clone());
        async move {
            tracing::info!(brokers = %config.kafka.brokers, group = %config.group(name), "{name} role starts");
            let ended = match role {
                Role::Verdict => match resolver(config, zone) {
                    Ok(resolver) => verdict(config, resolver, Statuses { raw: status.clone(), lane }, traces, stop.clone()).await,
                    Err(failure) => Err(failure),
                },
                Role::Aggregate => aggregate(config, status.clone(), traces, stop.clone()).await,
                Role::Deliver => Err(Failure::usage("role `deliver` is not in this version")),
            };
            stop.request();
            let tally = ended?;
            let Tally { read, written, commits, left, .. } = tally;
            tracing::info!(read, written, commits, left, "{name} role ended");
            Ok::<(), Failure>(())
        }
    });
    let ended = futures::future::join_all(running).await;
    ended.into_iter().collect::<Result<Vec<()>, Failure>>().map(|_| Exit::Ok)
}

/// Loads a zone that can be reloaded.
fn shared_zone(path: &Path) -> Result<Arc<SharedZone>, Failure> {
    Ok(Arc::new(SharedZone::new(Zone::load(path).map_err(ResolverError::from)?)))
}

/// Returns the zone if the settings name one, or else a resolver.
fn resolver(config: &Config, zone: Option<Arc<SharedZone>>) -> Result<Arc<dyn Resolver>, Failure> {
    Ok(match zone {
        Some(zone) => zone,
        None => configured(&config.dns)?,
    })
}

async fn verdict(
    config: &Config,
    resolver: Arc<dyn Resolver>,
    statuses: Statuses,
    traces: Traces,
    stop: Stop,
) -> Result<Tally, Failure> {
    let claims = ClaimChecks::new(&config.claim_check, config.evaluation.limits.message_bytes)?;
    Ok(roles::verdict::run(config, resolver, claims, statuses, traces, stop).await?)
}

async fn aggregate(config: &Config, status: Arc<Status>, traces: Traces, stop: Stop) -> Result<Tally, Failure> {
    let settings = Counting::of(config)?;
    Ok(roles::aggregate::run(config, settings, status, traces, stop).await?)
}

/// Requests a stop at the first signal, and ends the process at the second.
fn stop_on_signals(stop: Stop) -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::new(Exit::Internal, format!("cannot listen for signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let mut hang_up = (!is_hang_up_ignored()).then(|| listen(SignalKind::hangup())).transpose()?;
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = hung_up(&mut hang_up) => {}
            }
            if first {
                tracing::info!("stopping: what was read is finished; a second signal ends at once");
                stop.request();
            }
        }
        Exit::Interrupted.leave();
    });
    Ok(())
}

async fn hung_up(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Returns whether SIGHUP is ignored: the process was started so that it outlives the terminal, as
/// by `nohup`.
fn is_hang_up_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    ignored.unwrap_or_default() & 1 << (SignalKind::hangup().as_raw_value() - 1) != 0
}

/// Returns an error when the settings do not name brokers, which every command that uses Kafka
/// needs.
pub(super) fn require_brokers(config: &Config) -> Result<(), Failure> {
    if config.kafka.brokers.is_empty() {
        return Err(Failure::usage(
            "kafka.brokers is not set: write it into the settings, or set VERDMARC_KAFKA__BROKERS=host:9092 (`verdmarc demo` \
             needs no Kafka)",
        ));
    }
    Ok(())
}
