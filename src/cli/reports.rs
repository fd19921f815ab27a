//! `verdmarc reports list|show|export`: reads aggregate reports.

mod export;
mod readable;
mod report;
mod selection;

pub(super) use readable::readable;
pub(super) use report::Report;

use self::export::{Export, export};
use self::selection::{Selection, for_each};
use super::{Exit, Failure, Settings, shown};
use crate::config::Config;
use crate::event::ReportAttributes;
use crate::telemetry;
use serde_json::json;
use std::io::Write as _;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the reports that were made.
    List(List),
    /// Show one report: its XML, or a text for people.
    Show(Show),
    /// Write reports to files, under the file names that they are sent with.
    Export(Export),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    selection: Selection,
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The id of the report, or the beginning of the id.
    #[arg(value_name = "ID")]
    id: String,
    /// A text for people instead of XML.
    #[arg(long)]
    readable: bool,
    #[command(flatten)]
    settings: Settings,
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

fn list(config: &Config, List { json, selection }: &List) -> Result<Exit, Failure> {
    let mut out = anstream::stdout().lock();
    // The heading is written with the first report, so that none stands above an error.
    let mut heading = if *json { "" } else { HEADING };
    for_each(config, selection.domain.as_ref(), selection.since, |report| {
        let line = if *json { json_line(&report) } else { line(&report) };
        Ok(writeln!(out, "{}{line}", std::mem::take(&mut heading))?)
    })?;
    out.write_all(heading.as_bytes())?;
    Ok(Exit::Ok)
}

const HEADING: &str = "id            from                  policy domain               part     rows  messages  reports to\n";

/// Number of characters of an id in the table, which is enough for `show`. The JSON has the whole
/// id.
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

/// Returns the document with one element per line.
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
