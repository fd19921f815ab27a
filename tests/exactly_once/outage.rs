//! Brokers that go away.

use crate::broker::{Broker, Cluster, Options, PASSWORD, USER, alone};
use crate::fleet::{Fleet, Process};
use crate::stream::{Kind, Raw, Stream};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_mins(3);

fn mail(count: usize) -> impl Iterator<Item = Raw> {
    (0..count).map(|number| Raw::of(if number % 2 == 0 { Kind::Fail } else { Kind::Pass }, format!("m{number}")))
}

#[test]
fn a_restart_of_the_broker_with_a_transaction_open_and_a_long_absence_lose_nothing() {
    alone(LIMIT, || {
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

/// A process may end with an exit code of its own when it cannot know how a transaction ended; its supervisor starts it again.
fn restart_ended(fleet: &Fleet, processes: &mut [Process]) {
    for (process, name) in processes.iter_mut().zip(["a", "b"]) {
        if let Some(code) = process.ended() {
            assert!(matches!(code, Some(4 | 6 | 7)), "{code:?}\n{}", fleet.tails());
            *process = fleet.start(name, &[]);
        }
    }
}

/// Waits until everything is done. A process may have to find out first that a call of its client library does not return.
fn wait_with_restarts(stream: &Stream, fleet: &Fleet, processes: &mut [Process]) {
    let deadline = Instant::now() + Duration::from_secs(100);
    while !stream.is_done() {
        assert!(Instant::now() < deadline, "not done: {}\n{}", stream.progress(), fleet.tails());
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
fn tls_and_scram_let_the_right_password_in_and_say_what_is_wrong_with_another() {
    alone(LIMIT, || {
        let broker = Broker::start(Options { tls_scram: true, ..Options::default() });
        let stream = Stream::new(&broker, "scram-", 2);
        let mut fleet = stream.fleet();
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), format!("{PASSWORD}\n")).unwrap();
        fleet.set("KAFKA__BROKERS", &broker.sasl_bootstrap());
        fleet.set("KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SASL_SSL");
        fleet.set("KAFKA__PROPERTIES__SASL_MECHANISM", "SCRAM-SHA-512");
        fleet.set("KAFKA__PROPERTIES__SASL_USERNAME", USER);
        fleet.set("KAFKA__PROPERTIES__SSL_CA_LOCATION", broker.ca_pem().to_str().unwrap());
        fleet.set("KAFKA__PROPERTY_FILES__SASL_PASSWORD", secret.path().to_str().unwrap());
        let process = fleet.start("right", &[]);
        stream.produce(mail(50));
        stream.wait_until_done(Duration::from_mins(1));
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);

        std::fs::write(secret.path(), "guessed").unwrap();
        let mut process = fleet.start("wrong", &[]);
        assert_eq!(process.exit_code(), Some(4), "{}", fleet.tails());
        assert!(process.has_logged("uthentication"), "{}", fleet.tails());
        assert!(fleet.logged("guessed").is_empty() && fleet.logged(PASSWORD).is_empty(), "a secret in a log");
    });
}
