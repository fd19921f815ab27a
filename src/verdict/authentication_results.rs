//! Writes the Authentication-Results field (RFC 8601; D-1 to D-6).

use super::field::{FieldWriter, pvalue};
use crate::auth::cause::ResultWord;
use crate::auth::dmarc::{DmarcResult, Policy};
use crate::dns::Domain;
use crate::event::{ArcBlock, DkimBlock, SpfBlock, SpfScope};
use std::net::IpAddr;

/// The longest domain or selector that is written out, in characters.
const MAX_NAME: usize = 253;

/// The content of the field.
pub(super) struct AuthenticationResults<'a> {
    pub(super) authserv_id: &'a str,
    pub(super) spf: &'a SpfBlock,
    pub(super) dkim: &'a [DkimBlock],
    /// The ARC chain, or `None` if there is none.
    pub(super) arc: Option<&'a ArcBlock>,
    pub(super) client_ip: Option<IpAddr>,
    pub(super) dmarc: DmarcResult,
    pub(super) author: Option<&'a Domain>,
    pub(super) effective: Option<Policy>,
}

impl AuthenticationResults<'_> {
    pub(super) fn write(&self) -> FieldWriter {
        let mut field = begin(self.authserv_id);
        self.spf(&mut field);
        self.dkim(&mut field);
        self.arc(&mut field);
        self.dmarc(&mut field);
        field
    }

    fn spf(&self, field: &mut FieldWriter) {
        field.glue(";").line(&["spf=", self.spf.result.as_str()]).part(&["reason=\"", self.spf.reason.text(), "\""]);
        if let Some(domain) = &self.spf.domain {
            let property = match self.spf.scope {
                SpfScope::Mfrom => "smtp.mailfrom=",
                SpfScope::Helo => "smtp.helo=",
            };
            field.part(&[property, &pvalue(domain.as_str(), MAX_NAME)]);
        }
    }

    fn dkim(&self, field: &mut FieldWriter) {
        if self.dkim.is_empty() {
            field.glue(";").line(&["dkim=none"]);
        }
        for signature in self.dkim {
            field.glue(";").line(&["dkim=", signature.result.as_str()]).part(&["reason=\"", signature.reason.text(), "\""]);
            let domain = signature.d.as_ref().map(Domain::as_str);
            let selector = signature.s.as_ref().map(Domain::as_str);
            for (property, value) in [
                ("header.d=", domain),
                ("header.i=", signature.i.as_deref()),
                ("header.s=", selector),
                ("header.a=", signature.a.as_deref()),
                ("header.b=", signature.b.as_deref()),
            ] {
                if let Some(value) = value {
                    field.part(&[property, &identity_or_value(property, value)]);
                }
            }
        }
    }

    fn arc(&self, field: &mut FieldWriter) {
        let Some(arc) = self.arc else { return };
        field.glue(";").line(&["arc=", arc.result.as_str()]);
        if let (ResultWord::Pass, Some(oldest)) = (arc.result, arc.oldest_pass) {
            field.part(&["header.oldest-pass=", &oldest.to_string()]);
        }
        if let Some(ip) = self.client_ip {
            // A colon is no token character, so IPv6 is quoted.
            field.part(&["smtp.remote-ip=", &pvalue(&ip.to_string(), MAX_NAME)]);
        }
    }

    fn dmarc(&self, field: &mut FieldWriter) {
        field.glue(";").line(&["dmarc=", self.dmarc.as_str()]);
        if let (Some(policy), DmarcResult::Pass | DmarcResult::Fail) = (self.effective, self.dmarc) {
            field.part(&["policy.dmarc=", policy.as_str()]);
        }
        if let Some(author) = self.author {
            field.part(&["header.from=", &pvalue(author.as_str(), MAX_NAME)]);
        }
    }
}

/// Returns an identity as `[local]@domain` if that needs no quotes, otherwise as a value
/// (RFC 8601 2.2).
fn identity_or_value<'v>(property: &str, value: &'v str) -> std::borrow::Cow<'v, str> {
    if property == "header.i="
        && let Some((local, domain)) = value.rsplit_once('@')
        && domain.is_ascii()
        && Domain::parse(domain).is_ok()
        && (local.is_empty() || is_dot_atom(local))
    {
        return value.into();
    }
    pvalue(value, MAX_NAME)
}

fn is_dot_atom(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty()) && !pvalue(local, MAX_NAME).starts_with('"')
}

fn begin(authserv_id: &str) -> FieldWriter {
    let mut field = FieldWriter::new("Authentication-Results");
    field.part(&[&pvalue(authserv_id, MAX_NAME)]);
    field
}

/// Returns the field of a message that was not evaluated (D-1).
pub(super) fn nothing_evaluated(authserv_id: &str) -> FieldWriter {
    let mut field = begin(authserv_id);
    field.glue(";").part(&["none"]);
    field
}
