//! What reports must say, counted from the messages.
//!
//! Only how a group's messages lie in several parts and in merged rows is read from the reports; all of them together must be what
//! was counted.

use crate::document::{Document, Entry, Leaf};
use anyhow::{Result, bail, ensure};
use indexmap::IndexMap;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use verdmarc::auth::cause::ResultWord;
use verdmarc::auth::dmarc::{AlignmentMode, RecordFault};
use verdmarc::config::{Discovery, Profile};
use verdmarc::dns::Domain;
use verdmarc::event::{Disposition, FailureEvent, Override, ReportAttributes, Row};

pub(crate) const SUBMITTER: &str = "mx.recv.example";
/// Rows of a part.
pub(crate) const PART_ROWS: usize = 40;
/// Rows of a group above which further ones are merged.
pub(crate) const GROUP_ROWS: usize = 130;
const DAY: i64 = 86_400;
/// Notes in `error` on rows that are merged.
const MERGED_NOTES: usize = 2;
const MAX_SIGNATURES: usize = 100;

/// Reports by their ids.
pub(crate) type Made = HashMap<String, (ReportAttributes, Vec<u8>)>;

/// A report that was found right, and what check.py is to expect.
pub(crate) struct Checked {
    pub(crate) bytes: Vec<u8>,
    pub(crate) expectation: Value,
    pub(crate) attributes: ReportAttributes,
    /// What its rows gave up, each once.
    pub(crate) merged: BTreeSet<String>,
}

/// The messages of one partition, apart by report.
#[derive(Default)]
pub(crate) struct Groups(IndexMap<(Domain, i64, u32, String), Group>);

impl Groups {
    pub(crate) fn count(&mut self, event: FailureEvent, generation: u32) {
        let second = event.arrival.as_second();
        let begin = second - second.rem_euclid(DAY);
        let row = canonical(&event.row);
        let key = (event.policy_domain.clone(), begin, generation, event.policy_hash.clone());
        let group = self.0.entry(key).or_insert_with(|| Group {
            last: event.clone(),
            begin,
            generation,
            faults: BTreeSet::new(),
            rows: IndexMap::new(),
        });
        group.faults.extend(event.record_errors.iter().copied());
        *group.rows.entry(row).or_default() += 1;
        group.last = event;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.0.values()
    }
}

/// The messages of a report, which may have several parts.
pub(crate) struct Group {
    last: FailureEvent,
    begin: i64,
    generation: u32,
    faults: BTreeSet<RecordFault>,
    rows: IndexMap<Row, u64>,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailureEvent { policy_domain, policy_hash, .. } = &self.last;
        write!(f, "{policy_domain}, begin {}, policy {policy_hash}, generation {}", self.begin, self.generation)
    }
}

impl Group {
    pub(crate) fn policy_domain(&self) -> &Domain {
        &self.last.policy_domain
    }

    pub(crate) fn messages(&self) -> u64 {
        self.rows.values().sum()
    }

    /// Whoever names no address last gets no report.
    pub(crate) fn is_asked_for(&self) -> bool {
        !self.last.report_addresses.is_empty()
    }

    /// Takes the group's reports out of `made`.
    pub(crate) fn check(&self, partition: i32, profile: Profile, made: &mut Made) -> Result<Vec<Checked>> {
        let entry = |(row, count): (&Row, &u64)| entry(row, *count, profile, self.policy_domain());
        let mut exact: Vec<Entry> = self.rows.iter().map(entry).collect();
        exact.sort_unstable();
        let is_merged = exact.len() > GROUP_ROWS;
        let mut found = Vec::new();
        let mut checked = Vec::new();
        for part in 0_u32.. {
            let id = self.id(partition, part);
            let Some((attributes, bytes)) = made.remove(&id) else { break };
            let document = Document::read(&bytes)?;
            let is_whole = !is_merged && exact.len() <= PART_ROWS;
            let entries = if is_whole { &exact } else { &document.entries };
            let rows = if is_merged { entries.len() } else { exact.len().saturating_sub(found.len()).min(PART_ROWS) };
            let expected = self.attributes(&id, part, profile, rows, entries.iter().map(|entry| entry.count).sum());
            ensure!(attributes == expected, "its headers say {attributes:?}, expected {expected:?}");
            ensure!(document.entries.len() == rows, "part {part} has {} rows, expected {rows}", document.entries.len());
            let policy = self.policy(profile);
            ensure!(document.policy == policy, "it is about {:?}, expected {policy:?}", document.policy);
            let notes = document.error.as_ref().map_or(0, |error| error.split("; ").count());
            let expected_notes = self.faults.len() + if is_merged { MERGED_NOTES } else { 0 };
            ensure!(notes == expected_notes, "error has {notes} notes, expected {expected_notes}: {:?}", document.error);
            let merged = document.entries.iter().filter_map(|entry| entry.merged.clone()).collect();
            checked.push(Checked { expectation: expectation(&expected, entries), bytes, attributes, merged });
            found.extend(document.entries);
        }
        found.sort_unstable();
        if is_merged {
            compare_merged(&found, &exact)?;
        } else {
            compare(&found, &exact)?;
        }
        Ok(checked)
    }

    fn id(&self, partition: i32, part: u32) -> String {
        let FailureEvent { policy_domain, policy_hash, .. } = &self.last;
        let (begin, end, generation) = (self.begin, self.begin + DAY - 1, self.generation);
        let members = format!("{SUBMITTER}|{policy_domain}|{begin}|{end}|{policy_hash}|{partition}|{generation}|{part}");
        Sha256::digest(members).iter().take(16).fold(String::new(), |mut id, byte| {
            // Writing to a string cannot fail.
            let _ = write!(id, "{byte:02x}");
            id
        })
    }

    fn attributes(&self, id: &str, part: u32, profile: Profile, rows: usize, messages: u64) -> ReportAttributes {
        let (domain, begin, end) = (&self.last.policy_domain, self.begin, self.begin + DAY - 1);
        ReportAttributes {
            id: id.to_owned(),
            policy_domain: domain.clone(),
            submitter: SUBMITTER.parse().unwrap_or_else(|_| domain.clone()),
            begin,
            end,
            file_name: format!("{SUBMITTER}!{domain}!{begin}!{end}!{id}.xml.gz"),
            subject: format!("Report Domain: {domain} Submitter: {SUBMITTER} Report-ID: {id}"),
            generation: self.generation,
            part,
            profile,
            addresses: self.last.report_addresses.clone(),
            rows: rows as u64,
            messages,
        }
    }

    /// What `policy_published` holds (B.1, B70).
    fn policy(&self, profile: Profile) -> Vec<Leaf> {
        let policy = &self.last.policy;
        let mode = |mode| if mode == AlignmentMode::Strict { "s" } else { "r" };
        let method = if self.last.discovery == Discovery::Psl { "psl" } else { "treewalk" };
        let is_new = profile == Profile::Rfc9990;
        let leaves = [
            (true, "domain", self.last.policy_domain.as_str()),
            (is_new, "discovery_method", method),
            (true, "adkim", mode(policy.adkim)),
            (true, "aspf", mode(policy.aspf)),
            (true, "p", policy.p.as_str()),
            (true, "sp", policy.sp.as_str()),
            (is_new, "np", policy.np.as_str()),
            (is_new, "testing", if policy.t { "y" } else { "n" }),
            (!is_new, "pct", "100"),
            (true, "fo", &policy.fo),
        ];
        leaves.into_iter().filter(|leaf| leaf.0).map(|(_, name, text)| (name.to_owned(), text.to_owned())).collect()
    }
}

/// What makes messages one row (B11): IPv4 in whatever form, the first hundred signatures in whatever order.
fn canonical(row: &Row) -> Row {
    let mut row = row.clone();
    if let IpAddr::V6(address) = row.source_ip
        && let Some(address) = address.to_ipv4_mapped()
    {
        row.source_ip = address.into();
    }
    row.dkim.truncate(MAX_SIGNATURES);
    // Passes come first.
    row.dkim.sort_by_cached_key(|row| (row.result != ResultWord::Pass, row.domain.clone(), row.selector.clone(), row.result));
    row.dkim.dedup();
    row
}

/// A row as a report has it.
fn entry(row: &Row, count: u64, profile: Profile, policy_domain: &Domain) -> Entry {
    let is_old = profile == Profile::Compat7489;
    let mut leaves = Vec::new();
    let mut leaf = |name: &str, text: &str| leaves.push((name.to_owned(), text.to_owned()));
    let result = |aligned| if aligned { "pass" } else { "fail" };
    leaf("dkim", result(row.dkim_aligned));
    leaf("spf", result(row.spf_aligned));
    for reason in &row.overrides {
        let kind = match reason {
            Override::PolicyTestMode if is_old => "other",
            Override::PolicyTestMode => "policy_test_mode",
            Override::TrustedForwarder => "trusted_forwarder",
            Override::LocalPolicy => "local_policy",
        };
        leaf("type", kind);
    }
    leaf("header_from", row.header_from.as_str());
    match &row.envelope_from {
        Some(domain) => leaf("envelope_from", domain),
        None if is_old => leaf("envelope_from", ""),
        None => {}
    }
    for signature in &row.dkim {
        leaf("domain", signature.domain.as_str());
        leaf("selector", signature.selector.as_str());
        leaf("result", signature.result.as_str());
    }
    let spf = match (&row.spf.domain, &row.spf.helo) {
        (Some(domain), _) if is_old && row.spf.result == ResultWord::Policy => Some((domain, "mfrom", "permerror")),
        (Some(domain), _) => Some((domain, "mfrom", row.spf.result.as_str())),
        // The older schema needs the element.
        (None, Some(helo)) if is_old => Some((helo, "helo", "none")),
        (None, None) if is_old => Some((policy_domain, "mfrom", "none")),
        (None, _) => None,
    };
    if let Some((domain, scope, result)) = spf {
        leaf("domain", domain.as_str());
        leaf("scope", scope);
        leaf("result", result);
    }
    let disposition = match row.disposition {
        Disposition::Pass if is_old => "none",
        disposition => disposition.as_str(),
    };
    Entry { source: row.source_ip, disposition: disposition.to_owned(), merged: None, leaves, count }
}

fn compare(found: &[Entry], exact: &[Entry]) -> Result<()> {
    if let Some((found, expected)) = found.iter().zip(exact).find(|(found, expected)| found != expected) {
        bail!("a row is {found:?}, expected {expected:?}");
    }
    ensure!(found.len() == exact.len(), "there are {} rows, expected {}", found.len(), exact.len());
    Ok(())
}

/// Above the cap rows give up what tells them apart, but no message and no disposition (F-32).
fn compare_merged(found: &[Entry], exact: &[Entry]) -> Result<()> {
    let kind = |entry: &Entry| (entry.source.is_ipv4(), entry.disposition.clone(), entry.leaves[..2].to_vec());
    ensure!(sums(found, kind) == sums(exact, kind), "rows were merged and their sums are not what was counted");
    let identity = |entry: &Entry| (entry.source, entry.disposition.clone(), entry.leaves.clone());
    let counted = sums(exact, identity);
    for entry in found.iter().filter(|entry| entry.merged.is_none()) {
        let counted = counted.get(&identity(entry));
        ensure!(counted.is_some_and(|count| *count >= entry.count), "a row is {entry:?}, counted were {counted:?}");
    }
    let of_network = |entry: &Entry| network(entry.source);
    let counted = sums(exact, of_network);
    for entry in found.iter().filter(|entry| entry.merged.as_ref().is_some_and(|merged| merged.contains("/24"))) {
        ensure!(entry.source == of_network(entry), "{} is no network", entry.source);
    }
    let (everywhere, somewhere): (Vec<_>, Vec<_>) = found.iter().cloned().partition(|entry| entry.source.is_unspecified());
    ensure!(!everywhere.is_empty() || sums(&somewhere, of_network) == counted, "messages are lost from their networks");
    for (network, count) in sums(&somewhere, of_network) {
        ensure!(
            counted.get(&network).is_some_and(|counted| *counted >= count),
            "{network} has {count} messages, more than counted"
        );
    }
    Ok(())
}

fn sums<K: Ord>(entries: &[Entry], key: impl Fn(&Entry) -> K) -> BTreeMap<K, u64> {
    let mut sums = BTreeMap::new();
    for entry in entries {
        *sums.entry(key(entry)).or_default() += entry.count;
    }
    sums
}

fn network(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & !0xff).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// What check.py is to expect.
fn expectation(report: &ReportAttributes, entries: &[Entry]) -> Value {
    let mut value = json!({
        "reportId": report.id,
        "policyDomain": report.policy_domain,
        "begin": report.begin,
        "end": report.end,
        "profile": report.profile,
        "rows": report.rows,
        "messages": report.messages,
        "byDisposition": sums(entries, |entry| entry.disposition.clone()),
        "sumsBySource": sums(entries, |entry| entry.source),
        "submitter": SUBMITTER,
    });
    // The grammar of the subject has no name of one label, although a public suffix may publish a policy, and no underscore.
    let name = report.policy_domain.as_str();
    if name.contains('.') && !name.contains('_') {
        value["subject"] = report.subject.as_str().into();
    }
    value
}
