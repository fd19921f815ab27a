//! `verdmarc verify`: evaluates messages and explains their verdicts.

mod received;

use super::envelope::{EnvelopeArgs, named};
use super::{Exit, explain, fold, setup, time};
use crate::auth::cause::SesStatus;
use crate::config::Evaluation;
use crate::event::{EvaluationBlock, Reason};
use crate::message::{HeaderSection, normalise};
use crate::verdict::{MailDetail, Origin, ReportScope, evaluate, outputs};
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Check a message and explain the verdict.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The message as received; `-` for standard input. Several messages only as `.mbox`.
    #[arg(default_value = "-", value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    envelope: EnvelopeArgs,
    /// Where the envelope comes from when it is not given.
    #[arg(long = "envelope", value_enum, value_name = "SOURCE")]
    source: Option<EnvelopeSource>,
    #[command(flatten)]
    setup: setup::Setup,
    /// The time of evaluation, and of arrival unless --arrival says another.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    now: Option<Timestamp>,
    #[command(flatten)]
    format: Format,
}

/// Sources that an envelope may be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum EnvelopeSource {
    /// The topmost Received and Return-Path fields, which the mailbox's own server wrote.
    Received,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Format {
    /// The verdict event.
    #[arg(long)]
    json: bool,
    /// The header fields that the annotated message has on top.
    #[arg(long)]
    headers: bool,
    /// The annotated message.
    #[arg(long)]
    annotated: bool,
}

impl Verify {
    /// Evaluates the message, or every message of an mbox.
    ///
    /// # Errors
    /// A file cannot be read or is empty, or settings are wrong.
    pub async fn run(self) -> Result<Exit> {
        let (settings, resolver) = self.setup.load()?;
        let settings = Arc::new(settings);
        let bytes = read(&self.file)?;
        let messages = named(&self.file, &bytes)?;
        let mut exit = Exit::Ok;
        for (number, (id, message)) in messages.iter().enumerate() {
            if messages.len() > 1 && !self.format.json {
                self.separate(number, messages.len())?;
            }
            if self.judge(id, message, &settings, resolver.as_ref()).await? == SesStatus::ProcessingFailed {
                exit = Exit::ProcessingFailed;
            }
        }
        Ok(exit)
    }

    /// Announces the message that follows. The line stands between explanations, and on standard
    /// error when standard output is not text for people.
    fn separate(&self, number: usize, count: usize) -> Result<()> {
        let line = format!("message {} of {count}\n", number + 1);
        if self.format.headers || self.format.annotated {
            anstream::eprint!("{line}");
        } else {
            writeln!(anstream::stdout(), "{}{line}", if number > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }

    async fn judge(
        &self,
        id: &str,
        message: &[u8],
        settings: &Arc<Evaluation>,
        resolver: &dyn crate::dns::Resolver,
    ) -> Result<SesStatus> {
        let most = settings.limits.message_bytes;
        if message.len() > most {
            bail!(
                "{id}: the message has {} bytes, more than evaluation.limits.message_bytes allows ({most}): it would be refused",
                message.len()
            );
        }
        let mut envelope = self.envelope.envelope();
        let mut notes = Vec::new();
        if self.source == Some(EnvelopeSource::Received) {
            let normalised = normalise(message, settings.convert_bare_lf, settings.strip_mbox_line);
            notes = received::complete(&mut envelope, &HeaderSection::parse(&normalised.bytes, &settings.limits));
        }
        envelope.arrival = envelope.arrival.or(self.now);
        let now = self.now.unwrap_or_else(Timestamp::now);
        let verdict = evaluate(message, &envelope, resolver, now, settings).await;
        let status = verdict.dmarc;
        let mut out = std::io::stdout().lock();
        if self.format.headers {
            out.write_all(&verdict.fields)?;
            return Ok(status);
        }
        let origin = Origin {
            message_id: id.to_owned(),
            input: None,
            detail: MailDetail::Full,
            annotate: self.format.annotated,
            report_scope: ReportScope::default(),
            settings: settings.clone(),
            settings_block: EvaluationBlock::new(settings),
            notes: Vec::<Reason>::new(),
        };
        let outputs = outputs(message, &envelope, verdict, &origin);
        if let Some(annotated) = outputs.annotated {
            out.write_all(&annotated)?;
        } else if self.format.json {
            serde_json::to_writer_pretty(&mut out, &outputs.verdict)?;
            writeln!(out)?;
        } else {
            drop(out);
            let explanation = explain::Explanation { event: &outputs.verdict, notes: &notes }.to_string();
            write!(anstream::stdout(), "{}", fold::for_terminal(&explanation, explain::INDENT))?;
        }
        Ok(status)
    }
}

/// Returns the bytes of the file, or of standard input.
fn read(file: &PathBuf) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let name = if file.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
        "standard input".to_owned()
    } else {
        bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        file.display().to_string()
    };
    if bytes.is_empty() {
        bail!("{name} is empty: a message has at least a header section");
    }
    Ok(bytes)
}
