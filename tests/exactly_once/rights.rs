//! The rights that the documentation names, on brokers that allow nothing else: they suffice, and each that is missing is named.

use crate::access::{assert_named, log_in};
use crate::broker::{Acl, Broker, Options, beside_others};
use crate::fleet::Fleet;
use crate::stream::{Kind, Raw, Stream};
use std::time::Duration;
use tempfile::NamedTempFile;

const LIMIT: Duration = Duration::from_mins(8);
const PREFIX: &str = "rights-";
const CREATE: [&str; 8] = ["topics", "create", "--partitions", "1", "--replication-factor", "1", "--min-insync-replicas", "1"];

/// Topics as `topics create` makes them, and processes of a user who may do nothing yet.
fn scene(broker: &Broker) -> (Stream<'_>, Fleet, NamedTempFile) {
    let stream = Stream::over(broker, PREFIX, 1);
    let mut fleet = stream.fleet();
    fleet.set("RECEIVER__ORGANIZATION", "Receiver");
    fleet.set("RECEIVER__CONTACT", "dmarc@recv.example");
    fleet.set("KAFKA__CHECK_TOPICS", "true");
    let made = fleet.command(&CREATE).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let secret = log_in(&mut fleet, broker);
    (stream, fleet, secret)
}

/// A message that fails and one that is refused: every topic of the role gets something.
fn produce(stream: &Stream<'_>) {
    stream.produce([Raw::of(Kind::Fail, "fails".to_owned()), Raw::of(Kind::Refused, "refused".to_owned())]);
}

#[test]
fn the_documented_rights_suffice_for_the_verdict_role_and_each_that_is_missing_is_named() {
    beside_others(LIMIT, || {
        let broker = Broker::start(Options { tls_sasl: true, settings: Options::STRICT });
        let (stream, fleet, _secret) = scene(&broker);
        let rights = Acl::documented("run --roles verdict", PREFIX);
        for right in &rights {
            broker.allow(right, true);
        }
        let process = fleet.start("a", &[]);
        produce(&stream);
        stream.wait_until_done(Duration::from_mins(1));
        assert_eq!(process.stop().0, Some(0));
        // Read and Write include Describe, which is asked for by itself where a role looks at topics of others.
        let own: Vec<&Acl> = rights.iter().filter(|right| ["Read", "Write"].contains(&right.word)).collect();
        assert_eq!(own.len(), 6);
        for missing in own {
            broker.allow(missing, false);
            produce(&stream);
            let process = fleet.start("a", &[]);
            assert_named(process, missing, &stream.topic("mail.raw"));
            broker.allow(missing, true);
        }
        let process = fleet.start("a", &[]);
        stream.wait_until_done(Duration::from_mins(1));
        assert_eq!(process.stop().0, Some(0));
        stream.assert_exactly_once(&fleet);
    });
}

#[test]
fn the_documented_rights_suffice_for_each_command() {
    beside_others(LIMIT, || {
        let broker = Broker::start(Options { tls_sasl: true, settings: Options::STRICT });
        let (stream, fleet, _secret) = scene(&broker);
        let message = NamedTempFile::new().unwrap();
        std::fs::write(message.path(), "From: a@bank.example\r\n\r\nhello\r\n").unwrap();
        let (file, skipped) = (message.path().to_str().unwrap(), format!("{}/0/0", stream.topic("mail.raw")));
        // So that there is something to make.
        broker.delete_topic(&stream.topic("mail.annotated"));
        for (who, arguments) in [
            ("topics create", &CREATE[..]),
            ("send", &["send", file]),
            ("dead-letters skip", &["dead-letters", "skip", &skipped, "--yes"]),
            ("dead-letters list", &["dead-letters", "list"]),
            ("dead-letters redrive", &["dead-letters", "redrive", "--yes"]),
            ("topics grow", &["topics", "grow", "--partitions", "2", "--yes"]),
            ("topics check", &["topics", "check"]),
            ("windows list", &["windows", "list"]),
            ("windows close", &["windows", "close"]),
            ("reports list", &["reports", "list"]),
        ] {
            let rights = Acl::documented(who, PREFIX);
            for right in &rights {
                broker.allow(right, true);
            }
            let ran = fleet.command(arguments).output().unwrap();
            let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
            assert!(ran.status.success(), "{who}: {:?} {said}", ran.status.code());
            for right in &rights {
                broker.allow(right, false);
            }
            let refused = fleet.command(arguments).output().unwrap();
            assert!(!refused.status.success(), "{who} without any right");
        }
        assert_eq!(broker.read_committed(&stream.topic("mail.raw")).len(), 2, "sent, and sent again");
    });
}
