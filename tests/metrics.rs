//! The table of metrics: what `/metrics` prints, and docs/metrics.md.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use verdmarc::config::Config;
use verdmarc::kafka::Status;
use verdmarc::metrics::labels::Label;
use verdmarc::metrics::table::{self, Kind, Metric, When};
use verdmarc::metrics::{Histogram, record_with};
use verdmarc::telemetry::Telemetry;

/// docs/metrics.md as it follows from the table.
fn documentation() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         Made from the table in `src/metrics/table.rs`; written again by `VERDMARC_WRITE_GOLDEN=1 cargo test --test metrics`.\n\n\
         `/metrics` of `health.listen` shows the Prometheus names, a collector gets the others ([telemetry.md](telemetry.md)). Labels have \
         closed sets of values: no domain and no address is ever one. What is *counted when committed* is counted once, however often a \
         batch is aborted and written again; everything else is counted when it happens. A histogram has the suffixes `_bucket`, `_sum` \
         and `_count` in Prometheus.\n\n",
    );
    for metric in table::ALL {
        let _ = writeln!(text, "## `{}`\n\n{}\n", metric.prometheus, metric.help);
        let unit = if metric.unit.is_empty() { "none".to_owned() } else { format!("`{}`", metric.unit) };
        let _ = writeln!(text, "- OpenTelemetry: `{}`, {}, unit {unit}", metric.name, metric.kind.word());
        let when = match metric.when {
            When::Committed => "counted when committed",
            When::Seen => "counted when it happens",
        };
        if matches!(metric.kind, Kind::Counter | Kind::CounterF | Kind::Histogram) || metric.when == When::Committed {
            let _ = writeln!(text, "- {when}");
        }
        for Label { name, values } in metric.labels {
            let values: Vec<String> = values.all().iter().map(|value| format!("`{value}`")).collect();
            let values = if *name == "version" { "the version".to_owned() } else { values.join(", ") };
            let _ = writeln!(text, "- label `{}`: {values}", name.replace('.', "_"));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

#[test]
fn the_documentation_is_that_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    if std::env::var_os("VERDMARC_WRITE_GOLDEN").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        std::fs::write(path, documentation()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), documentation(), "VERDMARC_WRITE_GOLDEN=1 writes it again");
}

/// What `/metrics` prints with every role, after each duration was measured once. A process records durations for one meter.
static SCRAPED: LazyLock<String> = LazyLock::new(scraped);

fn scraped() -> String {
    let telemetry = Telemetry::new(&Config::default()).unwrap();
    let status = |_: &str| Arc::new(Status::default());
    let aggregate = status("aggregate");
    verdmarc::roles::aggregate::show(&aggregate);
    let roles = vec![("verdict", status("verdict")), ("verdict-retries", status("retries")), ("aggregate", aggregate)];
    let scrapes = telemetry.measure(Arc::new(roles));
    let role = ("role", "verdict");
    for (histogram, labels) in [
        (Histogram::Process, &[][..]),
        (Histogram::Latency, &[]),
        (Histogram::Dns, &[]),
        (Histogram::Restore, &[]),
        (Histogram::Batch, &[role]),
        (Histogram::Transaction, &[role, ("outcome", "committed")]),
    ] {
        record_with(histogram, Duration::from_millis(3), labels);
    }
    scrapes.text().unwrap()
}

/// The value of a label in a line of Prometheus' text.
fn label<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (_, labels) = line.split_once('{')?;
    let named = |part: &&str| part.strip_prefix(name).is_some_and(|rest| rest.starts_with("=\""));
    labels.split(',').find(named)?.split('"').nth(1)
}

#[test]
fn every_metric_of_the_table_is_shown_under_its_name_with_its_help_and_its_labels() {
    let text = &*SCRAPED;
    for Metric { name, prometheus, kind, help, labels, .. } in table::ALL {
        let headings = format!("# HELP {prometheus} {help}\n# TYPE {prometheus} {}\n", kind.word());
        assert!(text.contains(&headings), "{name}: {headings}\n{text}");
        let suffix = if *kind == Kind::Histogram { "_bucket" } else { "" };
        let of_metric = |line: &&str| {
            line.starts_with(&format!("{prometheus}{suffix}{{")) || line.starts_with(&format!("{prometheus}{suffix} "))
        };
        let lines: Vec<&str> = text.lines().filter(of_metric).collect();
        assert!(!lines.is_empty(), "{name} has no figure\n{text}");
        for line in lines {
            for Label { name, values } in *labels {
                let value = label(line, &name.replace('.', "_"));
                assert!(value.is_some_and(|value| values.all().contains(&value)), "{name} of {line}");
            }
            let found = line.matches("=\"").count() - line.matches("{le=\"").count() - line.matches(",le=\"").count();
            assert_eq!(found, labels.len(), "{line}");
        }
    }
}

#[test]
fn nothing_is_shown_that_is_not_in_the_table() {
    let text = &*SCRAPED;
    let known: BTreeSet<&str> = table::ALL.iter().map(|metric| metric.prometheus).collect();
    let shown: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(shown.is_subset(&known), "{:?}", shown.difference(&known));
    assert!(!text.contains("otel_scope"), "{text}");
}

#[test]
fn the_help_of_a_metric_says_by_itself_what_it_is() {
    let helps: Vec<&str> = table::ALL.iter().map(|metric| metric.help).collect();
    for help in &helps {
        assert!(help.split(' ').count() > 4 && help.ends_with('.'), "{help}");
        assert!(!help.starts_with("Of those") && !help.contains(" them.") && !help.contains("taken back"), "{help}");
        assert_eq!(helps.iter().filter(|other| *other == help).count(), 1, "{help}");
    }
}
