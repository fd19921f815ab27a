//! Checks which reports are returned as having failures with traces, and what a restore loses.

use super::*;
use crate::event::TraceContext;

fn context(number: u8) -> TraceContext {
    TraceContext { trace_id: [number; 16], span_id: [number; 8], flags: 1 }
}

/// Counts failures of one owner at the given sources. Those from an even source are sampled.
fn count(process: &mut Process, owner: u8, sources: std::ops::Range<u8>) {
    for source in sources {
        let event = failure(owner, 0, source, 0, 0, NOON);
        assert!(process.state.count(&event, NOON));
        if source % 2 == 0 {
            process.state.link(&event, context(source + 1));
        }
        process.state.advance(process.state.next().unwrap_or(0) + 1);
    }
}

fn freeze(process: &mut Process) {
    process.state.control(&CloseWindows { at: None });
    process.state.freeze(process.state.next().unwrap_or(0), NOON);
    // The window is frozen by a transaction of its own.
    process.commit();
}

/// Returns the domains of the linked reports of the next step, each with its links. The step is
/// left open.
fn step(process: &mut Process) -> Vec<(String, Links)> {
    let next = process.state.next().unwrap_or(0);
    let outputs = process.state.cut(next, at(process.clock), true);
    let linked = process.state.take_linked();
    let of = |linked: Linked| {
        let report = ReportAttributes::read(&outputs[linked.output].headers).expect("a report");
        (report.policy_domain.to_string(), linked.links)
    };
    linked.into_iter().map(of).collect()
}

#[test]
fn every_part_of_a_report_has_the_traces_of_its_group_and_reports_without_any_are_not_named() {
    let mut process = Process::new(settings());
    count(&mut process, 1, 0..20);
    for source in [1, 3] {
        count(&mut process, 2, source..source + 1);
    }
    freeze(&mut process);
    let linked = step(&mut process);
    // A part has seven rows.
    assert_eq!(linked.iter().map(|(domain, _)| domain.as_str()).collect::<Vec<_>>(), ["owner1.example"; 3]);
    for (_, links) in &linked {
        let expected: Vec<_> = (0..20).step_by(2).map(|source| context(source + 1)).collect();
        assert_eq!((links.contexts(), links.sampled(), links.restored()), (&expected[..], 10, 0));
    }
    process.state.aborted();
    assert_eq!(step(&mut process), linked, "a step that is made again names them again");
    process.state.committed();
    assert_eq!(step(&mut process), []);
}

#[test]
fn a_restore_loses_traces_and_says_of_how_many_failures() {
    let mut process = Process::new(settings());
    count(&mut process, 1, 0..3);
    process.commit();
    process.happens(Event::Crash);
    assert_eq!(process.state.restored(), 3);
    count(&mut process, 1, 4..5);
    freeze(&mut process);
    let linked = step(&mut process);
    let [(_, links)] = linked.as_slice() else { panic!("{linked:?}") };
    assert_eq!((links.contexts(), links.sampled(), links.restored()), (&[context(5)][..], 1, 3));
}

#[test]
fn traces_count_as_memory_until_their_report_is_committed() {
    let mut process = Process::new(settings());
    let event = failure(1, 0, 1, 0, 0, NOON);
    assert!(process.state.count(&event, NOON));
    process.state.advance(1);
    let before = process.state.counts().bytes;
    for _ in 0..1_000 {
        process.state.link(&event, context(1));
    }
    let held = process.state.counts().bytes - before;
    assert!((MAX_LINKS * size_of::<TraceContext>()..10_000).contains(&held), "{held}");
    freeze(&mut process);
    process.commit();
    assert_eq!(process.state.counts().bytes, 0);
}
