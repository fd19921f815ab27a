//! `verdmarc replay`: evaluates a verdict again from its evidence, without DNS.

use super::Exit;
use crate::config::{Discovery, Evaluation};
use crate::dns::EvidenceResolver;
use crate::event::{EvaluationBlock, Reason, VerdictEvent};
use crate::message::{Envelope, MailFrom, Submission};
use crate::verdict::{MailDetail, Origin, ReportScope, evaluate, outputs};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Evaluate a verdict again from its evidence; print what differs.
///
/// Without options the same verdict must come out. Options show what the verdict would have been
/// with other settings. A question that was not asked at that time cannot be answered now; it is
/// named.
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// A verdict event.
    #[arg(value_name = "FILE")]
    event: PathBuf,
    /// The message that it is about.
    #[arg(long, value_name = "FILE")]
    message: PathBuf,
    /// Find organizational domains in this way instead.
    #[arg(long, value_enum)]
    discovery: Option<Discovery>,
    /// Use another value for this option of `[evaluation]`, for example `psl_guard=false`; may be
    /// given several times.
    #[arg(long = "set", value_name = "OPTION=VALUE")]
    options: Vec<String>,
}

impl Replay {
    /// Evaluates the verdict again and prints the differences.
    ///
    /// # Errors
    /// A file cannot be read, the evidence of the event was cut, or an option is unknown.
    pub async fn run(self) -> Result<Exit> {
        let text = std::fs::read_to_string(&self.event).with_context(|| format!("cannot read {}", self.event.display()))?;
        let recorded: VerdictEvent =
            serde_json::from_str(&text).with_context(|| format!("{} is not a verdict event", self.event.display()))?;
        let message = std::fs::read(&self.message).with_context(|| format!("cannot read {}", self.message.display()))?;
        if recorded.evidence.dns.truncated {
            bail!("{}: the evidence of this verdict was cut at its limit, so it cannot be replayed", self.event.display());
        }
        let settings = Arc::new(self.settings(&recorded.settings.evaluation.evaluation()?)?);
        let envelope = envelope(&recorded);
        let resolver = EvidenceResolver::new(&recorded.evidence.dns);
        let verdict = evaluate(&message, &envelope, &resolver, recorded.evidence.evaluated_at, &settings).await;
        let replayed = outputs(&message, &envelope, verdict, &origin(&recorded, settings)).verdict;

        let mut out = anstream::stdout();
        for question in resolver.missing() {
            writeln!(out, "not in the evidence: {} {:?}", question.name, question.rtype)?;
        }
        let mut differences = Vec::new();
        compare("", &comparable(&recorded)?, &comparable(&replayed)?, &mut differences);
        for difference in &differences {
            writeln!(out, "{difference}")?;
        }
        if differences.is_empty() {
            writeln!(out, "the same verdict: DMARC {}", replayed.receipt.dmarc_verdict.status.as_str())?;
            return Ok(Exit::Ok);
        }
        Ok(Exit::Differs)
    }

    fn settings(&self, recorded: &Evaluation) -> Result<Evaluation> {
        let mut all = serde_json::to_value(recorded)?;
        for option in &self.options {
            let Some((name, value)) = option.split_once('=') else { bail!("--set {option}: expected OPTION=VALUE") };
            let pointer = format!("/{}", name.replace('.', "/"));
            let Some(slot) = all.pointer_mut(&pointer) else { bail!("--set {option}: there is no option `{name}`") };
            *slot = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        }
        let mut settings: Evaluation = serde_json::from_value(all).context("--set")?;
        settings.discovery = self.discovery.unwrap_or(settings.discovery);
        Ok(settings)
    }
}

fn envelope(recorded: &VerdictEvent) -> Envelope {
    let block = &recorded.envelope;
    let given = |status: &str| (status != "DISABLED").then(|| status.to_owned());
    Envelope {
        client_ip: block.client_ip,
        helo: block.helo.clone(),
        mail_from: match block.mail_from.as_deref() {
            None => MailFrom::Unknown,
            Some("") => MailFrom::Null,
            Some(path) => MailFrom::Path(path.to_owned()),
        },
        rcpt_to: block.rcpt_to.clone(),
        submission: if block.authenticated { Submission::Authenticated } else { Submission::External },
        arrival: Some(recorded.receipt.timestamp),
        spam_verdict: given(&recorded.receipt.spam_verdict.status),
        virus_verdict: given(&recorded.receipt.virus_verdict.status),
    }
}

fn origin(recorded: &VerdictEvent, settings: Arc<Evaluation>) -> Origin {
    Origin {
        message_id: recorded.mail.message_id.clone(),
        input: recorded.input.clone(),
        detail: if recorded.mail.common_headers.is_some() { MailDetail::Full } else { MailDetail::Minimal },
        annotate: false,
        report_scope: ReportScope::default(),
        settings_block: EvaluationBlock::new(&settings),
        settings,
        // The decoder notes this about the record, so that the message alone cannot give it again.
        notes: recorded
            .authentication
            .dmarc
            .reasons
            .iter()
            .copied()
            .filter(|reason| *reason == Reason::ArrivalAdjusted)
            .collect(),
    }
}

/// Returns the event without the parts that may differ: the version of the software, and the number
/// of recipients, of which the event lists only the first.
fn comparable(event: &VerdictEvent) -> Result<Value> {
    let mut value = serde_json::to_value(event)?;
    for (block, field) in [("/evidence", "software"), ("/receipt", "recipientCount")] {
        if let Some(Value::Object(block)) = value.pointer_mut(block) {
            block.remove(field);
        }
    }
    Ok(value)
}

fn compare(path: &str, recorded: &Value, replayed: &Value, differences: &mut Vec<String>) {
    match (recorded, replayed) {
        (Value::Object(a), Value::Object(b)) => {
            let added = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(added) {
                let at = |block: &serde_json::Map<String, Value>| block.get(key).cloned().unwrap_or_default();
                compare(&format!("{path}/{key}"), &at(a), &at(b), differences);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}/{index}"), a, b, differences);
            }
        }
        (a, b) if a == b => {}
        (a, b) => differences.push(format!("{path}: was {a}, is {b}")),
    }
}
