//! Topics made, checked, grown and printed.

use crate::broker::{eventually, within};
use crate::operator::Desk;
use crate::{LIMIT, ONE_BROKER};

#[test]
fn what_create_makes_is_what_check_wants() {
    within(LIMIT, || {
        let desk = Desk::new("create.");
        let nothing = desk.run(&["topics", "check"]);
        assert_eq!(
            (nothing.code, nothing.count("it does not exist: verdmarc topics create --partitions 12")),
            (1, 4),
            "{nothing}"
        );

        let dry = desk.run(&["topics", "create", "--dry-run", "--partitions", "3"]);
        assert_eq!((dry.code, dry.count("would be made with 3 partitions")), (0, 10), "{dry}");
        let refused = desk.run(&["topics", "create", "--partitions", "3"]);
        assert_eq!((refused.code, refused.count("fewer brokers than replicas")), (1, 10), "{refused}");
        assert_eq!(desk.run(&["topics", "create", "--min-insync-replicas", "4"]).code, 2);

        let create = [&["topics", "create", "--partitions", "3"][..], &ONE_BROKER].concat();
        let made = desk.run(&create);
        assert_eq!((made.code, made.count("made with 3 partitions")), (0, 10), "{made}");
        let fine = desk.run(&["topics", "check"]);
        // A single broker is worth a warning for each topic in use, and no error.
        assert_eq!((fine.code, fine.count("error"), fine.count("the loss of one broker")), (0, 0, 4), "{fine}");
        assert!(fine.out.contains("create.mail.raw") && fine.out.contains("56 MiB") && fine.out.contains("7.0 d"), "{fine}");
        let again = desk.run(&create);
        assert_eq!((again.code, again.count("is there with 3 partitions, left alone")), (0, 10), "{again}");
    });
}

#[test]
fn check_finds_what_is_wrong_with_topics() {
    within(LIMIT, || {
        let desk = Desk::new("check.");
        let one = ("min.insync.replicas", "1");
        let large = ("max.message.bytes", "59768832");
        desk.topics(&[
            (
                "mail.raw",
                &[one, ("message.timestamp.type", "LogAppendTime"), ("retention.ms", "-1"), ("max.message.bytes", "58720256")],
            ),
            ("mail.verdicts", &[one, ("cleanup.policy", "compact"), ("retention.ms", "1209600000")]),
            ("mail.annotated", &[one, ("max.message.bytes", "58720256")]),
            ("mail.retries.1", &[one, large, ("retention.ms", "60000")]),
            ("mail.retries.2", &[one, large, ("retention.ms", "605400000")]),
            ("mail.retries.3", &[("min.insync.replicas", "2"), large, ("retention.ms", "608400000")]),
            ("mail.dead-letters", &[one, large, ("retention.ms", "1000000")]),
        ]);
        let uses = [
            ("VERDMARC_VERDICT__ANNOTATED", "true"),
            ("VERDMARC_VERDICT__RETRIES", "true"),
            ("VERDMARC_RECEIVER__DOMAIN", "mx.example"),
        ];
        let found = desk.run_with(&uses, &["topics", "check"]);
        let brokers = &desk.broker.bootstrap();
        let set = |topic: &str, setting: &str| {
            format!(
                "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name check.{topic} --add-config {setting}"
            )
        };
        let expected = [
            "error: check.mail.failures: it does not exist: verdmarc topics create --partitions 2 --replication-factor 1 --min-insync-replicas 1".to_owned(),
            format!("error: check.mail.verdicts: cleanup.policy is compact, it must be delete: {}", set("mail.verdicts", "cleanup.policy=delete")),
            format!("error: check.mail.annotated: it takes records of 58720256 bytes, it must take 59768832: {}", set("mail.annotated", "max.message.bytes=59768832")),
            format!("error: check.mail.retries.1: records are removed after 60 s, before their delay of 60 s is over: {}", set("mail.retries.1", "retention.ms=604860000")),
            format!("error: check.mail.retries.3: min.insync.replicas is 2 and there are 1 replicas, nothing can be written: {}", set("mail.retries.3", "min.insync.replicas=1")),
            format!("warning: check.mail.raw: records are kept for ever, but the position of a group that is idle for 604800 s is forgotten, and then read again: {}", set("mail.raw", "retention.ms=604800000")),
            format!("warning: check.mail.dead-letters: records are removed after 1000 s, planned are 2592000 s: {}", set("mail.dead-letters", "retention.ms=2592000000")),
        ];
        let lines: Vec<&str> = found.out.lines().filter(|line| !line.contains("the loss of one broker")).collect();
        for line in &expected {
            assert!(lines.contains(&line.as_str()), "{line}\nis not in\n{found}");
        }
        assert_eq!((found.code, lines.len()), (1, expected.len()), "{found}");
        assert_eq!(desk.run(&["topics", "check"]).count("mail.annotated"), 0, "without the setting it is not used");
    });
}

#[test]
fn topics_grow_and_never_shrink() {
    within(LIMIT, || {
        let desk = Desk::new("grow.");
        desk.topics(&[("mail.raw", &[]), ("mail.verdicts", &[])]);
        let partitions = || desk.broker.end_offsets("grow.mail.raw").len();
        let dry = desk.run(&["topics", "grow", "--partitions", "5"]);
        assert_eq!(
            (dry.code, dry.count("would grow from 2 to 5"), dry.count("Nothing was changed"), partitions()),
            (0, 2, 1, 2),
            "{dry}"
        );
        let grown = desk.run(&["topics", "grow", "--partitions", "5", "--yes"]);
        assert_eq!((grown.code, grown.count("grown from 2 to 5"), grown.count("is not there")), (0, 2, 8), "{grown}");
        eventually("five partitions", || (partitions() == 5).then_some(()));
        let smaller = desk.run(&["topics", "grow", "--partitions", "3", "--yes"]);
        assert_eq!((smaller.code, smaller.count("has 5 partitions, left alone"), partitions()), (0, 2, 5), "{smaller}");
    });
}

#[test]
fn resources_for_strimzi_are_yaml_and_name_every_topic() {
    let printed = Desk::offline("P_").run(&["topics", "print", "--cluster", "main", "--partitions", "6"]);
    assert_eq!(printed.code, 0, "{printed}");
    let resources: Vec<serde_json::Value> = serde_saphyr::from_multiple(&printed.out).unwrap();
    let names: Vec<&str> = resources.iter().map(|resource| resource["spec"]["topicName"].as_str().unwrap()).collect();
    let expected =
        ["raw", "verdicts", "annotated", "failures", "windows", "reports", "retries.1", "retries.2", "retries.3", "dead-letters"];
    assert_eq!(names, expected.map(|name| format!("P_mail.{name}")));
    for resource in &resources {
        assert_eq!(
            (resource["apiVersion"].as_str(), resource["kind"].as_str()),
            (Some("kafka.strimzi.io/v1beta2"), Some("KafkaTopic"))
        );
        assert_eq!(resource["metadata"]["labels"]["strimzi.io/cluster"], "main");
        let name = resource["metadata"]["name"].as_str().unwrap();
        assert!(name.starts_with("p-mail.") && !name.contains('_'), "{name}");
        assert_eq!((resource["spec"]["partitions"].as_i64(), resource["spec"]["replicas"].as_i64()), (Some(6), Some(3)));
        let config = &resource["spec"]["config"];
        let is_state = resource["spec"]["topicName"] == "P_mail.windows";
        assert_eq!(config["cleanup.policy"], if is_state { "compact" } else { "delete" });
        assert!(is_state || config["retention.ms"].as_i64().unwrap() >= 604_800_000);
    }
}

#[test]
fn a_broker_that_tells_no_settings_gives_warnings() {
    let mut config = verdmarc::config::Config::default();
    let names = config.topics.named().map(|(_, name)| name.to_owned());
    config.kafka.brokers = verdmarc::kafka::embedded::Embedded::start(&names).unwrap().brokers;
    let report = verdmarc::kafka::topics::check(&config, &verdmarc::roles::verdict::lane(&config)).unwrap();
    assert_eq!(report.errors, []);
    assert_eq!(report.warnings.len(), 4, "{:?}", report.warnings);
}
