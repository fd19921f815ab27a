//! Runs the roles of the demo, and shows the records that they write.

use super::scenarios::Scenario;
use super::table::{self, Counts, RowOutcome};
use crate::aggregate::Settings;
use crate::claim_check::ClaimChecks;
use crate::cli::runtime::runtime;
use crate::cli::{Exit, Failure, tail};
use crate::config::Config;
use crate::dns::Resolver;
use crate::event::{Record, VerdictEvent};
use crate::kafka::{Reader, Start, Stop, Tally};
use crate::roles;
use crate::telemetry::traces::Traces;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

pub(super) const POLL: Duration = Duration::from_millis(100);

/// The running roles, with a reader of their outputs.
pub(super) struct Stage {
    pub(super) config: Config,
    pub(super) reader: Reader,
    stop: Stop,
    runtime: tokio::runtime::Runtime,
    roles: Vec<tokio::task::JoinHandle<Result<Tally, crate::kafka::Error>>>,
}

impl Stage {
    pub(super) fn open(config: Config, resolver: Arc<dyn Resolver>) -> Result<Self, Failure> {
        let runtime = runtime()?;
        let stop = Stop::default();
        let claims = ClaimChecks::new(&config.claim_check, config.evaluation.limits.message_bytes)?;
        let role = runtime.spawn({
            let (config, stop) = (config.clone(), stop.clone());
            async move {
                roles::verdict::run(&config, resolver, claims, roles::verdict::Statuses::default(), Traces::default(), stop).await
            }
        });
        let topics = &config.topics;
        let outputs = [&topics.verdicts, &topics.failures, &topics.annotated, &topics.dead_letters, &topics.reports];
        let outputs = outputs.map(|name| topics.full(name));
        let reader = Reader::new(&config.kafka, &outputs.each_ref().map(String::as_str), Start::Beginning)?;
        Ok(Self { config, reader, stop, runtime, roles: vec![role] })
    }

    /// Starts the aggregate role too.
    pub(super) fn aggregate(&mut self) -> Result<(), Failure> {
        let settings = Settings::of(&self.config)?;
        let (config, stop) = (self.config.clone(), self.stop.clone());
        let role = async move { roles::aggregate::run(&config, settings, Arc::default(), Traces::default(), stop).await };
        self.roles.push(self.runtime.spawn(role));
        Ok(())
    }

    pub(super) fn topic(&self) -> Arc<str> {
        self.config.topics.full(&self.config.topics.raw).into()
    }

    pub(super) fn is(&self, record: &Record, name: &str) -> bool {
        *record.topic == *self.config.topics.full(name)
    }

    /// Returns whether this record is the one outcome of a raw record.
    pub(super) fn ends(&self, record: &Record) -> bool {
        self.is(record, &self.config.topics.verdicts) || self.is(record, &self.config.topics.dead_letters)
    }

    /// Counts a record, and prints it when it is an outcome.
    pub(super) fn show(
        &self,
        record: &Record,
        known: Option<(usize, &Scenario)>,
        counts: &mut Counts,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let topics = &self.config.topics;
        if self.is(record, &topics.failures) {
            counts.failures += 1;
        } else if self.is(record, &topics.annotated) {
            counts.annotated += 1;
        } else if self.is(record, &topics.reports) {
            // Reports are shown together, once their window is closed.
        } else if self.is(record, &topics.dead_letters) {
            let reason = record.headers.as_ref().and_then(|headers| headers.get("verdmarc-reason")).unwrap_or_default();
            let reason = String::from_utf8_lossy(reason);
            outcome(&RowOutcome::Refused(&reason), known, counts, out)?;
        } else {
            let value = record.value.as_deref().unwrap_or_default();
            let event: VerdictEvent = serde_json::from_slice(value)
                .map_err(|error| Failure::new(Exit::Internal, format!("a verdict that cannot be read: {error}")))?;
            outcome(&RowOutcome::Verdict(&event), known, counts, out)?;
        }
        Ok(())
    }

    /// Shows the outcomes of further messages, until a signal ends the process.
    pub(super) fn keep(&self, out: &mut impl Write, dns: &str, example: &str) -> Result<(), Failure> {
        let brokers = &self.config.kafka.brokers;
        writeln!(out, "\nStill running, with {dns}. Send more from another terminal:\n")?;
        writeln!(out, "  export VERDMARC_KAFKA__BROKERS={brokers}")?;
        writeln!(out, "{example}")?;
        writeln!(out, "  verdmarc tail verdicts --from-beginning\n\nCtrl-C ends it.\n")?;
        let mut counts = Counts::default();
        loop {
            if let Some(record) = self.reader.next(POLL)? {
                self.show(&record, None, &mut counts, out)?;
            }
        }
    }

    pub(super) fn close(self) -> Result<(), Failure> {
        self.stop.request();
        for role in self.roles {
            self.runtime.block_on(role).map_err(|error| Failure::new(Exit::Internal, error.to_string()))??;
        }
        Ok(())
    }
}

fn outcome(
    outcome: &RowOutcome<'_>,
    known: Option<(usize, &Scenario)>,
    counts: &mut Counts,
    out: &mut impl Write,
) -> std::io::Result<()> {
    counts.add(outcome);
    match (known, outcome) {
        (Some((number, scenario)), _) => {
            counts.unexpected += usize::from(!table::matches(&scenario.expected, outcome));
            table::row(out, number, scenario, outcome)
        }
        (None, RowOutcome::Verdict(event)) => writeln!(out, "{}", tail::verdict_line(event)),
        (None, RowOutcome::Refused(reason)) => writeln!(out, "refused: {}", reason.escape_debug()),
    }
}
