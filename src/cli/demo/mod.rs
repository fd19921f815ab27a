//! `verdmarc demo`: sends messages through Kafka and all roles, in one process.

mod reports;
mod scenarios;
mod sign;
mod stage;
mod table;
mod zone;

use super::envelope::{EnvelopeArgs, Sent, new_id, read_messages};
use super::resolver::configured;
use super::{Exit, Failure, shown};
use crate::config::Config;
use crate::dns::Zone;
use crate::kafka::Producer;
use crate::kafka::embedded::Embedded;
use crate::telemetry;
use scenarios::Scenario;
use sign::Keys;
use stage::{POLL, Stage};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use table::Counts;

/// Send some sixty messages through a broker in this process, with DNS in memory, and compare each
/// verdict with the expected one. With files: send your own messages the same way, with real DNS.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Messages to send instead of the demo's own, one per file; several only in an `.mbox`.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    envelope: EnvelopeArgs,
    /// Keep running afterwards, and show what else is sent.
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    settings: super::Settings,
}

/// Longest time that the demo waits for its own verdicts, 15 s.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest time that it waits for verdicts with real DNS, 40 s, because DNS may take longer than
/// its deadline of 15 s.
const PATIENCE_WITH_DNS: Duration = Duration::from_secs(40);
/// Time after which the signature that is made to expire has expired, in whatever part of a second
/// it was made.
const EXPIRY: Duration = Duration::from_secs(2);

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut config = arguments.settings.load()?;
    if arguments.files.is_empty() {
        config = Config { log: config.log, ..Config::default() };
    }
    if config.log == crate::config::Log::default() {
        // Users start the demo to see the table, not the library's warnings about a broker that is
        // starting.
        "error".clone_into(&mut config.log.filter);
    }
    telemetry::start(&config.log)?;
    let names = config.topics.named().map(|(_, name)| config.topics.full(name));
    config.kafka.brokers = Embedded::start(&names)?.brokers;
    // The embedded broker cannot be asked for the settings of its topics.
    config.kafka.check_topics = false;
    config.kafka.instance = Some("demo".to_owned());
    config.receiver.domain = config.receiver.domain.or_else(|| "mx.receiver.example".parse().ok());
    (config.receiver.organization, config.receiver.contact) =
        (Some("Demo Receiver".into()), Some("dmarc@receiver.example".into()));
    (config.aggregate.window_s, config.aggregate.allow_short_windows) = (60, true);
    config.aggregate.commit_interval_ms = 200;
    config.verdict.annotated = true;
    if arguments.files.is_empty() { own(config, arguments.keep) } else { given(config, arguments) }
}

/// Sends the demo's own messages and compares their verdicts with the expected ones.
fn own(config: Config, keep: bool) -> Result<Exit, Failure> {
    let started = Instant::now();
    let mut out = anstream::stdout();
    let keys = Keys::generate()?;
    let zone = Zone::from_json(&zone::json(&keys)).map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    let mut stage = Stage::open(config, Arc::new(zone))?;
    stage.aggregate()?;
    let scenarios = scenarios::all();
    let now = jiff::Timestamp::now();
    let topic = stage.topic();
    let ids: Vec<String> = (1..=scenarios.len()).map(|number| format!("demo-{number:02}")).collect();
    let records: Result<Vec<_>, Failure> =
        scenarios.iter().zip(&ids).map(|(scenario, id)| scenario.record(id, &topic, &keys, now)).collect();
    let (records, signed) = (records?, Instant::now());
    writeln!(
        out,
        "An embedded broker at {}, a zone in memory, {} records to mail.raw.",
        stage.config.kafka.brokers,
        records.len()
    )?;
    writeln!(out, "The verdict role joins its group, which takes three seconds.\n")?;
    table::head(&mut out)?;
    let by_key: BTreeMap<&[u8], (usize, &Scenario)> =
        ids.iter().zip(&scenarios).enumerate().map(|(index, (id, scenario))| (id.as_bytes(), (index + 1, scenario))).collect();
    // The role joins its group while this waits.
    std::thread::sleep(EXPIRY.saturating_sub(signed.elapsed()));
    Producer::new(&stage.config.kafka)?.write_all(&records, PATIENCE)?;
    let (mut counts, mut rows) = (Counts::default(), InOrder::default());
    let deadline = Instant::now() + PATIENCE;
    while !counts.are_complete(scenarios.len()) && Instant::now() < deadline {
        let Some(record) = stage.reader.next(POLL)? else { continue };
        let known = record.key.as_deref().and_then(|key| by_key.get(key)).copied();
        let mut row = Vec::new();
        stage.show(&record, known, &mut counts, &mut row)?;
        rows.take(known.map_or(0, |(number, _)| number), row, &mut out)?;
    }
    rows.rest(&mut out)?;
    let missing = scenarios.len().saturating_sub(counts.verdicts() + counts.refused);
    counts.unexpected += missing + counts.fails().abs_diff(counts.failures) + counts.verdicts().abs_diff(counts.annotated);
    counts.unexpected += usize::from(!reports::close(&stage, counts.failures, &mut out)?);
    counts.summary(&mut out, scenarios.len(), started.elapsed())?;
    if keep {
        stage.keep(&mut out, "the demo's zone in memory", SPOOF)?;
    }
    stage.close()?;
    Ok(if counts.unexpected == 0 { Exit::Ok } else { Exit::Differs })
}

/// Sends the user's messages and shows their verdicts.
fn given(config: Config, arguments: &Arguments) -> Result<Exit, Failure> {
    let messages = read_messages(&arguments.files)?;
    let resolver = {
        let runtime = super::runtime()?;
        let _entered = runtime.enter();
        configured(&config.dns)?
    };
    let mut out = anstream::stdout();
    let stage = Stage::open(config, resolver)?;
    let topic = stage.topic();
    let ids: Vec<String> = (0..messages.len()).map(new_id).collect();
    let records: Vec<_> = messages
        .iter()
        .zip(&ids)
        .map(|((_, message), id)| Sent { id, message, envelope: &arguments.envelope }.binary(&topic))
        .collect();
    writeln!(
        out,
        "An embedded broker at {}, real DNS, {} to mail.raw.",
        stage.config.kafka.brokers,
        shown::count(records.len(), "message")
    )?;
    writeln!(out, "The verdict role joins its group, which takes three seconds.\n")?;
    Producer::new(&stage.config.kafka)?.write_all(&records, PATIENCE)?;
    let (mut counts, deadline) = (Counts::default(), Instant::now() + PATIENCE_WITH_DNS);
    while counts.verdicts() + counts.refused < messages.len() && Instant::now() < deadline {
        let Some(record) = stage.reader.next(POLL)? else { continue };
        let file = ids.iter().zip(&messages).find(|(id, _)| Some(id.as_bytes()) == record.key.as_deref());
        if let Some((_, (name, _))) = file.filter(|_| stage.ends(&record)) {
            writeln!(out, "{name}")?;
        }
        stage.show(&record, None, &mut counts, &mut out)?;
    }
    let answered = counts.verdicts() + counts.refused;
    if arguments.keep {
        stage.keep(&mut out, "real DNS", OWN)?;
    }
    stage.close()?;
    if answered < messages.len() {
        return Err(Failure::new(Exit::Kafka, format!("{} got no verdict", shown::count(messages.len() - answered, "message"))));
    }
    Ok(Exit::Ok)
}

/// Text with a command that sends a message which fails by the demo's zone, shown while the demo
/// keeps running.
const SPOOF: &str = r"  printf 'From: news@bank.example\nSubject: Your account\n\nPlease log in.\n' |
    verdmarc send - --client-ip 203.0.113.66 --helo evil.example --mail-from x@evil.example";

/// Text with a command that sends a message of the user, shown while the demo keeps running.
const OWN: &str = "  verdmarc send message.eml --client-ip 192.0.2.10 --helo mail.example.org --mail-from ann@example.org";

/// Writes rows in the order of their numbers. Each row is held back until all rows before it are
/// written.
#[derive(Debug, Default)]
struct InOrder {
    held: BTreeMap<usize, Vec<u8>>,
    written: usize,
}

impl InOrder {
    /// Takes row `number`, counted from 1, and writes all rows that need not wait any longer. A row
    /// with number 0 never waits.
    fn take(&mut self, number: usize, row: Vec<u8>, out: &mut impl Write) -> std::io::Result<()> {
        if number <= self.written {
            return out.write_all(&row);
        }
        if !row.is_empty() {
            self.held.insert(number, row);
        }
        while let Some(row) = self.held.remove(&(self.written + 1)) {
            self.written += 1;
            out.write_all(&row)?;
        }
        Ok(())
    }

    /// Writes the rows that still wait because a row before them is missing.
    fn rest(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        std::mem::take(&mut self.held).values().try_for_each(|row| out.write_all(row))
    }
}
