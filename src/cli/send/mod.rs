//! `verdmarc send`: writes messages to mail.raw.

mod wait;

use super::envelope::{EnvelopeArgs, Sent, new_id, read_messages};
use super::{Exit, Failure, Settings};
use crate::kafka::{Producer, topics};
use crate::telemetry;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wait::Wait;

/// Write messages to mail.raw, with their envelope as CloudEvents attributes.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Messages, one per file; several only in a file whose name ends in `.mbox`. `-` is standard
    /// input. Without a file, verdmarc sends a test message of its own; with --authenticated it
    /// asks no DNS and is counted in no report.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    envelope: EnvelopeArgs,
    /// Write CloudEvents in structured mode (JSON) instead of binary mode.
    #[arg(long)]
    structured: bool,
    /// Wait this long for the verdict of each message, and print it. Exit code 9 when a verdict is
    /// missing then, 1 when a message was refused. Needs the right to read mail.verdicts, and
    /// mail.dead-letters to see refusals.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: Option<u64>,
    #[command(flatten)]
    settings: Settings,
}

const PATIENCE: Duration = Duration::from_secs(30);

/// Name for people of the test message, which comes from no file.
const TEST_NAME: &str = "test message";
/// The test message. Its author domain does not exist and never will (RFC 6761 6.4), so that it
/// concerns nobody.
const TEST_MESSAGE: &[u8] = b"From: verdmarc <test@verdmarc.invalid>\r\n\
    Subject: A test message of verdmarc\r\n\
    \r\n\
    `verdmarc send` wrote this message to see whether verdicts are made.\r\n";

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let config = arguments.settings.load()?;
    telemetry::start(&config.log)?;
    super::run::require_brokers(&config)?;
    let messages = match arguments.files.as_slice() {
        [] => vec![(TEST_NAME.to_owned(), TEST_MESSAGE.to_vec())],
        files => read_messages(files)?,
    };
    let topic: Arc<str> = config.topics.full(&config.topics.raw).into();
    let mut records = Vec::with_capacity(messages.len());
    let mut names = Vec::with_capacity(messages.len());
    for (index, (name, message)) in messages.into_iter().enumerate() {
        let id = new_id(index);
        let sent = Sent { id: &id, message: &message, envelope: &arguments.envelope };
        records.push(if arguments.structured { sent.structured(&topic) } else { sent.binary(&topic) });
        names.push((id, name));
    }
    // This fails when the topic is missing. Brokers that create topics on their own would create it
    // with other settings than it needs.
    topics::partitions(&config.kafka, &topic)?;
    // Readers begin behind the records that exist before the first message is sent.
    let wait = arguments.wait.map(|seconds| Wait::begin(&config, Duration::from_secs(seconds))).transpose()?;
    let sent = Instant::now();
    Producer::new(&config.kafka)?.write_all(&records, PATIENCE)?;
    if let Some(wait) = wait {
        return wait.until_all(names, sent);
    }
    let mut out = anstream::stdout().lock();
    for (id, name) in names {
        writeln!(out, "{id}  {name}")?;
    }
    Ok(Exit::Ok)
}
