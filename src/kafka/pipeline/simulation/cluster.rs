//! Models the brokers: logs with control records, a group that rebalances in two steps, and
//! transactions.

use crate::event::TopicId;
use crate::kafka::base::partition::Partition;
use crate::kafka::client::committed::{Commit, Committed};
use crate::kafka::client::log_id::Confirmed;
use crate::kafka::client::native;
use crate::kafka::client::native::{Presence, Present};
use crate::kafka::client::written::Written;
use crate::kafka::transaction::abort::{Abort, Cause, Oversized};
use crate::kafka::transaction::batch::{Batch, Ended};
use crate::kafka::transaction::port::GroupMembership;
use crate::kafka::transaction::worker::CAREFUL_ENTRIES;
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{CStr, CString};
use std::sync::Arc;

/// The number of partitions of each topic.
pub(super) const PARTITIONS: i32 = 3;

/// A member's place in the group at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelMembership {
    pub(super) member: CString,
    pub(super) generation: i32,
}

impl GroupMembership for ModelMembership {
    fn member(&self) -> &CStr {
        &self.member
    }

    fn is_let_in(&self) -> bool {
        self.generation > 0
    }
}

/// An entry of a log, which takes one offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// The end of a producer's transaction, which is never handed out.
    Control,
    /// A record that may be evaluated from this time on (in milliseconds; 0 means at once).
    Record { due: u64, is_oversized: bool },
}

/// The topic that exists under a name.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) id: TopicId,
    pub(super) logs: Vec<Vec<Entry>>,
}

/// A message from the group, which a member gets when it polls.
#[derive(Debug)]
pub(super) enum Event {
    /// The member is in this generation under this id, gives up some partitions, and gets others.
    Synced { membership: ModelMembership, revoked: BTreeSet<Partition>, assigned: BTreeSet<Partition> },
    /// The member's session was over, and it has lost all its partitions.
    Lost,
}

/// The stage of the transaction of one process.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    Begun(Batch<ModelMembership>),
    /// The coordinator has accepted the offsets. Until the transaction has ended, nobody gets a
    /// position of these partitions.
    OffsetsSent(Batch<ModelMembership>),
}

/// One process, as the brokers know it.
#[derive(Debug, Default)]
struct Process {
    is_live: bool,
    member: CString,
    events: VecDeque<Event>,
    owned: BTreeSet<Partition>,
    target: BTreeSet<Partition>,
    stage: Stage,
    ended: VecDeque<Ended>,
}

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) topics: BTreeMap<Arc<str>, Topic>,
    pub(super) committed: BTreeMap<Partition, Commit>,
    /// The number of times that an output of a record can be read, by log, partition and offset.
    visible: BTreeMap<(TopicId, i32, i64), u32>,
    /// The changelog of each partition: the number of records that are counted, and the position.
    pub(super) counts: BTreeMap<Partition, (u64, i64)>,
    /// True when each commit must move the marker of a state too.
    is_stateful: bool,
    /// The number of characters of metadata that a position may have.
    metadata: usize,
    generation: i32,
    names: u64,
    processes: Vec<Process>,
    pub(super) commits: u64,
    pub(super) aborts: u64,
}

impl Cluster {
    pub(super) fn new(topics: &[&str], processes: usize, is_stateful: bool, metadata: usize) -> Self {
        let mut cluster = Self {
            topics: BTreeMap::new(),
            committed: BTreeMap::new(),
            visible: BTreeMap::new(),
            counts: BTreeMap::new(),
            is_stateful,
            metadata,
            generation: 0,
            names: 0,
            processes: (0..processes).map(|_| Process::default()).collect(),
            commits: 0,
            aborts: 0,
        };
        for topic in topics {
            cluster.make(topic);
        }
        cluster
    }

    /// Makes a topic, or replaces it with a new one of the same name.
    pub(super) fn make(&mut self, topic: &str) {
        let logs = (0..PARTITIONS).map(|_| Vec::new()).collect();
        self.names += 1;
        let mut id = [1; 16];
        id[8..].copy_from_slice(&self.names.to_be_bytes());
        self.topics.insert(topic.into(), Topic { id: TopicId::new(id).unwrap(), logs });
    }

    pub(super) fn partitions(&self) -> Vec<Partition> {
        let of = |topic: &Arc<str>| (0..PARTITIONS).map(|number| Partition { topic: topic.clone(), number }).collect::<Vec<_>>();
        self.topics.keys().flat_map(of).collect()
    }

    pub(super) fn log(&self, partition: &Partition) -> &[Entry] {
        &self.topics[&partition.topic].logs[usize::try_from(partition.number).unwrap()]
    }

    pub(super) fn append(&mut self, partition: &Partition, entry: Entry) {
        self.topics.get_mut(&partition.topic).unwrap().logs[usize::try_from(partition.number).unwrap()].push(entry);
    }

    /// Takes a new process into the group under this number. The process before it must be dead.
    pub(super) fn join(&mut self, process: usize, rng: &mut Rng) {
        self.names += 1;
        let member = CString::new(format!("member-{}", self.names)).unwrap();
        let joined = &mut self.processes[process];
        (joined.is_live, joined.member) = (true, member);
        joined.events.clear();
        joined.ended.clear();
        self.rebalance(rng);
    }

    /// Removes a process from the group. If the process lives, it learns of that when it polls.
    pub(super) fn remove(&mut self, process: usize, lives: bool, rng: &mut Rng) {
        let removed = &mut self.processes[process];
        removed.is_live = false;
        removed.events.clear();
        removed.owned.clear();
        removed.target.clear();
        if lives {
            removed.events.push_back(Event::Lost);
        }
        self.rebalance(rng);
    }

    pub(super) fn is_live(&self, process: usize) -> bool {
        self.processes[process].is_live
    }

    /// Begins a rebalance with a random new assignment.
    pub(super) fn rebalance(&mut self, rng: &mut Rng) {
        let live: Vec<usize> = (0..self.processes.len()).filter(|process| self.processes[*process].is_live).collect();
        for process in &mut self.processes {
            process.target.clear();
        }
        if live.is_empty() {
            return;
        }
        for partition in self.partitions() {
            let process = live[rng.usize(..live.len())];
            self.processes[process].target.insert(partition);
        }
        self.next_generation();
    }

    /// Begins the next generation: tells every live member which partitions it gives up, and gives
    /// it those that nobody has.
    fn next_generation(&mut self) {
        self.generation += 1;
        let taken: BTreeSet<Partition> = self.processes.iter().flat_map(|process| process.owned.iter().cloned()).collect();
        for process in self.processes.iter_mut().filter(|process| process.is_live) {
            let membership = ModelMembership { member: process.member.clone(), generation: self.generation };
            let revoked = process.owned.difference(&process.target).cloned().collect();
            let assigned: BTreeSet<Partition> = process.target.difference(&taken).cloned().collect();
            process.owned.extend(assigned.iter().cloned());
            process.events.push_back(Event::Synced { membership, revoked, assigned });
        }
    }

    /// Takes the next event for a process that polls.
    pub(super) fn event(&mut self, process: usize) -> Option<Event> {
        self.processes[process].events.pop_front()
    }

    /// Notes that a member has given partitions up. The second step of the rebalance assigns them
    /// to others.
    pub(super) fn given_up(&mut self, process: usize, partitions: &BTreeSet<Partition>) {
        let given = &mut self.processes[process];
        let before = given.owned.len();
        given.owned.retain(|partition| !partitions.contains(partition));
        if given.owned.len() < before {
            self.next_generation();
        }
    }

    /// Removes a static member while it joins again, and takes it in under another id. Meanwhile
    /// others have its partitions, and commit what they read. The library keeps the assignment and
    /// tells nobody.
    pub(super) fn remove_while_joining(&mut self, process: usize, rng: &mut Rng) {
        if !self.processes[process].is_live || !self.processes[process].events.is_empty() {
            return;
        }
        for partition in self.processes[process].owned.clone() {
            if !self.has_open_offsets(&partition) {
                self.progress_of_another(&partition, rng.i64(0..4));
            }
        }
        self.names += 1;
        self.processes[process].member = CString::new(format!("member-{}", self.names)).unwrap();
        self.next_generation();
    }

    fn progress_of_another(&mut self, partition: &Partition, records: i64) {
        let id = self.topics[&partition.topic].id;
        let before = self.commit_in_log(partition);
        let end = i64::try_from(self.log(partition).len()).unwrap();
        let next = end.min(before.position.next + records);
        if next > before.position.next {
            for offset in before.position.next..next {
                if self.is_record(partition, offset) && !before.written.contains(offset) {
                    *self.visible.entry((id, partition.number, offset)).or_default() += 1;
                }
            }
            let commit = Commit { position: Committed { next, log: Some(id) }, written: before.written.within(next..i64::MAX) };
            self.committed.insert(partition.clone(), commit);
            self.counts.insert(partition.clone(), (self.records_below(partition, next), next));
            self.check(partition);
        }
    }

    /// Returns what is committed of the log that is there now.
    fn commit_in_log(&self, partition: &Partition) -> Commit {
        let log = Some(self.topics[&partition.topic].id);
        let committed = self.committed.get(partition).filter(|committed| committed.position.log == log).cloned();
        committed.unwrap_or(Commit { position: Committed { next: 0, log }, written: Written::default() })
    }

    fn is_record(&self, partition: &Partition, offset: i64) -> bool {
        let entry = usize::try_from(offset).ok().and_then(|offset| self.log(partition).get(offset));
        matches!(entry, Some(Entry::Record { .. }))
    }

    /// Returns whether an open transaction holds a position of the partition.
    pub(super) fn has_open_offsets(&self, partition: &Partition) -> bool {
        self.processes.iter().any(|process| match &process.stage {
            Stage::OffsetsSent(batch) => batch.offsets.find_partition(&partition.topic, partition.number).is_some(),
            _ => false,
        })
    }

    /// Gives the transactional id to a new producer, which aborts the open transaction of the one
    /// before.
    pub(super) fn fence(&mut self, process: usize) {
        self.processes[process].stage = Stage::Idle;
    }

    pub(super) fn submit(&mut self, process: usize, batch: Batch<ModelMembership>) {
        assert!(!self.is_in_transaction(process), "two batches at once");
        self.processes[process].stage = Stage::Begun(batch);
    }

    /// Whether a process has a transaction open.
    pub(super) fn is_in_transaction(&self, process: usize) -> bool {
        !matches!(self.processes[process].stage, Stage::Idle)
    }

    pub(super) fn ended(&mut self, process: usize) -> Option<Ended> {
        self.processes[process].ended.pop_front()
    }

    /// Advances the transaction of a process by one step.
    pub(super) fn step(&mut self, process: usize, has_faults: bool, rng: &mut Rng) {
        let ended = match std::mem::take(&mut self.processes[process].stage) {
            Stage::Idle => return,
            Stage::Begun(batch) => {
                let Some(abort) = self.refusal(&batch, process, has_faults, rng) else {
                    self.processes[process].stage = Stage::OffsetsSent(batch);
                    return;
                };
                Ended::Aborted(abort)
            }
            Stage::OffsetsSent(batch) => match requested(&batch) {
                Some(abort) => Ended::Aborted(abort),
                None => Ended::Written(self.commit(&batch)),
            },
        };
        if matches!(ended, Ended::Aborted(_)) {
            self.aborts += 1;
        }
        self.processes[process].ended.push_back(ended);
    }

    /// Returns why a batch is aborted before its offsets are accepted; None when they are accepted.
    fn refusal(&self, batch: &Batch<ModelMembership>, process: usize, has_faults: bool, rng: &mut Rng) -> Option<Abort> {
        if let Some(abort) = requested(batch) {
            return Some(abort);
        }
        if has_faults && rng.u8(..10) == 0 {
            return Some(Abort::because("the brokers are away"));
        }
        let oversized = batch.entries.iter().position(|entry| !entry.stands_in && is_oversized(&entry.outputs));
        if let Some(index) = oversized {
            let oversized = if batch.entries.len() > CAREFUL_ENTRIES && batch.state.is_empty() {
                Oversized::Somewhere("out".to_owned())
            } else {
                Oversized::At(index)
            };
            return Some(Abort { oversized: Some(oversized), cause: Cause::RecordTooLarge, ..Abort::because("too large") });
        }
        let presence: Presence = self.topics.iter().map(|(name, topic)| (name.clone(), Present::Is(topic.id))).collect();
        if let Confirmed::No(others) = batch.logs.confirmed_by(&presence) {
            return Some(Abort { wanted: true, cause: Cause::TopicChanged, others, ..Abort::because("made anew") });
        }
        let is_too_long = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            native::metadata(&batch.offsets, element.topic(), element.partition()).len() > self.metadata
        };
        if batch.offsets.elements().iter().any(is_too_long) {
            return Some(Abort { cause: Cause::SetRefused, ..Abort::because("too long") });
        }
        let known = &self.processes[process];
        let is_member =
            known.is_live && known.member == batch.membership.member && self.generation == batch.membership.generation;
        (!is_member).then(|| Abort { cause: Cause::Membership, ..Abort::because("another generation") })
    }

    /// Makes outputs and positions visible, both at once, and checks that the outputs answer the
    /// records below the positions. Returns the number of outputs.
    fn commit(&mut self, batch: &Batch<ModelMembership>) -> u64 {
        self.commits += 1;
        let mut written = 0;
        for output in batch.entries.iter().flat_map(|entry| entry.outputs.iter()) {
            let (topic, partition, offset) = origin(output.value.as_deref().unwrap_or_default());
            let id = Commit::of(&batch.offsets, &topic, partition).unwrap().and_then(|commit| commit.position.log).unwrap();
            *self.visible.entry((id, partition, offset)).or_default() += 1;
            written += 1;
        }
        for element in batch.offsets.elements() {
            let partition = Partition { topic: element.topic().into(), number: element.partition() };
            let commit = Commit::of(&batch.offsets, element.topic(), element.partition()).unwrap().unwrap();
            if let Some(before) = self.committed.insert(partition.clone(), commit.clone())
                && before.position.log == commit.position.log
            {
                let progress = |commit: &Commit| (commit.position.next, commit.written.len());
                assert!(progress(&before) < progress(&commit), "{partition} went from {before:?} to {commit:?}");
            }
            self.check(&partition);
        }
        self.count(batch);
        written
    }

    /// Applies the state records of a batch, and checks that they fit the positions.
    fn count(&mut self, batch: &Batch<ModelMembership>) {
        for output in batch.state.iter() {
            let (topic, partition, position) = origin(output.key.as_deref().unwrap_or_default());
            let count = u64::from_be_bytes(output.value.as_deref().unwrap().try_into().unwrap());
            let partition = Partition { topic, number: partition };
            assert_eq!(
                self.committed.get(&partition).map(|committed| committed.position.next),
                Some(position),
                "the marker of {partition}"
            );
            assert_eq!(count, self.records_below(&partition, position), "records counted of {partition}");
            self.counts.insert(partition, (count, position));
        }
        for element in batch.offsets.elements().iter().filter(|_| self.is_stateful) {
            let partition = Partition { topic: element.topic().into(), number: element.partition() };
            let (marker, position) = (self.counts.get(&partition), &self.committed[&partition]);
            assert_eq!(marker.map(|(_, marker)| *marker), Some(position.position.next), "the marker of {partition}");
        }
    }

    fn records_below(&self, partition: &Partition, position: i64) -> u64 {
        (0..position).filter(|offset| self.is_record(partition, *offset)).count() as u64
    }

    /// Checks that the outputs of a partition are visible exactly if their record lies below the
    /// committed position, or in the set that is committed with it.
    fn check(&self, partition: &Partition) {
        let id = self.topics[&partition.topic].id;
        let Commit { position, written } = self.commit_in_log(partition);
        for offset in 0..i64::try_from(self.log(partition).len()).unwrap() {
            let visible = self.visible.get(&(id, partition.number, offset)).copied().unwrap_or_default();
            let covers = offset < position.next || written.contains(offset);
            let expected = u32::from(covers && self.is_record(partition, offset));
            assert_eq!(
                visible, expected,
                "outputs of {partition}/{offset}, the position is {}, the set {written:?}",
                position.next
            );
        }
    }

    /// Returns whether every record of every partition is answered.
    pub(super) fn is_done(&self) -> bool {
        self.partitions().iter().all(|partition| self.lag(partition) == 0)
    }

    /// Counts the offsets above the committed position, control records included.
    pub(super) fn lag(&self, partition: &Partition) -> usize {
        let committed = self.commit_in_log(partition).position.next;
        self.log(partition).len() - usize::try_from(committed).unwrap()
    }
}

fn requested(batch: &Batch<ModelMembership>) -> Option<Abort> {
    batch.abort.cause().map(|cause| Abort { wanted: true, cause, ..Abort::because(cause.sentence()) })
}

/// Reads topic, partition and offset from a text that an output or a state record carries.
fn origin(text: &[u8]) -> (Arc<str>, i32, i64) {
    let text = std::str::from_utf8(text).unwrap();
    let mut parts = text.split('/');
    let mut part = || parts.next().unwrap();
    (part().into(), part().parse().unwrap(), part().parse().unwrap())
}

fn is_oversized(outputs: &[crate::event::Output]) -> bool {
    outputs.iter().any(|output| output.value.as_deref().is_some_and(|value| value.ends_with(b"/oversized")))
}
