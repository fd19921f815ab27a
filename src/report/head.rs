//! The description of a report: everything besides its rows.

use crate::auth::dmarc::RecordFault;
use crate::config::{Content, Discovery, Profile};
use crate::dns::Domain;
use crate::event::PublishedPolicy;
use std::collections::BTreeSet;

/// The party that makes reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitter {
    /// The receiving domain.
    pub domain: Domain,
    /// The name of its organization, for people.
    pub organization: String,
    /// A mail address for questions.
    pub contact: String,
    /// Further contact information, such as a web page.
    pub extra_contact_info: Option<String>,
}

/// The seconds that a report covers, Unix time, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// The first second.
    pub begin: i64,
    /// The last second.
    pub end: i64,
}

/// The description of a report.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// The party that makes the report.
    pub submitter: &'a Submitter,
    /// The format of the report.
    pub profile: Profile,
    /// The messages that reports count.
    pub content: Content,
    /// The domain that the report is about.
    pub policy_domain: &'a Domain,
    /// The seconds that the report covers.
    pub period: Period,
    /// The policy that was in force.
    pub policy: &'a PublishedPolicy,
    /// The method by which the policy was found.
    pub discovery: Discovery,
    /// A hash that tells reports of different policies apart.
    pub policy_hash: &'a str,
    /// The faults of DMARC records.
    pub errors: &'a BTreeSet<RecordFault>,
    /// True when rows were merged because there were too many.
    pub collapsed: bool,
    /// The partition that counted the rows.
    pub partition: i32,
    /// 0 for the first report of the period, then 1 and so on for messages that were counted later.
    pub generation: u32,
}

impl Head<'_> {
    /// Returns the text of `error`: terse, for the owner of the records (RFC 9990 3.1.5). `None`
    /// when there is nothing to say.
    pub(super) fn error(&self) -> Option<String> {
        let mut notes: Vec<&str> = self.errors.iter().map(|fault| describe(*fault)).collect();
        if self.collapsed {
            notes.push("too many different rows: some were merged, their reason says so; the counts are exact");
        }
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    /// Returns the text of `extra_contact_info`: the receiver's own text, and a note when passing
    /// mail is left out.
    pub(super) fn extra_contact_info(&self) -> Option<String> {
        const FAILURES: &str = "Only messages that did not pass DMARC are counted in this report.";
        match (self.content, &self.submitter.extra_contact_info) {
            (Content::All, own) => own.clone(),
            (Content::Failures, None) => Some(FAILURES.to_owned()),
            (Content::Failures, Some(own)) => Some(format!("{FAILURES} {own}")),
        }
    }
}

fn describe(fault: RecordFault) -> &'static str {
    match fault {
        RecordFault::SeveralRecords => "several DMARC records at one name: all were discarded",
        RecordFault::MissingPolicy => "the record has no p tag",
        RecordFault::InvalidPolicy => "p, sp or np is invalid",
        RecordFault::InvalidTag => "a tag has an invalid value: its default was used",
        RecordFault::DuplicateTag => "a tag stands twice: the first was used",
        RecordFault::DroppedPart => "a part of the record is no tag",
        RecordFault::InvalidReportAddress => "a reporting address is invalid or not mailto:",
        RecordFault::ReportAddressLimit => "there are more reporting addresses than are used",
    }
}
