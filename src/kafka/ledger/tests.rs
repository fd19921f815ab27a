use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const GENERATION: Generation = Generation(4);

fn ledger(offsets: &[i64]) -> Ledger<i64> {
    let mut ledger = Ledger::new(GENERATION);
    for offset in offsets {
        ledger.charge(*offset, 1).unwrap();
    }
    ledger
}

/// Cuts the done prefix, and returns its outcomes and the position.
fn prefix(ledger: &mut Ledger<i64>) -> Option<(Vec<i64>, i64)> {
    ledger.cut(10, |_| true, 0).map(|cut| (cut.outputs, cut.next))
}

#[test]
fn the_frontier_stops_at_the_first_pending_record() {
    let mut ledger = ledger(&[5, 6, 7]);
    assert_eq!(ledger.frontier(), Some(5));
    ledger.complete(GENERATION, 6, 6).unwrap();
    assert_eq!((ledger.frontier(), prefix(&mut ledger)), (Some(5), None));
    ledger.complete(GENERATION, 5, 5).unwrap();
    assert_eq!(prefix(&mut ledger), Some((vec![5, 6], 7)));
}

#[test]
fn the_position_is_the_next_offset_and_gaps_count_as_done() {
    let mut ledger = ledger(&[5, 9]);
    ledger.complete(GENERATION, 5, 5).unwrap();
    let cut = ledger.cut(10, |_| true, 0).unwrap();
    assert_eq!(cut.next, 9, "6 to 8 never come");
    ledger.committed(cut.batch).unwrap();
    ledger.complete(GENERATION, 9, 9).unwrap();
    assert_eq!(prefix(&mut ledger).unwrap().1, 10);
}

#[test]
fn a_limited_cut_ends_before_the_next_record() {
    let mut ledger = ledger(&[0, 3, 4]);
    for offset in [0, 3, 4] {
        ledger.complete(GENERATION, offset, offset).unwrap();
    }
    let cut = ledger.cut(2, |_| true, 0).unwrap();
    assert_eq!((cut.outputs, cut.next), (vec![0, 3], 4));
}

#[test]
fn what_lies_below_the_position_that_was_committed_before_is_refused() {
    let mut ledger = ledger(&[]);
    ledger.start(7, Written::default());
    assert_eq!((ledger.frontier(), ledger.committed_position()), (Some(7), Some(7)));
    assert_eq!(ledger.charge(0, 1), Err(Regressed { offset: 0, end: 7 }), "the partition was started at its beginning");
    ledger.charge(9, 1).unwrap();
    assert_eq!(ledger.frontier(), Some(9));
}

#[test]
fn an_aborted_batch_is_cut_again_and_a_committed_one_is_not() {
    let mut ledger = ledger(&[1, 2]);
    ledger.complete(GENERATION, 1, 10).unwrap();
    let first = ledger.cut(10, |_| true, 0).unwrap();
    assert_eq!(prefix(&mut ledger), None, "one batch at a time");
    ledger.aborted(first.batch).unwrap();
    ledger.complete(GENERATION, 2, 20).unwrap();
    let second = ledger.cut(10, |_| true, 0).unwrap();
    assert_eq!((&second.outputs[..], second.next), (&[10, 20][..], 3));
    assert_eq!(ledger.committed(second.batch), Ok(vec![10, 20]));
    assert_eq!((prefix(&mut ledger), ledger.len(), ledger.committed_position()), (None, 0, Some(3)));
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut ledger = ledger(&[1]);
    let other = Generation(3);
    assert_eq!(ledger.charge(1, 1), Err(Regressed { offset: 1, end: 2 }));
    assert_eq!(ledger.complete(other, 1, 0), Err(Misplaced::OtherGeneration { expected: GENERATION, found: other }));
    assert_eq!(ledger.complete(GENERATION, 2, 0), Err(Misplaced::Unknown(2)));
    ledger.complete(GENERATION, 1, 7).unwrap();
    assert_eq!(ledger.complete(GENERATION, 1, 8), Err(Misplaced::Twice(1)));
    let first = ledger.cut(1, |_| true, 0).unwrap().batch;
    ledger.aborted(first).unwrap();
    assert_eq!(ledger.committed(first), Err(super::batch::NotOpen(first)), "no batch is open");
    let second = ledger.cut(1, |_| true, 0).unwrap().batch;
    assert_eq!(ledger.committed(first), Err(super::batch::NotOpen(first)), "another one is open");
    assert_eq!(ledger.committed(second), Ok(vec![7]));
}

#[test]
fn k11_what_is_done_behind_a_slow_record_is_written_and_its_offsets_are_committed() {
    let mut ledger = ledger(&[5, 6, 7, 9]);
    for offset in [6, 9] {
        ledger.complete(GENERATION, offset, offset).unwrap();
    }
    let cut = ledger.cut(10, |_| true, 100).unwrap();
    assert_eq!((&cut.outputs[..], cut.next, cut.written.text(5)), (&[6, 9][..], 5, "1,1,1,2".to_owned()), "8 is no record");
    assert_eq!(ledger.ready(), 2);
    ledger.committed(cut.batch).unwrap();
    assert_eq!((ledger.len(), ledger.ready(), ledger.committed_position()), (2, 0, Some(5)), "5 and 7 are held");
    assert_eq!(ledger.ahead(), Read { records: 4, bytes: 4 });
    ledger.complete(GENERATION, 7, 7).unwrap();
    let cut = ledger.cut(10, |_| true, 100).unwrap();
    assert_eq!((cut.next, cut.written.text(5)), (5, "1,4".to_owned()));
    ledger.committed(cut.batch).unwrap();
    ledger.complete(GENERATION, 5, 5).unwrap();
    let cut = ledger.cut(10, |_| true, 100).unwrap();
    assert_eq!((cut.next, cut.written.is_empty()), (10, true));
    ledger.committed(cut.batch).unwrap();
    assert_eq!(ledger.ahead(), Read::default());
}

#[test]
fn k11_every_commit_holds_the_inherited_set_until_it_is_passed() {
    let mut ledger = ledger(&[]);
    ledger.start(5, Written::parse("1,2,2,3", 5).unwrap());
    assert_eq!(ledger.charge(5, 1), Ok(Charged::Open));
    ledger.complete(GENERATION, 5, 5).unwrap();
    let cut = ledger.cut(10, |_| true, 100).unwrap();
    assert_eq!((cut.next, cut.written.text(6)), (6, "0,2,2,3".to_owned()), "nothing of it was read yet");
    ledger.committed(cut.batch).unwrap();
    assert_eq!([6, 7, 8, 9, 10, 12].map(|offset| ledger.charge(offset, 1).unwrap()), {
        use Charged::{Open, Written};
        [Written, Written, Open, Open, Written, Written]
    });
    ledger.complete(GENERATION, 9, 9).unwrap();
    let cut = ledger.cut(10, |_| true, 100).unwrap();
    assert_eq!((cut.next, cut.written.text(8)), (8, "1,4".to_owned()), "9 is written too");
}

#[test]
fn k11_a_set_has_no_more_room_than_it_is_given_and_what_does_not_fit_waits() {
    let mut ledger = ledger(&(0..100).collect::<Vec<_>>());
    for offset in (1..100).step_by(2) {
        ledger.complete(GENERATION, offset, offset).unwrap();
    }
    let cut = ledger.cut(100, |_| true, 20).unwrap();
    ledger.aborted(cut.batch).unwrap();
    assert!(ledger.ready() > 0, "what was aborted is cut again");
    let cut = ledger.cut(100, |_| true, 20).unwrap();
    assert!(!cut.outputs.is_empty() && cut.written.text(0).len() <= 20, "{}", cut.written.text(0));
    ledger.committed(cut.batch).unwrap();
    assert!(ledger.cut(100, |_| true, 3).is_none(), "even the set that is committed is longer");
    assert_eq!(ledger.ready(), 0, "a stop does not wait for what has no room");
    for offset in (0..100).step_by(2) {
        ledger.complete(GENERATION, offset, offset).unwrap();
    }
    let cut = ledger.cut(100, |_| true, 20).unwrap();
    assert_eq!((cut.next, cut.written.is_empty()), (100, true));
}

#[derive(Debug, Clone)]
enum Step {
    Charge { gap: i64 },
    Complete { pick: usize },
    Cut { limit: usize, room: usize },
    Commit,
    Abort,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop_oneof![4 => Just(0i64), 1 => 1i64..50].prop_map(|gap| Step::Charge { gap }),
        4 => any::<usize>().prop_map(|pick| Step::Complete { pick }),
        2 => (1usize..5, prop_oneof![Just(0usize), Just(8), Just(3_500)]).prop_map(|(limit, room)| Step::Cut { limit, room }),
        1 => Just(Step::Commit),
        1 => Just(Step::Abort),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Compares the ledger with a model that keeps plain sets: every record is in exactly one
    /// committed batch, and what a commit covers is exactly what is written.
    #[test]
    fn k11_any_interleaving_writes_each_record_once_and_commits_exactly_that(steps in steps()) {
        let mut ledger = Ledger::new(GENERATION);
        let mut next = 100;
        let (mut pending, mut done, mut written) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut open: Option<super::batch::Cut<i64>> = None;
        let mut position = 0;
        for step in steps {
            match step {
                Step::Charge { gap } => {
                    next += gap;
                    ledger.charge(next, 1).unwrap();
                    pending.insert(next);
                    next += 1;
                }
                Step::Complete { pick } => {
                    if let Some(offset) = pending.iter().copied().nth(pick % pending.len().max(1)) {
                        pending.remove(&offset);
                        done.insert(offset);
                        ledger.complete(GENERATION, offset, offset).unwrap();
                    }
                }
                Step::Cut { limit, room } => {
                    let cut = ledger.cut(limit, |_| true, room);
                    prop_assert!(cut.is_none() || open.is_none());
                    if let Some(cut) = cut {
                        prop_assert!(cut.outputs.len() <= limit && cut.outputs.iter().all(|offset| done.contains(offset)));
                        let covers = |offset: &i64| *offset < cut.next || cut.written.contains(*offset);
                        let after: BTreeSet<i64> = written.iter().chain(&cut.outputs).copied().collect();
                        let covered: BTreeSet<i64> = written.iter().chain(&done).chain(&pending).copied().filter(covers).collect();
                        prop_assert_eq!(covered, after);
                        open = Some(cut);
                    }
                }
                Step::Commit => {
                    if let Some(cut) = open.take() {
                        let outputs = ledger.committed(cut.batch).unwrap();
                        prop_assert_eq!(&outputs, &cut.outputs);
                        prop_assert!(cut.next >= position, "the position moves back");
                        position = cut.next;
                        for offset in outputs {
                            prop_assert!(done.remove(&offset) && written.insert(offset), "{} is written twice", offset);
                        }
                    }
                }
                Step::Abort => {
                    if let Some(cut) = open.take() {
                        ledger.aborted(cut.batch).unwrap();
                    }
                }
            }
            let is_new = pending.is_empty() && done.is_empty() && written.is_empty();
            let frontier = pending.first().copied().or((!is_new).then_some(next));
            prop_assert_eq!(ledger.frontier(), frontier);
            prop_assert_eq!(ledger.len(), pending.len() + done.len());
        }
    }
}
