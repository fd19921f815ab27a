//! Reports as they travel, and what a closed window came to.

use super::Headers;
use super::headers::{Attributes, Trace};
use crate::auth::dmarc::ReportAddress;
use crate::config::Profile;
use crate::dns::Domain;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `ce_type` of a report. The value is the document, gzip.
pub const REPORT: &str = "verdmarc.report.v1";
/// `ce_type` of what a closed window came to. The value is [`WindowClosed`] as JSON.
pub const WINDOW_CLOSED: &str = "verdmarc.window-closed.v1";
const GZIP: &str = "application/gzip";

/// What the headers of a report say (`ce_` attributes), so that nobody has to open it to send or list it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportAttributes {
    /// `ce_id`: the report's id.
    pub id: String,
    /// `ce_policydomain`: whom it is about.
    pub policy_domain: Domain,
    /// `ce_submitter`: who made it.
    pub submitter: Domain,
    /// `ce_periodbegin` and `ce_periodend`, Unix seconds, both included.
    pub begin: i64,
    /// See `begin`.
    pub end: i64,
    /// `ce_filename`.
    pub file_name: String,
    /// `ce_subject`: of the mail that carries it.
    pub subject: String,
    /// `ce_generation`: 0, or higher for messages that were counted late.
    pub generation: u32,
    /// `ce_part`, from 0.
    pub part: u32,
    /// `ce_profile`.
    pub profile: Profile,
    /// `ce_reportto`: where reports were asked for when a message of this window was last seen, a JSON array.
    pub addresses: Vec<ReportAddress>,
    /// `ce_rows`.
    pub rows: u64,
    /// `ce_messages`.
    pub messages: u64,
}

/// What a closed window of one partition came to, when its last report was written: the sum of messages in reports and of those
/// without reporting address is what was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowClosed {
    /// The first second of the window.
    pub begin: i64,
    /// The last.
    pub end: i64,
    /// 0 for the first closing of the window.
    pub generation: u32,
    /// The partition of mail.failures.
    pub partition: i32,
    /// Everything below this offset was counted before it was closed.
    pub cut: i64,
    /// Reports.
    pub reports: u64,
    /// Rows in them.
    pub rows: u64,
    /// Messages in them.
    pub messages: u64,
    /// Messages of policy domains without reporting address, which get none.
    pub no_reporting_address: u64,
}

impl ReportAttributes {
    /// The attributes as headers.
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

    /// The attributes of a record of mail.reports; none when it is no report.
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
