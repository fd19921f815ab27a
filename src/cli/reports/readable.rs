//! Shows a report to people. It is read from its XML, as every receiver must read it.

use super::report::Report;
use crate::cli::{Failure, shown};
use quick_xml::Reader;
use quick_xml::events::Event;
use std::fmt::Write as _;

/// Number of rows that are shown; the others are only counted.
const MOST_ROWS: usize = 20;

/// The part of a record of the document that is shown.
#[derive(Debug, Default)]
struct Row {
    source: String,
    count: String,
    from: String,
    disposition: String,
    dkim: Vec<String>,
    spf: Vec<String>,
    reasons: Vec<String>,
}

/// Returns a text that says who failed, how often, and what was done.
pub(in crate::cli) fn readable(report: &Report) -> Result<String, Failure> {
    let rows = rows(&report.xml()?)?;
    let attributes = &report.attributes;
    let mut text = format!(
        "Report {}\nabout {} by {}\n{} to {}, {} in {}\nfor {}\n\n",
        attributes.id.escape_debug(),
        attributes.policy_domain,
        attributes.submitter,
        shown::time(attributes.begin),
        shown::time(attributes.end),
        shown::count(usize::try_from(attributes.messages).unwrap_or(usize::MAX), "message"),
        shown::count(usize::try_from(attributes.rows).unwrap_or(usize::MAX), "row"),
        shown::addresses(&attributes.addresses, ", ")
    );
    let _ = writeln!(text, "{:>8}  {:<15}  {:<20}  {:<11}  checks", "messages", "source", "author domain", "disposition");
    for row in rows.iter().take(MOST_ROWS) {
        let _ = writeln!(
            text,
            "{:>8}  {:<15}  {:<20}  {:<11}  SPF {}",
            row.count,
            row.source,
            row.from,
            row.disposition,
            row.spf.join(" ")
        );
        for signature in signatures(&row.dkim) {
            let _ = writeln!(text, "{:62}DKIM {signature}", "");
        }
        if !row.reasons.is_empty() {
            let _ = writeln!(text, "{:>8}  because: {}", "", row.reasons.join(", "));
        }
    }
    if let Some(more) = rows.len().checked_sub(MOST_ROWS).filter(|more| *more > 0) {
        let _ = writeln!(text, "and {}", shown::count(more, "more row"));
    }
    Ok(text)
}

/// Returns the signatures, one text each. Equal ones that follow each other are counted.
fn signatures(all: &[String]) -> Vec<String> {
    let said = all.chunk_by(|a, b| a == b).map(|equal| match equal {
        [one] => one.clone(),
        several => format!("{} ({} times)", several[0], several.len()),
    });
    if all.is_empty() { vec!["no signature".to_owned()] } else { said.collect() }
}

fn rows(xml: &str) -> Result<Vec<Row>, Failure> {
    let mut reader = Reader::from_str(xml);
    let (mut rows, mut row, mut path) = (Vec::new(), Row::default(), Vec::<String>::new());
    loop {
        match reader.read_event().map_err(|error| Failure::usage(format!("the report is no XML: {error}")))? {
            Event::Start(start) => path.push(start.name().as_ref().to_owned()),
            Event::Text(text) => row.take(&path, &text),
            Event::End(_) => {
                let ended = path.pop();
                if ended.is_some_and(|name| name == "record") {
                    rows.push(std::mem::take(&mut row));
                }
            }
            Event::Eof => return Ok(rows),
            _ => {}
        }
    }
}

impl Row {
    /// Takes the text of the element at `path`.
    fn take(&mut self, path: &[String], text: &str) {
        let text = text.escape_debug().to_string();
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        match names.as_slice() {
            [_, "record", "row", "source_ip"] => self.source = text,
            [_, "record", "row", "count"] => self.count = text,
            [_, "record", "row", "policy_evaluated", "disposition"] => self.disposition = text,
            [_, "record", "row", "policy_evaluated", "reason", "type"] => self.reasons.push(text),
            [_, "record", "identifiers", "header_from"] => self.from = text,
            [_, "record", "auth_results", "spf", "domain" | "result"] => self.spf.push(text),
            [_, "record", "auth_results", "dkim", "domain"] => self.dkim.push(text),
            [_, "record", "auth_results", "dkim", "result"] => {
                if let Some(signature) = self.dkim.last_mut() {
                    let _ = write!(signature, " {text}");
                }
            }
            _ => {}
        }
    }
}
