//! The headers of aggregate reports as records, and the summary of a closed window.

use super::Headers;
use super::headers::{Attributes, Trace};
use crate::auth::dmarc::ReportAddress;
use crate::config::Profile;
use crate::dns::Domain;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `ce_type` of a report. The value is the document, gzip.
pub const REPORT: &str = "verdmarc.report.v1";
/// `ce_type` of the summary of a closed window. The value is [`WindowClosed`] as JSON.
pub const WINDOW_CLOSED: &str = "verdmarc.window-closed.v1";
const GZIP: &str = "application/gzip";

/// The `ce_` attributes in the headers of a report, which let a reader send or list the report
/// without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportAttributes {
    /// `ce_id`: the report's id.
    pub id: String,
    /// `ce_policydomain`: the domain that the report is about.
    pub policy_domain: Domain,
    /// `ce_submitter`: the domain that made the report.
    pub submitter: Domain,
    /// `ce_periodbegin` and `ce_periodend`, Unix seconds, both included.
    pub begin: i64,
    /// See `begin`.
    pub end: i64,
    /// `ce_filename`.
    pub file_name: String,
    /// `ce_subject`: the subject of the mail that carries the report.
    pub subject: String,
    /// `ce_generation`: 0, or higher for messages that were counted late.
    pub generation: u32,
    /// `ce_part`, from 0.
    pub part: u32,
    /// `ce_profile`.
    pub profile: Profile,
    /// `ce_reportto`: the addresses at which the policy domain asked for reports when a message of
    /// this window was last seen, a JSON array.
    pub addresses: Vec<ReportAddress>,
    /// `ce_rows`.
    pub rows: u64,
    /// `ce_messages`.
    pub messages: u64,
}

/// The summary of a closed window of one partition, written with its last report. The messages in
/// reports and those without reporting address add up to the messages that were counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowClosed {
    /// The first second of the window.
    pub begin: i64,
    /// The last second of the window.
    pub end: i64,
    /// 0 for the first closing of the window.
    pub generation: u32,
    /// The partition of mail.failures.
    pub partition: i32,
    /// Everything below this offset was counted before the window was closed.
    pub cut: i64,
    /// Number of reports.
    pub reports: u64,
    /// Number of rows in the reports.
    pub rows: u64,
    /// Number of messages in the reports.
    pub messages: u64,
    /// Messages of policy domains without a reporting address, which get no report.
    pub no_reporting_address: u64,
}

impl ReportAttributes {
    /// Returns the attributes as headers.
    pub fn headers(&self, source: &str, time: Timestamp) -> Headers {
        let own = Attributes { id: &self.id, source, kind: REPORT, time, content_type: GZIP };
        let addresses = serde_json::to_string(&self.addresses).unwrap_or_default();
        own.headers(&Trace::default())
            .with("ce_policydomain", self.policy_domain.as_str())
            .with("ce_submitter", self.submitter.as_str())
            .with("ce_periodbegin", self.begin.to_string())
            .with("ce_periodend", self.end.to_string())
            .with("ce_filename", &self.file_name)
            .with("ce_subject", &self.subject)
            .with("ce_generation", self.generation.to_string())
            .with("ce_part", self.part.to_string())
            .with("ce_profile", profile_name(self.profile))
            .with("ce_reportto", addresses)
            .with("ce_rows", self.rows.to_string())
            .with("ce_messages", self.messages.to_string())
    }

    /// Reads the attributes of a record of mail.reports; `None` when the record is not a report.
    pub fn read(headers: &Headers) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| std::str::from_utf8(value).ok());
        if text("ce_type")? != REPORT {
            return None;
        }
        Some(Self {
            id: text("ce_id")?.to_owned(),
            policy_domain: Domain::parse(text("ce_policydomain")?).ok()?,
            submitter: Domain::parse(text("ce_submitter")?).ok()?,
            begin: text("ce_periodbegin")?.parse().ok()?,
            end: text("ce_periodend")?.parse().ok()?,
            file_name: text("ce_filename")?.to_owned(),
            subject: text("ce_subject")?.to_owned(),
            generation: text("ce_generation")?.parse().ok()?,
            part: text("ce_part")?.parse().ok()?,
            profile: serde_json::from_value(text("ce_profile")?.into()).ok()?,
            addresses: serde_json::from_str(text("ce_reportto")?).ok()?,
            rows: text("ce_rows")?.parse().ok()?,
            messages: text("ce_messages")?.parse().ok()?,
        })
    }
}

fn profile_name(profile: Profile) -> &'static str {
    match profile {
        Profile::Rfc9990 => "rfc9990",
        Profile::Compat7489 => "compat-7489",
    }
}
