use super::super::Read;
use super::super::cut::Cut;
use super::*;
use crate::event::Headers;
use crate::kafka::client::committed::{Commit, Committed};
use crate::kafka::client::log_id::Logs;
use crate::metrics::Counted;
use proptest::prelude::*;
use std::collections::BTreeSet;

const UNLIMITED: Read = Read { records: u64::MAX, bytes: u64::MAX };

fn record(partition: i32, offset: i64, bytes: usize) -> Record {
    Record { topic: "raw".into(), partition, offset, timestamp: None, key: None, value: Some(vec![b'x'; bytes]), headers: None }
}

fn partition(number: i32) -> Partition {
    Partition { topic: "raw".into(), number }
}

fn positions(cut: &Cut) -> Vec<(Partition, Committed)> {
    cut.commits().map(|(partition, commit)| (partition.clone(), commit.position)).collect()
}

fn assignment() -> Assignment {
    let mut assignment = Assignment::new(Budget { records: 4, bytes: 10_000, partition_records: 3, ahead: UNLIMITED });
    assignment.assign([partition(0), partition(1)]);
    assignment
}

#[test]
fn reading_pauses_at_the_budget_and_resumes_when_most_of_it_is_free() {
    let mut assignment = assignment();
    let mut slots: Vec<Slot> = (0..2)
        .flat_map(|number| (0..2).map(move |offset| (number, offset)))
        .map(|(number, offset)| assignment.charge(&record(number, offset, 1), 0).unwrap().unwrap())
        .collect();
    assert!(assignment.is_over_budget(0));
    // Four records are allowed. The partition that holds none of them resumes, and the one
    // that holds two stays paused.
    for expected in [2, 1] {
        assert_eq!(assignment.overfull(0).len(), expected, "{} records held", assignment.records());
        for slot in slots.drain(..2) {
            assignment.complete(slot, Vec::new(), Counted::default()).unwrap();
        }
        let cut = assignment.cut(10, usize::MAX, 0).unwrap();
        assignment.committed(&cut).unwrap();
    }
    assert_eq!(assignment.overfull(0).len(), 0);
}

#[test]
fn bytes_count_too_and_outputs_take_the_place_of_their_record() {
    let mut assignment = assignment();
    let slot = assignment.charge(&record(0, 0, 20_000), 0).unwrap().unwrap();
    assert_eq!(assignment.overfull(0).len(), 2);
    assignment.complete(slot, Vec::new(), Counted::default()).unwrap();
    assert_eq!(assignment.bytes(), 0);
    // The record counts as one of four until it is committed.
    assert_eq!(assignment.overfull(0), [partition(0)]);
    let cut = assignment.cut(10, usize::MAX, 0).unwrap();
    assignment.committed(&cut).unwrap();
    assert_eq!(assignment.overfull(0).len(), 0);
}

#[test]
fn bytes_of_what_was_ours_count_until_its_evaluation_ends() {
    let mut assignment = assignment();
    assert!(!assignment.is_over_budget(9_999) && assignment.is_over_budget(10_000));
    assert_eq!((assignment.overfull(10_000).len(), assignment.overfull(0).len()), (2, 0));
}

#[test]
fn a_reference_counts_as_what_it_may_become_but_not_while_it_waits() {
    let mut assignment = assignment();
    let mut slot = assignment.charge(&record(0, 0, 1), 20_000).unwrap().unwrap();
    assert!(assignment.is_over_budget(0));
    assert!(assignment.set_aside(&mut slot));
    assert!(!assignment.is_over_budget(0));
    assignment.take_again(&mut slot);
    assert!(assignment.is_over_budget(0));
    assignment.complete(slot, Vec::new(), Counted::default()).unwrap();
    assert_eq!(assignment.bytes(), 0);
    let mut slot = assignment.charge(&record(0, 1, 1), 20_000).unwrap().unwrap();
    assignment.revoke([&partition(0)]);
    assert!(!assignment.set_aside(&mut slot), "it is not ours any more");
    assert_eq!(assignment.bytes(), 0);
}

#[test]
fn one_stuck_message_pauses_its_own_partition_only() {
    let mut assignment = assignment();
    for offset in 0..3 {
        assignment.charge(&record(1, offset, 1), 0).unwrap();
    }
    assert_eq!(assignment.overfull(0), [partition(1)]);
}

#[test]
fn completions_of_an_earlier_assignment_are_dropped() {
    let mut assignment = assignment();
    let old = assignment.charge(&record(0, 0, 1), 0).unwrap().unwrap();
    assert_eq!(assignment.revoke([&partition(0)]), 1);
    assert!(assignment.charge(&record(0, 1, 1), 0).unwrap().is_none());
    assignment.assign([partition(0)]);
    let new = assignment.charge(&record(0, 0, 1), 0).unwrap().unwrap();
    assert!(!assignment.complete(old, Vec::new(), Counted::default()).unwrap());
    assert!(assignment.cut(10, usize::MAX, 0).is_none());
    assert!(assignment.complete(new, Vec::new(), Counted::default()).unwrap());
    assert_eq!(assignment.cut(10, usize::MAX, 0).unwrap().positions.len(), 1);
}

#[test]
fn the_end_of_a_batch_leaves_alone_what_was_assigned_anew() {
    let mut assignment = assignment();
    for number in [0, 1] {
        let slot = assignment.charge(&record(number, 5, 1), 0).unwrap().unwrap();
        assignment.complete(slot, Vec::new(), Counted::default()).unwrap();
    }
    let cut = assignment.cut(10, usize::MAX, 0).unwrap();
    assignment.revoke([&partition(0)]);
    assignment.assign([partition(0)]);
    assignment.charge(&record(0, 5, 1), 0).unwrap().unwrap();
    assignment.committed(&cut).unwrap();
    let positions = [0, 1].map(|number| assignment.get(&partition(number)).and_then(Assigned::position));
    assert_eq!((positions, assignment.records()), ([None, Some(6)], 1));
}

#[derive(Debug, Clone)]
enum Step {
    Assign(i32),
    Revoke(i32),
    Charge(i32),
    LetGo(i32),
    Pass(i32),
    Complete(usize),
    Cut(usize, usize),
    Commit,
    Abort,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => (0..3).prop_map(Step::Assign),
        1 => (0..3).prop_map(Step::Revoke),
        6 => (0..3).prop_map(Step::Charge),
        1 => (0..3).prop_map(Step::LetGo),
        3 => (0..3).prop_map(Step::Pass),
        6 => any::<usize>().prop_map(Step::Complete),
        3 => (1usize..6, prop_oneof![Just(0), Just(8), Just(3_500)]).prop_map(|(limit, room)| Step::Cut(limit, room)),
        2 => Just(Step::Commit),
        1 => Just(Step::Abort),
    ];
    prop::collection::vec(step, 0..250)
}

/// A model of the brokers: what is committed and written, and what a partition is read from.
#[derive(Default)]
struct Brokers {
    committed: BTreeMap<i32, Commit>,
    read: BTreeMap<i32, i64>,
    /// librdkafka's position, which a record that will be read again does not move back.
    position: BTreeMap<i32, i64>,
    written: BTreeMap<i32, BTreeSet<i64>>,
}

/// Returns the offset of the next record, from `offset` on. Every third offset is a control record,
/// which is never handed out.
fn record_from(offset: i64) -> i64 {
    if offset % 3 == 2 { offset + 1 } else { offset }
}

impl Brokers {
    /// Returns the offset of the next record of a partition.
    fn next(&self, number: i32) -> i64 {
        let read = self.read.get(&number).copied().unwrap_or_default();
        record_from(read)
    }

    fn commit(&mut self, cut: &Cut) {
        for (index, entry) in cut.outputs.iter().enumerate() {
            let number = cut.position_of(index).unwrap().partition.number;
            assert!(self.written.entry(number).or_default().insert(entry.offset), "{number}/{} is written twice", entry.offset);
        }
        for (partition, commit) in cut.commits() {
            let progress = |commit: &Commit| (commit.position.next, commit.written.len());
            let before = self.committed.insert(partition.number, commit.clone());
            assert!(before.is_none_or(|before| progress(&before) < progress(commit)), "a commit goes back, or does not move");
        }
    }

    /// Returns the records of a partition that the commit covers.
    fn covered(&self, number: i32) -> BTreeSet<i64> {
        let Commit { position, written } = &self.committed[&number];
        let end = written.ranges().last().map_or(position.next, |range| range.end);
        let covers = |offset: &i64| *offset < position.next || written.contains(*offset);
        (0..end).filter(|offset| record_from(*offset) == *offset).filter(covers).collect()
    }
}

fn output() -> Output {
    Output { topic: "out".into(), partition: None, key: None, value: Some(b"x".to_vec()), headers: Headers::default() }
}

proptest! {
    /// Partitions come and go, work is completed late and out of order, batches commit and abort,
    /// and idle partitions are passed. Every record has its outputs written once, exactly if the
    /// commit covers it, and nothing remains in the budget.
    #[test]
    fn k11_any_interleaving_with_rebalances_writes_each_record_once_and_commits_it(steps in steps()) {
        let mut assignment = Assignment::<()>::new(Budget { records: 1_000, bytes: 1 << 30, partition_records: 1_000, ahead: UNLIMITED });
        let mut brokers = Brokers::default();
        let (mut slots, mut open): (Vec<Slot>, Option<Cut>) = (Vec::new(), None);
        for step in steps {
            match step {
                Step::Assign(number) if assignment.partitions().all(|ours| ours.number != number) => {
                    assignment.assign([partition(number)]);
                    let committed = brokers.committed.get(&number).cloned().map(|commit| (commit.position.next, commit.written));
                    brokers.read.insert(number, committed.as_ref().map_or(0, |(next, _)| *next));
                    assignment.start(&partition(number), None, committed);
                    brokers.position.remove(&number);
                }
                Step::Assign(_) => {}
                Step::Revoke(number) => {
                    // The batch that holds the partition ends first, as in the pipeline.
                    if open.as_ref().is_some_and(|cut| cut.touches(&BTreeSet::from([partition(number)]))) {
                        assignment.aborted(&open.take().unwrap().positions).unwrap();
                    }
                    assignment.revoke([&partition(number)]);
                }
                Step::Charge(number) => {
                    let offset = brokers.next(number);
                    if assignment.get(&partition(number)).is_some() {
                        brokers.read.insert(number, offset + 1);
                        brokers.position.insert(number, offset + 1);
                    }
                    slots.extend(assignment.charge(&record(number, offset, 10), 0).unwrap());
                }
                Step::LetGo(number) => {
                    let offset = brokers.next(number);
                    assignment.let_go(&record(number, offset, 10));
                    brokers.position.insert(number, offset + 1);
                }
                Step::Pass(number) => {
                    if let Some(position) = brokers.position.get_mut(&number) {
                        *position = record_from(*position);
                        assignment.pass(&partition(number), *position);
                    }
                }
                Step::Complete(pick) => {
                    if !slots.is_empty() {
                        let slot = slots.swap_remove(pick % slots.len());
                        let held = assignment.holds(&slot);
                        prop_assert_eq!(assignment.complete(slot, vec![output()], Counted::default()).unwrap(), held);
                    }
                }
                Step::Cut(limit, room) => {
                    if open.is_none() {
                        open = assignment.cut(limit, usize::MAX, room);
                    }
                }
                Step::Commit => {
                    if let Some(cut) = open.take() {
                        brokers.commit(&cut);
                        assignment.committed(&cut).unwrap();
                    }
                }
                Step::Abort => {
                    if let Some(cut) = open.take() {
                        assignment.aborted(&cut.positions).unwrap();
                    }
                }
            }
        }
        for (number, written) in &brokers.written {
            prop_assert_eq!(written, &brokers.covered(*number));
        }
        if let Some(cut) = open.take() {
            assignment.aborted(&cut.positions).unwrap();
        }
        for slot in slots {
            assignment.complete(slot, vec![output()], Counted::default()).unwrap();
        }
        while let Some(cut) = assignment.cut(1_000, usize::MAX, 0) {
            assignment.committed(&cut).unwrap();
        }
        prop_assert_eq!((assignment.records(), assignment.bytes()), (0, 0));
    }
}

#[test]
fn a_position_that_moved_back_is_committed_once_although_nothing_was_read() {
    let mut assignment = assignment();
    let log = TopicId::new([1; 16]);
    assignment.start(&partition(0), log, Some((7, Written::default())));
    assert!(assignment.cut(10, usize::MAX, 0).is_none() && !assignment.has_unread());
    assignment.commit_start(&partition(0), 7);
    for committed in [false, true] {
        let cut = assignment.cut(10, usize::MAX, 0).unwrap();
        assert_eq!(positions(&cut), [(partition(0), Committed { next: 7, log })]);
        let mut logs = Logs::default();
        logs.note(&"raw".into(), log.unwrap());
        assert_eq!(cut.logs(), logs);
        assert!(cut.touches(&BTreeSet::from([partition(0)])) && cut.position_of(0).is_none());
        if committed {
            assignment.committed(&cut).unwrap();
        } else {
            assignment.aborted(&cut.positions).unwrap();
        }
        assert_eq!(assignment.has_unread(), !committed);
    }
    assert!(assignment.cut(10, usize::MAX, 0).is_none());
    // A record that is read afterwards commits a higher position, so that the first
    // need not be committed.
    assignment.commit_start(&partition(0), 7);
    let slot = assignment.charge(&record(0, 7, 1), 0).unwrap().unwrap();
    assignment.complete(slot, Vec::new(), Counted::default()).unwrap();
    let cut = assignment.cut(10, usize::MAX, 0).unwrap();
    assert_eq!(positions(&cut), [(partition(0), Committed { next: 8, log })]);
    assignment.committed(&cut).unwrap();
    assert!(!assignment.has_unread());
}

#[test]
fn an_idle_partition_is_passed_and_no_record_that_is_held_or_to_be_read_again_is() {
    let mut assignment = assignment();
    assert!(!assignment.pass(&partition(7), 3), "it is not ours");
    assignment.start(&partition(0), None, Some((5, Written::default())));
    assert!(!assignment.pass(&partition(0), 5), "that is committed");
    let slot = assignment.charge(&record(0, 5, 1), 0).unwrap().unwrap();
    assert!(!assignment.pass(&partition(0), 7), "a record is not done");
    assignment.complete(slot, Vec::new(), Counted::default()).unwrap();
    assert!(!assignment.pass(&partition(0), 7), "a record is not written");
    let cut = assignment.cut(10, usize::MAX, 0).unwrap();
    assignment.committed(&cut).unwrap();
    assert!(assignment.pass(&partition(0), 7));
    assert!(!assignment.pass(&partition(0), 7), "that is about to be committed");
    let cut = assignment.cut(10, usize::MAX, 0).unwrap();
    assert_eq!(positions(&cut), [(partition(0), Committed { next: 7, log: None })]);
    assignment.committed(&cut).unwrap();
    assert_eq!(
        assignment.get(&partition(0)).and_then(Assigned::position),
        Some(7),
        "what a state writes next must not move back"
    );
    assignment.let_go(&record(0, 7, 1));
    assert!(!assignment.pass(&partition(0), 8), "a record is to be read again");
    assert!(assignment.charge(&record(0, 6, 1), 0).is_err(), "what was passed is no record");
    let slot = assignment.charge(&record(0, 7, 1), 0).unwrap().unwrap();
    assignment.complete(slot, Vec::new(), Counted::default()).unwrap();
    let cut = assignment.cut(10, usize::MAX, 0).unwrap();
    assignment.committed(&cut).unwrap();
    assert!(assignment.pass(&partition(0), 9));
}
