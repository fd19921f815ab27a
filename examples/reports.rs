//! Writes aggregate reports of made-up messages, and beside each what others must read in it (tests/reports/check.py).

#[path = "../tests/reports/document.rs"]
mod document;
#[path = "../tests/reports/mail.rs"]
mod mail;
#[path = "../tests/reports/oracle.rs"]
mod oracle;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use fastrand::Rng;
use jiff::Timestamp;
use mail::{OWNERS, Sender};
use oracle::{Checked, GROUP_ROWS, Group, Groups, Made, PART_ROWS, SUBMITTER};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use verdmarc::aggregate::{self, Intake, Settings, State};
use verdmarc::config::{Config, Content, Profile, Reports};
use verdmarc::dns::Domain;
use verdmarc::event::{CloseWindows, FAILURE, FailureEvent, Headers, Record, ReportAttributes, WindowClosed};

/// Write a seeded set of reports with what tests/reports/check.py expects of each
#[derive(Parser)]
struct Options {
    /// Seed: the same seed and number make the same octets
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of messages; fewer than 6000 may not make rows of every kind, which is an error
    #[arg(long, default_value_t = 6000)]
    messages: usize,
    /// Directory to write into
    #[arg(long)]
    out: PathBuf,
}

const ORGANIZATION: &str = "R&D <\"Empfänger\"> 'ltd'";
const CONTACT: &str = "dmarc@recv.example";
const MORE: &str = "https://recv.example/dmarc?a=1&b=2";
const RUNS: [(Content, Profile); 2] = [(Content::Failures, Profile::Rfc9990), (Content::All, Profile::Compat7489)];

fn main() -> Result<()> {
    let options = Options::parse();
    std::fs::create_dir_all(&options.out)?;
    let mut rng = Rng::with_seed(options.seed);
    let (mut files, mut rows, mut reported, mut unasked) = (0, 0, 0, 0);
    let (mut most_parts, mut merged) = (0, BTreeSet::new());
    for (partition, (content, profile)) in (0..).zip(RUNS) {
        let half = if partition == 0 { options.messages / 2 } else { options.messages.div_ceil(2) };
        let mut receiver = Receiver::new(partition, content, profile)?;
        receiver.run(half, &mut rng).with_context(|| format!("partition {partition}"))?;
        unasked += receiver.unasked;
        for report in receiver.check().with_context(|| format!("partition {partition}"))? {
            files += 1;
            rows += report.attributes.rows;
            reported += report.attributes.messages;
            write(&options.out, &report)?;
            most_parts = report.attributes.part.max(most_parts);
            merged.extend(report.merged);
        }
    }
    let all = options.messages as u64;
    ensure!(reported + unasked == all, "{reported} messages in reports and {unasked} without address are not {all}");
    ensure!(most_parts > 0 && merged.len() == 3 && unasked > 0, "so few messages make no rows of every kind: {merged:?}");
    println!("{files} reports, {rows} rows, {reported} messages; {unasked} messages of domains without reporting address");
    Ok(())
}

fn write(directory: &Path, report: &Checked) -> Result<()> {
    let path = directory.join(&report.attributes.file_name);
    std::fs::write(&path, &report.bytes)?;
    let beside = directory.join(format!("{}.json", report.attributes.file_name));
    std::fs::write(beside, format!("{:#}\n", report.expectation)).context("an expectation is not written")
}

/// One partition of messages and what is made of it.
struct Receiver {
    settings: Arc<Settings>,
    partition: i32,
    state: State,
    groups: Groups,
    made: Made,
    /// Messages of domains without reporting address, as closed windows have it.
    unasked: u64,
}

impl Receiver {
    fn new(partition: i32, content: Content, profile: Profile) -> Result<Self> {
        let others = OWNERS.iter().skip(1).step_by(2).map(|owner| Domain::parse(owner.name)).collect::<Result<_, _>>()?;
        let mut config = Config::default();
        config.receiver.domain = Some(Domain::parse(SUBMITTER)?);
        (config.receiver.organization, config.receiver.contact) = (Some(ORGANIZATION.into()), Some(CONTACT.into()));
        config.receiver.extra_contact_info = (content == Content::Failures).then(|| MORE.into());
        config.reports = Reports { content, profile, other_profile_for: others, ..Reports::default() };
        (config.aggregate.report_rows, config.aggregate.group_rows) = (PART_ROWS, GROUP_ROWS);
        let settings = Arc::new(Settings::of(&config)?);
        let state = State::new(settings.clone(), partition, RUNS.len() as i32);
        Ok(Self { settings, partition, state, groups: Groups::default(), made: Made::new(), unasked: 0 })
    }

    /// Counts so many messages; what comes after the first closing makes further reports of the same days.
    fn run(&mut self, messages: usize, rng: &mut Rng) -> Result<()> {
        let senders = Sender::all(rng, self.settings.reports.content)?;
        let shares: Vec<&Sender> = senders.iter().flat_map(|sender| std::iter::repeat_n(sender, sender.owner.share)).collect();
        let mut next = 0;
        for (generation, end) in [(0, messages * 4 / 5), (1, messages)] {
            while next < end {
                let sender = rng.choice(&shares).context("there are senders")?;
                let event = travel(&sender.message(rng, next as i64)?)?;
                ensure!(self.state.count(&event, event.arrival.as_second()), "a message is too late");
                self.groups.count(event, generation);
                next += 1;
            }
            self.close(next as i64)?;
        }
        let counted = self.groups.iter().map(Group::messages).sum::<u64>();
        ensure!(counted == messages as u64, "{counted} of {messages} messages are counted");
        Ok(())
    }

    fn close(&mut self, next: i64) -> Result<()> {
        let now: Timestamp = "2026-06-10T00:00:00Z".parse()?;
        self.state.advance(next);
        self.state.control(&CloseWindows { at: None });
        self.state.freeze(next, now.as_second());
        while self.state.is_closing() {
            for output in self.state.cut(next, now, true) {
                if output.topic != self.settings.targets.reports {
                    continue;
                }
                let value = output.value.context("a record is empty")?;
                match ReportAttributes::read(&output.headers) {
                    Some(report) => ensure!(self.made.insert(report.id.clone(), (report, value)).is_none(), "an id stands twice"),
                    None => self.unasked += serde_json::from_slice::<WindowClosed>(&value)?.no_reporting_address,
                }
            }
            self.state.committed();
        }
        Ok(())
    }

    /// Every report, found right.
    fn check(mut self) -> Result<Vec<Checked>> {
        let mut checked = Vec::new();
        let mut unasked = 0;
        for group in self.groups.iter() {
            if group.is_asked_for() {
                let profile = self.profile(group.policy_domain());
                let reports = group.check(self.partition, profile, &mut self.made).with_context(|| group.to_string())?;
                checked.extend(reports.into_iter().map(|report| self.with_metadata(report)));
            } else {
                unasked += group.messages();
            }
        }
        ensure!(self.made.is_empty(), "{} reports are about nothing that was counted", self.made.len());
        ensure!(
            unasked == self.unasked,
            "{} messages are said to be of domains without address, there are {unasked}",
            self.unasked
        );
        Ok(checked)
    }

    /// Adds what a report says of its maker: of the two receivers only the one that counts failures says more.
    fn with_metadata(&self, mut report: Checked) -> Checked {
        let is_partial = self.settings.reports.content == Content::Failures;
        let more = is_partial.then(|| format!("Only messages that did not pass DMARC are counted in this report. {MORE}"));
        report.expectation["metadata"] = json!({ "org_name": ORGANIZATION, "email": CONTACT, "extra_contact_info": more });
        report
    }

    fn profile(&self, domain: &Domain) -> Profile {
        let Reports { profile, other_profile_for, .. } = &self.settings.reports;
        match (other_profile_for.contains(domain), profile) {
            (true, Profile::Rfc9990) | (false, Profile::Compat7489) => Profile::Compat7489,
            _ => Profile::Rfc9990,
        }
    }
}

/// The event as it comes out of mail.failures.
fn travel(event: &FailureEvent) -> Result<FailureEvent> {
    let record = Record {
        topic: "mail.failures".into(),
        partition: 0,
        offset: event.input.offset,
        timestamp: None,
        key: None,
        value: Some(serde_json::to_vec(event)?),
        headers: Some(Headers::default().with("ce_type", FAILURE)),
    };
    let Intake::Failure(read) = aggregate::read(&record)? else { bail!("a failure event is not read as one") };
    ensure!(*read == *event, "an event that travelled is {read:?}, it was {event:?}");
    Ok(*read)
}
