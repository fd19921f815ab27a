//! `verdmarc topics create|check|grow|print`: manages the topics.

use super::{Exit, Failure, Settings};
use crate::aggregate::changelog;
use crate::kafka::topics::{self, Cleanup, Creation, Found, Growth, Layout, Topic};
use crate::{roles, telemetry};
use anstyle::AnsiColor;
use std::fmt::Write as _;
use std::io::Write as _;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make the topics that are missing; those that are there are left alone.
    Create(Create),
    /// Say what is wrong with the topics, and the command that puts it right; exit code 1 when
    /// something is.
    Check(Settings),
    /// Give topics more partitions. Keys move to other partitions; none is taken away.
    Grow(Grow),
    /// Print the topics as resources of the Strimzi operator.
    Print(Print),
}

/// Partitions and copies of new topics.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Shape {
    /// Partitions of each topic.
    #[arg(long, value_name = "N", default_value_t = Layout::default().partitions, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,
    /// Copies of each partition.
    #[arg(long, value_name = "R", default_value_t = Layout::default().replication, value_parser = clap::value_parser!(i32).range(1..))]
    replication_factor: i32,
    /// Copies that must have a record before it counts as written.
    #[arg(long, value_name = "M", default_value_t = Layout::default().in_sync, value_parser = clap::value_parser!(i32).range(1..))]
    min_insync_replicas: i32,
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    shape: Shape,
    /// Only say what would be made.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, clap::Args)]
pub(super) struct Grow {
    /// Smallest number of partitions for each topic.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,
    /// Add the partitions; without this, only say what would be done.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, clap::Args)]
pub(super) struct Print {
    /// Print KafkaTopic resources of Strimzi; the only form.
    #[arg(long)]
    strimzi: bool,
    /// The name of the Kafka resource that they belong to.
    #[arg(long, value_name = "NAME")]
    cluster: String,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Create(arguments) => create(arguments),
        Command::Check(settings) => check(settings),
        Command::Grow(arguments) => grow(arguments),
        Command::Print(arguments) => print(arguments),
    }
}

impl Shape {
    fn layout(self) -> Result<Layout, Failure> {
        let Self { partitions, replication_factor: replication, min_insync_replicas: in_sync } = self;
        if in_sync > replication {
            return Err(Failure::usage(format!(
                "--min-insync-replicas {in_sync} is above --replication-factor {replication}: nothing could be written; give both"
            )));
        }
        Ok(Layout { partitions, replication, in_sync })
    }
}

fn create(arguments: &Create) -> Result<Exit, Failure> {
    let config = arguments.settings.load()?;
    telemetry::start(&config.log)?;
    super::run::require_brokers(&config)?;
    let outcomes = topics::create(&config, &arguments.shape.layout()?, arguments.dry_run)?;
    let partitions = arguments.shape.partitions;
    let mut text = String::new();
    for (topic, outcome) in &outcomes {
        let said = match outcome {
            Creation::Kept(found) => format!("is there with {} partitions, left alone", found.partitions),
            Creation::Planned => format!("would be made with {partitions} partitions"),
            Creation::Made => format!("made with {partitions} partitions"),
            Creation::Failed(reason) => format!("not made: {reason}"),
        };
        let _ = writeln!(text, "{:<24} {said}", topic.name);
    }
    if outcomes.iter().any(|(_, outcome)| matches!(outcome, Creation::Kept(_))) {
        text.push_str("Whether what is there is as it should be: verdmarc topics check\n");
    }
    anstream::stdout().write_all(text.as_bytes())?;
    let failed = outcomes.iter().any(|(_, outcome)| matches!(outcome, Creation::Failed(_)));
    Ok(if failed { Exit::Differs } else { Exit::Ok })
}

fn check(settings: &Settings) -> Result<Exit, Failure> {
    let config = settings.load()?;
    telemetry::start(&config.log)?;
    super::run::require_brokers(&config)?;
    let report = topics::check(&config, &roles::verdict::lane(&config))?;
    let mut text = String::new();
    if report.errors.is_empty() {
        let _ = writeln!(
            text,
            "{:<24} {:>10} {:>8}  {:<8} {:>10} {:>10}",
            "topic", "partitions", "replicas", "cleanup", "kept", "record"
        );
        for (topic, found) in &report.topics {
            text.push_str(&line(topic, found.as_ref()));
        }
    }
    let (red, yellow) = (AnsiColor::Red.on_default().bold(), AnsiColor::Yellow.on_default().bold());
    for problem in &report.errors {
        let _ = writeln!(text, "{red}error{red:#}: {problem}");
    }
    for problem in &report.warnings {
        let _ = writeln!(text, "{yellow}warning{yellow:#}: {problem}");
    }
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(if report.errors.is_empty() { Exit::Ok } else { Exit::Differs })
}

/// Returns a line of the table of topics.
fn line(topic: &Topic, found: Option<&Found>) -> String {
    let Some(found) = found else { return format!("{:<24} not there, not needed with these settings\n", topic.name) };
    let setting = |name: &str| found.settings.as_ref().and_then(|settings| settings.get(name)?.parse::<i64>().ok());
    let kept = match (topic.cleanup, setting("retention.ms")) {
        (Cleanup::Compact, _) => "newest".to_owned(),
        (_, Some(millis @ 0..)) => format!("{:.1} d", jiff::SignedDuration::from_millis(millis).as_secs_f64() / 86_400.0),
        (_, Some(_)) => "for ever".to_owned(),
        (_, None) => "?".to_owned(),
    };
    let record = setting("max.message.bytes").map_or_else(|| "?".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
    let policy = topic.cleanup.policy();
    format!("{:<24} {:>10} {:>8}  {policy:<8} {kept:>10} {record:>10}\n", topic.name, found.partitions, found.replication)
}

fn grow(arguments: &Grow) -> Result<Exit, Failure> {
    let config = arguments.settings.load()?;
    telemetry::start(&config.log)?;
    super::run::require_brokers(&config)?;
    let windows = config.topics.full(&config.topics.windows).into();
    let layout = |partition| changelog::layout(&windows, partition, arguments.partitions);
    let growth = topics::grow(&config, arguments.partitions, !arguments.yes, &layout)?;
    let mut text = String::new();
    for Growth { topic, from, to } in &growth {
        let said = match (from, to) {
            (None, _) => "is not there: verdmarc topics create".to_owned(),
            (Some(from), None) => format!("has {from} partitions, left alone"),
            (Some(from), Some(to)) if arguments.yes => format!("grown from {from} to {to} partitions"),
            (Some(from), Some(to)) => format!("would grow from {from} to {to} partitions"),
        };
        let _ = writeln!(text, "{:<24} {said}", topic.name);
    }
    if arguments.yes && growth.iter().any(|growth| growth.to.is_some()) {
        text.push_str(
            "Roles that run read the new partitions when they next look at the topics, within five minutes. A role that was started \
             meanwhile may have ended, because the topics had different numbers of partitions. Start it again.\n",
        );
    }
    if !arguments.yes && growth.iter().any(|growth| growth.to.is_some()) {
        text.push_str(
            "Nothing was changed. Run this again with --yes to do it. It cannot be undone: from then on records of one key go to \
             another partition.\n",
        );
    }
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}

fn print(arguments: &Print) -> Result<Exit, Failure> {
    let config = arguments.settings.load()?;
    let text = topics::strimzi(&config, &arguments.shape.layout()?, &arguments.cluster);
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}
