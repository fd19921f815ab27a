//! Waits for the verdicts of messages that were just sent.

use crate::auth::cause::SesStatus;
use crate::cli::explain::{shown, status_style};
use crate::cli::tail::{status_and_policy, why};
use crate::cli::{Exit, Failure};
use crate::config::Config;
use crate::event::dead_letter::{ERROR, REASON};
use crate::event::{Record, VerdictEvent};
use crate::kafka::{Reader, Start};
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Readers of the topics in which the outcomes of the messages appear.
pub(super) struct Wait {
    verdicts: Reader,
    /// `None` when the topic does not exist, or this user may not read it. Refusals are not seen
    /// then.
    dead_letters: Option<Reader>,
    patience: Duration,
}

/// Number of messages without a verdict that are named; the others are only counted.
const NAMED: usize = 10;
const POLL: Duration = Duration::from_millis(100);

impl Wait {
    /// Opens the readers, which begin behind the records that the topics already hold.
    pub(super) fn begin(config: &Config, patience: Duration) -> Result<Self, Failure> {
        let reader = |name: &str| Reader::new(&config.kafka, &[&config.topics.full(name)], Start::End);
        let verdicts = reader(&config.topics.verdicts)?;
        Ok(Self { verdicts, dead_letters: reader(&config.topics.dead_letters).ok(), patience })
    }

    /// Prints the outcome of each message when it appears. `open` has the id and the name of each
    /// message.
    pub(super) fn until_all(mut self, mut open: Vec<(String, String)>, sent: Instant) -> Result<Exit, Failure> {
        let mut exit = Exit::Ok;
        let mut out = anstream::stdout();
        writeln!(out, "{:>9}  {:<17}  why  [message id]  message", "took", "DMARC")?;
        while !open.is_empty() && sent.elapsed() < self.patience {
            let verdict = self.verdicts.next(POLL)?;
            let refused = self.refused();
            for (record, is_verdict) in
                verdict.map(|record| (record, true)).into_iter().chain(refused.map(|record| (record, false)))
            {
                let Some(index) = open.iter().position(|(id, _)| record.key.as_deref() == Some(id.as_bytes())) else { continue };
                let (status, word, why) = if is_verdict { verdict_of(&record) } else { refusal_of(&record) };
                let (id, name) = open.swap_remove(index);
                let (style, took) = (status_style(status), sent.elapsed().as_secs_f64());
                writeln!(out, "{took:>7.2} s  {style}{word:<17}{style:#}  {why}  [{id}]  {}", shown(&name))?;
                out.flush()?;
                if !is_verdict {
                    exit = Exit::Differs;
                }
            }
        }
        if open.is_empty() { Ok(exit) } else { Err(self.missing(&open)) }
    }

    /// Returns the next refused record; `None` when there is none yet.
    fn refused(&mut self) -> Option<Record> {
        let next = self.dead_letters.as_ref()?.next(Duration::ZERO);
        // An error means that the right to read is missing, so the topic is not read again.
        next.inspect_err(|_| self.dead_letters = None).ok().flatten()
    }

    fn missing(&self, open: &[(String, String)]) -> Failure {
        let seconds = self.patience.as_secs();
        let mut lines: Vec<String> =
            open.iter().take(NAMED).map(|(id, name)| format!("no verdict within {seconds} s: [{id}]  {}", shown(name))).collect();
        if let Some(more) = open.len().checked_sub(NAMED).filter(|more| *more > 0) {
            lines.push(format!("no verdict within {seconds} s: {more} more"));
        }
        lines.push(
            "is a process with the verdict role running, and does its /readyz answer 200? Its log says what it waits for; `verdmarc tail \
             verdicts` shows verdicts that come later"
                .to_owned(),
        );
        Failure::new(Exit::NoVerdict, lines.join("\n"))
    }
}

/// Returns the status of a verdict, the word that shows it, and the reason.
fn verdict_of(record: &Record) -> (SesStatus, String, String) {
    let event: Result<VerdictEvent<'_>, _> = serde_json::from_slice(record.value.as_deref().unwrap_or_default());
    match event {
        Ok(event) => (event.receipt.dmarc_verdict.status, status_and_policy(&event), why(&event)),
        Err(error) => (SesStatus::ProcessingFailed, "unreadable".to_owned(), format!("the verdict cannot be read: {error}")),
    }
}

fn refusal_of(record: &Record) -> (SesStatus, String, String) {
    let said = |name: &str| {
        let value = record.headers.as_ref().and_then(|headers| headers.get(name));
        value.map(|value| shown(&String::from_utf8_lossy(value))).unwrap_or_default()
    };
    (SesStatus::ProcessingFailed, "refused".to_owned(), format!("{}: {}", said(REASON), said(ERROR)))
}
