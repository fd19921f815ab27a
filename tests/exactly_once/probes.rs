//! What `/livez`, `/readyz` and `/startupz` say, and when.

use crate::broker::{beside_others, eventually, shared};
use crate::fleet::Process;
use crate::stream::{Stream, mail};
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(3);

/// Waits until a probe answers this.
fn answers(process: &Process, path: &str, body: &str) {
    let mut said = String::new();
    eventually(&format!("{path}: {body}"), || {
        let answer = process.ask(path);
        if answer != said {
            eprintln!("{path}: {answer}");
            said.clone_from(&answer);
        }
        (answer == body).then_some(())
    });
}

#[test]
fn a_role_without_brokers_is_live_and_neither_started_nor_ready_and_says_what_it_waits_for() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "nobody-", 1);
        let mut fleet = stream.fleet();
        fleet.set("HEALTH__LISTEN", "127.0.0.1:0");
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let process = fleet.start("a", &[("VERDMARC_KAFKA__BROKERS", &closed)]);
        process.wait_for("health endpoint");
        let waits = |process: &Process, probe: &str| {
            let answer = process.ask(probe);
            let rest = answer.strip_prefix(if probe == "/readyz" { "not ready: verdict: " } else { "not started: verdict: " });
            ["it waits for the brokers\n", "it waits to be taken into its consumer group\n"].contains(&rest.unwrap_or(&answer))
        };
        for _ in 0..20 {
            assert_eq!(process.ask("/livez"), "live\n");
            assert!(waits(&process, "/readyz") && waits(&process, "/startupz"), "{}", process.ask("/startupz"));
            std::thread::sleep(Duration::from_millis(250));
        }
    });
}

#[test]
fn a_member_without_a_partition_is_started_and_ready_with_either_protocol() {
    beside_others(2 * LIMIT, || {
        for protocol in ["classic", "consumer"] {
            let stream = Stream::new(shared(), &format!("spare-{protocol}-"), 1);
            let mut fleet = stream.fleet();
            fleet.set("HEALTH__LISTEN", "127.0.0.1:0");
            fleet.set("KAFKA__PROTOCOL", protocol);
            let members = ["a", "b", "c"].map(|name| {
                let member = fleet.start(name, &[]);
                member.wait_for("health endpoint");
                member
            });
            for member in &members {
                answers(member, "/startupz", "started\n");
                answers(member, "/readyz", "ready\n");
            }
            stream.produce(mail(10));
            stream.wait_until_done(LIMIT);
            // Whoever had none takes over, and stays what it was.
            let [first, others @ ..] = members;
            assert_eq!(first.stop().0, Some(0));
            stream.produce(mail(10));
            stream.wait_until_done(LIMIT);
            for member in others {
                assert_eq!(member.ask("/startupz"), "started\n");
                answers(&member, "/readyz", "ready\n");
                assert_eq!(member.stop().0, Some(0));
            }
            stream.assert_exactly_once(&fleet);
        }
    });
}
