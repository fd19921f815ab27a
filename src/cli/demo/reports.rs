//! The last step of the demo: it closes its windows by request and shows the reports.

use super::stage::{POLL, Stage};
use crate::cli::reports::{Report, readable};
use crate::cli::windows::close_requests;
use crate::cli::{Failure, shown};
use crate::event::{Record, WindowClosed};
use crate::kafka::{Producer, embedded};
use std::io::Write;
use std::time::{Duration, Instant};

/// Longest wait for the reports, 10 s.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests that the windows close, and shows the reports. Returns whether every failure is either
/// in a report or of a domain that asks for no reports.
pub(super) fn close(stage: &Stage, failures: usize, out: &mut impl Write) -> Result<bool, Failure> {
    let requests = close_requests(&stage.config, None, embedded::PARTITIONS);
    let wanted = failures as u64;
    let (mut reports, mut closed) = (Vec::new(), Vec::new());
    let counted =
        |closed: &[WindowClosed]| closed.iter().map(|closed| closed.messages + closed.no_reporting_address).sum::<u64>();
    Producer::new(&stage.config.kafka)?.write_all(&requests, PATIENCE)?;
    let deadline = Instant::now() + PATIENCE;
    while counted(&closed) < wanted && Instant::now() < deadline {
        let Some(record) = stage.reader.next(POLL)? else { continue };
        if stage.is(&record, &stage.config.topics.reports) {
            match closing(&record) {
                Some(window) => closed.push(window),
                None => reports.extend(Report::of(record)),
            }
        }
    }
    reports.sort_by(|a, b| {
        (&a.attributes.policy_domain, a.attributes.begin).cmp(&(&b.attributes.policy_domain, b.attributes.begin))
    });
    let unasked: u64 = closed.iter().map(|closed| closed.no_reporting_address).sum();
    writeln!(
        out,
        "\nThe aggregate role counted {failures} failures. Its windows are closed by request: {}, and {}",
        shown::count(reports.len(), "report"),
        shown::count(usize::try_from(unasked).unwrap_or(usize::MAX), "failure")
    )?;
    writeln!(out, "of domains that ask for none.\n")?;
    writeln!(out, "{:<28} {:<20} {:>8} {:>5}  reports to", "policy domain", "from", "messages", "rows")?;
    for Report { attributes, .. } in &reports {
        let (from, to) = (shown::time(attributes.begin), shown::addresses(&attributes.addresses, " "));
        let domain = attributes.policy_domain.as_str();
        writeln!(out, "{domain:<28} {from:<20} {:>8} {:>5}  {to}", attributes.messages, attributes.rows)?;
    }
    if let Some(largest) = reports.iter().max_by_key(|report| report.attributes.messages) {
        writeln!(out, "\n{}", readable(largest)?)?;
    }
    Ok(counted(&closed) == wanted)
}

fn closing(record: &Record) -> Option<WindowClosed> {
    let kind = record.headers.as_ref()?.get("ce_type")?;
    if kind == crate::event::WINDOW_CLOSED.as_bytes() { serde_json::from_slice(record.value.as_deref()?).ok() } else { None }
}
