//! Messages sent, and their verdicts waited for.

use crate::LIMIT;
use crate::broker::{eventually, within};
use crate::operator::Desk;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

/// A verdict role that is killed with its test.
struct Role(Child);

impl Role {
    fn start(desk: &Desk, zone: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command = desk.command(&["run", "--roles", "verdict"]);
        let always = [("DNS__ZONE", zone.to_str().unwrap()), ("KAFKA__CHECK_TOPICS", "false"), ("KAFKA__INSTANCE", "a")];
        for (name, value) in always.iter().chain(settings) {
            command.env(format!("VERDMARC_{name}"), value);
        }
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const TOPICS: [(&str, &[(&str, &str)]); 4] =
    [("mail.raw", &[]), ("mail.verdicts", &[]), ("mail.failures", &[]), ("mail.dead-letters", &[])];

#[test]
fn send_waits_for_the_verdict_of_each_message() {
    within(LIMIT, || {
        let desk = Desk::new("waits-for-verdicts.");
        desk.topics(&TOPICS);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let zone = file("zone.json", r#"{"_dmarc.bank.example": [["TXT", "v=DMARC1; p=reject; rua=mailto:d@bank.example"]]}"#);
        let spoof = file("spoof.eml", "From: a@bank.example\r\n\r\n");
        // Verdicts of others stand there already, under keys of their own.
        desk.write("waits-for-verdicts.mail.verdicts", 0, "{}");
        let _role = Role::start(&desk, &zone, &[]);

        // What helm test runs: no file, no DNS, no failure.
        let test = desk.run(&["send", "--wait", "60", "--authenticated", "helm-test"]);
        assert_eq!((test.code, test.count("GRAY"), test.count("test message")), (0, 1, 1), "{test}");
        assert!(test.out.starts_with("     took  DMARC"), "{test}");
        assert_eq!(desk.broker.read_committed("waits-for-verdicts.mail.failures"), [], "it is counted in no report");

        let spoof = spoof.to_str().unwrap();
        let envelope = ["--client-ip", "192.0.2.7", "--helo", "evil.example", "--mail-from", "x@evil.example"];
        let both = desk.run(&[&["send", "--wait", "60", "--structured"][..], &envelope, &[spoof, spoof]].concat());
        let counts = (both.code, both.count("FAIL reject"), both.count("spoof.eml"), both.out.lines().count());
        assert_eq!(counts, (0, 2, 2, 3), "{both}");
        eventually("failures", || (desk.broker.read_committed("waits-for-verdicts.mail.failures").len() == 2).then_some(()));
    });
}

#[test]
fn a_message_that_is_refused_ends_the_wait_with_its_reason() {
    within(LIMIT, || {
        let desk = Desk::new("waits-and-refuses.");
        desk.topics(&TOPICS);
        let zone = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
        std::fs::write(zone.path(), "{}").unwrap();
        let (small, large) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
        std::fs::write(small.path(), "From: a@bank.example\r\n\r\n").unwrap();
        std::fs::write(large.path(), format!("From: a@bank.example\r\n\r\n{}", "x".repeat(300))).unwrap();
        let _role = Role::start(&desk, zone.path(), &[("EVALUATION__LIMITS__MESSAGE_BYTES", "200")]);
        let ran = desk.run(&["send", "--wait", "60", small.path().to_str().unwrap(), large.path().to_str().unwrap()]);
        assert_eq!((ran.code, ran.count("GRAY"), ran.count("refused            too_large: ")), (1, 1, 1), "{ran}");
    });
}

#[test]
fn a_verdict_that_does_not_come_is_an_exit_code_of_its_own() {
    within(LIMIT, || {
        let desk = Desk::new("waits-in-vain.");
        desk.topics(&TOPICS);
        let started = std::time::Instant::now();
        let ran = desk.run(&["send", "--wait", "2"]);
        assert!(started.elapsed() >= Duration::from_secs(2));
        assert_eq!((ran.code, ran.err.matches("no verdict within 2 s: [").count()), (9, 1), "{ran}");
        assert!(ran.err.contains("/readyz"), "{ran}");
        assert_eq!(desk.broker.read_committed("waits-in-vain.mail.raw").len(), 1, "it is sent all the same");

        // Without the topic that verdicts come in nothing is sent.
        let desk = Desk::new("waits-nowhere.");
        desk.topics(&[("mail.raw", &[])]);
        let ran = desk.run(&["send", "--wait", "2"]);
        assert!(ran.code == 4 && ran.err.contains("topic waits-nowhere.mail.verdicts does not exist"), "{ran}");
        assert_eq!(desk.broker.read_committed("waits-nowhere.mail.raw"), []);
    });
}
