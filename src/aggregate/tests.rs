//! Checks that the same failures give the same reports, whatever the order, the batches, the aborts
//! and the crashes (promises 6 and 8).

mod limits;
mod traces;

use super::memory::Memory;
use super::*;
use crate::auth::dmarc::{AlignmentMode, Policy, Psd, RecordFault};
use crate::config::{Config, Discovery, Profile};
use crate::dns::Domain;
use crate::event::{
    CloseWindows, Disposition, DkimRow, FailureEvent, Input, Output, PublishedPolicy, ReportAttributes, Row, SpfRow, TopicId,
    WindowClosed,
};
use crate::report::Limits;
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const DAY: i64 = 86_400;
/// Noon of some day, in Unix seconds.
const NOON: i64 = 1_780_000_000 - 1_780_000_000 % DAY + DAY / 2;

fn settings() -> Settings {
    let mut config = Config::default();
    config.receiver.domain = Domain::parse("mx.receiver.example").ok();
    (config.receiver.organization, config.receiver.contact) = (Some("Receiver".into()), Some("dmarc@receiver.example".into()));
    config.aggregate.report_rows = 7;
    Settings::of(&config).unwrap()
}

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

/// Returns a failure. The numbers choose among a few values each, so that many failures share a
/// row.
fn failure(owner: u8, policy: u8, source: u8, from: u8, signature: u8, arrival: i64) -> FailureEvent {
    let policy_domain = domain(&format!("owner{owner}.example"));
    let rua =
        if owner == 0 { Vec::new() } else { vec![serde_json::from_value(format!("dmarc@owner{owner}.example").into()).unwrap()] };
    FailureEvent {
        input: Input { topic: "mail.raw".into(), partition: 0, offset: 0, attempt: 1 },
        arrival: Timestamp::from_second(arrival).unwrap(),
        policy: PublishedPolicy {
            p: Policy::Reject,
            sp: Policy::Reject,
            np: Policy::Reject,
            adkim: AlignmentMode::Relaxed,
            aspf: AlignmentMode::Strict,
            fo: "0".into(),
            psd: Psd::Unknown,
            t: policy == 1,
            rua: rua.clone(),
        },
        discovery: Discovery::TreeWalk,
        policy_hash: format!("{policy:032x}"),
        record_errors: if from == 2 { vec![RecordFault::InvalidTag] } else { Vec::new() },
        report_addresses: rua,
        row: Row {
            source_ip: if source.is_multiple_of(2) {
                [192, 0, 2, source].into()
            } else {
                format!("2001:db8::{source:x}").parse().unwrap()
            },
            header_from: if from == 0 { policy_domain.clone() } else { domain(&format!("s{from}.owner{owner}.example")) },
            envelope_from: (from != 1).then(|| "bounce.example".to_owned()),
            disposition: Disposition::Reject,
            dkim_aligned: false,
            spf_aligned: from == 3,
            overrides: Vec::new(),
            dkim: (0..signature)
                .map(|number| DkimRow {
                    domain: domain("signer.example"),
                    selector: domain(&format!("s{number}")),
                    result: crate::auth::cause::ResultWord::Fail,
                })
                .collect(),
            spf: SpfRow { domain: Some(domain("bounce.example")), result: crate::auth::cause::ResultWord::Pass, helo: None },
        },
        policy_domain,
    }
}

/// The records that brokers keep: the changelog, the committed position and the reports.
#[derive(Debug, Default)]
struct Brokers {
    changelog: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    committed: Option<i64>,
    input: Option<TopicId>,
    reports: Vec<(ReportAttributes, Vec<u8>)>,
    closed: Vec<WindowClosed>,
}

impl Brokers {
    fn commit(&mut self, outputs: Vec<Output>, next: i64) {
        for output in outputs {
            if &*output.topic == "mail.windows" {
                self.changelog.push((output.key.unwrap(), output.value));
            } else if let Some(attributes) = ReportAttributes::read(&output.headers) {
                self.reports.push((attributes, output.value.unwrap()));
            } else {
                self.closed.push(serde_json::from_slice(&output.value.unwrap()).unwrap());
            }
        }
        self.committed = Some(next);
    }

    /// Does what the log cleaner may do: of each key only the last record remains, and deletions
    /// vanish.
    fn compact(&mut self, with_deletions: bool) {
        let mut seen = BTreeSet::new();
        let mut kept: Vec<_> = self.changelog.drain(..).rev().filter(|(key, _)| seen.insert(key.clone())).collect();
        kept.reverse();
        kept.retain(|(_, value)| value.is_some() || !with_deletions);
        self.changelog = kept;
    }

    fn restore(&self, settings: &Arc<Settings>) -> State {
        let mut restore = Restore::new(settings.clone(), 3, 12);
        for (key, value) in &self.changelog {
            restore.take(key, value.as_deref()).unwrap();
        }
        restore.finish(self.committed, self.input).unwrap()
    }

    /// Returns every report by its id. It fails when two reports have the same id, which is the
    /// worst that can happen.
    fn by_id(&self) -> BTreeMap<String, &[u8]> {
        let mut reports = BTreeMap::new();
        for (attributes, bytes) in &self.reports {
            let other = reports.insert(attributes.id.clone(), bytes.as_slice());
            assert!(other.is_none(), "report {} was written twice", attributes.id);
        }
        reports
    }

    fn messages(&self) -> u64 {
        let in_reports: u64 = self.reports.iter().map(|(attributes, _)| attributes.messages).sum();
        let without: u64 = self.closed.iter().map(|closed| closed.no_reporting_address).sum();
        assert_eq!(in_reports, self.closed.iter().map(|closed| closed.messages).sum::<u64>());
        in_reports + without
    }
}

/// An event in the life of the process between two records.
#[derive(Debug, Clone, Copy)]
enum Event {
    Count,
    Commit,
    Abort,
    Crash,
    /// The process dies after its outputs are committed, before it learns of that.
    CrashAfterCommit,
    Compact,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// One partition with the process that counts it.
struct Process {
    settings: Arc<Settings>,
    brokers: Brokers,
    state: State,
    clock: i64,
}

impl Process {
    fn new(settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let brokers = Brokers::default();
        Self { state: brokers.restore(&settings), settings, brokers, clock: NOON }
    }

    fn read(&mut self, log: &[FailureEvent], until: i64) {
        let mut next = self.state.next().unwrap_or(0);
        while next < until {
            let event = &log[usize::try_from(next).unwrap()];
            assert!(self.state.count(event, event.arrival.as_second()));
            next += 1;
        }
        self.state.advance(next);
    }

    fn commit(&mut self) {
        let next = self.state.next().unwrap_or(0);
        let outputs = self.state.cut(next, at(self.clock), true);
        self.brokers.commit(outputs, next);
        self.state.committed();
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Count => {}
            Event::Commit => self.commit(),
            Event::Abort => {
                let next = self.state.next().unwrap_or(0);
                let _ = self.state.cut(next, at(self.clock), true);
                self.state.aborted();
            }
            Event::Crash => self.state = self.brokers.restore(&self.settings),
            Event::CrashAfterCommit => {
                let next = self.state.next().unwrap_or(0);
                let outputs = self.state.cut(next, at(self.clock), true);
                self.brokers.commit(outputs, next);
                self.state = self.brokers.restore(&self.settings);
            }
            Event::Compact => self.brokers.compact(true),
        }
    }

    /// Closes every window at the end of the log.
    fn close(&mut self, log: &[FailureEvent], events: &[Event]) {
        let end = log.len() as i64;
        self.clock = NOON + 3 * DAY;
        let mut events = events.iter().copied();
        for _ in 0..10_000 {
            self.read(log, end);
            if self.state.wants_end(self.clock) {
                self.state.end_of_log(end, self.clock);
            }
            self.state.freeze(end, self.clock);
            self.happens(events.next().unwrap_or(Event::Commit));
            let is_read = self.state.next().unwrap_or(0) == end;
            if is_read && self.state.counts().rows == 0 && !self.state.is_closing() {
                return;
            }
        }
        panic!("the windows do not close");
    }
}

fn undisturbed(log: &[FailureEvent], settings: Settings) -> Process {
    let mut process = Process::new(settings);
    process.close(log, &[]);
    process
}

prop_compose! {
    fn some_failure()(
        owner in 0_u8..4, policy in 0_u8..2, source in 0_u8..6, from in 0_u8..4, signatures in 0_u8..3, late in prop::bool::weighted(0.2)
    ) -> FailureEvent {
        failure(owner, policy, source, from, signatures, if late { NOON - DAY } else { NOON })
    }
}

fn some_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Count),
        4 => Just(Event::Commit),
        1 => Just(Event::Abort),
        1 => Just(Event::Crash),
        1 => Just(Event::CrashAfterCommit),
        1 => Just(Event::Compact),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn p6_p8_property_no_batch_abort_or_crash_changes_a_report(
        log in prop::collection::vec(some_failure(), 1..250),
        counting in prop::collection::vec((1_i64..40, some_event()), 0..40),
        closing in prop::collection::vec(some_event(), 0..40),
    ) {
        let expected = undisturbed(&log, settings());
        let mut process = Process::new(settings());
        for (records, event) in counting {
            let until = (process.state.next().unwrap_or(0) + records).min(log.len() as i64);
            process.read(&log, until);
            process.happens(event);
        }
        process.close(&log, &closing);
        prop_assert_eq!(process.brokers.by_id(), expected.brokers.by_id());
        prop_assert_eq!(process.brokers.messages(), log.len() as u64);
    }

    #[test]
    fn p6_property_the_order_of_failures_changes_no_report(
        (log, shuffled) in prop::collection::vec(some_failure(), 1..200).prop_flat_map(|log| (Just(log.clone()), Just(log).prop_shuffle())),
    ) {
        let (one, other) = (undisturbed(&log, settings()), undisturbed(&shuffled, settings()));
        prop_assert_eq!(one.brokers.by_id(), other.brokers.by_id());
    }

    #[test]
    fn f32_property_above_the_caps_rows_are_merged_and_sums_stay_exact(
        log in prop::collection::vec(some_failure(), 1..300), cap in 1_usize..20, crashes in prop::collection::vec(some_event(), 0..30),
    ) {
        let capped = Settings { group_rows: cap, ..settings() };
        let mut process = Process::new(capped);
        let step = (log.len() as i64 / 20).max(1);
        for event in &crashes {
            let until = (process.state.next().unwrap_or(0) + step).min(log.len() as i64);
            process.read(&log, until);
            process.happens(*event);
        }
        process.close(&log, &crashes);
        prop_assert_eq!(process.brokers.messages(), log.len() as u64);
        process.brokers.by_id();
    }
}

#[test]
fn a_report_is_made_only_for_whoever_asks() {
    let log = [failure(0, 0, 1, 1, 1, NOON), failure(1, 0, 1, 1, 1, NOON), failure(0, 0, 2, 1, 1, NOON)];
    let process = undisturbed(&log, settings());
    assert_eq!(process.brokers.reports.len(), 1);
    let closed = process.brokers.closed[0];
    assert_eq!((closed.reports, closed.messages, closed.no_reporting_address), (1, 1, 2));
    assert_eq!((closed.begin, closed.end), (NOON - DAY / 2, NOON + DAY / 2 - 1));
}

#[test]
fn b15_each_policy_has_its_own_report() {
    let log = [failure(1, 0, 1, 1, 1, NOON), failure(1, 1, 1, 1, 1, NOON)];
    let process = undisturbed(&log, settings());
    assert_eq!(process.brokers.by_id().len(), 2);
}

#[test]
fn b34_many_rows_make_several_parts_whose_sums_are_the_rows() {
    let log: Vec<_> = (0..20).map(|source| failure(1, 0, source, 1, 1, NOON)).collect();
    let process = undisturbed(&log, settings());
    let parts: Vec<_> = process.brokers.reports.iter().map(|(attributes, _)| (attributes.part, attributes.rows)).collect();
    assert_eq!(parts, [(0, 7), (1, 7), (2, 6)]);
}

#[test]
fn late_rows_make_a_report_of_their_own_for_the_same_period() {
    let mut log = vec![failure(1, 0, 1, 1, 1, NOON)];
    let mut process = undisturbed(&log, settings());
    log.push(failure(1, 0, 1, 1, 1, NOON));
    process.happens(Event::Crash);
    process.read(&log, 2);
    process.commit();
    process.happens(Event::Compact);
    process.happens(Event::Crash);
    assert!(!process.state.wants_end(process.clock), "not before another length of the window");
    process.clock += DAY;
    assert!(process.state.wants_end(process.clock));
    process.state.end_of_log(2, process.clock);
    process.state.freeze(2, process.clock);
    process.commit();
    process.commit();
    let [(first, _), (second, _)] = &process.brokers.reports[..] else { panic!("two reports") };
    assert_ne!(first.id, second.id);
    assert_eq!((first.begin, first.generation, second.generation), (second.begin, 0, 1));
}

#[test]
fn a_window_does_not_close_before_what_stood_in_the_log_is_counted() {
    let log = vec![failure(1, 0, 1, 1, 1, NOON), failure(1, 0, 2, 1, 1, NOON)];
    let mut process = Process::new(settings());
    process.read(&log, 1);
    process.clock = NOON + DAY / 2 + 3_599;
    assert!(!process.state.wants_end(process.clock), "grace");
    process.clock += 1;
    assert!(process.state.wants_end(process.clock));
    process.state.end_of_log(2, process.clock);
    process.state.freeze(1, process.clock);
    assert!(!process.state.is_closing(), "a record below the end of the log is not counted");
    process.read(&log, 2);
    process.state.freeze(2, process.clock);
    assert!(process.state.is_closing());
    process.clock -= 10 * DAY;
    process.commit();
    process.commit();
    assert_eq!(process.brokers.messages(), 2, "a clock that goes back stops no closing");
}

#[test]
fn an_end_of_the_log_closes_only_what_was_due_when_it_was_asked_for() {
    let mut process = Process::new(settings());
    assert!(process.state.count(&failure(1, 0, 1, 1, 1, NOON - DAY), NOON));
    assert!(process.state.count(&failure(1, 0, 1, 1, 1, NOON), NOON));
    process.state.advance(2);
    process.state.end_of_log(2, NOON);
    process.clock = NOON + 3 * DAY;
    process.state.freeze(2, process.clock);
    process.commit();
    process.commit();
    let days: Vec<i64> = process.brokers.closed.iter().map(|closed| closed.begin).collect();
    assert_eq!(days, [NOON - DAY / 2 - DAY], "the other day was not over then");
}

#[test]
fn while_a_window_closes_for_good_nothing_more_is_counted_for_it() {
    let mut process = Process::new(settings());
    let (event, over) = (failure(1, 0, 1, 1, 1, NOON), NOON + DAY / 2 + 7 * DAY);
    assert!(process.state.count(&event, over));
    process.state.advance(1);
    process.state.end_of_log(1, over);
    process.state.freeze(1, over);
    assert!(!process.state.count(&event, over), "its generation would be without its window");
    process.commit();
    process.happens(Event::Crash);
    assert!(!process.state.count(&event, over));
    process.commit();
    process.happens(Event::Crash);
    assert_eq!((process.brokers.messages(), process.state.counts()), (1, Counts::default()));
}

#[test]
fn a_request_ends_no_window_for_good_before_its_log_is_read() {
    let mut process = Process::new(settings());
    let (event, over) = (failure(1, 0, 1, 1, 1, NOON), NOON + DAY / 2 + 7 * DAY);
    assert!(process.state.count(&event, over));
    process.state.advance(1);
    process.state.end_of_log(2, over);
    process.state.control(&CloseWindows { at: None });
    process.state.freeze(1, over);
    process.commit();
    process.commit();
    assert!(process.state.count(&event, over), "it stood in the log when the end was asked for");
}

#[test]
fn beyond_the_horizon_a_failure_is_too_late_for_ever() {
    let mut process = Process::new(settings());
    let event = failure(1, 0, 1, 1, 1, NOON);
    let over = NOON + DAY / 2 + 7 * DAY;
    assert!(process.state.count(&event, over), "the last second");
    assert!(!process.state.count(&event, over + 1));
    assert_eq!(process.state.totals().too_late, 0, "it is not committed");
    // A closing that began at the end of a log which was read after the horizon ends the window,
    // whatever a timestamp says.
    process.state.advance(2);
    process.clock = over;
    process.state.end_of_log(2, process.clock);
    process.state.freeze(2, process.clock);
    process.commit();
    assert_eq!(process.state.totals().too_late, 1);
    process.commit();
    assert!(!process.state.count(&event, over), "its id would be used again");
    process.happens(Event::Compact);
    process.happens(Event::Crash);
    assert!(!process.state.count(&event, over));
    assert_eq!(process.state.counts(), Counts::default());
    assert!(process.brokers.changelog.len() == 1, "nothing but the marker is left: {}", process.brokers.changelog.len());
}

#[test]
fn an_operator_closes_early_and_the_rest_comes_at_the_usual_time() {
    let log = [failure(1, 0, 1, 1, 1, NOON), failure(1, 0, 1, 1, 1, NOON)];
    let mut process = Process::new(settings());
    process.read(&log, 1);
    process.state.control(&CloseWindows { at: Some(NOON + DAY) });
    process.state.freeze(1, process.clock);
    assert!(!process.state.is_closing(), "another window");
    process.state.control(&CloseWindows { at: Some(NOON) });
    process.state.freeze(1, process.clock);
    process.commit();
    process.commit();
    assert_eq!(process.brokers.reports.len(), 1);
    process.close(&log, &[]);
    assert_eq!(process.brokers.by_id().len(), 2);
    assert_eq!(process.brokers.messages(), 2);
}

#[test]
fn a_position_that_is_not_the_states_stops_the_restore() {
    let log = [failure(1, 0, 1, 1, 1, NOON)];
    let mut process = Process::new(settings());
    process.read(&log, 1);
    process.commit();
    for committed in [None, Some(0), Some(2)] {
        process.brokers.committed = committed;
        let mut restore = Restore::new(process.settings.clone(), 3, 12);
        process.brokers.changelog.iter().for_each(|(key, value)| restore.take(key, value.as_deref()).unwrap());
        assert_eq!(restore.finish(committed, None).unwrap_err(), Unrestorable::Position { marker: Some(1), committed });
    }
    let restore = Restore::new(process.settings.clone(), 3, 12);
    assert_eq!(restore.finish(Some(7), None).unwrap_err(), Unrestorable::Position { marker: None, committed: Some(7) });
    let mut restore = Restore::new(process.settings.clone(), 3, 24);
    process.brokers.changelog.iter().for_each(|(key, value)| restore.take(key, value.as_deref()).unwrap());
    assert_eq!(restore.finish(Some(1), None).unwrap_err(), Unrestorable::Partitions { expected: 12, found: 24 });
}

#[test]
fn a_state_of_another_topic_of_the_same_name_is_not_restored_and_one_that_names_none_adopts_it() {
    let ids = [1, 2].map(|octet| TopicId::new([octet; 16]).unwrap());
    let log = [failure(1, 0, 1, 1, 1, NOON), failure(1, 1, 1, 1, 1, NOON)];
    let mut process = Process::new(settings());
    process.read(&log, 1);
    process.commit();
    process.brokers.input = Some(ids[0]);
    process.state = process.brokers.restore(&process.settings);
    process.read(&log, 2);
    process.commit();
    process.state = process.brokers.restore(&process.settings);
    // This is so whether or not the position is the one that the state was written with.
    for committed in [None, Some(1), Some(2)] {
        let mut restore = Restore::new(process.settings.clone(), 3, 12);
        process.brokers.changelog.iter().for_each(|(key, value)| restore.take(key, value.as_deref()).unwrap());
        let anew = Unrestorable::Anew { next: 2, counted: ids[0], present: ids[1] };
        assert_eq!(restore.finish(committed, Some(ids[1])).unwrap_err(), anew);
    }
    // The brokers do not tell ids.
    process.brokers.input = None;
    process.state = process.brokers.restore(&process.settings);
}

#[test]
fn b72_the_profile_is_chosen_by_policy_domain() {
    let mut other = settings();
    other.reports.other_profile_for = vec![domain("owner1.example")];
    let log = [failure(1, 0, 1, 1, 1, NOON), failure(2, 0, 1, 1, 1, NOON)];
    let process = undisturbed(&log, other);
    let profiles: Vec<_> = process.brokers.reports.iter().map(|(report, _)| report.profile).collect();
    assert_eq!(profiles, [Profile::Compat7489, Profile::Rfc9990]);
}
