use super::*;
use std::path::PathBuf;

pub(super) fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("verdmarc.toml");
    std::fs::write(&path, file).unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Source { file: Some(path), variables }.load().map_err(|error| error.to_string())
}

#[test]
fn an_unknown_key_is_answered_with_those_that_are_accepted() {
    let error = load("[evaluation]\npsl_gard = true\n", &[]).unwrap_err();
    assert!(error.contains("`evaluation.psl_gard`") && error.contains("psl_guard"), "{error}");
    for elsewhere in ["authserv_id", "trusted_networks"] {
        assert!(!error.contains(elsewhere), "{error}");
    }
    let error = load("[receiver]\ndomian = 'x'\n", &[]).unwrap_err();
    assert!(error.contains("own_authserv_ids"), "{error}");
}

#[test]
fn a_header_prefix_makes_field_names() {
    for prefix in ["X-", "", "Recv_", "!#$%"] {
        assert!(load(&format!("[evaluation]\nheader_prefix = '{prefix}'\n"), &[]).is_ok(), "{prefix}");
    }
    for prefix in ["X: y", "X ", "X\\r\\nEvil: ", "\u{fc}-", "X\\u0000", &"X".repeat(33)] {
        let error = load(&format!("[evaluation]\nheader_prefix = \"{prefix}\"\n"), &[]).unwrap_err();
        assert!(error.starts_with("evaluation.header_prefix must be"), "{error}");
    }
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = "[kafka]\nbrokers = 'file:1'\nlinger_ms = 7\n[receiver]\ndomain = 'MX.Recv.Example'\n";
    let config = load(file, &[("VERDMARC_KAFKA__BROKERS", "a:9092,b:9092"), ("VERDMARC_DNS__ZONE", "z.json")]).unwrap();
    assert_eq!(config.kafka.brokers, "a:9092,b:9092");
    assert_eq!((config.kafka.linger_ms, config.kafka.session_timeout_ms), (7, 45_000));
    assert_eq!(config.dns.zone, Some(PathBuf::from("z.json")));
    assert_eq!(config.evaluation().authserv_id, "mx.recv.example");
}

#[test]
fn every_key_can_come_from_the_environment() {
    let variables = [
        ("VERDMARC_RECEIVER__DOMAIN", "recv.example"),
        ("VERDMARC_RECEIVER__TRUSTED_NETWORKS", "[10.0.0.0/8, \"fd00::/8\"]"),
        ("VERDMARC_VERDICT__ANNOTATED", "true"),
        ("VERDMARC_EVALUATION__LIMITS__DKIM_SIGNATURES", "3"),
        ("VERDMARC_EVALUATION__DISCOVERY", "psl"),
        ("VERDMARC_KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SASL_SSL"),
        ("VERDMARC_KAFKA__PROPERTY_FILES__SASL_PASSWORD", "/run/secrets/kafka"),
        ("VERDMARC_LOG__FORMAT", "json"),
        ("VERDMARC_INSTALL", "1"),
    ];
    let config = load("", &variables).unwrap();
    assert!(config.verdict.annotated);
    assert_eq!(config.evaluation().trusted_networks.len(), 2);
    assert_eq!((config.evaluation.limits.dkim_signatures, config.evaluation.discovery), (3, Discovery::Psl));
    assert_eq!(config.kafka.properties.0.get("security.protocol").map(String::as_str), Some("SASL_SSL"));
    assert_eq!(config.kafka.property_files.0.get("sasl.password"), Some(&PathBuf::from("/run/secrets/kafka")));
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn properties_are_dotted_names_however_they_are_written() {
    let config =
        load("[kafka.properties]\n'linger.ms' = 3\nssl.ca.location = '/ca'\nsocket.keepalive.enable = true\n", &[]).unwrap();
    let properties: Vec<_> = config.kafka.properties.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(properties, [("linger.ms", "3"), ("socket.keepalive.enable", "true"), ("ssl.ca.location", "/ca")]);
}

#[test]
fn groups_have_the_prefix_of_their_topics_unless_they_are_given_another() {
    for (file, group, former) in [
        ("", "verdmarc-verdict", None),
        ("[topics]\nprefix = 'a.'\n", "a.verdmarc-verdict", Some("verdmarc-verdict")),
        ("[topics]\nprefix = 'a.'\n[kafka]\ngroup_prefix = ''\n", "verdmarc-verdict", None),
        ("[topics]\nprefix = 'a.'\n[kafka]\ngroup_prefix = 'b.'\n", "b.verdmarc-verdict", None),
    ] {
        let config = load(file, &[]).unwrap();
        assert_eq!((config.group("verdict").as_str(), config.former_group("verdict").as_deref()), (group, former), "{file}");
    }
}

#[test]
fn errors_name_the_place_the_key_and_what_to_do() {
    let cases: &[(&str, &[(&str, &str)], &[&str])] = &[
        ("[kafka]\nbroker = 'x'\n", &[], &["verdmarc.toml", "`kafka.broker`", "no such setting", "brokers"]),
        ("[kafka]\ndelivery = 'at_least_once'\n", &[], &["verdmarc.toml", "`kafka.delivery`", "exactly once", "remove it"]),
        ("", &[("VERDMARC_KAFKA__DELIVERY", "exactly_once")], &["VERDMARC_KAFKA__DELIVERY", "exactly once", "remove it"]),
        ("[kafkaa]\n", &[], &["verdmarc.toml", "`kafkaa`", "no such setting", "kafka"]),
        ("[kafka]\nlinger_ms = 'soon'\n", &[], &["verdmarc.toml", "`kafka.linger_ms`", "\"soon\""]),
        ("", &[("VERDMARC_KAFKA__LINGER_MS", "soon")], &["VERDMARC_KAFKA__LINGER_MS", "\"soon\""]),
        ("", &[("VERDMARC_KAFKA__NO_SUCH", "1")], &["VERDMARC_KAFKA__NO_SUCH", "no such setting"]),
        ("[verdict]\nmail = 'some'\n", &[], &["`verdict.mail`", "some", "full, minimal"]),
        ("[receiver]\ndomain = 'a b'\n", &[], &["`receiver.domain`", "`a b` is not a domain name"]),
        ("[dns]\nservers = ['dns.example']\n", &[], &["verdmarc.toml", "dns.servers"]),
        ("[dns]\nservers = ['192.0.2.1:x']\n", &[], &["dns.servers", "`192.0.2.1:x`", "192.0.2.1:53"]),
        ("[kafka\n", &[], &["verdmarc.toml", "line 1, column"]),
        ("[evaluation]\nauthserv_id = 'x'\n", &[], &["`evaluation.authserv_id`", "use `receiver.domain` instead"]),
        ("[verdict]\nannotated = true\n", &[], &["verdict.annotated needs receiver.domain"]),
        ("[dns]\nzone = 'z'\nservers = ['::1']\n", &[], &["dns.zone and dns.servers exclude each other"]),
        ("[topics]\nraw = 'a b'\n", &[], &["topics.raw", "no topic name"]),
        ("[topics]\nraw = 'x'\nverdicts = 'x'\n", &[], &["topics.raw and topics.verdicts are both `x`"]),
        ("[kafka.properties]\nenable.auto.commit = true\n", &[], &["`enable.auto.commit`", "remove it"]),
        ("[kafka.properties]\npartition.assignment.strategy = 'range'\n", &[], &["`partition.assignment.strategy`", "remove it"]),
        ("[kafka.properties]\nauto.offset.reset = 'latest'\n", &[], &["kafka.properties", "`auto.offset.reset`", "remove it"]),
        ("[kafka.properties]\nsession.timeout.ms = 1\n", &[], &["`session.timeout.ms`", "use kafka.session_timeout_ms"]),
        ("[kafka.properties]\ntransaction.timeout.ms = 1\n", &[], &["use kafka.transaction_timeout_ms"]),
        ("[kafka.properties]\nmessage.timeout.ms = 1\n", &[], &["use kafka.delivery_timeout_ms"]),
        ("[kafka.properties]\ndelivery.timeout.ms = 1\n", &[], &["use kafka.delivery_timeout_ms"]),
        ("[kafka.properties]\nenable.partition.eof = true\n", &[], &["`enable.partition.eof`", "remove it"]),
        ("[kafka.properties]\ngroup.instance.id = 'a'\n", &[], &["`group.instance.id`", "use kafka.instance"]),
        ("[kafka.property_files]\nacks = '/f'\n", &[], &["kafka.property_files", "`acks`", "remove it"]),
        ("[topics]\nretries = 'a b'\n", &[], &["topics.retries", "no topic name"]),
        ("[topics]\nraw = 'mail.retries.1'\n", &[], &["topics.raw", "`mail.retries.1`", "topics.retries"]),
        ("[kafka.properties]\nmessage.max.bytes = 1\n", &[], &["`message.max.bytes`", "remove it"]),
        ("[verdict]\nrevoke_ms = 300000\n", &[], &["verdict.revoke_ms", "kafka.max_poll_interval_ms"]),
        ("[aggregate]\nrevoke_ms = 300000\n", &[], &["aggregate.revoke_ms", "kafka.max_poll_interval_ms"]),
        ("[kafka]\ninstance = 'skip'\n", &[], &["kafka.instance", "`skip`"]),
        ("", &[("VERDMARC_KAFKA__INSTANCE", "repair")], &["kafka.instance", "`repair`"]),
        ("[dns]\nin_flight = 0\n", &[], &["dns.in_flight must be at least 1"]),
        ("[dns]\nin_flight_per_domain = 0\n", &[], &["dns.in_flight_per_domain must be at least 1"]),
        ("[verdict]\nconcurrency = 0\n", &[], &["verdict.concurrency must be at least 1"]),
        ("[kafka]\ndelivery_timeout_ms = 15000\n", &[], &["kafka.delivery_timeout_ms", "kafka.transaction_timeout_ms"]),
        ("[kafka.properties]\na = 1\n[kafka.property_files]\na = '/f'\n", &[], &["kafka.property_files", "`a`", "remove one"]),
        ("[verdict]\nretry_delays_s = [5, 1]\n", &[], &["verdict.retry_delays_s"]),
        ("[claim_check]\nprefixes = ['s3://mail/in']\n", &[], &["claim_check.prefixes", "`s3://mail/in`", "end with a slash"]),
        ("[claim_check]\nprefixes = ['s3://mail/../']\n", &[], &["claim_check.prefixes", "`s3://mail/../`", "relative"]),
        ("[claim_check]\nprefixes = ['http://mail/']\n", &[], &["claim_check.prefixes", "`http://mail/`", "s3://"]),
        ("", &[("VERDMARC_CLAIM_CHECK__BUDGET_BYTES", "0")], &["claim_check.budget_bytes must be at least 1"]),
        ("[aggregate]\nwindow_s = 7000\n", &[], &["aggregate.window_s must divide a day"]),
        ("[aggregate]\nwindow_s = 900\n", &[], &["aggregate.window_s is 900", "aggregate.allow_short_windows"]),
        ("[aggregate]\nhorizon_s = 3600\n", &[], &["aggregate.horizon_s must be at least", "90000 s"]),
        ("[aggregate]\nreport_bytes = 1000\n", &[], &["aggregate.report_bytes must be at least 1048576"]),
        ("[receiver]\ncontact = 'nobody'\n", &[], &["receiver.contact must be a mail address", "`nobody`"]),
        ("[receiver]\norganization = ''\n", &[], &["receiver.organization must be 1 to 256 bytes"]),
        ("[reports]\nprofile = 'rfc7489'\n", &[], &["`reports.profile`", "rfc9990", "compat-7489"]),
        ("[kafka]\nheartbeat_interval_ms = 20000\n", &[], &["kafka.heartbeat_interval_ms", "a third"]),
    ];
    for (file, variables, expected) in cases {
        let error = load(file, variables).unwrap_err();
        for part in *expected {
            assert!(error.contains(part), "`{part}` is missing in: {error}");
        }
    }
}

#[test]
fn types_are_said_in_words() {
    for (file, expected) in [
        ("[kafka]\nlinger_ms = 'soon'\n", "found the text \"soon\", write a whole number, 0 or more"),
        ("[kafka]\nlinger_ms = -1\n", "found the number -1, write a whole number, 0 or more"),
        ("[kafka]\nlinger_ms = 1.5\n", "found the number 1.5, write a whole number, 0 or more"),
        ("[kafka]\nbrokers = ['b:9092']\n", "found a list, write host:port in quotes, several with commas between them"),
        ("[kafka]\nbrokers = 9092\n", "found the number 9092, write host:port in quotes, several with commas between them"),
        ("[kafka]\ncheck_topics = 'yes'\n", "found the text \"yes\", write true or false"),
        ("[dns]\nservers = '192.0.2.1'\n", "found the text \"192.0.2.1\", write a list of addresses, say [\"192.0.2.1\"]"),
        ("[health]\nlisten = 9464\n", "found the number 9464, write an address and a port, say \"127.0.0.1:9464\""),
        ("[receiver]\norganization = 1\n", "found the number 1, write a text in quotes"),
        ("kafka = 'b:9092'\n", "found the text \"b:9092\", write a table of settings"),
    ] {
        let error = load(file, &[]).unwrap_err();
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn an_unknown_setting_names_the_nearest_first() {
    for (file, nearest) in [
        ("[kafka]\nbroker = 'x'\n", "brokers"),
        ("[kafka]\nsession_timeout = 1\n", "session_timeout_ms"),
        ("[aggregate]\nwindows_s = 1\n", "window_s"),
        ("[reciever]\ndomain = 'a.example'\n", "receiver"),
        ("[evaluation.limits]\ndkim_signature = 1\n", "dkim_signatures"),
    ] {
        let error = load(file, &[]).unwrap_err();
        let expected = format!("there is no such setting; known here, the most similar first: {nearest}, ");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Source { file: Some("/nonexistent/verdmarc.toml".into()), variables: Vec::new() }.load().unwrap_err().to_string();
    assert!(error.contains("/nonexistent/verdmarc.toml") && error.contains("cannot read"), "{error}");
}

#[test]
fn no_error_shows_the_value_of_a_property() {
    for (file, variables) in [
        ("[kafka.properties]\nsasl.password = hunter2\n", &[][..]),
        ("[kafka.properties]\nsasl.password = 'hunter2\n", &[]),
        ("[kafka.properties]\nsasl.password = ['hunter2']\n", &[]),
        ("[kafka]\nproperties = 'hunter2'\n", &[]),
        ("[kafka]\nproperty_files = 'hunter2'\n", &[]),
        ("[kafka]\nsasl.password = 'hunter2'\n", &[]),
        ("[kafka.propertys]\nsasl.password = 'hunter2'\n", &[]),
        ("[kafka.properties]\nsasl.password = 'a'\nsasl.password = 'hunter2'\n", &[]),
        ("", &[("VERDMARC_KAFKA__PROPERTIES", "hunter2")]),
        ("", &[("VERDMARC_KAFKA__SASL_PASSWORD", "hunter2")]),
        ("", &[("VERDMARC_KAFKA__PROPERTIES__ACKS", "hunter2")]),
    ] {
        let error = load(file, variables).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
    let config = load("[kafka.properties]\nsasl.pasword = 'hunter2'\n", &[]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn what_is_printed_is_documented_valid_and_without_values_of_properties() {
    let file = "[kafka]\nbrokers = 'b:1'\n[kafka.properties]\nsasl.password = 'hunter2'\n'sasl.pasword' = 'hunter2'\n\
                [receiver]\ndomain = 'recv.example'\n[evaluation.limits]\ndkim_signatures = 4\n\
                [claim_check]\nprefixes = ['s3://mail/in%20box/', 'file:///']\n";
    let config = load(file, &[]).unwrap();
    let printed = config.to_documented_toml();
    assert!(!printed.contains("hunter2") && printed.contains("\"sasl.pasword\" = \"***\""), "{printed}");
    assert!(printed.contains("# Largest message in bytes"), "{printed}");
    let mut again = load(&printed, &[]).unwrap();
    again.kafka.properties = config.kafka.properties.clone();
    assert_eq!(again, config, "{printed}");
}

#[test]
fn the_printed_defaults_document_every_key() {
    let printed = Config::default().to_documented_toml();
    let mut before = "";
    for line in printed.lines().filter(|line| !line.is_empty()) {
        if !line.starts_with('#') {
            assert!(before.starts_with('#'), "`{line}` has no documentation");
        }
        before = line;
    }
    assert!(load(&printed, &[]).is_ok(), "{printed}");
}

#[test]
fn without_a_receiving_domain_there_is_a_warning() {
    assert_eq!(Config::default().warnings().len(), 1);
    assert_eq!(load("[receiver]\ndomain = 'recv.example'\n", &[]).unwrap().warnings(), Vec::<String>::new());
}

#[test]
fn an_instance_holds_a_prefix_a_namespace_and_a_pod_and_a_longer_one_is_refused() {
    let part = "a".repeat(63);
    let longest = format!("{part}.{part}.{part}-{}", "1".repeat(57));
    assert_eq!(longest.len(), 249);
    for name in [longest.as_str(), "mail.verdmarc-verdict-0", "A_b-1"] {
        assert!(load(&format!("[kafka]\ninstance = '{name}'\n"), &[]).is_ok(), "{name}");
    }
    for (name, said) in [
        (format!("{longest}1"), "kafka.instance has 250 characters, `aaa"),
        (String::new(), "kafka.instance has 0 characters"),
        ("mail/verdict-0".into(), "kafka.instance has 14 characters, `mail/verdict-0`"),
        ("a b".into(), "1 to 249 letters, digits"),
        ("\u{e4}".into(), "1 to 249 letters, digits"),
        ("..".into(), "1 to 249 letters, digits"),
    ] {
        let error = load(&format!("[kafka]\ninstance = '{name}'\n"), &[]).unwrap_err();
        assert!(error.contains(said) && error.len() < 300, "{error}");
    }
}

/// Returns the settings of the template: table, key, and value or example.
fn settings_of_the_template() -> Vec<(String, String, String)> {
    let (mut table, mut settings) = (String::new(), Vec::new());
    for line in Config::template().lines() {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut table);
        } else if let Some((key, value)) =
            line.strip_prefix('#').filter(|line| !line.starts_with(' ')).and_then(|line| line.split_once(" = "))
        {
            settings.push((table.clone(), key.to_owned(), value.to_owned()));
        }
    }
    settings
}

#[test]
fn the_template_changes_nothing_and_holds_every_setting_ready_to_be_set() {
    let template = Config::template();
    assert_eq!(load(&template, &[]).unwrap(), Config::default());
    let printed: toml::Table = toml::from_str(&Config::default().to_documented_toml()).unwrap();
    let settings = settings_of_the_template();
    assert!(settings.len() > 100, "{settings:?}");
    for (table, key, value) in &settings {
        let set = load(&format!("[{table}]\n{key} = {value}\n"), &[]);
        assert!(set.is_ok(), "[{table}] {key}: {set:?}");
        let default =
            table.split('.').try_fold(&printed, |tables, name| tables.get(name)?.as_table()).and_then(|table| table.get(key));
        match default.map(ToString::to_string).filter(|default| default != "\"\"" && default != "[]") {
            Some(default) => assert_eq!(&default, value, "[{table}] {key} stands there with its default"),
            None => assert!(value != "\"\"", "[{table}] {key} stands there with an example"),
        }
    }
    for line in template.lines() {
        let is_sentence = line.starts_with("# ");
        assert!(!is_sentence || line.chars().count() <= 100 || !line[2..].contains(' '), "{line}");
        assert!(!line.ends_with(" ="), "{line}: without an example nobody knows its form");
    }
}

#[test]
fn every_table_has_an_order_that_names_each_of_its_settings() {
    let schema = schemars::schema_for!(Config);
    let definitions = schema.get("$defs").unwrap().as_object().unwrap();
    let tables = definitions.iter().filter(|(_, definition)| definition.get("properties").is_some());
    let mut found = 0;
    for (name, properties) in tables.map(|(name, definition)| (name, definition["properties"].as_object().unwrap())) {
        let mut order = order::fields(name).unwrap_or_else(|| panic!("{name} is missing in src/config/order.rs")).to_vec();
        order.sort_unstable();
        assert_eq!(order, properties.keys().map(String::as_str).collect::<Vec<_>>(), "{name}");
        found += 1;
    }
    assert!(found > 10);
}
