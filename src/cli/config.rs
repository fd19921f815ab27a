//! `verdmarc config print|check`: prints and checks the settings.

use super::resolver::configured;
use super::role::{Role, chosen};
use super::{Exit, Failure, Settings, cgroup};
use crate::claim_check::ClaimChecks;
use crate::config::{Config, Memory, Roles, Size, longest_stop, too_short};
use std::io::Write as _;
use std::time::Duration;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the settings in force as TOML, each with its meaning; values of librdkafka's
    /// properties are left out.
    Print(Print),
    /// Check the settings: values, librdkafka's properties, the log filter, and whether they go
    /// together. Nothing is asked of brokers; `verdmarc topics check` does that. Exit code 2 when
    /// something is wrong.
    Check(Check),
}

#[derive(Debug, clap::Args)]
pub(super) struct Print {
    /// Print a file to begin with instead: every setting, commented out with its default or an
    /// example.
    #[arg(long, conflicts_with = "config")]
    template: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Roles that the process will run, on which its memory and its stop depend. Without it, every
    /// role whose settings are present.
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    roles: Vec<Role>,
    /// Memory that the process may take, written as in Kubernetes: 768Mi. Settings that need more
    /// are an error. Without it, the limit of this command's own control group, if there is one;
    /// settings that need more are a warning then.
    #[arg(long, value_name = "BYTES")]
    memory_limit: Option<Size>,
    /// Seconds between SIGTERM and SIGKILL: terminationGracePeriodSeconds of a pod, less the time
    /// that its preStop hook takes. Settings with which a stop may take longer are an error.
    #[arg(long, value_name = "SECONDS")]
    grace_period_s: Option<u64>,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Print(Print { template: true, .. }) => {
            anstream::stdout().write_all(Config::template().as_bytes())?;
            Ok(Exit::Ok)
        }
        Command::Print(Print { settings, .. }) => {
            let config = settings.load()?;
            anstream::stdout().write_all(config.to_documented_toml().as_bytes())?;
            Ok(Exit::Ok)
        }
        Command::Check(arguments) => check(arguments),
    }
}

fn check(arguments: &Check) -> Result<Exit, Failure> {
    let config = arguments.settings.load()?;
    let roles = roles(&chosen(&arguments.roles, &config)?);
    let mut checked = Checked::default();
    checked.note("settings", arguments.settings.source().names().join(", "));
    checked.note("roles", named(roles));
    checked.all_of("log filter", &config.log.filter, crate::telemetry::check(&config.log));
    checked.all_of(
        "Kafka client",
        "librdkafka takes every property; no broker was asked",
        crate::kafka::check_settings(&config.kafka),
    );
    if let Some(endpoint) = &config.telemetry.endpoint {
        checked.all_of("telemetry", endpoint, crate::telemetry::check_export(&config.telemetry));
    }
    if let Some(zone) = &config.dns.zone {
        checked.all_of("DNS zone", &zone.display().to_string(), configured(&config.dns).map(drop));
    }
    if !config.claim_check.prefixes.is_empty() {
        let prefixes: Vec<String> = config.claim_check.prefixes.iter().map(ToString::to_string).collect();
        let stores = ClaimChecks::new(&config.claim_check, config.evaluation.limits.message_bytes);
        checked.all_of("claim checks", &prefixes.join(", "), stores.map(drop));
    }
    memory(&mut checked, &Memory::of(&config, roles), arguments.memory_limit);
    stop(&mut checked, &config, roles, arguments.grace_period_s.map(Duration::from_secs));
    for warning in config.warnings().iter().chain(&checked.warnings) {
        super::exit::warn(warning);
    }
    checked.end()
}

fn roles(roles: &[Role]) -> Roles {
    Roles { verdict: roles.contains(&Role::Verdict), aggregate: roles.contains(&Role::Aggregate) }
}

/// Returns an error text when the control group of this process does not allow the memory that
/// these roles may take; `None` when it does.
pub(super) fn beyond_own_limit(config: &Config, run: &[Role]) -> Option<String> {
    Memory::of(config, roles(run)).beyond(cgroup::memory_limit()?)
}

fn named(roles: Roles) -> String {
    let names = [(roles.verdict, Role::Verdict.name()), (roles.aggregate, Role::Aggregate.name())];
    let names: Vec<&str> = names.into_iter().filter(|(runs, _)| *runs).map(|(_, name)| name).collect();
    names.join(", ")
}

fn memory(checked: &mut Checked, memory: &Memory, limit: Option<Size>) {
    let own = limit.is_none().then(cgroup::memory_limit).flatten();
    let of = match (limit, own) {
        (Some(limit), _) => format!("the limit is {limit}"),
        (None, Some(own)) => format!("the limit of this control group is {own}"),
        (None, None) => "give the limit with --memory-limit".to_owned(),
    };
    checked.note("memory", format!("up to {}; {of}", Size(memory.total())));
    checked.problem(limit.and_then(|limit| memory.beyond(limit)));
    checked.warnings.extend(own.and_then(|own| memory.beyond(own)));
}

fn stop(checked: &mut Checked, config: &Config, roles: Roles, grace: Option<Duration>) {
    let longest = longest_stop(config, roles).as_secs_f64().ceil();
    let of = match grace {
        Some(grace) => format!("the grace period is {} s", grace.as_secs()),
        None => "give the grace period with --grace-period-s".to_owned(),
    };
    checked.note("stop", format!("up to {longest} s; {of}"));
    checked.problem(grace.and_then(|grace| too_short(config, roles, grace)));
}

/// The results of the checks: lines about what was checked, errors and warnings.
#[derive(Default)]
struct Checked {
    lines: String,
    failures: Vec<Failure>,
    warnings: Vec<String>,
}

impl Checked {
    fn note(&mut self, what: &str, value: String) {
        self.lines.push_str(&format!("{what:<13} {value}\n"));
    }

    /// Notes that something is right, or the reason why it is not.
    fn all_of(&mut self, what: &str, value: &str, result: Result<(), impl Into<Failure>>) {
        match result {
            Ok(()) => self.note(what, value.to_owned()),
            Err(error) => self.failures.push(error.into()),
        }
    }

    fn problem(&mut self, problem: Option<String>) {
        self.failures.extend(problem.map(Failure::usage));
    }

    /// Prints the results and ends the check. All errors are reported together.
    fn end(self) -> Result<Exit, Failure> {
        let mut out = anstream::stdout();
        out.write_all(self.lines.as_bytes())?;
        let failed = self
            .failures
            .into_iter()
            .reduce(|first, next| Failure::new(first.exit, format!("{}\n{}", first.message, next.message)));
        if let Some(failure) = failed {
            return Err(failure);
        }
        writeln!(out, "The settings are valid.")?;
        Ok(Exit::Ok)
    }
}
