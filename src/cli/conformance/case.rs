//! The format of a conformance case, and what its evaluation needs.

use super::expect::Expect;
use crate::cli::envelope::strip_brackets;
use crate::config::Evaluation;
use crate::dns::{Counting, Zone};
use crate::message::{Envelope, MailFrom, Path as RfcPath, Submission};
use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;

/// Time of evaluation of a case without `now`, in Unix seconds: the signatures of such cases were
/// made before it.
const DEFAULT_NOW: i64 = 1_767_225_600;

/// One line of a case file.
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    pub(super) id: String,
    #[serde(default)]
    pub(super) flags: Vec<String>,
    now: Option<i64>,
    zone: Option<Map<String, Value>>,
    #[serde(default)]
    zone_overrides: Map<String, Value>,
    #[serde(default)]
    message_base64: String,
    client_ip: Option<String>,
    helo: Option<String>,
    mail_from: Option<String>,
    #[serde(default)]
    authenticated: bool,
    #[serde(default)]
    options: Map<String, Value>,
    #[serde(default, rename = "expect")]
    expected: Option<Map<String, Value>>,
    #[serde(skip)]
    pub(super) expect: Expect,
}

/// A case ready to be evaluated.
pub(super) struct Subject {
    pub(super) message: Vec<u8>,
    pub(super) envelope: Envelope,
    pub(super) zone: Counting<Arc<Zone>>,
    pub(super) now: Timestamp,
    pub(super) settings: Evaluation,
}

impl Case {
    pub(super) fn parse(line: &str) -> Result<Self> {
        let mut case: Self = serde_json::from_str(line).context("not a case")?;
        case.expect = Expect::read(case.expected.take().unwrap_or_default()).with_context(|| format!("case {}", case.id))?;
        Ok(case)
    }

    /// Returns whether the case passes whatever the verdict is, because it expects nothing.
    pub(super) fn judges_nothing(&self) -> bool {
        self.expect.is_empty() && !self.must_not_pass()
    }

    /// Returns whether a difference does not count, because the standard leaves the answer open.
    pub(super) fn is_advisory(&self) -> bool {
        let open = ["impl-specific", "undefined", "local-policy"];
        self.expect.spf.is_none() && self.flags.iter().any(|flag| open.contains(&flag.as_str()))
    }

    /// Returns whether no signature may pass, whatever the source of the case says.
    pub(super) fn must_not_pass(&self) -> bool {
        let unusable = ["weak-key", "sha1", "no-v-tag", "expired"];
        self.flags.iter().any(|flag| unusable.contains(&flag.as_str()))
    }

    pub(super) fn subject(&self, settings: &Evaluation, shared: Option<&SharedZone>) -> Result<Subject> {
        let client_ip = self.client_ip.as_deref().filter(|ip| !ip.is_empty());
        Ok(Subject {
            message: STANDARD.decode(&self.message_base64).context("message_base64 is not base64")?,
            envelope: Envelope {
                client_ip: client_ip.map(str::parse).transpose().context("client_ip is not an address")?,
                helo: self.helo.as_ref().map(|helo| Envelope::text(helo.as_bytes())),
                mail_from: match self.mail_from.as_deref().map(strip_brackets) {
                    None => MailFrom::Unknown,
                    Some("") => MailFrom::Null,
                    Some(path) => MailFrom::Path(self.sender(path)),
                },
                submission: if self.authenticated { Submission::Authenticated } else { Submission::External },
                ..Envelope::default()
            },
            zone: Counting::new(self.own_zone(shared)?),
            now: Timestamp::from_second(self.now.unwrap_or(DEFAULT_NOW)).context("now is no time")?,
            settings: self.settings(settings)?,
        })
    }

    /// Returns the case's zone, or else the shared zone, with the case's own records laid over it.
    fn own_zone(&self, shared: Option<&SharedZone>) -> Result<Arc<Zone>> {
        if let (None, Some(shared), true) = (&self.zone, shared, self.zone_overrides.is_empty()) {
            return Ok(shared.zone.clone());
        }
        let mut records = self.zone.as_ref().or(shared.map(|shared| &shared.records)).cloned().unwrap_or_default();
        records.extend(self.zone_overrides.clone());
        Ok(Arc::new(Zone::from_json(&Value::Object(records)).context("zone")?))
    }

    /// Returns MAIL FROM as SMTP would have it. A case without a message is about SPF alone: its
    /// `mail_from` is the `<sender>` of RFC 7208's `check_host()`. That may lack a local part, or
    /// hold one that SMTP would put in quotes.
    /// For a case with a message, `mail_from` is what SMTP said, right or wrong.
    fn sender(&self, sender: &str) -> String {
        let alone = self.message_base64.is_empty() && RfcPath::parse(sender.as_bytes()).is_none();
        match sender.rsplit_once('@') {
            Some(("", domain)) if alone => format!("postmaster@{domain}"),
            Some((local, domain)) if alone && !local.contains(['"', '\\']) => format!("\"{local}\"@{domain}"),
            _ => Envelope::text(sender.as_bytes()),
        }
    }

    /// Returns `settings` with the case's own options laid over them.
    fn settings(&self, settings: &Evaluation) -> Result<Evaluation> {
        let Value::Object(mut all) = serde_json::to_value(settings)? else { return Ok(settings.clone()) };
        for (name, value) in &self.options {
            match (all.get_mut(name), value) {
                (Some(Value::Object(nested)), Value::Object(given)) => nested.extend(given.clone()),
                _ => {
                    all.insert(name.clone(), value.clone());
                }
            }
        }
        serde_json::from_value(Value::Object(all)).context("options")
    }
}

/// A zone for all cases that have none of their own.
pub(super) struct SharedZone {
    /// The zone's records in JSON, so that a case's own records can be laid over them.
    records: Map<String, Value>,
    zone: Arc<Zone>,
}

impl SharedZone {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut records: Map<String, Value> = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
        if let Some(Value::Object(inner)) = records.remove("zone") {
            records = inner;
        }
        let zone = Zone::from_json(&Value::Object(records.clone())).with_context(|| format!("{}", path.display()))?;
        Ok(Self { records, zone: Arc::new(zone) })
    }
}

impl Subject {
    /// Returns the `_dmarc` names at which TXT records were asked for, sorted.
    pub(super) fn policy_questions(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .zone
            .asked()
            .into_iter()
            .filter(|question| question.rtype == crate::dns::RecordType::Txt)
            .map(|question| question.name.to_string())
            .filter(|name| name.starts_with("_dmarc."))
            .collect();
        names.sort_unstable();
        names
    }
}
