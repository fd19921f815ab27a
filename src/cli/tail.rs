//! `verdmarc tail`: shows the records of a topic as they are written.

use super::explain::{shown, status_style};
use super::shown::count;
use super::{Exit, Failure, Settings};
use crate::auth::cause::SesStatus;
use crate::event::redrive::DeadLetterEntry;
use crate::event::{FailureEvent, Record, VerdictEvent};
use crate::kafka::{Reader, Start};
use crate::telemetry;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

/// Show what is written to a topic, one line each.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The kind of records to show.
    topic: Topic,
    /// The events as they are, one JSON object per line (dead letters: their headers).
    #[arg(long)]
    json: bool,
    /// Begin with the oldest record instead of the next one.
    #[arg(long)]
    from_beginning: bool,
    /// End after this number of records.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Topic {
    /// Verdicts.
    Verdicts,
    /// Failures that will stand in reports.
    Failures,
    /// Refused records.
    DeadLetters,
}

const PATIENCE: Duration = Duration::from_millis(500);

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let config = arguments.settings.load()?;
    telemetry::start(&config.log)?;
    super::run::require_brokers(&config)?;
    let topics = &config.topics;
    let topic = match arguments.topic {
        Topic::Verdicts => topics.full(&topics.verdicts),
        Topic::Failures => topics.full(&topics.failures),
        Topic::DeadLetters => topics.full(&topics.dead_letters),
    };
    let start = if arguments.from_beginning { Start::Beginning } else { Start::End };
    let reader = Reader::new(&config.kafka, &[&topic], start)?;
    if !arguments.json {
        writeln!(anstream::stdout(), "{}", heading(arguments.topic))?;
    }
    let mut written = 0;
    while arguments.limit.is_none_or(|limit| written < limit) {
        let Some(record) = reader.next(PATIENCE)? else { continue };
        let line = if arguments.json { json(arguments.topic, &record) } else { line(arguments.topic, &record) };
        writeln!(anstream::stdout(), "{line}")?;
        written += 1;
    }
    Ok(Exit::Ok)
}

/// Returns the heading, which has the columns of the lines below it.
fn heading(topic: Topic) -> String {
    match topic {
        Topic::Verdicts => format!("{:<20}  {:<17}  {:<20}  why  [message id]", "arrival", "DMARC", "author domain"),
        Topic::Failures => {
            format!("{:<20}  {:<11}  {:<20}  {:<15}  policy", "arrival", "disposition", "author domain", "source")
        }
        Topic::DeadLetters => format!("{:<21}  {:<17}  error", "reason", "origin"),
    }
}

fn json(topic: Topic, record: &Record) -> String {
    if topic == Topic::DeadLetters {
        let headers = record.headers.iter().flat_map(crate::event::Headers::iter);
        let text = |value: Option<&[u8]>| value.map(|value| String::from_utf8_lossy(value).into_owned());
        let object: serde_json::Map<String, serde_json::Value> =
            headers.map(|(name, value)| (name.to_owned(), text(value).into())).collect();
        return serde_json::Value::Object(object).to_string();
    }
    String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned()
}

fn line(topic: Topic, record: &Record) -> String {
    let value = record.value.as_deref().unwrap_or_default();
    let line = match topic {
        Topic::Verdicts => serde_json::from_slice(value).map(|event| verdict_line(&event)),
        Topic::Failures => serde_json::from_slice(value).map(|event| failure_line(&event)),
        Topic::DeadLetters => Ok(dead_letter_line(record)),
    };
    line.unwrap_or_else(|error| format!("{}/{}/{} cannot be read: {error}", record.topic, record.partition, record.offset))
}

/// Formats one verdict: status, author domain, reason.
pub(super) fn verdict_line(event: &VerdictEvent) -> String {
    let receipt = &event.receipt;
    let dmarc = receipt.dmarc_verdict.status;
    let style = status_style(dmarc);
    let author = event.authentication.author_domain.as_ref().map_or("-", crate::dns::Domain::as_str);
    let status = status_and_policy(event);
    let mut line = format!("{:.0}  {style}{status:<17}{style:#}  {author:<20}  {}", receipt.timestamp, why(event));
    let _ = write!(line, "  [{}]", shown(&event.mail.message_id));
    line
}

/// Returns the status, followed by the policy on FAIL.
pub(super) fn status_and_policy(event: &VerdictEvent) -> String {
    let policy = event.receipt.dmarc_policy.map(|policy| format!(" {policy}")).unwrap_or_default();
    format!("{}{policy}", event.receipt.dmarc_verdict.status.as_str())
}

/// Returns the reasons for a verdict in a few words.
pub(super) fn why(event: &VerdictEvent) -> String {
    let authentication = &event.authentication;
    let spf = &authentication.spf;
    let aligned = |aligned: Option<bool>| if aligned == Some(true) { " aligned" } else { "" };
    let domain = spf.domain.as_ref().map(|domain| format!(" {domain}")).unwrap_or_default();
    let mut why = format!("spf={}{domain}{}", spf.result, aligned(spf.aligned));
    for signature in authentication.dkim.iter().take(3) {
        let domain = signature.d.as_ref().map(|domain| format!(" {domain}")).unwrap_or_default();
        let _ = write!(why, ", dkim={}{domain}{}", signature.result, aligned(signature.aligned));
    }
    match authentication.dkim_count {
        0 => why.push_str(", unsigned"),
        count if count > 3 => {
            let _ = write!(why, " and {} more", count - 3);
        }
        _ => {}
    }
    for reason in &authentication.dmarc.reasons {
        let _ = write!(why, ", {}", reason.code());
    }
    why
}

fn failure_line(event: &FailureEvent) -> String {
    let row = &event.row;
    let style = status_style(SesStatus::Fail);
    format!(
        "{:.0}  {style}{:<11}{style:#}  {:<20}  {:<15}  policy of {}",
        event.arrival,
        row.disposition.as_str(),
        row.header_from,
        row.source_ip,
        event.policy_domain,
    )
}

fn dead_letter_line(record: &Record) -> String {
    if let DeadLetterEntry::Redriven(mark) = DeadLetterEntry::of(record) {
        let letters = count(mark.redriven.len(), "record");
        return format!("{:<21}  {letters} of partition {} put back", "-", record.partition);
    }
    let said = |name: &str| {
        let value = record.headers.as_ref().and_then(|headers| headers.get(name));
        value.map(|value| shown(&String::from_utf8_lossy(value))).unwrap_or_default()
    };
    let style = status_style(SesStatus::ProcessingFailed);
    let origin = ["verdmarc-origin-topic", "verdmarc-origin-partition", "verdmarc-origin-offset"].map(said).join("/");
    format!("{style}{:<21}{style:#}  {origin:<17}  {}", said("verdmarc-reason"), said("verdmarc-error"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Headers;

    #[test]
    fn a_text_that_is_escaped_already_is_not_escaped_again() {
        let error = r"content-type is `text/\u{202e}\\html`; write message/rfc822";
        let headers = Headers::default()
            .with("verdmarc-reason", "content_type")
            .with("verdmarc-error", error)
            .with("verdmarc-origin-topic", "mail\u{202e}raw")
            .with("verdmarc-origin-partition", "3")
            .with("verdmarc-origin-offset", "41");
        let record = Record {
            topic: "mail.dead-letters".into(),
            partition: 0,
            offset: 0,
            timestamp: None,
            key: None,
            value: None,
            headers: Some(headers),
        };
        let line = dead_letter_line(&record);
        assert!(line.contains(error), "{line}");
        assert!(line.contains(r"mail\u{202e}raw/3/41"), "{line}");
    }
}
