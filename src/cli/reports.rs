//! `verdmarc reports list|show|export`

mod export;
mod readable;

pub(super) use readable::readable;

use self::export::{Export, export};
use super::{Exit, Failure, Settings, shown};
use crate::config::Config;
use crate::dns::Domain;
use crate::event::{Record, ReportAttributes};
use crate::kafka::{Range, Span};
use crate::telemetry;
use flate2::read::GzDecoder;
use jiff::Timestamp;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the reports that were made.
    List(List),
    /// Show one report: its XML, or what it says to a person.
    Show(Show),
    /// Write reports as files, under the names that they are sent by.
    Export(Export),
}

/// Which reports are meant.
#[derive(Debug, clap::Args)]
struct Selection {
    /// Only about this policy domain.
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<Domain>,
    /// Only those written at this time or later, say 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "RFC3339", value_parser = super::time)]
    since: Option<Timestamp>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    selection: Selection,
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// Its id, or the beginning of it.
    #[arg(value_name = "ID")]
    id: String,
    /// As a person would read it.
    #[arg(long)]
    readable: bool,
    #[command(flatten)]
    settings: Settings,
}

/// A report as it lies in mail.reports.
pub(super) struct Report {
    pub(super) attributes: ReportAttributes,
    time: Option<Timestamp>,
    bytes: Vec<u8>,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    let (Command::List(List { selection: Selection { settings, .. }, .. })
    | Command::Show(Show { settings, .. })
    | Command::Export(Export { selection: Selection { settings, .. }, .. })) = command;
    let config = settings.load()?;
    telemetry::start(&config.log)?;
    super::run::require_brokers(&config)?;
    match command {
        Command::List(arguments) => list(&config, arguments),
        Command::Show(arguments) => show(&config, arguments),
        Command::Export(arguments) => export(&config, arguments),
    }
}

/// Calls `each` with every report that is meant, in the order of their partitions.
fn for_each(
    config: &Config,
    domain: Option<&Domain>,
    since: Option<Timestamp>,
    mut each: impl FnMut(Report) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let topic: Arc<str> = config.topics.full(&config.topics.reports).into();
    let mut range = Range::open(&config.kafka, &topic, &since.map_or(Span::Beginning, Span::Time))?;
    while let Some(record) = range.next()? {
        if let Some(report) =
            Report::of(record).filter(|report| domain.is_none_or(|domain| *domain == report.attributes.policy_domain))
        {
            each(report)?;
        }
    }
    Ok(())
}

impl Report {
    /// The report that a record is; none when it is something else.
    pub(super) fn of(record: Record) -> Option<Self> {
        let attributes = ReportAttributes::read(record.headers.as_ref()?)?;
        Some(Self { attributes, time: record.timestamp.map(|stamp| stamp.time), bytes: record.value? })
    }

    /// The document.
    pub(super) fn xml(&self) -> Result<String, Failure> {
        // What is in the topic is ours, but a reader never takes more than what a report may be.
        const MOST: u64 = 1 << 30;
        let mut xml = String::new();
        let read = GzDecoder::new(self.bytes.as_slice()).take(MOST).read_to_string(&mut xml);
        read.map_err(|error| Failure::usage(format!("report {} cannot be read: {error}", self.attributes.id.escape_debug())))?;
        Ok(xml)
    }
}

fn list(config: &Config, List { json, selection }: &List) -> Result<Exit, Failure> {
    let mut out = anstream::stdout().lock();
    // Not before the first report was found: no heading stands above an error.
    let mut heading = if *json { "" } else { HEADING };
    for_each(config, selection.domain.as_ref(), selection.since, |report| {
        let line = if *json { json_line(&report) } else { line(&report) };
        Ok(writeln!(out, "{}{line}", std::mem::take(&mut heading))?)
    })?;
    out.write_all(heading.as_bytes())?;
    Ok(Exit::Ok)
}

const HEADING: &str = "id            from                  policy domain               part     rows  messages  reports to\n";

/// Characters of an id in the table: enough for `show`. All of them are in the JSON.
const SHOWN_OF_ID: usize = 12;

fn line(Report { attributes, .. }: &Report) -> String {
    let (from, late) = (shown::time(attributes.begin), shown::late(attributes.generation));
    format!(
        "{:<12}  {from:<20}  {:<26}  {:>4} {:>8}  {:>8}  {}{late}",
        attributes.id.chars().take(SHOWN_OF_ID).collect::<String>().escape_debug().to_string(),
        attributes.policy_domain,
        attributes.part + 1,
        attributes.rows,
        attributes.messages,
        shown::addresses(&attributes.addresses, " ")
    )
}

fn json_line(Report { attributes, time, bytes }: &Report) -> String {
    let ReportAttributes {
        id,
        policy_domain,
        submitter,
        begin,
        end,
        file_name,
        subject,
        generation,
        part,
        profile,
        addresses,
        rows,
        messages,
    } = attributes;
    json!({
        "id": id, "policyDomain": policy_domain, "submitter": submitter, "begin": begin, "end": end, "fileName": file_name,
        "subject": subject, "generation": generation, "part": part, "profile": profile, "reportTo": addresses, "rows": rows,
        "messages": messages, "bytes": bytes.len(), "written": time,
    })
    .to_string()
}

fn show(config: &Config, arguments: &Show) -> Result<Exit, Failure> {
    let mut found: Vec<Report> = Vec::new();
    for_each(config, None, None, |report| {
        if report.attributes.id.starts_with(&arguments.id) {
            found.push(report);
        }
        Ok(())
    })?;
    let report = match found.as_slice() {
        [report] => report,
        [] => return Err(Failure::usage("there is no such report (any more): `verdmarc reports list` says which there are")),
        several => return Err(Failure::usage(format!("{} reports begin with that: give more of the id", several.len()))),
    };
    let text = if arguments.readable { readable(report)? } else { indented(&report.xml()?)? };
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}

/// The document with a line for each element.
fn indented(xml: &str) -> Result<String, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| Failure::usage(format!("the report is no XML: {error}"));
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut writer = quick_xml::Writer::new_with_indent(Vec::new(), b' ', 2);
    loop {
        match reader.read_event().map_err(|error| unreadable(&error))? {
            quick_xml::events::Event::Eof => break,
            event => writer.write_event(event).map_err(|error| unreadable(&error))?,
        }
    }
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned() + "\n")
}
