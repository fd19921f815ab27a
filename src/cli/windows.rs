//! `verdmarc windows list|close`: shows what is being counted, and closes it early.

use super::{Exit, Failure, Settings, shown};
use crate::aggregate::{OpenGroup, Restore, Settings as Counting};
use crate::config::Config;
use crate::event::headers::{Attributes, JSON, Trace};
use crate::event::{CLOSE_WINDOWS, CloseWindows, Headers, Output};
use crate::kafka::{Producer, Range, Span, topics};
use crate::telemetry;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List what is being counted now: policy domain, rows, messages, and the time of closing.
    List(List),
    /// Close windows and report them now instead of at their time.
    Close(Close),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only this policy domain.
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<crate::dns::Domain>,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, clap::Args)]
pub(super) struct Close {
    /// Only the window that this time belongs to, for example 2026-01-31T12:00:00Z. Without it,
    /// every window that has rows.
    #[arg(long, value_name = "RFC3339", value_parser = super::time)]
    at: Option<Timestamp>,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    let (Command::List(List { settings, .. }) | Command::Close(Close { settings, .. })) = command;
    let config = settings.load()?;
    telemetry::start(&config.log)?;
    super::run::require_brokers(&config)?;
    match command {
        Command::List(arguments) => list(&config, arguments),
        Command::Close(arguments) => close(&config, arguments),
    }
}

fn list(config: &Config, arguments: &List) -> Result<Exit, Failure> {
    let mut groups = open_groups(config)?;
    groups.retain(|group| arguments.domain.as_ref().is_none_or(|domain| *domain == group.policy_domain));
    let mut text = String::new();
    if !arguments.json {
        text += HEADING;
    }
    for group in &groups {
        if arguments.json {
            // A struct of strings and numbers always has a JSON form.
            let _ = writeln!(text, "{}", serde_json::to_string(group).unwrap_or_default());
        } else {
            text += &line(group);
        }
    }
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}

/// Reads the open groups of all partitions from the changelog.
fn open_groups(config: &Config) -> Result<Vec<OpenGroup>, Failure> {
    let settings = Counting::of_reader(config)?;
    let settings = Arc::new(settings);
    let topic: Arc<str> = settings.targets.windows.clone();
    let mut partitions: BTreeMap<i32, Restore> = BTreeMap::new();
    let mut range = Range::open(&config.kafka, &topic, &Span::Beginning)?;
    while let Some(record) = range.next()? {
        let partition = record.partition;
        let restore = partitions.entry(partition).or_insert_with(|| Restore::new(settings.clone(), partition, 0).unchecked());
        restore
            .take(record.key.as_deref().unwrap_or_default(), record.value.as_deref())
            .map_err(|error| Failure::new(Exit::State, format!("{topic}/{partition} at {}: {error}", record.offset)))?;
    }
    let mut groups = Vec::new();
    for (partition, restore) in partitions {
        let state =
            restore.finish(None, None).map_err(|error| Failure::new(Exit::State, format!("{topic}/{partition}: {error}")))?;
        groups.extend(state.open_groups());
    }
    groups.sort_by(|a, b| (a.window, &a.policy_domain, a.generation).cmp(&(b.window, &b.policy_domain, b.generation)));
    Ok(groups)
}

const HEADING: &str = "from                  policy domain                   rows  messages  closes at             reports to\n";

fn line(group: &OpenGroup) -> String {
    let due = group.due.map_or_else(|| "now".to_owned(), shown::time);
    let addresses = if group.addresses.is_empty() { "nobody".to_owned() } else { shown::addresses(&group.addresses, " ") };
    format!(
        "{:<20}  {:<26}  {:>8}  {:>8}  {due:<20}  {}{}\n",
        shown::time(group.window.begin),
        group.policy_domain,
        group.rows,
        group.messages,
        addresses,
        shown::late(group.generation)
    )
}

/// Longest wait for the brokers to take the request, 30 s.
const PATIENCE: Duration = Duration::from_secs(30);

fn close(config: &Config, arguments: &Close) -> Result<Exit, Failure> {
    let topic = config.topics.full(&config.topics.failures);
    let partitions = topics::partitions(&config.kafka, &topic)?;
    let records = close_requests(config, arguments.at, partitions);
    Producer::new(&config.kafka)?.write_all(&records, PATIENCE)?;
    let which = arguments.at.map_or_else(|| "every window".to_owned(), |at| format!("the window of {at}"));
    let asked = shown::count(usize::try_from(partitions).unwrap_or_default(), "partition");
    writeln!(anstream::stdout(), "{which}: closing requested in {asked}; reports follow shortly (verdmarc reports list)")?;
    Ok(Exit::Ok)
}

/// Returns one request for each partition.
pub(super) fn close_requests(config: &Config, at: Option<Timestamp>, partitions: i32) -> Vec<Output> {
    let topic: Arc<str> = config.topics.full(&config.topics.failures).into();
    let request = CloseWindows { at: at.map(Timestamp::as_second) };
    let now = Timestamp::now();
    let headers = |partition: i32| -> Headers {
        let id = format!("close-{}-{partition}", now.as_nanosecond());
        Attributes { id: &id, source: "/verdmarc/windows", kind: CLOSE_WINDOWS, time: now, content_type: JSON }
            .headers(&Trace::default())
    };
    let value = serde_json::to_vec(&request).unwrap_or_default();
    (0..partitions)
        .map(|partition| Output {
            topic: topic.clone(),
            partition: Some(partition),
            key: None,
            value: Some(value.clone()),
            headers: headers(partition),
        })
        .collect()
}
