//! What the metrics say is what stands in the topics.

use crate::broker::{beside_others, eventually, shared};
use crate::stream::{Kind, Raw, Stream, mail};
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(3);

/// The sum of a metric over all labels that `labels` is a part of.
fn sum(metrics: &str, name: &str, labels: &str) -> usize {
    let of_metric = |line: &&str| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "));
    let lines = metrics.lines().filter(of_metric).filter(|line| line.contains(labels));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
}

#[test]
fn what_aborted_batches_hold_is_counted_once() {
    beside_others(LIMIT, || {
        let stream = Stream::new(shared(), "figures-", 4);
        let mut fleet = stream.fleet();
        fleet.set("HEALTH__LISTEN", "127.0.0.1:0");
        fleet.set("VERDICT__COMMIT_RECORDS", "20");
        stream.produce(mail(600));
        stream.produce((0..20).map(|number| Raw::of(Kind::Refused, format!("refused{number}"))));
        let process = fleet.start("a", &[("FAILPOINTS", "taken-away=4%return")]);
        stream.wait_until_done(LIMIT);
        let outcome = stream.outcome();
        let (verdicts, failures, refused) = (outcome.verdicts.len(), outcome.failures.len(), outcome.refused.len());
        assert!(verdicts > 0 && failures > 0 && refused >= 20);
        let counted = |metrics: &str| {
            let sum = |name, labels| sum(metrics, name, labels);
            let letters = sum("verdmarc_dead_letters_total", "");
            (sum("verdmarc_verdicts_total", ""), sum("verdmarc_failures_written_total", ""), letters)
        };
        // The group's position is there a moment before the process has heard of it.
        let expected = (verdicts, failures, refused);
        eventually("the figures", || (counted(&process.ask("/metrics")) == expected).then_some(()));
        let metrics = process.ask("/metrics");
        assert!(sum(&metrics, "verdmarc_transactions_aborts_total", "partition_revoked") > 0, "{metrics}");
        assert_eq!(sum(&metrics, "verdmarc_records_read_total", "role=\"verdict\""), verdicts + refused);
        eventually("a lag of nothing but the control records", || {
            (sum(&process.ask("/metrics"), "verdmarc_lag", "role=\"verdict\"") <= 4).then_some(())
        });
        assert_eq!(process.stop().0, Some(0));
    });
}
