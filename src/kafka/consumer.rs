//! What the consumer thread does between two polls and at a rebalance.
//!
//! The rebalance callback runs inside `poll`, on the same thread; the desk is behind a lock only because the library asks for
//! a shared context. The lock is never held over a poll.

use super::assignment::{Assignment, Partition, Position, Slot};
use super::error::{Error, is_passing};
use super::pipeline::{Intake, Tally};
use super::producer::{Batch, Producer, Progress};
use crate::event::{Output, Record};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// Time before a failed write or commit is tried again.
const BACK_OFF: Duration = Duration::from_millis(500);

/// Everything the consumer thread works with besides the consumer itself.
pub(super) struct Desk {
    assignment: Assignment,
    producer: Producer,
    collected: mpsc::Receiver<(Slot, Vec<Output>)>,
    in_flight: Option<InFlight>,
    paused: BTreeSet<Partition>,
    last_cut: Instant,
    not_before: Instant,
    commit_interval: Duration,
    commit_records: usize,
    revoke_patience: Duration,
    intake_stopped: bool,
    closing: bool,
    failure: Option<Error>,
    tally: Tally,
}

/// A batch between its cut and its commit.
struct InFlight {
    batch: Batch,
    outputs: VecDeque<Output>,
    written: u64,
    positions: Vec<Position>,
}

impl Desk {
    pub(super) fn new(
        assignment: Assignment,
        producer: Producer,
        collected: mpsc::Receiver<(Slot, Vec<Output>)>,
        intake: &Intake,
    ) -> Self {
        let now = Instant::now();
        Self {
            assignment,
            producer,
            collected,
            in_flight: None,
            paused: BTreeSet::new(),
            last_cut: now,
            not_before: now,
            commit_interval: intake.commit_interval,
            commit_records: intake.commit_records,
            revoke_patience: intake.revoke,
            intake_stopped: false,
            closing: false,
            failure: None,
            tally: Tally::default(),
        }
    }

    /// Whether nothing is held and nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.assignment.records() == 0
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// From now on a revocation waits for nothing.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    /// Takes up a record; none when it is not to be evaluated.
    pub(super) fn charge(&mut self, record: &Record) -> Result<Option<Slot>, Error> {
        if self.intake_stopped {
            return Ok(None);
        }
        let slot = self.assignment.charge(record)?;
        self.tally.read += u64::from(slot.is_some());
        Ok(slot)
    }

    pub(super) fn stop_intake(&mut self, consumer: &BaseConsumer<Context>) {
        self.intake_stopped = true;
        self.regulate(consumer);
    }

    /// Collects what is done, moves the batch on, pauses and resumes.
    pub(super) fn turn(&mut self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        self.collect()?;
        self.advance(consumer)?;
        self.regulate(consumer);
        Ok(())
    }

    fn collect(&mut self) -> Result<(), Error> {
        while let Ok((slot, outputs)) = self.collected.try_recv() {
            self.assignment.complete(slot, outputs)?;
        }
        Ok(())
    }

    /// The order that promise 2 asks for: cut, write, every report, commit, forget.
    fn advance(&mut self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        let now = Instant::now();
        if now < self.not_before {
            return Ok(());
        }
        let mut in_flight = match self.in_flight.take() {
            Some(in_flight) => in_flight,
            None if now.duration_since(self.last_cut) < self.commit_interval && !self.intake_stopped => return Ok(()),
            None => match self.assignment.cut(self.commit_records) {
                None => return Ok(()),
                Some(cut) => InFlight {
                    batch: Batch::default(),
                    outputs: cut.outputs.iter().flat_map(|done| done.outputs.iter().cloned()).collect(),
                    written: 0,
                    positions: cut.positions,
                },
            },
        };
        while let Some(output) = in_flight.outputs.front() {
            if !self.producer.send(&mut in_flight.batch, output)? {
                self.in_flight = Some(in_flight);
                return Ok(());
            }
            in_flight.written += 1;
            in_flight.outputs.pop_front();
        }
        match in_flight.batch.progress() {
            Progress::Open => self.in_flight = Some(in_flight),
            Progress::Delivered => self.commit(consumer, in_flight)?,
            Progress::Refused(error) => return Err(error),
            Progress::Failed(error) => {
                tracing::warn!(%error, "a batch was not acknowledged and is written again");
                self.assignment.aborted(&in_flight.positions)?;
                self.tally.aborted += 1;
                self.not_before = now + BACK_OFF;
            }
        }
        Ok(())
    }

    fn commit(&mut self, consumer: &BaseConsumer<Context>, in_flight: InFlight) -> Result<(), Error> {
        let mut offsets = TopicPartitionList::new();
        for position in self.assignment.still_ours(&in_flight.positions) {
            offsets
                .add_partition_offset(&position.partition.topic, position.partition.number, Offset::Offset(position.next))
                .map_err(Error::Consume)?;
        }
        if offsets.count() > 0
            && let Err(error) = consumer.commit(&offsets, CommitMode::Sync)
        {
            if !is_passing(&error) {
                return Err(Error::Consume(error));
            }
            tracing::warn!(%error, "offsets are not committed yet");
            self.not_before = Instant::now() + BACK_OFF;
            self.in_flight = Some(in_flight);
            return Ok(());
        }
        self.assignment.committed(&in_flight.positions)?;
        self.tally.written += in_flight.written;
        self.tally.commits += 1;
        self.last_cut = Instant::now();
        Ok(())
    }

    /// Pauses and resumes what the budget asks for. Only what we paused and still own is resumed.
    fn regulate(&mut self, consumer: &BaseConsumer<Context>) {
        let wanted: BTreeSet<Partition> = if self.intake_stopped {
            self.assignment.partitions().cloned().collect()
        } else {
            self.assignment.overfull().into_iter().collect()
        };
        if wanted == self.paused {
            return;
        }
        let to_pause = list(wanted.difference(&self.paused));
        let to_resume = list(self.paused.difference(&wanted));
        if to_pause.count() > 0
            && let Err(error) = consumer.pause(&to_pause)
        {
            tracing::warn!(%error, "pausing");
        }
        if to_resume.count() > 0
            && let Err(error) = consumer.resume(&to_resume)
        {
            tracing::warn!(%error, "resuming");
        }
        self.paused = wanted;
    }

    fn assign(&mut self, consumer: &BaseConsumer<Context>, list: &TopicPartitionList) -> Result<(), Error> {
        let assigned = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
            _ => consumer.assign(list),
        };
        assigned.map_err(|error| Error::Rebalance(error.to_string()))?;
        let partitions = partitions(list);
        tracing::info!(partitions = %names(&partitions), "assigned");
        // A new assignment is never paused, whatever it was before.
        self.paused.retain(|partition| !partitions.contains(partition));
        self.assignment.assign(partitions);
        self.regulate(consumer);
        Ok(())
    }

    fn revoke(&mut self, consumer: &BaseConsumer<Context>, list: &TopicPartitionList) -> Result<(), Error> {
        let partitions = partitions(list);
        let lost = consumer.assignment_lost();
        if !lost && !self.closing {
            self.finish(consumer, &partitions)?;
        }
        let left = self.assignment.revoke(&partitions);
        self.paused.retain(|partition| !partitions.contains(partition));
        self.tally.left += left as u64;
        tracing::info!(partitions = %names(&partitions), lost, left, "revoked");
        let unassigned = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
            _ => consumer.unassign(),
        };
        unassigned.map_err(|error| Error::Rebalance(error.to_string()))
    }

    /// Waits, bounded, until what was read of `partitions` is written and committed: what is left is evaluated twice.
    fn finish(&mut self, consumer: &BaseConsumer<Context>, partitions: &BTreeSet<Partition>) -> Result<(), Error> {
        let deadline = Instant::now() + self.revoke_patience;
        while self.assignment.records_of(partitions) > 0 && Instant::now() < deadline {
            self.collect()?;
            self.advance(consumer)?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

fn partitions(list: &TopicPartitionList) -> BTreeSet<Partition> {
    if list.count() == 0 {
        return BTreeSet::new();
    }
    list.elements().iter().map(|element| Partition { topic: element.topic().into(), number: element.partition() }).collect()
}

fn names(partitions: &BTreeSet<Partition>) -> String {
    let names: Vec<String> = partitions.iter().map(|partition| format!("{}/{}", partition.topic, partition.number)).collect();
    names.join(" ")
}

fn list<'p>(partitions: impl Iterator<Item = &'p Partition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&partition.topic, partition.number);
    }
    list
}

/// The consumer's context: its callbacks.
pub(super) struct Context(Mutex<Desk>);

impl Context {
    pub(super) fn new(desk: Desk) -> Self {
        Self(Mutex::new(desk))
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "consumer");
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let mut desk = self.desk();
        let done = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => desk.assign(consumer, list),
            _ => desk.revoke(consumer, list),
        };
        if let Err(error) = done {
            desk.failure.get_or_insert(error);
        }
    }

    fn commit_callback(&self, _: KafkaResult<()>, _: &TopicPartitionList) {}
}

/// The library's log lines among ours.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}
