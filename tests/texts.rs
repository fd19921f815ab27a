//! What users read: help, settings, schemas, lists of codes, and the list that stands in the README.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use verdmarc::event::dead_letter::DeadLetterReason;
use verdmarc::event::{Reason, schemas};

fn verdmarc(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verdmarc"));
    let output = command.args(arguments).env_remove("VERDMARC_CONFIG").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The help of a command and of all below it, each with its name.
fn help(command: &[&str], texts: &mut Vec<(String, String)>) {
    let text = verdmarc(&[command, &["--help"]].concat());
    let below: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    for name in below {
        help(&[command, &[name]].concat(), texts);
    }
    texts.push((format!("verdmarc {} --help", command.join(" ")), text));
}

/// Everything that is written for users and can be had without Kafka, each with its name.
fn texts() -> Vec<(String, String)> {
    let mut texts = schemas::files();
    help(&[], &mut texts);
    assert!(texts.iter().any(|(name, _)| name == "verdmarc dead-letters list --help"), "commands below commands are found");
    help(&["conformance"], &mut texts);
    texts.push(("verdmarc config print".into(), verdmarc(&["config", "print"])));
    texts.push(("verdmarc config print --template".into(), verdmarc(&["config", "print", "--template"])));
    texts.extend(Reason::ALL.iter().map(|reason| (format!("reason {}", reason.code()), reason.meaning().to_owned())));
    let letters = DeadLetterReason::ALL.iter();
    texts.extend(letters.map(|reason| (format!("dead-letter reason {}", reason.code()), reason.meaning().to_owned())));
    for file in ["README.md", "CHANGELOG.md", OPERATIONS] {
        texts.push((file.into(), std::fs::read_to_string(project(file)).unwrap()));
    }
    texts
}

const OPERATIONS: &str = "docs/operations.md";

fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether a word has the form of an id of docs/rules.md, such as A11, F-20, G.4 or K7.
fn is_rule_id(word: &str) -> bool {
    let mut characters = word.chars();
    let is_letter = characters.next().is_some_and(|letter| matches!(letter, 'A'..='H' | 'K' | 'R' | 'X'));
    let number = characters.as_str().trim_start_matches(['-', '.']);
    let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|digit| digit.is_ascii_digit());
    is_letter && is_number
}

#[test]
fn no_rule_id_stands_in_what_users_read() {
    for id in ["A11", "F-20", "D-9", "G.4", "K7", "X12"] {
        assert!(is_rule_id(id), "{id}");
    }
    let found: Vec<String> = texts()
        .iter()
        .flat_map(|(name, text)| {
            let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '-' && letter != '.');
            words.map(|word| word.trim_matches(['.', '-'])).filter(|word| is_rule_id(word)).map(move |id| format!("{name}: {id}"))
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn plain_words_stand_in_what_users_read() {
    let odd = ["judge", "judged", "judges", "mend", "mended", "mends", "whence"];
    let found: Vec<String> = texts()
        .iter()
        .flat_map(|(name, text)| {
            let words = text.split(|letter: char| !letter.is_alphanumeric());
            words.map(str::to_lowercase).filter(|word| odd.contains(&word.as_str())).map(move |word| format!("{name}: {word}"))
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_schema_has_an_id_of_its_own() {
    let ids: BTreeSet<String> = schemas::files()
        .iter()
        .filter(|(name, _)| name != "asyncapi.yaml")
        .map(|(_, text)| serde_json::from_str::<Value>(text).unwrap()["$id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), schemas::NAMES.len());
    assert!(ids.contains("urn:verdmarc:schema:verdict.v1"), "{ids:?}");
}

/// The words that a schema allows, when it is a list of words.
fn choices(schema: &Value) -> Vec<&str> {
    let of_list = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let of_one = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten().filter_map(|entry| entry.get("const"));
    of_list.chain(of_one).filter_map(Value::as_str).collect()
}

#[test]
fn config_print_lists_the_choices_of_each_word_setting() {
    let root = schemars::schema_for!(verdmarc::config::Config).to_value();
    let definitions = root["$defs"].as_object().unwrap();
    let mut words = 0;
    for (table, definition) in definitions {
        for (key, property) in definition.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let Some(name) = property.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) else {
                continue;
            };
            let description = property.get("description").and_then(Value::as_str).unwrap_or_default();
            for choice in choices(&definitions[name]) {
                words += 1;
                assert!(
                    description.contains(&format!("`{choice}`")),
                    "{table}.{key} does not name its choice `{choice}`: {description}"
                );
            }
        }
    }
    assert!(words > 15, "settings with words are found: {words}");
}

/// `VERDMARC_WRITE_GOLDEN=1` writes the file instead of comparing with it.
#[test]
fn the_settings_file_to_copy_is_the_one_that_the_types_give() {
    let (path, template) = (project("deploy/verdmarc.toml"), verdmarc(&["config", "print", "--template"]));
    if std::env::var_os("VERDMARC_WRITE_GOLDEN").is_some() {
        return std::fs::write(&path, template).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(found == template, "deploy/verdmarc.toml is another: run with VERDMARC_WRITE_GOLDEN=1 and look at the change");
    assert!(verdmarc(&["config", "check", "--config", path.to_str().unwrap()]).ends_with("The settings are valid.\n"));
}

/// A process that ends with its test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The demo's output until it waits for more, the process, and what it says from then on.
fn demo() -> (Vec<String>, Ended, Lines<BufReader<ChildStdout>>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verdmarc"));
    let mut process =
        Ended(command.args(["demo", "--keep"]).env_remove("VERDMARC_CONFIG").stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
    let mut said: Vec<String> = Vec::new();
    while said.last().is_none_or(|line| !line.starts_with("Ctrl-C")) {
        said.push(lines.next().unwrap().unwrap());
    }
    (said, process, lines)
}

#[test]
fn the_demo_fits_100_columns_and_suggests_a_message_that_fails() {
    let (said, _process, mut lines) = demo();
    for line in &said {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(said.iter().any(|line| line.starts_with("✓ the outcome is the one")), "the mark is explained: {said:#?}");
    let row = |line: &String| -> Option<usize> { line.strip_suffix('✓')?.split_whitespace().next()?.parse().ok() };
    let numbers: Vec<usize> = said.iter().filter_map(row).collect();
    assert!(numbers.len() > 60 && numbers.is_sorted(), "rows stand in the order sent: {numbers:?}");
    let (now, begins) = (jiff::Timestamp::now(), said.iter().filter(|line| line.contains(" dmarc@")));
    let begins: Vec<jiff::Timestamp> = begins.filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).collect();
    assert!(!begins.is_empty() && begins.iter().all(|begin| *begin <= now), "no window lies in the future: {begins:?}");

    let shown = said.iter().map(String::as_str).skip_while(|line| !line.starts_with("  export "));
    let commands: Vec<&str> = shown.take_while(|line| !line.starts_with("  verdmarc tail")).collect();
    let folder = PathBuf::from(env!("CARGO_BIN_EXE_verdmarc")).parent().unwrap().display().to_string();
    let script = format!("PATH={folder}:$PATH\n{}", commands.join("\n"));
    let sent = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(sent.status.success(), "{script}: {}", String::from_utf8_lossy(&sent.stderr));
    let verdict = lines.by_ref().map(Result::unwrap).find(|line| !line.is_empty()).unwrap();
    assert!(verdict.contains("FAIL reject") && verdict.contains("bank.example"), "{verdict}");
}

const BEGIN: &str = "<!-- the dead-letter reasons, written by `VERDMARC_WRITE_GOLDEN=1 cargo test --test texts` -->\n";
const END: &str = "<!-- end of the dead-letter reasons -->\n";

/// `VERDMARC_WRITE_GOLDEN=1` writes the list instead of comparing with it.
#[test]
fn the_readme_lists_every_dead_letter_reason() {
    let path = project("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the list has its marks");
    let (found, after) = rest.split_once(END).expect("the list has its marks");
    let rows = DeadLetterReason::ALL.iter().map(|reason| format!("| `{}` | {} |\n", reason.code(), reason.meaning()));
    let expected = "\n| Reason | Meaning |\n|---|---|\n".to_owned() + &rows.collect::<String>() + "\n";
    if std::env::var_os("VERDMARC_WRITE_GOLDEN").is_some() {
        return std::fs::write(&path, [before, BEGIN, &expected, END, after].concat()).unwrap();
    }
    assert_eq!(found, expected, "run with VERDMARC_WRITE_GOLDEN=1 and look at the change");
}

/// `VERDMARC_WRITE_GOLDEN=1` writes the settings into the schema instead of comparing with it.
#[test]
fn the_chart_takes_every_setting_and_no_other() {
    let path = project("deploy/helm/verdmarc/values.schema.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut schema: Value = serde_json::from_str(&text).unwrap();
    let generator =
        schemars::generate::SchemaSettings::draft07().with(|settings| settings.definitions_path = "/definitions/settings".into());
    let mut root = generator.into_generator().into_root_schema_for::<verdmarc::config::Config>().to_value();
    let mut settings = root["definitions"]["settings"].take();
    for key in ["$schema", "definitions", "title"] {
        root.as_object_mut().unwrap().remove(key);
    }
    settings["Config"] = root;
    // The chart has values of its own for these.
    for (table, key) in [("Config", "receiver"), ("Kafka", "brokers"), ("Kafka", "instance")] {
        assert!(settings[table]["properties"].as_object_mut().unwrap().remove(key).is_some(), "{table}.{key}");
    }
    settings["Properties"]["additionalProperties"]["type"] = serde_json::json!(["string", "number", "boolean"]);
    schema["definitions"]["settings"] = settings;
    let expected = format!("{schema:#}\n");
    if std::env::var_os("VERDMARC_WRITE_GOLDEN").is_some() {
        return std::fs::write(&path, expected).unwrap();
    }
    assert!(text == expected, "run with VERDMARC_WRITE_GOLDEN=1 and look at the change");
}

/// The rows of the first table behind a heading of a document, without its head.
fn rows(document: &str, heading: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(project(document)).unwrap();
    let lines = text.lines().skip_while(|line| *line != heading).skip_while(|line| !line.starts_with('|')).skip(2);
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// The sources of all tests that run with Kafka, DNS or a store, one behind the other.
fn tests_of(directory: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            text += &tests_of(&entry);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            text += &std::fs::read_to_string(&entry).unwrap();
        }
    }
    text
}

#[test]
fn every_row_about_a_dependency_that_is_away_names_tests_that_exist() {
    let rows = rows(OPERATIONS, "## When a dependency is away");
    assert!(rows.len() > 10, "{rows:?}");
    let sources = tests_of(&project("tests"));
    for row in &rows {
        let [.., tests] = row.as_slice() else { panic!("no cells: {row:?}") };
        assert!(row.len() == 5 && row.iter().all(|cell| !cell.is_empty()), "five cells: {row:?}");
        for test in tests.split(", ") {
            let name = test.trim_matches('`');
            assert!(sources.contains(&format!("\nfn {name}()")), "there is no test {name}");
        }
    }
}
