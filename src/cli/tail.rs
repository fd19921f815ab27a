//! `verdmarc tail`

use super::{Exit, Failure, Settings};
use crate::auth::cause::SesStatus;
use crate::event::redrive::Entry;
use crate::event::{FailureEvent, Record, VerdictEvent};
use crate::kafka::{Reader, Start};
use crate::telemetry;
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

/// Show what is written to a topic, one line each.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What to show.
    topic: Topic,
    /// The events as they are, one JSON object a line (dead letters: their headers).
    #[arg(long)]
    json: bool,
    /// Begin with the oldest record instead of the next one.
    #[arg(long)]
    from_beginning: bool,
    /// End after so many.
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
    let mut shown = 0;
    while arguments.limit.is_none_or(|limit| shown < limit) {
        let Some(record) = reader.next(PATIENCE)? else { continue };
        let line = if arguments.json { json(arguments.topic, &record) } else { line(arguments.topic, &record) };
        writeln!(anstream::stdout(), "{line}")?;
        shown += 1;
    }
    Ok(Exit::Ok)
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
    line.unwrap_or_else(|error| format!("{}/{} at {}: unreadable: {error}", record.topic, record.partition, record.offset))
}

/// One verdict: status, author domain, why.
pub(super) fn verdict_line(event: &VerdictEvent) -> String {
    let receipt = &event.receipt;
    let dmarc = receipt.dmarc_verdict.status;
    let style = style(dmarc);
    let policy = receipt.dmarc_policy.map(|policy| format!(" {policy}")).unwrap_or_default();
    let author = event.authentication.author_domain.as_ref().map_or("-", crate::dns::Domain::as_str);
    let status = format!("{}{policy}", dmarc.as_str());
    let mut line = format!("{:.0}  {style}{status:<17}{style:#}  {author:<28}  {}", receipt.timestamp, why(event));
    let _ = write!(line, "  [{}]", event.mail.message_id.escape_debug());
    line
}

/// Why the verdict is what it is, in a few words.
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
    let policy = style(SesStatus::Fail);
    format!(
        "{:.0}  {policy}{:<10}{policy:#}  {:<28}  from {} by {}, {} reporting address(es)",
        event.arrival,
        row.disposition.as_str(),
        row.header_from,
        row.source_ip,
        event.policy_domain,
        event.report_addresses.len()
    )
}

fn dead_letter_line(record: &Record) -> String {
    if let Entry::Redriven(mark) = Entry::of(record) {
        return format!("{} dead letter(s) of partition {} put back", mark.redriven.len(), record.partition);
    }
    let said = |name: &str| {
        let value = record.headers.as_ref().and_then(|headers| headers.get(name));
        value.map(|value| String::from_utf8_lossy(value).escape_debug().to_string()).unwrap_or_default()
    };
    let style = style(SesStatus::ProcessingFailed);
    format!(
        "{style}{:<22}{style:#}  {}/{} at {}: {}",
        said("verdmarc-reason"),
        said("verdmarc-origin-topic"),
        said("verdmarc-origin-partition"),
        said("verdmarc-origin-offset"),
        said("verdmarc-error")
    )
}

/// The colour of a status.
pub(super) fn style(status: SesStatus) -> Style {
    match status {
        SesStatus::Pass => AnsiColor::Green.on_default(),
        SesStatus::Fail => AnsiColor::Red.on_default().bold(),
        SesStatus::Gray | SesStatus::Disabled => AnsiColor::BrightBlack.on_default(),
        SesStatus::ProcessingFailed => AnsiColor::Yellow.on_default(),
    }
}
