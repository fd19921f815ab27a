//! The rights that the documentation names for the aggregate role and its commands, on brokers that allow nothing else.

use crate::access::{assert_named, log_in};
use crate::broker::{Acl, Broker, Options, beside_others, eventually};
use crate::failures::{Failure, Failures, now};
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(8);
const PREFIX: &str = "rights-";

#[test]
fn the_documented_rights_suffice_for_the_aggregate_role_and_each_that_is_missing_is_named() {
    beside_others(LIMIT, || {
        let broker = Broker::start(Options { tls_sasl: true, settings: Options::STRICT });
        let mut stream = Failures::new(&broker, PREFIX, 1);
        let (operator, mut fleet) = (stream.fleet(86_400), stream.fleet(86_400));
        let _secret = log_in(&mut fleet, &broker);
        // A row, a dead letter, and reports of what was counted before.
        let produce = |stream: &mut Failures<'_>| {
            stream.produce([Failure::of(1, 1, now())]);
            stream.write("x", "verdmarc.failure.v1", "no JSON", None);
            stream.flush();
            assert!(operator.command(&["windows", "close"]).status().unwrap().success());
        };
        let rights = Acl::documented("run --roles aggregate", PREFIX);
        for right in &rights {
            broker.allow(right, true);
        }
        let process = fleet.start("one", &[]);
        produce(&mut stream);
        stream.wait_until_reported(Duration::from_mins(1));
        assert_eq!(process.stop().0, Some(0));
        // Read and Write include Describe, which is asked for by itself where a role looks at topics of others.
        let own: Vec<&Acl> = rights.iter().filter(|right| ["Read", "Write"].contains(&right.word)).collect();
        assert_eq!(own.len(), 7);
        for missing in own {
            broker.allow(missing, false);
            produce(&mut stream);
            let process = fleet.start("one", &[]);
            assert_named(process, missing, &stream.topic("mail.failures"));
            broker.allow(missing, true);
        }
        let process = fleet.start("one", &[]);
        let found = stream.wait_until_reported(Duration::from_mins(1));
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exact(&found, &fleet);

        // The repair has rights of its own.
        for right in &rights {
            broker.allow(right, false);
        }
        let rights = Acl::documented("aggregate repair", PREFIX);
        for right in &rights {
            broker.allow(right, true);
        }
        stream.delete_group();
        eventually("a repair", || {
            let ran = fleet.command(&["aggregate", "repair", "--yes"]).output().unwrap();
            let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
            assert!(ran.status.success() || said.contains("has members"), "{said}");
            ran.status.success().then_some(())
        });
        assert!(stream.positions()[0].is_some());
    });
}
