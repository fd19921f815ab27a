//! What stands in the log, and how often.

use crate::broker::{beside_others, eventually, shared};
use crate::stream::{Kind, Raw, Stream, mail};
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(2);

#[test]
fn a_tls_client_on_a_plaintext_port_says_so_and_does_not_fill_the_log() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "tls-", 2);
        let mut fleet = stream.fleet();
        fleet.set("KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SSL");
        let mut process = fleet.start("a", &[]);
        process.wait_for("SSL handshake failed");
        std::thread::sleep(Duration::from_secs(15));
        let lines = fleet.logged("");
        assert!(lines.len() < 15, "{} lines, ended {:?}: {:#?}", lines.len(), process.ended(), &lines[..15]);
    });
}

#[test]
fn a_warning_about_the_start_comes_once_however_many_roles_find_it() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "warnings-", 2);
        shared().create_topics(&[
            (&stream.topic("mail.windows"), 2, &[("cleanup.policy", "compact")]),
            (&stream.topic("mail.reports"), 2, &[("max.message.bytes", "6291456")]),
        ]);
        let mut fleet = stream.fleet();
        fleet.roles("verdict,aggregate");
        fleet.set("KAFKA__CHECK_TOPICS", "true");
        fleet.set("KAFKA__MAX_RECORD_BYTES", "59768832");
        fleet.set("RECEIVER__ORGANIZATION", "Receiver");
        fleet.set("RECEIVER__CONTACT", "dmarc@recv.example");
        fleet.set("TOPICS__DEAD_LETTERS", "mail.letters");
        shared().create_topics(&[(&stream.topic("mail.letters"), 2, &[("max.message.bytes", "59768832")])]);
        let process = fleet.start("a", &[]);
        process.wait_for("\"assigned\"");
        stream.produce(mail(10));
        stream.wait_until_done(LIMIT);
        assert_eq!(process.stop().0, Some(0));
        let said = |text: &str| -> Vec<String> {
            let lines = fleet.logged(text).into_iter().map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap());
            lines.map(|line| line["fields"]["message"].as_str().unwrap().to_owned()).collect()
        };
        let mut warnings = said("\"WARN\"");
        warnings.sort();
        let all = warnings.len();
        warnings.dedup();
        assert_eq!(all, warnings.len(), "{warnings:#?}");
        assert!(warnings.iter().any(|warning| warning.contains("message.timestamp.type")), "{warnings:#?}");
    });
}

#[test]
fn a_failure_that_no_report_counts_is_counted_for_monitoring_and_said() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "uncounted-", 1);
        let mut fleet = stream.fleet();
        fleet.set("HEALTH__LISTEN", "127.0.0.1:0");
        let process = fleet.start("a", &[]);
        let long_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(49);
        let late = (0..3).map(|number| {
            let mut raw = Raw::of(Kind::Fail, format!("late{number}"));
            raw.headers.push(("ce_time", long_ago.to_string().into_bytes()));
            raw
        });
        stream.produce(late.chain([Raw::of(Kind::Fail, "counted".to_owned())]));
        stream.wait_until_done(LIMIT);
        // The group's position is there a moment before the process has heard of it.
        let line = "verdmarc_messages_unreported_total{reason=\"late\"} 3\n";
        eventually("the figure", || process.ask("/metrics").contains(line).then_some(()));
        assert_eq!(process.stop().0, Some(0));
        let outcome = stream.outcome();
        assert_eq!((outcome.verdicts.len(), outcome.failures.len()), (4, 1));
        let said = fleet.logged("a message is in no report");
        assert!(said.len() == 1 && said[0].contains("more than two days"), "{said:?}");
    });
}
