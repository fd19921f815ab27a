//! Simulates one process: the real state of a consumer thread, with models of its group, its
//! transactions and its threads.

use super::cluster::{Cluster, Entry, Event, ModelMembership};
use super::role::{Count, ModelRole, answer};
use crate::config::Protocol;
use crate::event::{Record, Stamp};
use crate::kafka::base::clock::Clock;
use crate::kafka::base::error::Error;
use crate::kafka::base::partition::Partition;
use crate::kafka::client::background::Background;
use crate::kafka::client::connection::User;
use crate::kafka::client::group::Group;
use crate::kafka::client::start_position::{Found, Question};
use crate::kafka::ledger::slot::Slot;
use crate::kafka::pipeline::consumer_state::{ConsumerState, Parts};
use crate::kafka::pipeline::contract::{Completion, Completions, Intake, Work};
use crate::kafka::pipeline::dispatch::Begun;
use crate::kafka::pipeline::handling::Phase;
use crate::kafka::pipeline::port::GroupConsumer;
use crate::kafka::state::contract::PartitionState;
use crate::kafka::state::restore::{Job, Unrestored};
use crate::kafka::state::states::States;
use crate::kafka::transaction::batch::{Batch, Ended};
use crate::kafka::transaction::port::TransactionPort;
use crate::metrics::Counted;
use fastrand::Rng;
use jiff::Timestamp;
use rdkafka::error::KafkaResult;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

type Shared = Arc<Mutex<Cluster>>;

/// Settings of a simulated process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    pub(super) is_stateful: bool,
    /// The number of refusals among a hundred outcomes.
    pub(super) refusals: u8,
    pub(super) stops_for_refusals: bool,
}

/// A model of the client library's consumer. It keeps pauses over assignments, as librdkafka does.
pub(super) struct ModelConsumer {
    cluster: Shared,
    membership: RefCell<Option<ModelMembership>>,
    is_lost: Cell<bool>,
    /// The next offset to read of each partition that the library was given.
    positions: RefCell<BTreeMap<Partition, i64>>,
    paused: RefCell<BTreeSet<Partition>>,
    /// Decides which seeks are lost.
    losses: RefCell<Rng>,
}

impl GroupConsumer<ModelMembership> for ModelConsumer {
    fn membership(&self) -> Option<ModelMembership> {
        self.membership.borrow().clone()
    }

    fn is_cooperative(&self) -> bool {
        true
    }

    fn is_assignment_lost(&self) -> bool {
        self.is_lost.get()
    }

    fn has_failed(&self) -> bool {
        false
    }

    fn assign(&self, partitions: &[(Partition, Option<i64>)]) -> Result<(), Error> {
        for (partition, offset) in partitions {
            let before = self.positions.borrow_mut().insert(partition.clone(), offset.unwrap_or_default());
            assert_eq!(before, None, "{partition} was given to the library twice");
        }
        Ok(())
    }

    fn unassign(&self, partitions: &BTreeSet<Partition>) -> Result<(), Error> {
        for partition in partitions {
            assert!(self.positions.borrow_mut().remove(partition).is_some(), "the library does not have {partition}");
        }
        Ok(())
    }

    fn pause(&self, partitions: &BTreeSet<Partition>) -> KafkaResult<()> {
        self.paused.borrow_mut().extend(partitions.iter().cloned());
        Ok(())
    }

    fn resume(&self, partitions: &BTreeSet<Partition>) -> KafkaResult<()> {
        self.paused.borrow_mut().retain(|partition| !partitions.contains(partition));
        Ok(())
    }

    fn seek(&self, partition: &Partition, offset: i64) -> KafkaResult<()> {
        let mut positions = self.positions.borrow_mut();
        let position = positions.get_mut(partition).expect("only what the library has is sought");
        // The library accepts a seek before it knows whether it can seek.
        if self.losses.borrow_mut().u8(..10) > 0 {
            *position = offset;
        }
        Ok(())
    }

    fn positions(&self) -> Vec<(Partition, i64)> {
        let cluster = self.cluster.lock().unwrap();
        let behind_controls = |partition: &Partition, position: i64| {
            let log = cluster.log(partition);
            let skipped = log.iter().skip(usize::try_from(position).unwrap()).take_while(|entry| **entry == Entry::Control);
            position + i64::try_from(skipped.count()).unwrap()
        };
        let known = |(partition, position): (&Partition, &i64)| (partition.clone(), behind_controls(partition, *position));
        self.positions.borrow().iter().map(known).collect()
    }
}

impl ModelConsumer {
    /// Reads the next record of a partition that is not paused; None when there is none.
    fn record(&self, time: Timestamp, rng: &mut Rng) -> Option<Record> {
        let cluster = self.cluster.lock().unwrap();
        let mut positions = self.positions.borrow_mut();
        let paused = self.paused.borrow();
        let mut readable: Vec<(&Partition, &mut i64)> =
            positions.iter_mut().filter(|(partition, _)| !paused.contains(*partition)).collect();
        rng.shuffle(&mut readable);
        for (partition, position) in readable {
            let log = cluster.log(partition);
            if usize::try_from(*position).unwrap() > log.len() {
                // The position is out of range, and `auto.offset.reset` is `earliest`.
                *position = 0;
            }
            while let Some(entry) = log.get(usize::try_from(*position).unwrap()) {
                *position += 1;
                let Entry::Record { due, is_oversized } = entry else { continue };
                let mut value = due.to_be_bytes().to_vec();
                value.push(u8::from(*is_oversized));
                return Some(Record {
                    topic: partition.topic.clone(),
                    partition: partition.number,
                    offset: *position - 1,
                    timestamp: Some(Stamp::of_broker(time)),
                    key: None,
                    value: Some(value),
                    headers: None,
                });
            }
        }
        None
    }
}

struct ModelTransactions {
    cluster: Shared,
    process: usize,
    /// Decides how many steps the transaction thread makes while somebody waits for it.
    patience: Arc<Mutex<Rng>>,
}

impl TransactionPort<ModelMembership> for ModelTransactions {
    fn fence(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn submit(&mut self, batch: Batch<ModelMembership>) -> Result<(), Error> {
        self.cluster.lock().unwrap().submit(self.process, batch);
        Ok(())
    }

    fn outcome(&mut self, patience: Duration) -> Option<Ended> {
        let mut cluster = self.cluster.lock().unwrap();
        if !patience.is_zero() {
            let mut rng = self.patience.lock().unwrap();
            for _ in 0..rng.u8(..4) {
                cluster.step(self.process, false, &mut rng);
            }
        }
        cluster.ended(self.process)
    }

    fn failure(&self) -> Option<Error> {
        None
    }

    fn close(&mut self, _: Duration) -> bool {
        self.cluster.lock().unwrap().fence(self.process);
        true
    }
}

pub(super) struct Process {
    number: usize,
    setup: Setup,
    state: ConsumerState<ModelMembership>,
    consumer: ModelConsumer,
    cluster: Shared,
    clock: Clock,
    asked: mpsc::Receiver<Question>,
    positions: mpsc::Sender<(Question, Result<Found, Error>)>,
    /// Questions without an answer.
    open: Vec<Question>,
    jobs: mpsc::Receiver<Job>,
    states: mpsc::Sender<(Job, Result<Box<dyn PartitionState>, Unrestored>)>,
    to_restore: Vec<Job>,
    work: UnboundedReceiver<Vec<Work>>,
    completions: Completions,
    evaluated: Vec<(Slot, Record)>,
    _ends: Box<dyn std::any::Any>,
}

impl Process {
    pub(super) fn start(
        number: usize,
        setup: Setup,
        (cluster, clock): (&Shared, &Clock),
        milliseconds: Arc<dyn Fn() -> u64 + Send + Sync>,
        rng: &mut Rng,
    ) -> Self {
        let (positions, asked, found) = Background::modelled("positions");
        let (restores, jobs, restored) = Background::modelled("restore");
        let (log_ends, ends_asked, ends_found) = Background::modelled("ends");
        let (work, handed_out) = unbounded_channel();
        let (outcomes, collected) = mpsc::channel();
        let begun = Begun::default();
        let patience = Arc::new(Mutex::new(rng.fork()));
        let transactions = ModelTransactions { cluster: cluster.clone(), process: number, patience };
        let parts = Parts {
            positions,
            states: setup.is_stateful.then(|| States::of(restores, log_ends)),
            transactions: Box::new(transactions),
            work,
            outcomes: collected,
            begun: begun.clone(),
            status: Arc::default(),
            clock: clock.clone(),
            user: User::Anonymous,
        };
        let role = Arc::new(ModelRole { is_stateful: setup.is_stateful, clock: milliseconds });
        let state = ConsumerState::new(&intake(setup, role), Protocol::Classic, parts);
        let consumer = ModelConsumer {
            cluster: cluster.clone(),
            membership: RefCell::default(),
            is_lost: Cell::new(false),
            positions: RefCell::default(),
            paused: RefCell::default(),
            losses: RefCell::new(rng.fork()),
        };
        cluster.lock().unwrap().fence(number);
        Self {
            number,
            setup,
            state,
            consumer,
            cluster: cluster.clone(),
            clock: clock.clone(),
            asked,
            positions: found,
            open: Vec::new(),
            jobs,
            states: restored,
            to_restore: Vec::new(),
            work: handed_out,
            completions: Completions::new(outcomes, begun),
            evaluated: Vec::new(),
            _ends: Box::new((ends_asked, ends_found)),
        }
    }

    /// Does the work of the consumer thread between two checks for a stop: some polls, then a turn.
    pub(super) fn poll_and_turn(&mut self, rng: &mut Rng) {
        for _ in 0..rng.u8(1..12) {
            if !self.poll(rng) {
                break;
            }
        }
        self.turn();
    }

    /// Serves one event. Returns false when nothing more should be read for now.
    fn poll(&mut self, rng: &mut Rng) -> bool {
        let event = self.cluster.lock().unwrap().event(self.number);
        match event {
            Some(Event::Synced { membership, revoked, assigned }) => {
                *self.consumer.membership.borrow_mut() = Some(membership);
                self.consumer.is_lost.set(false);
                // The library revokes only partitions that it has. The group may have asked for the
                // same revocation twice.
                let has = |partition: &&Partition| self.state.partitions.get(partition).is_some();
                let ours: BTreeSet<Partition> = revoked.iter().filter(has).cloned().collect();
                if !ours.is_empty() {
                    self.state.on_revoked(&self.consumer, ours.clone()).unwrap();
                    self.cluster.lock().unwrap().given_up(self.number, &ours);
                }
                self.state.on_assigned(&self.consumer, assigned).unwrap();
                true
            }
            Some(Event::Lost) => {
                *self.consumer.membership.borrow_mut() = None;
                self.consumer.is_lost.set(true);
                let all = self.state.partitions.partitions().cloned().collect();
                self.state.on_revoked(&self.consumer, all).unwrap();
                true
            }
            None => {
                let Some(record) = self.consumer.record(self.clock.now().time, rng) else { return false };
                let (has_stopped, read) = (self.has_stopped(), self.state.tally.read);
                let must_pause = self.state.take_up(record).unwrap();
                assert!(!has_stopped || self.state.tally.read == read, "read after a stop for refusals");
                !must_pause && !self.state.has_enough()
            }
        }
    }

    pub(super) fn turn(&mut self) {
        self.state.turn(&self.consumer).unwrap();
        self.check_pauses();
    }

    /// Checks that the library pauses exactly the partitions that must be paused, and reads exactly
    /// those that were started. After a stop for refusals all partitions must be paused.
    fn check_pauses(&self) {
        let paused = self.consumer.paused.borrow();
        assert_eq!(*paused, self.state.paused(), "what is paused");
        let given: BTreeSet<Partition> = self.consumer.positions.borrow().keys().cloned().collect();
        let started = self.state.partitions.iter().filter(|(_, assigned)| assigned.each.has_started());
        assert_eq!(given, started.map(|(partition, _)| partition.clone()).collect(), "what the library reads");
        for (partition, assigned) in self.state.partitions.iter() {
            assert!(assigned.each.phase != Phase::Restoring || self.setup.is_stateful, "{partition} is restored");
            assert!(
                assigned.each.phase != Phase::Reading || !self.has_stopped(),
                "{partition} is read after a stop for refusals"
            );
        }
    }

    /// Begins all evaluations that were handed out, and ends one of them.
    pub(super) fn evaluate(&mut self, rng: &mut Rng) {
        while let Ok(chunk) = self.work.try_recv() {
            self.evaluated.extend(chunk.into_iter().map(|work| self.completions.begin(work)));
        }
        if self.evaluated.is_empty() {
            return;
        }
        let (slot, record) = self.evaluated.swap_remove(rng.usize(..self.evaluated.len()));
        let outcome = if rng.u8(..10) == 0 {
            Completion::Later { record, wait: Duration::from_millis(rng.u64(..3_000)) }
        } else {
            let is_oversized = record.value.as_deref().unwrap()[8] == 1;
            let outputs = vec![answer((&record.topic, record.partition, record.offset), is_oversized)];
            if rng.u8(..100) < self.setup.refusals {
                Completion::Refused(outputs, Counted::default())
            } else {
                Completion::Done(outputs, Counted::default())
            }
        };
        self.completions.complete(slot, outcome);
    }

    pub(super) fn evaluating(&self) -> usize {
        self.evaluated.len()
    }

    /// Answers one question about a position and one about a state, if the brokers would answer.
    pub(super) fn answer(&mut self, rng: &mut Rng) {
        self.open.extend(self.asked.try_iter());
        self.open.retain(|question| !question.lease.is_over());
        if !self.open.is_empty() {
            let index = rng.usize(..self.open.len());
            if let Some(found) = self.position(&self.open[index].partition) {
                let question = self.open.swap_remove(index);
                self.positions.send((question, Ok(found))).unwrap();
            }
        }
        self.to_restore.extend(self.jobs.try_iter());
        if !self.to_restore.is_empty() {
            let job = self.to_restore.swap_remove(rng.usize(..self.to_restore.len()));
            // A void job is dropped, because its partition may have another owner that writes.
            if !job.lease.is_over() {
                let state = Count::restored(&self.cluster, &job.partition, job.committed, self.setup.refusals);
                self.states.send((job, state)).unwrap();
            }
        }
    }

    /// Returns where a partition starts; None while a transaction holds its position back.
    fn position(&self, partition: &Partition) -> Option<Found> {
        let cluster = self.cluster.lock().unwrap();
        if cluster.has_open_offsets(partition) {
            return None;
        }
        let id = Some(cluster.topics[&partition.topic].id);
        let end = i64::try_from(cluster.log(partition).len()).unwrap();
        Some(Found::of(cluster.committed.get(partition).cloned(), id, (0, end)))
    }

    /// Finishes as much as a random number of rounds allows, and leaves the rest to the next
    /// owners.
    pub(super) fn stop(mut self, rng: &mut Rng) {
        self.state.stop_intake(&self.consumer);
        for _ in 0..rng.u8(..60) {
            self.poll(rng);
            self.turn();
            self.evaluate(rng);
            self.cluster.lock().unwrap().step(self.number, false, rng);
            if self.state.is_drained() {
                break;
            }
        }
        let is_closed = self.state.close(Duration::ZERO);
        assert!(is_closed && !self.cluster.lock().unwrap().is_in_transaction(self.number), "a stop leaves a transaction open");
        self.state.leave();
    }

    /// Returns whether most outcomes were refusals, so that nothing is read any more.
    pub(super) fn has_stopped(&self) -> bool {
        self.state.refusals.stopped()
    }
}

fn intake(setup: Setup, role: Arc<ModelRole>) -> Intake {
    Intake {
        name: "model",
        group: Group::alone("model".to_owned()),
        topics: vec!["raw".to_owned(), "retries".to_owned()],
        budget_records: 60,
        budget_bytes: 64 << 10,
        partition_records: 25,
        ahead_records: 40,
        ahead_bytes: u64::MAX,
        places: 20,
        parked: 5,
        commit_interval: Duration::from_millis(100),
        commit_records: if setup.is_stateful { usize::MAX } else { 80 },
        commit_bytes: if setup.is_stateful { usize::MAX } else { 32 << 10 },
        refusal_stop: setup.stops_for_refusals.then_some("model.refusal_stop"),
        drain: Duration::from_secs(1),
        revoke: Duration::from_secs(1),
        role,
    }
}
