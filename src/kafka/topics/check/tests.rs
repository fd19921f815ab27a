use super::*;
use crate::kafka::topics::{growth, plan};

const DAY: u64 = 86_400_000;

/// Makes a cluster of three brokers with default settings, whose topics are as `create` makes them.
fn cluster(config: &Config) -> Cluster {
    let layout = Layout::default();
    let found = |topic: &Topic| {
        let settings = topic.settings(config.kafka.max_record_bytes, &layout);
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Found { partitions: layout.partitions, replication: layout.replication, settings: Some(settings) }
    };
    let topics = plan(config).iter().map(|topic| (topic.name.clone(), found(topic))).collect();
    Cluster { topics, brokers: Some(3), offsets_retention: Some(Duration::from_millis(7 * DAY)) }
}

fn config() -> Config {
    let mut config = Config::default();
    config.kafka.brokers = "b:9092".into();
    (config.verdict.annotated, config.verdict.retries) = (true, true);
    config
}

/// Returns the report after one change.
fn report(change: impl FnOnce(&mut Config, &mut Cluster)) -> Report {
    let mut config = config();
    let mut cluster = cluster(&config);
    change(&mut config, &mut cluster);
    compare(&config, &plan(&config), &cluster)
}

fn set(topic: &str, setting: &str, value: impl ToString) -> Report {
    report(|_, cluster| {
        let settings = cluster.topics.get_mut(topic).unwrap().settings.as_mut().unwrap();
        settings.insert(setting.to_owned(), value.to_string());
    })
}

/// Returns the text of the only problem, which must be an error or a warning.
fn only(report: &Report, error: bool) -> String {
    let (these, others) = if error { (&report.errors, &report.warnings) } else { (&report.warnings, &report.errors) };
    assert!(others.is_empty() && these.len() == 1, "{report:#?}");
    these[0].to_string()
}

#[test]
fn what_create_makes_is_fine() {
    let report = report(|_, _| {});
    assert_eq!((report.errors, report.warnings, report.topics.len()), (vec![], vec![], 10));
}

#[test]
fn a_missing_topic_is_made_as_its_siblings_are() {
    let missing = report(|_, cluster| drop(cluster.topics.remove("mail.failures")));
    assert_eq!(
        only(&missing, true),
        "mail.failures: it does not exist: verdmarc topics create --partitions 12 --replication-factor 3 --min-insync-replicas 2"
    );
}

#[test]
fn what_is_not_used_may_be_missing_or_wrong() {
    let unused = |config: &mut Config| (config.verdict.annotated, config.verdict.retries) = (false, false);
    let missing = report(|config, cluster| {
        unused(config);
        cluster.topics.remove("mail.annotated");
        cluster.topics.get_mut("mail.retries.1").unwrap().settings = Some(BTreeMap::new());
    });
    assert_eq!((missing.errors, missing.warnings), (vec![], vec![]));
}

#[test]
fn the_clock_of_producers_is_a_warning_that_says_what_it_costs() {
    let text = only(&set("mail.raw", "message.timestamp.type", "CreateTime"), false);
    assert!(text.contains("seconds where milliseconds") && text.ends_with("message.timestamp.type=LogAppendTime"), "{text}");
    assert_eq!(set("mail.verdicts", "message.timestamp.type", "CreateTime").warnings, vec![]);
}

#[test]
fn compaction_of_mail_is_an_error() {
    let text = only(&set("mail.raw", "cleanup.policy", "compact,delete"), true);
    assert_eq!(
        text,
        "mail.raw: cleanup.policy is compact,delete, it must be delete: kafka-configs.sh --bootstrap-server b:9092 --alter \
         --entity-type topics --entity-name mail.raw --add-config cleanup.policy=delete"
    );
}

#[test]
fn copies_of_mail_take_what_mail_takes_and_a_mebibyte() {
    for topic in ["mail.annotated", "mail.retries.1", "mail.dead-letters"] {
        let text = only(&set(topic, "max.message.bytes", (57 << 20) - 1), true);
        assert!(text.contains("must take 59768832") && text.ends_with("max.message.bytes=59768832"), "{text}");
    }
    assert!(only(&set("mail.verdicts", "max.message.bytes", 1 << 19), true).contains("must take 1048588"));
}

#[test]
fn what_producers_may_write_counts_and_not_what_was_planned() {
    // A smaller mail.raw is a warning; its copies may then be smaller too.
    let small = report(|_, cluster| {
        for (topic, bytes) in [("mail.raw", 1 << 20), ("mail.annotated", 2 << 20)] {
            let settings = cluster.topics.get_mut(topic).unwrap().settings.as_mut().unwrap();
            settings.insert("max.message.bytes".into(), bytes.to_string());
        }
    });
    assert!(only(&small, false).contains("largest size in structured mode"));
    // A larger mail.raw needs larger copies and a larger writer.
    let large = set("mail.raw", "max.message.bytes", 64 << 20);
    assert_eq!(large.errors.len(), 1 + 1 + 3 + 1, "{large:#?}");
    assert!(large.errors[0].to_string().contains("VERDMARC_KAFKA__MAX_RECORD_BYTES=68157440"), "{}", large.errors[0]);
}

#[test]
fn early_removal_is_a_warning_but_for_retries_before_their_time() {
    assert!(only(&set("mail.raw", "retention.ms", DAY), false).contains("after 86400 s, planned are 604800 s"));
    assert!(only(&set("mail.retries.3", "retention.ms", 3_600_000), true).contains("before their delay of 3600 s"));
    assert!(only(&set("mail.retries.3", "retention.ms", 3_600_001), false).contains("planned are 608400 s"));
    let longer = set("mail.verdicts", "retention.ms", -1);
    assert_eq!((longer.errors, longer.warnings), (vec![], vec![]));
}

#[test]
fn positions_must_outlive_what_they_point_into() {
    let shorter = |minutes: u64| report(|_, cluster| cluster.offsets_retention = Some(Duration::from_secs(minutes * 60)));
    // At the limit there is no warning; below it mail.raw and three retry topics get one. The delay
    // of a retry does not count.
    assert_eq!(shorter(7 * 1440).warnings, []);
    let warnings = shorter(7 * 1440 - 1).warnings;
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
    assert!(warnings.iter().all(|warning| warning.remedy.contains("offsets.retention.minutes=10080")), "{warnings:#?}");
    assert!(only(&set("mail.raw", "retention.ms", -1), false).contains("kept for ever"));
    let failures = compare(&reporting(), &plan(&reporting()), &cluster(&reporting()));
    assert!(only(&failures, false).starts_with("mail.failures: "), "fourteen days, and a lost position stops the aggregate role");
    assert_eq!(report(|_, cluster| cluster.offsets_retention = None).warnings, []);
}

#[test]
fn copies_must_be_enough_and_one_to_spare() {
    let copies = |replication: i32, in_sync: i32| {
        report(|_, cluster| {
            let found = cluster.topics.get_mut("mail.verdicts").unwrap();
            found.replication = replication;
            found.settings.as_mut().unwrap().insert("min.insync.replicas".into(), in_sync.to_string());
        })
    };
    assert!(only(&copies(1, 2), true).contains("nothing can be written"));
    assert!(only(&copies(3, 1), false).ends_with("min.insync.replicas=2"));
    assert!(only(&copies(1, 1), false).contains("loss of one broker"));
    assert!(only(&copies(2, 2), false).contains("stops all writing"));
}

#[test]
fn settings_that_may_not_be_read_are_a_warning() {
    let hidden = report(|_, cluster| cluster.topics.get_mut("mail.failures").unwrap().settings = None);
    assert!(only(&hidden, false).contains("allow DescribeConfigs"));
}

/// Returns settings with everything that the aggregate role needs.
fn reporting() -> Config {
    let mut config = config();
    config.receiver.domain = crate::dns::Domain::parse("mx.example").ok();
    (config.receiver.organization, config.receiver.contact) = (Some("x".into()), Some("x@mx.example".into()));
    config
}

#[test]
fn topics_of_one_set_have_equal_partitions() {
    let config = reporting();
    let (plan, mut cluster) = (plan(&config), cluster(&config));
    cluster.offsets_retention = None;
    assert_eq!(compare(&config, &plan, &cluster).errors, []);
    for topic in ["mail.failures", "mail.reports"] {
        cluster.topics.get_mut(topic).unwrap().partitions = 13;
    }
    let text = only(&compare(&config, &plan, &cluster), true);
    assert!(text.starts_with("mail.windows: it has 12 partitions and mail."), "{text}");
    assert!(text.ends_with("has 13, they must be equal: verdmarc topics grow --partitions 13 --yes"), "{text}");
}

#[test]
fn state_grows_first_and_nothing_shrinks() {
    let (plan, mut cluster) = (plan(&config()), cluster(&config()));
    cluster.topics.get_mut("mail.raw").unwrap().partitions = 30;
    cluster.topics.remove("mail.verdicts");
    let growth = growth(&plan, &cluster, 20);
    assert_eq!((growth[0].topic.name.as_str(), growth[0].to), ("mail.windows", Some(20)));
    let of = |name: &str| growth.iter().find(|growth| growth.topic.name == name).map(|growth| (growth.from, growth.to));
    assert_eq!(of("mail.raw"), Some((Some(30), None)));
    assert_eq!(of("mail.verdicts"), Some((None, None)));
    assert_eq!(of("mail.failures"), Some((Some(12), Some(20))));
}

#[test]
fn only_what_the_brokers_allow_is_offered() {
    for (brokers, expected) in [
        (Some(1), "--replication-factor 1 --min-insync-replicas 1"),
        (Some(2), "--replication-factor 2 --min-insync-replicas 2"),
        (Some(5), "--replication-factor 3 --min-insync-replicas 2"),
        (None, "--replication-factor 3 --min-insync-replicas 2"),
    ] {
        let report = report(|_, cluster| *cluster = Cluster { brokers, ..Cluster::default() });
        assert!(!report.errors.is_empty());
        assert!(report.errors.iter().all(|problem| problem.remedy.ends_with(expected)), "{:?}", report.errors);
    }
    let alone = report(|_, cluster| {
        cluster.brokers = Some(1);
        for found in cluster.topics.values_mut() {
            found.replication = 1;
            found.settings.as_mut().unwrap().insert("min.insync.replicas".into(), "1".into());
        }
    });
    let remedy = &alone.warnings[0].remedy;
    assert!(remedy.starts_with("the cluster has 1 broker(s), and needs 3 for more replicas"), "{remedy}");
}
