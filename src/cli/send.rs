//! `verdmarc send`

use super::envelope::{Sent, new_id, read_messages};
use super::verify::EnvelopeArgs;
use super::{Exit, Failure, Settings};
use crate::kafka::{Producer, topics};
use crate::telemetry;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Write messages to mail.raw, with their envelope as CloudEvents attributes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Messages, one a file; several only in a file whose name ends in `.mbox`. `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    envelope: EnvelopeArgs,
    /// Write CloudEvents in structured mode (JSON) instead of binary mode.
    #[arg(long)]
    structured: bool,
    #[command(flatten)]
    settings: Settings,
}

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let config = arguments.settings.load()?;
    telemetry::start(&config.log)?;
    super::run::require_brokers(&config)?;
    let messages = read_messages(&arguments.files)?;
    let topic: Arc<str> = config.topics.full(&config.topics.raw).into();
    let mut records = Vec::with_capacity(messages.len());
    let mut lines = String::new();
    for (index, (name, message)) in messages.iter().enumerate() {
        let id = new_id(index);
        let sent = Sent { id: &id, message, envelope: &arguments.envelope };
        records.push(if arguments.structured { sent.structured(&topic) } else { sent.binary(&topic) });
        lines.push_str(&format!("{id}  {name}\n"));
    }
    // Brokers that make topics by themselves would make this one otherwise than it must be.
    topics::partitions(&config.kafka, &topic)?;
    Producer::new(&config.kafka)?.write_all(&records, PATIENCE)?;
    anstream::stdout().write_all(lines.as_bytes())?;
    Ok(Exit::Ok)
}
