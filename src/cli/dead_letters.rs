//! `verdmarc dead-letters list|show|redrive|skip`: shows dead letters and puts them back.

use super::{Exit, Failure, Settings};
use crate::config::Config;
use crate::event::Record;
use crate::event::redrive::{DeadLetterEntry, Letter, RecordId};
use crate::kafka::command::CommandError;
use crate::kafka::dead_letters::{self, Fate, Filter, Listed, Note, Redrive, SkipError, Target, Unfit};
use crate::kafka::{GroupError, REFUSALS_ACCEPTED, REFUSALS_OF};
use crate::{roles, telemetry};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List refused records: when, why, from where, and whether they were put back.
    List(List),
    /// Show one refused record: its headers and its value.
    Show(Show),
    /// Put refused records back into the raw topic, each once; without --yes only list them.
    Redrive(RedriveArguments),
    /// Make the verdict role skip one record that ends every process that reads it; the record
    /// becomes a dead letter.
    Skip(Skip),
}

/// The dead letters that a command is about.
#[derive(Debug, clap::Args)]
struct Selection {
    /// Only with this reason; may be given several times.
    #[arg(long = "reason", value_name = "CODE")]
    reasons: Vec<String>,
    /// Only those written at this time or later, say 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "RFC3339", value_parser = super::time)]
    since: Option<Timestamp>,
    /// Only those written before this time.
    #[arg(long, value_name = "RFC3339", value_parser = super::time)]
    until: Option<Timestamp>,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    selection: Selection,
    /// Only the newest N.
    #[arg(long, value_name = "N", conflicts_with = "count_by")]
    limit: Option<usize>,
    /// Only how many there are of each kind, the largest number first.
    #[arg(long, value_name = "WHAT")]
    count_by: Option<CountBy>,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum CountBy {
    /// Reasons.
    Reason,
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// Partition and offset in the dead-letter topic.
    #[arg(value_name = "PARTITION/OFFSET")]
    place: RecordId,
    /// Only the bytes of the value, as they are.
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, clap::Args)]
pub(super) struct RedriveArguments {
    #[command(flatten)]
    selection: Selection,
    /// Also those that were put back before.
    #[arg(long)]
    again: bool,
    /// Put them back; without this, only list them.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, clap::Args)]
pub(super) struct Skip {
    /// The record, which must be the next one of its partition.
    #[arg(value_name = "TOPIC/PARTITION/OFFSET")]
    target: Target,
    /// Skip the record; without this, only check whether it can be skipped.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::List(arguments) => list(arguments),
        Command::Show(arguments) => show(arguments),
        Command::Redrive(arguments) => redrive(arguments),
        Command::Skip(arguments) => skip(arguments),
    }
}

fn start(settings: &Settings) -> Result<Config, Failure> {
    let config = settings.load()?;
    telemetry::start(&config.log)?;
    super::run::require_brokers(&config)?;
    Ok(config)
}

impl Selection {
    fn filter(&self) -> Filter {
        Filter { reasons: self.reasons.iter().cloned().collect(), since: self.since, until: self.until }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Kafka(error) => error.into(),
            CommandError::Fenced(_) => Self::new(Exit::Fenced, error.to_string()),
            CommandError::Unknown(_) => Self::new(Exit::AmbiguousCommit, error.to_string()),
            CommandError::Aborted(_) => Self::new(Exit::Kafka, error.to_string()),
        }
    }
}

impl From<GroupError> for Failure {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::Kafka(error) => error.into(),
            refusal => Self::new(Exit::Differs, refusal.to_string()),
        }
    }
}

impl From<SkipError> for Failure {
    fn from(error: SkipError) -> Self {
        match error {
            SkipError::Command(error) => error.into(),
            SkipError::Group(error) => error.into(),
            refusal => Self::new(Exit::Differs, refusal.to_string()),
        }
    }
}

/// Writes to standard output. Returns false when its reader has closed it.
fn say(text: &[u8]) -> Result<bool, Failure> {
    match anstream::stdout().write_all(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => Ok(written.map(|()| true)?),
    }
}

fn list(arguments: &List) -> Result<Exit, Failure> {
    let config = start(&arguments.settings)?;
    let listed = dead_letters::list(&config, &arguments.selection.filter())?;
    if let Some(CountBy::Reason) = arguments.count_by {
        say(counts(&listed, arguments.json).as_bytes())?;
        return Ok(Exit::Ok);
    }
    let left_out = arguments.limit.map_or(0, |limit| listed.len().saturating_sub(limit));
    let shown = listed.get(left_out..).unwrap_or_default();
    let mut text = String::new();
    if !arguments.json {
        let _ = writeln!(text, "{HEADING}");
    }
    for listed in shown {
        let line = if arguments.json { json_line(listed) } else { line(listed) };
        let _ = writeln!(text, "{line}");
    }
    say(text.as_bytes())?;
    if left_out > 0 {
        super::exit::warn(&format!("{left_out} older ones are left out"));
    }
    Ok(Exit::Ok)
}

/// Returns the number of dead letters of each reason, the largest number first.
fn counts(listed: &[Listed], as_json: bool) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for listed in listed {
        *counts.entry(&listed.letter.reason).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut text = if as_json { String::new() } else { "     count  reason\n".to_owned() };
    for (reason, count) in counts {
        let _ = if as_json {
            writeln!(text, "{}", json!({ "reason": reason, "count": count }))
        } else {
            writeln!(text, "{count:>10}  {}", reason.escape_debug())
        };
    }
    text
}

const HEADING: &str = "record    when                  reason                 origin             attempt      size  put back";

fn line(Listed { letter, redriven, .. }: &Listed) -> String {
    let when = letter.time.map_or_else(|| "-".to_owned(), |time| format!("{time:.0}"));
    let lineage = letter.lineage.as_ref();
    let origin = lineage.map_or_else(
        || "unreadable".to_owned(),
        |lineage| format!("{}/{}/{}", lineage.input.topic.escape_debug(), lineage.input.partition, lineage.input.offset),
    );
    let attempt = lineage.map_or_else(|| "-".to_owned(), |lineage| lineage.input.attempt.to_string());
    let size = letter.size.map_or_else(|| "null".to_owned(), |size| size.to_string());
    let redriven = match redriven {
        0 => "no".to_owned(),
        1 => "yes".to_owned(),
        times => format!("{times} times"),
    };
    let (place, reason) = (letter.place.to_string(), letter.reason.escape_debug().to_string());
    format!("{place:<8}  {when:<20}  {reason:<21}  {origin:<17}  {attempt:>7}  {size:>8}  {redriven}")
}

fn json_line(Listed { letter, redriven, .. }: &Listed) -> String {
    let Letter { place, time, reason, error, lineage, size } = letter;
    let input = lineage.as_ref().map(|lineage| &lineage.input);
    json!({
        "partition": place.partition,
        "offset": place.offset,
        "time": time,
        "reason": reason,
        "error": error,
        "origin": input.map(|input| json!({"topic": input.topic, "partition": input.partition, "offset": input.offset})),
        "attempt": input.map(|input| input.attempt),
        "size": size,
        "redriven": redriven,
    })
    .to_string()
}

fn show(arguments: &Show) -> Result<Exit, Failure> {
    let config = start(&arguments.settings)?;
    let place = arguments.place;
    let Some(record) = dead_letters::get(&config, place)? else {
        let topic = config.topics.full(&config.topics.dead_letters);
        return Err(Failure::usage(format!(
            "{topic} has no record at {place} (any more): `verdmarc dead-letters list` says which"
        )));
    };
    if arguments.raw {
        // These are the bytes of a stranger's message: they must not go through a writer that
        // interprets escape sequences.
        std::io::stdout().write_all(record.value.as_deref().unwrap_or_default())?;
        return Ok(Exit::Ok);
    }
    say(description(&record).as_bytes())?;
    Ok(Exit::Ok)
}

/// Number of characters of the value that are shown.
const PREVIEW: usize = 2_000;

/// Describes a record by its headers and the beginning of its value, without characters that could
/// move a terminal's cursor.
fn description(record: &Record) -> String {
    let escaped = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_debug().to_string();
    let optional = |bytes: Option<&[u8]>| bytes.map_or_else(|| "null".to_owned(), escaped);
    let time = record.timestamp.map_or_else(|| "-".to_owned(), |stamp| stamp.time.to_string());
    let mut text =
        format!("record: {}/{}\ntime: {time}\nkey: {}\n", record.partition, record.offset, optional(record.key.as_deref()));
    for (name, value) in record.headers.iter().flat_map(crate::event::Headers::iter) {
        let _ = writeln!(text, "{}: {}", name.escape_debug(), optional(value));
    }
    let Some(value) = &record.value else { return text + "\nThe value is null.\n" };
    let kind = if matches!(DeadLetterEntry::of(record), DeadLetterEntry::Redriven(_)) {
        ", a mark of records that were put back"
    } else {
        ""
    };
    let _ = writeln!(text, "\nThe value has {} bytes{kind}:", value.len());
    let decoded = String::from_utf8_lossy(value.get(..value.len().min(PREVIEW * 4)).unwrap_or_default()).into_owned();
    let shown: String = decoded.chars().take(PREVIEW).collect();
    for line in shown.lines() {
        let _ = writeln!(text, "  {}", harmless(line));
    }
    if shown.len() < value.len() {
        let _ = writeln!(text, "  … (all of it: verdmarc dead-letters show {}/{} --raw)", record.partition, record.offset);
    }
    text
}

/// Returns the text without characters that could move a terminal's cursor. Quotes stay as they
/// are.
fn harmless(text: &str) -> String {
    text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'")
}

/// Numbers of dead letters by their fate.
#[derive(Debug, Default)]
struct Tally {
    back: usize,
    refused: usize,
    before: usize,
    unfit: usize,
}

impl Tally {
    fn count(&mut self, fate: &Fate) {
        match fate {
            Fate::Back(note) => {
                self.back += 1;
                self.refused += usize::from(matches!(note, Note::Refused(_)));
            }
            Fate::Left(Unfit::Redriven) => self.before += 1,
            Fate::Left(_) => self.unfit += 1,
        }
    }
}

fn redrive(arguments: &RedriveArguments) -> Result<Exit, Failure> {
    let config = start(&arguments.settings)?;
    let refused = |record: &Record| roles::refused_for_certain(&config, record, Timestamp::now());
    let redrive = Redrive { config: &config, filter: arguments.selection.filter(), again: arguments.again, refused: &refused };
    let mut tally = Tally::default();
    // Each commit is reported at once, so that an interrupted run shows how far it came. A closed
    // standard output is no reason to stop.
    let mut report = |listed: &Listed, fate: &Fate| {
        tally.count(fate);
        let _ = say(fate_line(listed, fate, arguments.yes).as_bytes());
    };
    if arguments.yes {
        redrive.run(&mut report)?;
    } else {
        redrive.plan()?.iter().for_each(|(listed, fate)| report(listed, fate));
    }
    say(summary(&tally, arguments.yes).as_bytes())?;
    Ok(if tally.unfit > 0 { Exit::Differs } else { Exit::Ok })
}

fn fate_line(Listed { letter, .. }: &Listed, fate: &Fate, done: bool) -> String {
    let verb = if done { "put back" } else { "would be put back" };
    let what = match fate {
        Fate::Back(Note::Plain) => verb.to_owned(),
        Fate::Back(Note::Refused(why)) => format!("{verb}, and refused again: {}", harmless(why)),
        Fate::Back(Note::Original) => format!("{verb}: the record that it speaks of, if the raw topic still has it"),
        Fate::Left(unfit) => format!("left: {}", unfit.to_string().escape_debug()),
    };
    format!("{:<8}  {:<21}  {what}\n", letter.place.to_string(), letter.reason.escape_debug().to_string())
}

fn summary(tally: &Tally, done: bool) -> String {
    let Tally { back, refused, before, unfit } = tally;
    let mut text = if done { format!("{back} put back") } else { format!("{back} would be put back") };
    let _ = writeln!(text, ", {before} were before, {unfit} cannot be.");
    if *refused > 0 {
        let _ = writeln!(
            text,
            "{refused} of them will be refused again; when more than {REFUSALS_ACCEPTED} of {REFUSALS_OF} records are, the \
             verdict role stops reading."
        );
    }
    if !done && *back > 0 {
        text.push_str("Nothing was changed. Run this again with --yes to do it.\n");
    }
    text
}

fn skip(arguments: &Skip) -> Result<Exit, Failure> {
    let config = start(&arguments.settings)?;
    let target = &arguments.target;
    let reader = roles::verdict::reader(&config, &target.topic);
    let record = dead_letters::skip(&config, &reader, target, arguments.yes)?;
    let group = reader.id;
    let bytes = record.value.map_or(0, |value| value.len());
    let text = if arguments.yes {
        format!("{target} ({bytes} bytes) is a dead letter now, and group {group} passes over it.\n")
    } else {
        format!(
            "{target} ({bytes} bytes) is a record that group {group} is not done with, and the group has no members. Nothing was \
             changed; with --yes the record becomes a dead letter and the group passes over it.\n"
        )
    };
    say(text.as_bytes())?;
    Ok(Exit::Ok)
}
