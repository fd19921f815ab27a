//! What is said when topics, rights or disks fail.

use crate::LIMIT;
use crate::broker::{self, within};
use crate::operator::{self, Desk};

#[test]
fn a_topic_that_is_missing_is_named_with_the_command_that_makes_it() {
    within(LIMIT, || {
        let desk = Desk::new("missing.");
        let message = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(message.path(), "From: a@ex.test\r\n\r\n").unwrap();
        for (topic, arguments) in [
            ("verdicts", &["tail", "verdicts"][..]),
            ("reports", &["reports", "list"]),
            ("windows", &["windows", "list"]),
            ("failures", &["windows", "close"]),
            ("failures", &["aggregate", "repair"]),
            ("dead-letters", &["dead-letters", "list"]),
            ("dead-letters", &["dead-letters", "redrive", "--yes"]),
            ("raw", &["dead-letters", "skip", "missing.mail.raw/0/1"]),
            ("raw", &["send", message.path().to_str().unwrap()]),
        ] {
            let ran = desk.run(arguments);
            let said = format!("error: topic missing.mail.{topic} does not exist: `verdmarc topics create` makes it\n");
            assert_eq!((ran.code, ran.out.as_str(), ran.err.contains(&said)), (4, "", true), "{arguments:?}: {ran}");
        }
        let check = desk.run(&["topics", "check"]);
        assert_eq!((check.code, check.count("--replication-factor 1 --min-insync-replicas 1")), (1, 4), "{check}");
    });
}

#[test]
fn a_right_that_is_missing_is_named_with_its_user() {
    within(LIMIT, || {
        let broker = broker::Broker::start(broker::Options { tls_sasl: true, settings: broker::Options::ACLS });
        broker.create_topics(&[("mail.raw", 1, &[]), ("mail.verdicts", 1, &[])]);
        let (secret, message) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
        std::fs::write(message.path(), "From: a@ex.test\r\n\r\n").unwrap();
        let run = |password: &str, arguments: &[&str]| {
            std::fs::write(secret.path(), password).unwrap();
            let mut command = operator::command("", arguments);
            for (name, value) in [
                ("BROKERS", broker.sasl_bootstrap().as_str()),
                ("PROPERTIES__SECURITY_PROTOCOL", "SASL_SSL"),
                ("PROPERTIES__SASL_MECHANISM", "SCRAM-SHA-512"),
                ("PROPERTIES__SSL_CA_LOCATION", broker.ca_pem().to_str().unwrap()),
                ("PROPERTIES__SASL_USERNAME", broker::USER),
                ("PROPERTY_FILES__SASL_PASSWORD", secret.path().to_str().unwrap()),
            ] {
                command.env(format!("VERDMARC_KAFKA__{name}"), value);
            }
            operator::finish(&mut command)
        };
        let brokers = broker.sasl_bootstrap();
        let denied = |act: &str, right: &str, topic: &str| {
            format!(
                "cannot {act} {topic}: the user that sasl.username names lacks the right {right} on it (TopicAuthorizationFailed): \
                 kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal User:NAME --operation {right} --topic {topic}\n"
            )
        };
        broker.deny("mail.verdicts", broker::Right::Read, true);
        broker.deny("mail.raw", broker::Right::Write, true);
        let tail = run(broker::PASSWORD, &["tail", "verdicts", "--from-beginning"]);
        assert!(tail.code == 4 && tail.err.contains(&denied("read", "Read", "mail.verdicts")), "{tail}");
        let send = run(broker::PASSWORD, &["send", message.path().to_str().unwrap()]);
        assert!(send.code == 4 && send.err.contains(&denied("write to", "Write", "mail.raw")), "{send}");

        let login = run("guessed", &["tail", "verdicts"]);
        assert_eq!(login.code, 4, "{login}");
        assert!(login.err.contains(&format!("no broker answers at {brokers}: ")), "{login}");
        assert!(login.err.contains("the login is refused: check sasl.* in [kafka.properties]"), "{login}");
        let tls = operator::finish(
            operator::command("", &["tail", "verdicts"])
                .env("VERDMARC_KAFKA__BROKERS", &brokers)
                .env("VERDMARC_KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SSL"),
        );
        assert!(tls.code == 4 && tls.err.contains("TLS fails: check security.protocol and ssl.*"), "{tls}");
    });
}

#[test]
fn a_report_that_cannot_be_written_keeps_no_other_back() {
    within(LIMIT, || {
        let desk = Desk::new("export.");
        desk.topics(&[("mail.reports", &[])]);
        let long = format!("{}.example", [&"d".repeat(60); 3].map(String::as_str).join("."));
        desk.report(&["blocked.example", &long, "last.example"]);
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("made");
        std::fs::create_dir_all(to.join(operator::report_file("blocked.example"))).unwrap();
        let exported = desk.run(&["reports", "export", "--to", to.to_str().unwrap()]);
        assert_eq!((exported.code, exported.count("2 reports written")), (5, 1), "{exported}");
        assert!(exported.err.contains("about blocked.example is not written: "), "{exported}");
        let mut files: Vec<_> = std::fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.is_file());
        assert_eq!(files.len(), 2, "{files:?}");
        assert!(
            files
                .iter()
                .all(|path| path.to_str().unwrap().ends_with("!1769817600!1769903999!0123456789abcdef0123456789abcdef.xml.gz"))
        );
        let nowhere = desk.run(&["reports", "export", "--to", "/dev/null/reports"]);
        assert_eq!((nowhere.code, nowhere.err.contains("cannot write to /dev/null/reports: ")), (5, true), "{nowhere}");
    });
}
