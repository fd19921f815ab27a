//! The commands that need no Kafka, as processes: exit codes, and what stands on which stream.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use nix::sys::signal::{Signal, kill};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const MESSAGE: &str = "From: a@ex.test\r\nSubject: x\r\n\r\nHello.\r\n";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.file("zone.json", r#"{"_dmarc.ex.test": [["TXT", "v=DMARC1; p=reject"]]}"#);
        folder.file("message.eml", MESSAGE);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_verdmarc"));
        command.current_dir(self.0.path()).args(arguments).env_remove("VERDMARC_CONFIG").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    /// What `conformance` says of one line, or of none.
    fn judged(&self, line: &str) -> (Option<i32>, String) {
        self.file("case.jsonl", line);
        let (code, stdout, stderr) = self.run(&["conformance", "case.jsonl"]);
        (code, stdout + &stderr)
    }
}

fn case(rest: &str) -> String {
    use base64::Engine as _;
    let message = base64::engine::general_purpose::STANDARD.encode(MESSAGE);
    let zone = r#"{"_dmarc.ex.test": [["TXT", "v=DMARC1; p=reject"]], "ex.test": [["TXT", "v=spf1 ip4:192.0.2.1 -all"]]}"#;
    format!(r#"{{"id": "one", "zone": {zone}, "message_base64": "{message}", "client_ip": "192.0.2.1"{rest}}}"#)
}

#[test]
fn a_closed_pipe_ends_a_command_silently() {
    let folder = Folder::new();
    folder.file("case.jsonl", &case(""));
    for arguments in [
        &["schema", "verdict.v1"][..],
        &["config", "print"],
        &["verify", "message.eml", "--zone", "zone.json"],
        &["verify", "message.eml", "--zone", "zone.json", "--json"],
        &["verify", "message.eml", "--zone", "zone.json", "--annotated"],
        &["conformance", "case.jsonl"],
        &["conformance", "case.jsonl", "--results"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = folder.command(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_exit_code_5() {
    let folder = Folder::new();
    folder.file("case.jsonl", &case(""));
    for arguments in [
        &["schema", "verdict.v1"][..],
        &["config", "print"],
        &["config", "check"],
        &["--help"],
        &["verify", "message.eml", "--zone", "zone.json"],
        &["verify", "message.eml", "--zone", "zone.json", "--json"],
        &["verify", "message.eml", "--zone", "zone.json", "--annotated"],
        &["conformance", "case.jsonl"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = folder.command(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{arguments:?}: {said}");
        assert!(said.contains("error: cannot write to standard output: "), "{arguments:?}: {said}");
    }
}

#[test]
fn standard_error_that_nobody_reads_changes_no_exit_code() {
    let folder = Folder::new();
    for arguments in [&["verify", "absent.eml", "--zone", "zone.json"][..], &["config", "print", "--config", "absent.toml"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = folder.command(arguments).stderr(writer).stdout(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn who_authenticated_and_when_a_message_arrived_can_be_said() {
    let folder = Folder::new();
    let verified = |arguments: &[&str]| {
        let (_, stdout, stderr) =
            folder.run(&[&["verify", "message.eml", "--zone", "zone.json", "--json"][..], arguments].concat());
        let event: serde_json::Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stderr}"));
        (event["envelope"]["authenticated"].clone(), event["receipt"]["timestamp"].as_str().unwrap().to_owned())
    };
    let (arrival, now) = ("2026-01-02T03:04:05+01:00", "2026-01-03T00:00:00Z");
    assert_eq!(
        verified(&["--authenticated", "ann", "--arrival", arrival, "--now", now]),
        (true.into(), "2026-01-02T02:04:05.000Z".to_owned())
    );
    assert_eq!(verified(&["--now", now]), (false.into(), "2026-01-03T00:00:00.000Z".to_owned()));
    assert_eq!(verified(&["--authenticated", "false", "--arrival", now]).0, false);
    for command in [&["verify", "message.eml"][..], &["send", "message.eml"]] {
        for time in ["yesterday", "2026-01-02", "2026-01-02 03:04:05Z"] {
            let (code, _, stderr) = folder.run(&[command, &["--arrival", time]].concat());
            assert!(code == Some(2) && stderr.contains("write a time by RFC 3339, say 2026-01-31T12:00:00Z"), "{stderr}");
        }
    }
}

#[test]
fn help_names_what_users_need() {
    let (code, stdout, _) = Folder::new().run(&["--help"]);
    assert_eq!((code, stdout.contains("verify"), stdout.contains("onformance")), (Some(0), true, false), "{stdout}");
}

#[test]
fn a_start_says_which_roles_it_does_not_run_and_a_hang_up_stops_it() {
    let folder = Folder::new();
    for (arguments, said) in [
        (
            &["run"][..],
            "the aggregate role is not run: it needs settings that are missing: receiver.organization, receiver.contact",
        ),
        (&["run", "--roles", "verdict"], "the aggregate role is not run: --roles does not name it"),
    ] {
        let mut command = folder.command(arguments);
        command.env("VERDMARC_KAFKA__BROKERS", "127.0.0.1:1").env("VERDMARC_RECEIVER__DOMAIN", "mx.test");
        command.env("VERDMARC_KAFKA__CHECK_TOPICS", "false").env("VERDMARC_DNS__ZONE", folder.path("zone.json"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut until = |text: &str| lines.by_ref().any(|line| line.contains(text));
        assert!(until(said), "{said}");
        assert!(until("verdict role starts"));
        kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), Signal::SIGHUP).unwrap();
        assert!(until("stopping"));
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_message_that_would_be_refused_is_not_judged() {
    let folder = Folder::new();
    folder.file("small.toml", "[evaluation.limits]\nmessage_bytes = 20\n");
    let (code, stdout, stderr) = folder.run(&["verify", "message.eml", "--zone", "zone.json", "--config", "small.toml"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("message.eml") && stderr.contains("evaluation.limits.message_bytes"), "{stderr}");
}

#[test]
fn header_fields_and_messages_of_an_mbox_stand_alone_on_standard_output() {
    let folder = Folder::new();
    let mbox = format!(
        "From a@ex.test Mon Jan  1 00:00:00 2026\n{0}\nFrom a@ex.test Mon Jan  1 00:00:00 2026\n{0}",
        MESSAGE.replace('\r', "")
    );
    folder.file("two.mbox", &mbox);
    for (format, separated) in [("--headers", false), ("--annotated", false), ("--json", false)] {
        let (code, stdout, stderr) = folder.run(&["verify", "two.mbox", "--zone", "zone.json", format]);
        assert_eq!(code, Some(3), "{stderr}");
        assert_eq!(stdout.contains("message 2 of 2"), separated, "{format}: {stdout}");
        assert_eq!(stderr.contains("message 2 of 2"), format != "--json", "{format}: {stderr}");
    }
    let (_, stdout, _) = folder.run(&["verify", "two.mbox", "--zone", "zone.json"]);
    assert!(stdout.contains("message 2 of 2"), "{stdout}");
}

#[test]
fn messages_of_an_mbox_have_ids_of_their_own_and_an_mbox_is_one() {
    let folder = Folder::new();
    let entry = format!("From a@ex.test Mon Jan  1 00:00:00 2026\n{}", MESSAGE.replace('\r', ""));
    folder.file("two.mbox", &format!("{entry}\n{entry}"));
    let (_, stdout, stderr) = folder.run(&["verify", "two.mbox", "--zone", "zone.json", "--json"]);
    let events = serde_json::Deserializer::from_str(&stdout).into_iter::<serde_json::Value>();
    let ids: Vec<String> = events.map(|event| event.unwrap()["mail"]["messageId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, ["two.mbox#1", "two.mbox#2"], "{stderr}");

    folder.file("none.mbox", MESSAGE);
    for arguments in [&["verify", "none.mbox", "--zone", "zone.json"][..], &["send", "none.mbox"]] {
        let output = folder.command(arguments).env("VERDMARC_KAFKA__BROKERS", "127.0.0.1:1").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("none.mbox is no mbox: each of its messages begins with a line `From `"), "{said}");
    }
}

#[test]
fn no_broker_that_answers_is_named_with_the_cause_and_no_table_begins() {
    let folder = Folder::new();
    for (brokers, cause) in [
        ("127.0.0.1:1", "Connection refused; does a broker run there? Check kafka.brokers"),
        ("no-such-host.invalid:9092", "the name is not found: check kafka.brokers"),
    ] {
        let commands = [
            &["tail", "verdicts"][..],
            &["topics", "check"],
            &["reports", "list"],
            &["windows", "list"],
            &["dead-letters", "redrive", "--yes"],
            &["dead-letters", "skip", "mail.raw/0/1"],
            &["send", "message.eml"],
        ];
        // Each waits for an answer for as long as the brokers may take.
        let running = commands.map(|arguments| {
            let mut command = folder.command(arguments);
            command.env("VERDMARC_KAFKA__BROKERS", brokers).env("VERDMARC_LOG__FILTER", "off");
            (arguments, command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        });
        for (arguments, child) in running {
            let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
            let said = String::from_utf8(stderr).unwrap();
            assert_eq!((status.code(), stdout.as_slice()), (Some(4), &b""[..]), "{arguments:?}: {said}");
            let begin = format!("error: no broker answers at {brokers}: ");
            assert!(said.starts_with(&begin) && said.ends_with(&format!("{cause}\n")), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn conformance_knows_every_word_of_a_case() {
    let folder = Folder::new();
    for (rest, said) in [
        (r#", "expect": {"dmrac": "pass"}"#, "case one: expect, key `dmrac`"),
        (r#", "expect": {"dmarc": "passed"}"#, "expect, key `dmarc`: unknown variant `passed`"),
        (r#", "expect": {"dmarc_not": ["quarantine"]}"#, "key `dmarc_not`"),
        (r#", "expect": {"ses": {"dmarc": "OK"}}"#, "key `ses`"),
        (r#", "expect": {"ses": {"spam": "FAIL"}}"#, "`spam`"),
        (r#", "expect": {"reasons": ["no_such"]}"#, "key `reasons`"),
        (r#", "expect": {"disposition": "rejected"}"#, "key `disposition`"),
        (r#", "expect": {"dkim": [{"selector": "x"}]}"#, "key `dkim`"),
    ] {
        let (code, output) = folder.judged(&format!("\n{}", case(rest)));
        assert_eq!(code, Some(2), "{output}");
        assert!(output.contains("case.jsonl, line 2") && output.contains(said), "{output}");
    }
    let holds = r#", "expect": {"dmarc": "fail", "disposition": "REJECT", "ses": {"dmarc": "fail"}, "spf_explanation": "x"}, "mail_from": "a@bad.test""#;
    assert_eq!(folder.judged(&case(holds)), (Some(0), "1 passed, 0 failed, 0 skipped\n".into()));
    let (code, output) = folder.judged(&case(r#", "expect": {"dmarc": "pass", "disposition": null}, "mail_from": "a@bad.test""#));
    assert_eq!(code, Some(1));
    assert!(output.starts_with("FAIL one: dmarc fail, expected pass; disposition \"reject\", expected null\n"), "{output}");
}

#[test]
fn conformance_says_when_there_is_nothing_to_judge() {
    let folder = Folder::new();
    for rest in ["", r#", "expect": null"#, r#", "expect": {}"#, r#", "expect": {"reasons": []}"#] {
        let skipped = "skip one: nothing to judge\n0 passed, 0 failed, 1 skipped\n";
        assert_eq!(folder.judged(&case(rest)), (Some(0), skipped.into()), "{rest}");
    }
    for content in ["", "\n \n"] {
        let (code, output) = folder.judged(content);
        assert!(code == Some(2) && output.contains("case.jsonl: no cases"), "{output}");
    }
}

#[test]
fn conformance_takes_a_path_with_its_brackets_and_settings_from_a_file() {
    let folder = Folder::new();
    let passes = r#""expect": {"dmarc": "pass"}"#;
    let (code, output) = folder.judged(&case(&format!(r#", "mail_from": "<a@ex.test>", {passes}"#)));
    assert_eq!(code, Some(0), "{output}");
    folder.file("trusted.toml", "[receiver]\ntrusted_networks = ['192.0.2.0/24']\n");
    folder.file("plain.toml", "[evaluation]\npsl_guard = false\n");
    let code = |config: &str| folder.run(&["conformance", "--config", config, "case.jsonl"]).0;
    assert_eq!((code("trusted.toml"), code("plain.toml"), code("absent.toml")), (Some(1), Some(0), Some(2)));
}

#[test]
fn config_check_finds_what_a_start_would_refuse_and_shows_no_value() {
    let folder = Folder::new();
    let properties = |line: &str| format!("[kafka]\nbrokers = '127.0.0.1:1'\n[kafka.properties]\n{line}\n");
    for (settings, expected) in [
        (properties("sasl.pasword = 'hunter2'"), "librdkafka knows no property `sasl.pasword`"),
        (properties("security.protocol = 'hunter2'"), "librdkafka does not take the value of `security.protocol`"),
        (properties("fetch.wait.max.ms = 'hunter2'"), "librdkafka does not take the value of `fetch.wait.max.ms`"),
        (properties("security.protocol = 'SASL_PLAINTEXT'\nsasl.mechanism = 'HUNTER2'"), "SASL mechanism"),
        (properties("security.protocol = 'SASL_PLAINTEXT'\nsasl.mechanism = 'SCRAM-HUNTER2'"), "Kafka client"),
        (properties("security.protocol = 'SSL'\nssl.key.pem = 'hunter2'"), "ssl.key.pem"),
        ("[log]\nfilter = 'verdmarc=inof'\n".to_owned(), "log.filter"),
        ("[log]\nfilter = 'inof'\n".to_owned(), "log.filter"),
    ] {
        let file = folder.file("settings.toml", &settings);
        let file = file.to_str().unwrap();
        for arguments in [&["config", "check"][..], &["run", "--roles", "verdict"], &["topics", "check"], &["tail", "verdicts"]] {
            if expected == "log.filter" && arguments[0] != "config" {
                continue;
            }
            let (code, stdout, stderr) = folder.run(&[arguments, &["--config", file]].concat());
            let said = stdout + &stderr;
            assert_eq!(code, Some(2), "{arguments:?}: {said}");
            assert!(said.contains(expected), "{arguments:?}: {said}");
            assert!(!said.to_lowercase().contains("hunter2"), "{arguments:?}: {said}");
        }
    }
    let file =
        folder.file("settings.toml", &properties("'debug' = 'conf'\nsasl.username = 'hunter2'\nsasl.password = 'hunter2'"));
    let (code, stdout, stderr) = folder.run(&["config", "check", "--config", file.to_str().unwrap()]);
    assert_eq!((code, stdout.ends_with("\nThe settings are valid.\n")), (Some(0), true), "{stdout}{stderr}");
    assert!(!(stdout + &stderr).contains("hunter2"));
}

#[test]
fn config_check_compares_the_settings_with_what_a_pod_is_given() {
    let folder = Folder::new();
    folder.file(
        "settings.toml",
        "[receiver]\ndomain = 'mx.example'\norganization = 'x'\ncontact = 'x@mx.example'\n[aggregate]\nprocess_bytes = 536870912\n",
    );
    let check = |arguments: &[&str]| folder.run(&[&["config", "check", "--config", "settings.toml"][..], arguments].concat());
    let memory = "memory: these settings take up to ";
    for (arguments, code, wrong) in [
        (&["--roles", "verdict", "--memory-limit", "520Mi", "--grace-period-s", "40"][..], 0, &[][..]),
        (&["--roles", "verdict", "--memory-limit", "519Mi"], 2, &["verdict.budget_bytes 256 MiB", "the limit is 519 MiB"]),
        (&["--roles", "verdict", "--grace-period-s", "39"], 2, &["verdict.drain_ms = 20000", "the grace period to 40 s or more"]),
        (&["--roles", "aggregate", "--memory-limit", "1Gi"], 2, &["aggregate.process_bytes and a quarter 640 MiB", memory]),
        (&["--roles", "aggregate", "--memory-limit", "1100Mi"], 0, &[]),
        (&["--memory-limit", "1100Mi", "--grace-period-s", "30"], 2, &[memory, "further consumer groups", "grace period: "]),
        (&["--memory-limit", "512MB"], 2, &["`512MB` is no number of bytes", "say 512Mi"]),
    ] {
        let (found, stdout, stderr) = check(arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {stdout}{stderr}");
        for part in wrong {
            assert!(stderr.contains(part), "{arguments:?}: `{part}` is missing in: {stderr}");
        }
        assert_eq!(stdout.contains("The settings are valid."), code == 0, "{stdout}");
    }
    let (_, stdout, _) = check(&["--roles", "verdict", "--memory-limit", "1Gi", "--grace-period-s", "60"]);
    for line in [
        "settings      settings.toml\n",
        "roles         verdict\n",
        "memory        up to 520 MiB; the limit is 1024 MiB\n",
        "stop          up to 40 s; the grace period is 60 s\n",
    ] {
        assert!(stdout.contains(line), "{line} is missing in: {stdout}");
    }
}
