use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const GENERATION: Generation = Generation(4);

fn ledger(offsets: &[i64]) -> Ledger<i64> {
    let mut ledger = Ledger::new(GENERATION);
    for offset in offsets {
        ledger.charge(*offset).unwrap();
    }
    ledger
}

#[test]
fn the_frontier_stops_at_the_first_pending_record() {
    let mut ledger = ledger(&[5, 6, 7]);
    assert_eq!(ledger.frontier(), Some(5));
    ledger.complete(GENERATION, 6, 6).unwrap();
    assert_eq!((ledger.frontier(), ledger.cut(10, |_| true)), (Some(5), None));
    ledger.complete(GENERATION, 5, 5).unwrap();
    assert_eq!(ledger.cut(10, |_| true), Some(Cut { outputs: vec![5, 6], next: 7 }));
}

#[test]
fn the_position_is_the_next_offset_and_gaps_count_as_done() {
    let mut ledger = ledger(&[5, 9]);
    ledger.complete(GENERATION, 5, 5).unwrap();
    assert_eq!(ledger.cut(10, |_| true).unwrap().next, 9, "6 to 8 never come");
    ledger.committed(9).unwrap();
    ledger.complete(GENERATION, 9, 9).unwrap();
    assert_eq!(ledger.cut(10, |_| true).unwrap().next, 10);
}

#[test]
fn a_limited_cut_ends_before_the_next_record() {
    let mut ledger = ledger(&[0, 3, 4]);
    for offset in [0, 3, 4] {
        ledger.complete(GENERATION, offset, offset).unwrap();
    }
    assert_eq!(ledger.cut(2, |_| true), Some(Cut { outputs: vec![0, 3], next: 4 }));
}

#[test]
fn what_lies_below_the_position_that_was_committed_before_is_refused() {
    let mut ledger = ledger(&[]);
    ledger.start(7);
    assert_eq!((ledger.frontier(), ledger.committed_position()), (Some(7), Some(7)));
    assert_eq!(ledger.charge(0), Err(Regressed { offset: 0, end: 7 }), "the partition was started at its beginning");
    ledger.charge(9).unwrap();
    assert_eq!(ledger.frontier(), Some(9));
}

#[test]
fn an_aborted_batch_is_cut_again_and_a_committed_one_is_not() {
    let mut ledger = ledger(&[1, 2]);
    ledger.complete(GENERATION, 1, 10).unwrap();
    let first = ledger.cut(10, |_| true).unwrap();
    assert_eq!(ledger.cut(10, |_| true), None, "one batch at a time");
    ledger.aborted(first.next).unwrap();
    ledger.complete(GENERATION, 2, 20).unwrap();
    let second = ledger.cut(10, |_| true).unwrap();
    assert_eq!(second, Cut { outputs: vec![10, 20], next: 3 });
    assert_eq!(ledger.committed(second.next), Ok(vec![10, 20]));
    assert_eq!((ledger.cut(10, |_| true), ledger.len(), ledger.committed_position()), (None, 0, Some(3)));
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut ledger = ledger(&[1]);
    let other = Generation(3);
    assert_eq!(ledger.charge(1), Err(Regressed { offset: 1, end: 2 }));
    assert_eq!(ledger.complete(other, 1, 0), Err(Misplaced::OtherGeneration { expected: GENERATION, found: other }));
    assert_eq!(ledger.complete(GENERATION, 2, 0), Err(Misplaced::Unknown(2)));
    ledger.complete(GENERATION, 1, 7).unwrap();
    assert_eq!(ledger.complete(GENERATION, 1, 8), Err(Misplaced::Twice(1)));
    assert_eq!(ledger.committed(2), Err(Unsettled::NotOpen));
    ledger.cut(1, |_| true).unwrap();
    assert_eq!(ledger.committed(1), Err(Unsettled::Other { open: 2, next: 1 }));
    assert_eq!(ledger.committed(2), Ok(vec![7]));
}

#[derive(Debug, Clone)]
enum Step {
    Charge { gap: i64 },
    Complete { pick: usize },
    Cut { limit: usize },
    Commit,
    Abort,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop_oneof![4 => Just(0i64), 1 => 1i64..50].prop_map(|gap| Step::Charge { gap }),
        4 => any::<usize>().prop_map(|pick| Step::Complete { pick }),
        2 => (1usize..5).prop_map(|limit| Step::Cut { limit }),
        1 => Just(Step::Commit),
        1 => Just(Step::Abort),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Compares the ledger with a model that keeps plain sets: every record is in exactly
    /// one committed batch, in order, and no position ever passes a record that is
    /// not done or moves back.
    #[test]
    fn any_interleaving_commits_each_record_once_and_in_order(steps in steps()) {
        let mut ledger = Ledger::new(GENERATION);
        let mut next = 100;
        let mut pending = BTreeSet::new();
        let mut done = BTreeMap::new();
        let mut charged = Vec::new();
        let mut written = Vec::new();
        let mut open: Option<Cut<i64>> = None;
        let mut position = 0;
        for step in steps {
            match step {
                Step::Charge { gap } => {
                    next += gap;
                    ledger.charge(next).unwrap();
                    pending.insert(next);
                    charged.push(next);
                    next += 1;
                }
                Step::Complete { pick } => {
                    if let Some(offset) = pending.iter().copied().nth(pick % pending.len().max(1)) {
                        pending.remove(&offset);
                        done.insert(offset, -offset);
                        ledger.complete(GENERATION, offset, -offset).unwrap();
                    }
                }
                Step::Cut { limit } => {
                    let cut = ledger.cut(limit, |_| true);
                    prop_assert!(cut.is_none() || open.is_none());
                    if let Some(cut) = cut {
                        prop_assert!(cut.outputs.len() <= limit);
                        prop_assert!(pending.iter().all(|offset| *offset >= cut.next), "a pending record is passed");
                        prop_assert_eq!(cut.outputs.len(), done.range(..cut.next).count());
                        open = Some(cut);
                    }
                }
                Step::Commit => {
                    if let Some(cut) = open.take() {
                        let outputs = ledger.committed(cut.next).unwrap();
                        prop_assert_eq!(&outputs, &cut.outputs);
                        prop_assert!(cut.next > position, "the position moves back");
                        position = cut.next;
                        written.extend(outputs.into_iter().map(|output| -output));
                        done = done.split_off(&cut.next);
                    }
                }
                Step::Abort => {
                    if let Some(cut) = open.take() {
                        ledger.aborted(cut.next).unwrap();
                    }
                }
            }
            let frontier = pending.first().copied().or((!charged.is_empty()).then_some(next));
            prop_assert_eq!(ledger.frontier(), frontier);
            prop_assert_eq!(ledger.len(), pending.len() + done.len());
        }
        prop_assert_eq!(&written[..], &charged[..written.len()], "each once, in order");
    }
}
