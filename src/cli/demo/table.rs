//! Prints the table and the summary of the demo.

use super::scenarios::{Expected, Scenario};
use crate::auth::cause::SesStatus;
use crate::auth::dmarc::Policy;
use crate::cli::explain::status_style as style;
use crate::event::VerdictEvent;
use anstyle::{AnsiColor, Style};
use std::io::{self, Write};
use std::time::Duration;

/// The outcome of a scenario.
pub(super) enum RowOutcome<'a> {
    Verdict(&'a VerdictEvent<'a>),
    Refused(&'a str),
}

/// Numbers of outcomes and of records by their kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) pass: usize,
    pub(super) reject: usize,
    pub(super) quarantine: usize,
    pub(super) none: usize,
    pub(super) gray: usize,
    pub(super) undecided: usize,
    pub(super) refused: usize,
    pub(super) failures: usize,
    pub(super) annotated: usize,
    pub(super) unexpected: usize,
}

const DIM: Style = AnsiColor::BrightBlack.on_default();
const BOLD: Style = Style::new().bold();

/// Writes the line above the table.
pub(super) fn head(out: &mut impl Write) -> io::Result<()> {
    let (number, title, from, spf, dkim, dmarc) = ("#", "what arrives", "author domain", "SPF", "DKIM", "DMARC");
    writeln!(out, "✓ the outcome is the one that must come of it, ✗ it is another; ERROR stands for PROCESSING_FAILED\n")?;
    writeln!(out, "{BOLD}{number:>3} {title:<40} {from:<21} {spf:<6} {dkim:<6} {dmarc}{BOLD:#}")
}

/// Writes one line for a scenario, and further lines when its outcome is not the expected one.
pub(super) fn row(out: &mut impl Write, number: usize, scenario: &Scenario, outcome: &RowOutcome<'_>) -> io::Result<()> {
    write!(out, "{number:>3} {:<40} ", scenario.title)?;
    match outcome {
        RowOutcome::Refused(reason) => {
            let style = style(SesStatus::ProcessingFailed);
            write!(out, "{style}refused: {:<44}{style:#}", reason.escape_debug().to_string())?;
        }
        RowOutcome::Verdict(event) => verdict(out, event)?,
    }
    if matches(&scenario.expected, outcome) {
        return writeln!(out, " ✓");
    }
    let style = style(SesStatus::Fail);
    writeln!(out, " {style}✗{style:#}")?;
    writeln!(out, "{style}      expected: {}{style:#}", describe(&scenario.expected))?;
    if let RowOutcome::Verdict(event) = outcome {
        writeln!(out, "{DIM}      {}{DIM:#}", crate::cli::tail::why(event))?;
    }
    Ok(())
}

/// Writes the columns of a verdict, from the author domain on.
pub(super) fn verdict(out: &mut impl Write, event: &VerdictEvent) -> io::Result<()> {
    let receipt = &event.receipt;
    let author = event.authentication.author_domain.as_ref().map_or("-", crate::dns::Domain::as_str);
    write!(out, "{author:<21} ")?;
    for status in [receipt.spf_verdict.status, receipt.dkim_verdict.status] {
        let style = style(status);
        let word = if status == SesStatus::ProcessingFailed { "ERROR" } else { status.as_str() };
        write!(out, "{style}{word:<6}{style:#} ")?;
    }
    let dmarc = receipt.dmarc_verdict.status;
    let style = style(dmarc);
    write!(out, "{style}{:<17}{style:#}", with_policy(dmarc, receipt.dmarc_policy))
}

fn with_policy(status: SesStatus, policy: Option<Policy>) -> String {
    policy.map_or_else(|| status.as_str().to_owned(), |policy| format!("{} {policy}", status.as_str()))
}

fn describe(expected: &Expected) -> String {
    match expected {
        Expected::Refused(reason) => format!("refused, {reason}"),
        Expected::Verdict { spf, dkim, dmarc, policy } => {
            format!("SPF {}, DKIM {}, DMARC {}", spf.as_str(), dkim.as_str(), with_policy(*dmarc, *policy))
        }
    }
}

/// Returns whether the outcome is the expected one.
pub(super) fn matches(expected: &Expected, outcome: &RowOutcome<'_>) -> bool {
    match (expected, outcome) {
        (Expected::Refused(expected), RowOutcome::Refused(reason)) => expected == reason,
        (Expected::Verdict { spf, dkim, dmarc, policy }, RowOutcome::Verdict(event)) => {
            let receipt = &event.receipt;
            let statuses = (receipt.spf_verdict.status, receipt.dkim_verdict.status, receipt.dmarc_verdict.status);
            statuses == (*spf, *dkim, *dmarc) && receipt.dmarc_policy == *policy
        }
        _ => false,
    }
}

impl Counts {
    /// Returns whether every record that follows from `sent` raw records has been counted.
    pub(super) fn are_complete(&self, sent: usize) -> bool {
        self.verdicts() + self.refused >= sent && self.failures >= self.fails() && self.annotated >= self.verdicts()
    }

    /// Counts one more outcome.
    pub(super) fn add(&mut self, outcome: &RowOutcome<'_>) {
        let RowOutcome::Verdict(event) = outcome else {
            self.refused += 1;
            return;
        };
        let receipt = &event.receipt;
        *match (receipt.dmarc_verdict.status, receipt.dmarc_policy) {
            (SesStatus::Pass, _) => &mut self.pass,
            (SesStatus::Fail, Some(Policy::Reject)) => &mut self.reject,
            (SesStatus::Fail, Some(Policy::Quarantine)) => &mut self.quarantine,
            (SesStatus::Fail, _) => &mut self.none,
            (SesStatus::Gray | SesStatus::Disabled, _) => &mut self.gray,
            (SesStatus::ProcessingFailed, _) => &mut self.undecided,
        } += 1;
    }

    /// Returns the number of messages that got a verdict.
    pub(super) fn verdicts(&self) -> usize {
        self.pass + self.fails() + self.gray + self.undecided
    }

    /// Returns the number of messages that failed.
    pub(super) fn fails(&self) -> usize {
        self.reject + self.quarantine + self.none
    }

    /// Writes the summary below the table.
    pub(super) fn summary(&self, out: &mut impl Write, sent: usize, elapsed: Duration) -> io::Result<()> {
        let Self { pass, reject, quarantine, none, gray, undecided, refused, failures, annotated, unexpected } = self;
        let verdicts = self.verdicts();
        writeln!(out)?;
        writeln!(
            out,
            "{BOLD}{sent} records sent to mail.raw, {verdicts} verdicts, {refused} refused, in {elapsed:.1?}.{BOLD:#}"
        )?;
        writeln!(out, "  PASS {pass}   FAIL {} (reject {reject}, quarantine {quarantine}, none {none})", self.fails())?;
        writeln!(out, "  GRAY {gray}   PROCESSING_FAILED {undecided}")?;
        writeln!(
            out,
            "  mail.verdicts {verdicts}   mail.failures {failures}   mail.annotated {annotated}   mail.dead-letters {refused}"
        )?;
        if *unexpected == 0 {
            let style = style(SesStatus::Pass);
            writeln!(out, "{style}Every outcome is as expected.{style:#}")
        } else {
            let style = style(SesStatus::Fail);
            writeln!(out, "{style}{unexpected} not as expected.{style:#}")
        }
    }
}
