//! Brokers that go away.

use crate::broker::{Broker, Cluster, Options, alone, beside_others, eventually, shared};
use crate::fleet::{Fleet, Process};
use crate::removed;
use crate::stream::{Stream, mail};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_mins(3);

#[test]
fn a_restart_of_the_broker_with_a_transaction_open_and_a_long_absence_lose_nothing() {
    beside_others(LIMIT, || {
        let broker = Broker::start(Options::default());
        let stream = Stream::new(&broker, "outage-", 4);
        let fleet = stream.fleet();
        // The transaction is open for two seconds each time.
        let mut processes = vec![fleet.start("a", &[("FAILPOINTS", "after-produce=2*sleep(2000)->off")])];
        processes[0].wait_for("\"assigned\"");
        stream.produce(mail(300));
        std::thread::sleep(Duration::from_secs(1));
        broker.kill();
        broker.restart();
        stream.produce(mail(300));
        // Longer than the session, the transaction and the delivery time-outs.
        broker.stop();
        std::thread::sleep(Duration::from_secs(10));
        broker.restart();
        stream.produce(mail(300));
        wait_with_restarts(&stream, &fleet, &mut processes);
        stream.assert_exactly_once(&fleet);
    });
}

#[test]
fn a_role_is_ready_while_its_idle_partitions_are_fetched_and_not_while_all_brokers_are_away() {
    beside_others(LIMIT, || {
        let broker = Broker::start(Options::default());
        let stream = Stream::new(&broker, "health-", 2);
        let mut fleet = stream.fleet();
        fleet.set("HEALTH__LISTEN", "127.0.0.1:0");
        let process = fleet.start("a", &[]);
        process.wait_for("health endpoint");
        let is_ready = || process.ask("/readyz") == "ready\n";
        eventually("readiness of a role that is idle", || is_ready().then_some(()));
        let until = Instant::now() + Duration::from_secs(35);
        while Instant::now() < until {
            assert!(is_ready(), "{}", process.ask("/readyz"));
            std::thread::sleep(Duration::from_millis(200));
        }
        broker.stop();
        let raw = stream.topic("mail.raw");
        let away =
            [format!("not ready: verdict: {raw} cannot be fetched\n"), "not ready: verdict: no broker answers\n".to_owned()];
        eventually("no readiness", || away.contains(&process.ask("/readyz")).then_some(()));
        assert_eq!(process.ask("/livez"), "live\n");
        broker.restart();
        eventually("readiness again", || is_ready().then_some(()));
        broker.pause();
        eventually("no readiness while the broker is frozen", || away.contains(&process.ask("/readyz")).then_some(()));
        broker.resume();
        eventually("readiness at last", || is_ready().then_some(()));
        assert_eq!(process.stop().0, Some(0));
    });
}

#[test]
fn a_static_member_that_was_removed_while_it_joined_again_goes_on_where_others_have_committed() {
    beside_others(LIMIT, || {
        let broker = Broker::start(Options::default());
        let stream = Stream::new(&broker, "removed-", 1);
        let mut fleet = stream.fleet();
        removed::prepare(&mut fleet);
        let member = fleet.start("removed", &[]);
        stream.produce(mail(100));
        stream.wait_until_done(LIMIT);
        let other = removed::remove(&member, &broker, &fleet);
        stream.produce(mail(300));
        stream.wait_until_done(LIMIT);
        drop(other);
        member.signal(Signal::SIGCONT);
        stream.produce(mail(50));
        stream.wait_until_done(LIMIT);
        stream.assert_exactly_once(&fleet);
        assert!(member.has_logged("has taken this member in anew"));
    });
}

/// A process may end with an exit code of its own when it cannot know how a transaction ended; its supervisor starts it again.
fn restart_ended(fleet: &Fleet, processes: &mut [Process]) {
    for (process, name) in processes.iter_mut().zip(["a", "b"]) {
        if let Some(code) = process.ended() {
            assert!(matches!(code, Some(4 | 6 | 7)), "{code:?}");
            *process = fleet.start(name, &[]);
        }
    }
}

/// Waits until everything is done. A process may have to find out first that a call of its client library does not return.
fn wait_with_restarts(stream: &Stream, fleet: &Fleet, processes: &mut [Process]) {
    let deadline = Instant::now() + Duration::from_secs(100);
    while !stream.is_done() {
        assert!(Instant::now() < deadline, "not done: {}", stream.progress());
        restart_ended(fleet, processes);
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn one_of_three_brokers_dies_and_coordinators_move_without_loss() {
    brokers_die(false);
}

#[test]
fn one_of_three_brokers_dies_and_static_members_go_on() {
    brokers_die(true);
}

fn brokers_die(static_membership: bool) {
    alone(Duration::from_mins(4), move || {
        let cluster = Cluster::start(3);
        let stream = Stream::new(&cluster, "failover-", 6);
        let mut fleet = stream.fleet();
        fleet.set("KAFKA__STATIC_MEMBERSHIP", &static_membership.to_string());
        let mut processes = vec![fleet.start("a", &[]), fleet.start("b", &[])];
        for index in 0..3 {
            stream.produce(mail(300));
            // Each of the three leads some partitions and coordinates some groups and transactions.
            cluster.kill(index);
            stream.produce(mail(300));
            cluster.restart(index);
            restart_ended(&fleet, &mut processes);
        }
        wait_with_restarts(&stream, &fleet, &mut processes);
        stream.assert_exactly_once(&fleet);
    });
}

#[test]
fn leaving_the_group_is_not_waited_for_for_ever() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "leaving-", 1);
        let fleet = stream.fleet();
        let process = fleet.start("a", &[("FAILPOINTS", "before-leaving=sleep(120000)")]);
        stream.produce(mail(10));
        stream.wait_until_done(LIMIT);
        let (code, took) = process.stop();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(20), "it took {took:?}");
        stream.assert_exactly_once(&fleet);
    });
}

/// The brokers take no transaction of more than 15 minutes.
#[test]
fn what_the_brokers_refuse_at_the_start_ends_the_role_before_any_mail_comes() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "refused-", 1);
        let mut fleet = stream.fleet();
        fleet.set("KAFKA__TRANSACTION_TIMEOUT_MS", "1800000");
        let mut process = fleet.start("a", &[]);
        assert_eq!(process.exit_code(), Some(4));
        assert!(process.has_logged("ransaction"));
    });
}

/// The library forgets its brokers then, and would not ask for them again by itself (librdkafka#5301).
#[test]
fn a_role_goes_on_after_all_brokers_stood_still_together() {
    beside_others(LIMIT, || {
        let broker = Broker::start(Options::default());
        let stream = Stream::new(&broker, "fenced-", 4);
        let fleet = stream.fleet();
        let mut processes = vec![fleet.start("a", &[])];
        processes[0].wait_for("\"assigned\"");
        for _ in 0..3 {
            broker.pause();
            // Longer than the session of a broker.
            std::thread::sleep(Duration::from_secs(5));
            broker.resume();
            // The cluster fences its broker only now, and takes it back; the test's own producer would suffer from it too.
            for _ in 0..8 {
                broker.end_offsets(&stream.topic("mail.raw"));
                std::thread::sleep(Duration::from_millis(300));
            }
            stream.produce(mail(50));
            wait_with_restarts(&stream, &fleet, &mut processes);
        }
        stream.assert_exactly_once(&fleet);
    });
}
