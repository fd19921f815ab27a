//! What the probes say of a role that restores its state.

use crate::broker::{beside_others, eventually, shared};
use crate::failures::{Failure, Failures, now};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(3);

#[test]
fn a_role_that_restores_is_not_started_says_how_much_is_left_and_is_started_once_for_all() {
    beside_others(LIMIT, || {
        let mut stream = Failures::new(shared(), "probes-", 1);
        let mut fleet = stream.fleet(86_400);
        fleet.set("HEALTH__LISTEN", "127.0.0.1:0");
        let process = fleet.start("one", &[]);
        stream.produce((0..20).map(|_| Failure::of(1, 1, now())));
        stream.wait_until_read();
        assert_eq!(process.stop().0, Some(0));
        // A restore waits for the end of a transaction that is open in the changelog.
        let mut config = stream.broker.config();
        config.set("transactional.id", "probes-writer").set("transaction.timeout.ms", "60000");
        let writer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
        let answer = Duration::from_secs(20);
        writer.init_transactions(answer).unwrap();
        writer.begin_transaction().unwrap();
        let windows = stream.topic("mail.windows");
        let gone = BaseRecord::<[u8], [u8]>::to(&windows).partition(0).key(&b"\x01r0123456789abcdef"[..]);
        writer.send(gone).unwrap();
        writer.flush(answer).unwrap();

        let process = fleet.start("one", &[]);
        process.wait_for("health endpoint");
        let waits = "1 partitions wait for their position or state; about ";
        for (probe, word) in [("/startupz", "started"), ("/readyz", "ready")] {
            let begins = format!("not {word}: aggregate: {waits}");
            eventually(&begins, || process.ask(probe).starts_with(&begins).then_some(()));
        }
        assert_eq!(process.ask("/livez"), "live\n");
        writer.abort_transaction(answer).unwrap();
        eventually("the start", || (process.ask("/startupz") == "started\n").then_some(()));
        eventually("readiness", || (process.ask("/readyz") == "ready\n").then_some(()));
        assert_eq!(process.stop().0, Some(0));
    });
}
