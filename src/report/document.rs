//! Writes the XML of a report in either profile.
//!
//! The profiles are `rfc9990` (B1 to B7) and `compat-7489` (B70 to B72).
//!
//! Elements stand in the order of the tables in the schemas, because older readers accept no other
//! order.

use super::head::Head;
use super::identity::Identity;
use super::row::{ReportRow, Signature, Spf};
use super::text::{MAX_NAME, MAX_TEXT, safe};
use crate::auth::cause::ResultWord;
use crate::auth::dmarc::AlignmentMode;
use crate::config::{Discovery, Profile};
use crate::event::{Disposition, Override};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use std::io::{self, Write};
use std::net::IpAddr;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:dmarc-2.0";
const GENERATOR: &str = concat!("verdmarc ", env!("CARGO_PKG_VERSION"));

/// A document that is being written.
pub(super) struct Document<W: Write> {
    xml: Writer<W>,
    profile: Profile,
    policy_domain: String,
}

impl<W: Write> Document<W> {
    /// Writes everything before the first row.
    pub(super) fn begin(writer: W, head: &Head<'_>, identity: &Identity) -> io::Result<Self> {
        let mut document =
            Self { xml: Writer::new(writer), profile: head.profile, policy_domain: head.policy_domain.to_string() };
        document.xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let mut root = BytesStart::new("feedback");
        if document.is_current() {
            root.push_attribute(("xmlns", NAMESPACE));
        }
        document.xml.write_event(Event::Start(root))?;
        document.leaf("version", "1.0")?;
        document.metadata(head, identity)?;
        document.policy(head)?;
        Ok(document)
    }

    /// Writes one row.
    pub(super) fn row(&mut self, row: &ReportRow<'_>) -> io::Result<()> {
        self.element("record", |document| {
            document.element("row", |document| {
                document.leaf("source_ip", &document.address(row.source_ip))?;
                document.leaf("count", &row.count.to_string())?;
                document.evaluated(row)
            })?;
            document.element("identifiers", |document| {
                document.leaf("header_from", &safe(row.header_from, MAX_NAME))?;
                match row.envelope_from {
                    Some(domain) => document.leaf("envelope_from", &safe(domain, MAX_NAME)),
                    None if document.is_current() => Ok(()),
                    None => document.leaf("envelope_from", ""),
                }
            })?;
            document.element("auth_results", |document| {
                row.dkim.iter().try_for_each(|signature| document.signature(signature))?;
                document.spf(row)
            })
        })
    }

    /// Writes the end of the document and returns the writer.
    pub(super) fn end(mut self) -> io::Result<W> {
        self.xml.write_event(Event::End(BytesEnd::new("feedback")))?;
        Ok(self.xml.into_inner())
    }

    pub(super) fn writer(&self) -> &W {
        self.xml.get_ref()
    }

    fn is_current(&self) -> bool {
        self.profile == Profile::Rfc9990
    }

    fn metadata(&mut self, head: &Head<'_>, identity: &Identity) -> io::Result<()> {
        self.element("report_metadata", |document| {
            document.leaf("org_name", &safe(&head.submitter.organization, MAX_TEXT))?;
            document.leaf("email", &safe(&head.submitter.contact, MAX_TEXT))?;
            if let Some(info) = head.extra_contact_info() {
                document.leaf("extra_contact_info", &safe(&info, 2 * MAX_TEXT))?;
            }
            document.leaf("report_id", &identity.id.to_string())?;
            document.element("date_range", |document| {
                document.leaf("begin", &head.period.begin.to_string())?;
                document.leaf("end", &head.period.end.to_string())
            })?;
            if let Some(error) = head.error() {
                document.leaf("error", &error)?;
            }
            if document.is_current() { document.leaf("generator", GENERATOR) } else { Ok(()) }
        })
    }

    fn policy(&mut self, head: &Head<'_>) -> io::Result<()> {
        let policy = head.policy;
        let mode = |mode| if mode == AlignmentMode::Strict { "s" } else { "r" };
        self.element("policy_published", |document| {
            let current = document.is_current();
            document.leaf("domain", &safe(head.policy_domain.as_str(), MAX_NAME))?;
            if current {
                document.leaf("discovery_method", if head.discovery == Discovery::Psl { "psl" } else { "treewalk" })?;
            }
            document.leaf("adkim", mode(policy.adkim))?;
            document.leaf("aspf", mode(policy.aspf))?;
            document.leaf("p", policy.p.as_str())?;
            document.leaf("sp", policy.sp.as_str())?;
            if current {
                document.leaf("np", policy.np.as_str())?;
                document.leaf("testing", if policy.t { "y" } else { "n" })?;
            } else {
                document.leaf("pct", "100")?;
            }
            document.leaf("fo", &safe(&policy.fo, MAX_TEXT))
        })
    }

    fn evaluated(&mut self, row: &ReportRow<'_>) -> io::Result<()> {
        let result = |aligned| if aligned { "pass" } else { "fail" };
        self.element("policy_evaluated", |document| {
            let disposition = match row.disposition {
                Disposition::Pass if !document.is_current() => Disposition::None,
                disposition => disposition,
            };
            document.leaf("disposition", disposition.as_str())?;
            document.leaf("dkim", result(row.dkim_aligned))?;
            document.leaf("spf", result(row.spf_aligned))?;
            row.overrides.iter().try_for_each(|reason| {
                let (kind, comment) = document.reason(*reason);
                document.reason_element(kind, comment)
            })?;
            match row.collapse.comment() {
                Some(comment) => document.reason_element("other", Some(comment)),
                None => Ok(()),
            }
        })
    }

    fn reason(&self, reason: Override) -> (&'static str, Option<&'static str>) {
        match reason {
            Override::PolicyTestMode if self.is_current() => ("policy_test_mode", Some("t=y")),
            Override::PolicyTestMode => ("other", Some("t=y")),
            Override::TrustedForwarder => ("trusted_forwarder", Some("the ARC chain passes and a trusted sealer is in it")),
            Override::LocalPolicy => ("local_policy", Some("what was done with the message is not reported")),
        }
    }

    fn reason_element(&mut self, kind: &str, comment: Option<&str>) -> io::Result<()> {
        self.element("reason", |document| {
            document.leaf("type", kind)?;
            comment.map_or(Ok(()), |comment| document.leaf("comment", comment))
        })
    }

    fn signature(&mut self, signature: &Signature<'_>) -> io::Result<()> {
        self.element("dkim", |document| {
            document.leaf("domain", &safe(signature.domain, MAX_NAME))?;
            document.leaf("selector", &safe(signature.selector, MAX_NAME))?;
            document.leaf("result", signature.result.as_str())
        })
    }

    /// Writes the result of SPF. It is left out when SPF checked no domain, except for readers of
    /// the older format, which need one (Decisions: auth_results/spf).
    fn spf(&mut self, row: &ReportRow<'_>) -> io::Result<()> {
        let (domain, scope, result) = match row.spf {
            Spf::NotJudged { .. } if self.is_current() => return Ok(()),
            Spf::NotJudged { helo: Some(helo) } => (helo.to_owned(), "helo", ResultWord::None),
            Spf::NotJudged { helo: None } => (self.policy_domain.clone(), "mfrom", ResultWord::None),
            Spf::Judged { domain, result: ResultWord::Policy } if !self.is_current() => {
                // The older schema does not have this result.
                (domain.to_owned(), "mfrom", ResultWord::PermError)
            }
            Spf::Judged { domain, result } => (domain.to_owned(), "mfrom", result),
        };
        self.element("spf", |document| {
            document.leaf("domain", &safe(&domain, MAX_NAME))?;
            document.leaf("scope", scope)?;
            document.leaf("result", result.as_str())
        })
    }

    /// Formats an address. The older schema requires all eight groups of an IPv6 address.
    fn address(&self, address: IpAddr) -> String {
        match address {
            IpAddr::V6(address) if !self.is_current() => {
                let groups: Vec<String> = address.segments().iter().map(|group| format!("{group:x}")).collect();
                groups.join(":")
            }
            address => address.to_string(),
        }
    }

    fn element(&mut self, name: &str, content: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.xml.write_event(Event::Start(BytesStart::new(name)))?;
        content(self)?;
        self.xml.write_event(Event::End(BytesEnd::new(name)))
    }

    fn leaf(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.xml.write_event(Event::Start(BytesStart::new(name)))?;
        self.xml.write_event(Event::Text(BytesText::new(text)))?;
        self.xml.write_event(Event::End(BytesEnd::new(name)))
    }
}
