//! `verdmarc run`

use super::{Exit, Failure, Settings};
use crate::claim_check::ClaimChecks;
use crate::config::Config;
use crate::kafka::{Status, Stop};
use crate::{roles, telemetry};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Run roles until SIGTERM or SIGINT: what was read is finished and committed then. A second signal ends at once.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Roles to run. Without it every role whose settings are there.
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    roles: Vec<Role>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// Raw messages to verdicts.
    Verdict,
    /// Failures to reports; not in this version.
    Aggregate,
    /// Reports to mailboxes; not in this version.
    Deliver,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let config = arguments.settings.load()?;
    telemetry::start(&config.log)?;
    if let Some(role) = arguments.roles.iter().find(|role| **role != Role::Verdict) {
        let name = if *role == Role::Aggregate { "aggregate" } else { "deliver" };
        return Err(Failure::usage(format!("role `{name}` is not in this version; --roles verdict is")));
    }
    require_brokers(&config)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    super::runtime()?.block_on(verdict(&config))
}

async fn verdict(config: &Config) -> Result<Exit, Failure> {
    let stop = Stop::default();
    stop_on_signals(stop.clone())?;
    let resolver = crate::dns::configured(&config.dns)?;
    let claims = ClaimChecks::new(&config.claim_check, config.evaluation.limits.message_bytes)?;
    tracing::info!(brokers = %config.kafka.brokers, group = %config.kafka.group(roles::verdict::NAME), "verdict role starts");
    let status = Arc::new(Status::default());
    if let Some(address) = config.health.listen {
        telemetry::health::serve(address, status.clone()).await?;
    }
    let tally = roles::verdict::run(config, resolver, claims, status, stop).await?;
    tracing::info!(read = tally.read, written = tally.written, commits = tally.commits, left = tally.left, "verdict role ended");
    Ok(Exit::Ok)
}

/// The first signal asks for a stop, the second ends the process.
fn stop_on_signals(stop: Stop) -> Result<(), Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::new(Exit::Internal, format!("cannot listen for signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if first {
                tracing::info!("stopping: what was read is finished; a second signal ends at once");
                stop.request();
            }
        }
        std::process::exit(Exit::Interrupted.code().into());
    });
    Ok(())
}

/// Commands that talk to Kafka need to know where it is.
pub(super) fn require_brokers(config: &Config) -> Result<(), Failure> {
    if config.kafka.brokers.is_empty() {
        return Err(Failure::usage(
            "kafka.brokers is not set: write it into the settings, or set VERDMARC_KAFKA__BROKERS=host:9092 (`verdmarc demo` \
             needs no Kafka)",
        ));
    }
    Ok(())
}

pub(super) fn warn(message: &str) {
    let warning = anstyle::AnsiColor::Yellow.on_default().bold();
    anstream::eprintln!("{warning}warning{warning:#}: {message}");
}
