//! Explains a verdict to a person: the verdict first, then step by step why it is so.

use crate::auth::cause::{ResultWord, SesStatus};
use crate::auth::dmarc::DmarcResult;
use crate::detail::{Detail, escaped};
use crate::dns::{Answer, Outcome, Record, RecordType, Unanswered};
use crate::event::{Action, DkimBlock, DmarcBlock, Reason, SpfBlock, SpfScope, VerdictEvent};
use anstyle::{AnsiColor, Style};
use std::fmt::{self, Display, Formatter};

/// The text that explains one verdict.
#[derive(Debug)]
pub struct Explanation<'a> {
    /// The verdict.
    pub event: &'a VerdictEvent<'a>,
    /// Further facts that the reader should know, such as where the envelope was taken from.
    pub notes: &'a [String],
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Returns the colour of a status.
pub fn status_style(status: SesStatus) -> Style {
    Style::new().bold().fg_color(Some(
        match status {
            SesStatus::Pass => AnsiColor::Green,
            SesStatus::Fail => AnsiColor::Red,
            SesStatus::Gray | SesStatus::Disabled => AnsiColor::Yellow,
            SesStatus::ProcessingFailed => AnsiColor::Magenta,
        }
        .into(),
    ))
}

/// Returns a text from a message or from DNS in a form that is harmless for a terminal: characters
/// that cannot be seen are escaped.
pub fn shown(text: &str) -> String {
    escaped(text.as_bytes())
}

impl Display for Explanation<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        for note in self.notes {
            writeln!(f, "  {DIM}note: {}{DIM:#}", shown(note))?;
        }
        self.author(f)?;
        policy(f, &self.event.authentication.dmarc)?;
        spf(f, &self.event.authentication.spf, self.event.envelope.client_ip)?;
        self.dkim(f)?;
        self.arc(f)?;
        self.outcome(f)?;
        self.dns(f)
    }
}

/// Number of columns in front of the text of a row.
pub(super) const INDENT: usize = 13;

fn row(f: &mut Formatter<'_>, title: &str, text: impl Display) -> fmt::Result {
    writeln!(f, "  {BOLD}{title:<10}{BOLD:#} {text}")
}

impl Explanation<'_> {
    fn headline(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let receipt = &self.event.receipt;
        let status = receipt.dmarc_verdict.status;
        let style = status_style(status);
        write!(f, "DMARC {style}{}{style:#}", status.as_str())?;
        if let Some(policy) = receipt.dmarc_policy {
            write!(f, ", owner requests {style}{policy}{style:#}")?;
        }
        for (name, status) in [("SPF", receipt.spf_verdict.status), ("DKIM", receipt.dkim_verdict.status)] {
            let style = status_style(status);
            write!(f, "   {name} {style}{}{style:#}", status.as_str())?;
        }
        writeln!(f, "\n")
    }

    fn author(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.event.authentication.author_domain {
            Some(domain) => row(f, "author", format_args!("{domain}, the domain of the From field")),
            None if self.event.envelope.authenticated => row(f, "author", "not looked at: the sender authenticated"),
            None => row(f, "author", "no author domain can be had from the From field, so DMARC has nothing to check"),
        }
    }

    fn dkim(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let authentication = &self.event.authentication;
        if authentication.dkim.is_empty() {
            return row(f, "dkim", "no signature");
        }
        for (number, signature) in authentication.dkim.iter().enumerate() {
            row(f, if number == 0 { "dkim" } else { "" }, SignatureLine(signature))?;
            detail(f, signature.detail.as_ref())?;
        }
        let hidden = authentication.dkim_count - authentication.dkim.len();
        if hidden > 0 {
            row(f, "", format_args!("and {hidden} more signatures"))?;
        }
        Ok(())
    }

    fn arc(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let arc = &self.event.authentication.arc;
        if arc.result == ResultWord::None {
            return Ok(());
        }
        let sealers: Vec<_> = arc.sealers.iter().map(ToString::to_string).collect();
        let by = if sealers.is_empty() { String::new() } else { format!(", sealed by {}", sealers.join(", ")) };
        let trusted = match arc.trusted_to {
            Some(instance) => format!("; trusted down to set {instance}"),
            None => String::new(),
        };
        row(f, "arc", format_args!("{}: {}{by}{trusted}", arc.result, shown(&arc.reason)))
    }

    fn outcome(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let authentication = &self.event.authentication;
        let dmarc = &authentication.dmarc;
        row(f, "result", outcome(dmarc))?;
        for reason in &dmarc.reasons {
            row(f, "", format_args!("{}: {}", reason.code(), reason.meaning()))?;
            for of_reason in dmarc.details.iter().filter(|detail| detail.reason == *reason) {
                detail(f, Some(&of_reason.detail))?;
            }
        }
        let suggested = &authentication.suggested_action;
        let action = match suggested.action {
            Action::None => "no action because of DMARC",
            Action::Quarantine => "quarantine",
            Action::Reject => "reject",
            Action::Defer => "defer",
        };
        match &suggested.smtp_reply {
            Some(reply) => row(f, "suggested", format_args!("{action}, answering \"{reply}\"")),
            None => row(f, "suggested", action),
        }
    }

    fn dns(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let dns = &self.event.evidence.dns;
        if dns.answers.is_empty() {
            return row(f, "dns", "nothing was asked");
        }
        for (number, entry) in dns.answers.iter().enumerate() {
            let kind = match entry.question.rtype {
                RecordType::A => "A",
                RecordType::Aaaa => "AAAA",
                RecordType::Mx => "MX",
                RecordType::Ptr => "PTR",
                RecordType::Txt => "TXT",
            };
            let name = shown(entry.question.name.as_str());
            row(
                f,
                if number == 0 { "dns" } else { "" },
                format_args!("{DIM}{name} {kind}: {}{DIM:#}", answer_text(&entry.answer)),
            )?;
        }
        if dns.truncated {
            row(f, "", "the list is cut at its limit")?;
        }
        Ok(())
    }
}

fn policy(f: &mut Formatter<'_>, dmarc: &DmarcBlock) -> fmt::Result {
    match (&dmarc.policy_domain, &dmarc.record) {
        (Some(domain), Some(record)) => {
            row(f, "policy", format_args!("found at _dmarc.{domain}: {}", shown(record)))?;
            if let (Some(published), Some(effective)) = (dmarc.published_policy, dmarc.effective_policy) {
                let lowered =
                    if published == effective { String::new() } else { format!(", lowered to {effective} because of t=y") };
                row(f, "", format_args!("requests {published} for this author domain{lowered}"))?;
            }
            if let Some(organization) = &dmarc.organizational_domain {
                row(f, "", format_args!("the organizational domain is {organization}"))?;
            }
            Ok(())
        }
        _ if dmarc.result == DmarcResult::TempError => row(f, "policy", "unknown: DNS did not answer"),
        _ if dmarc.result == DmarcResult::PermError => Ok(()),
        _ => row(f, "policy", "none found"),
    }
}

fn spf(f: &mut Formatter<'_>, spf: &SpfBlock, client: Option<std::net::IpAddr>) -> fmt::Result {
    let identity = match (&spf.domain, spf.scope) {
        (Some(domain), SpfScope::Mfrom) => format!(" for {domain} of MAIL FROM"),
        (Some(domain), SpfScope::Helo) => format!(" for {domain} of HELO, MAIL FROM being the null path"),
        (None, _) => String::new(),
    };
    let client = client.map(|ip| format!(", client {ip}")).unwrap_or_default();
    let mechanism = spf.mechanism.as_deref().map(|mechanism| format!(", by {}", shown(mechanism))).unwrap_or_default();
    let at = spf.at.as_deref().map(|at| format!(", at {}", shown(at))).unwrap_or_default();
    let aligned = alignment(spf.aligned);
    row(f, "spf", format_args!("{}{identity}{client}: {}{mechanism}{at}{aligned}", spf.result, spf.reason.text()))?;
    detail(f, spf.detail.as_ref())
}

/// Says whether an identifier that passed is aligned with the author domain. Returns an empty text
/// when they were not compared.
fn alignment(aligned: Option<bool>) -> &'static str {
    match aligned {
        Some(true) => "; aligned",
        Some(false) => "; not aligned",
        None => "",
    }
}

/// Writes the particulars of a row below it.
fn detail(f: &mut Formatter<'_>, detail: Option<&Detail>) -> fmt::Result {
    detail.map_or(Ok(()), |detail| row(f, "", format_args!("  {detail}")))
}

/// Longest text of one answer, in characters.
const MAX_ANSWER: usize = 300;

fn answer_text(answer: &Answer) -> String {
    let text = match &answer.outcome {
        Outcome::NoData => "no such record".into(),
        Outcome::NxDomain => "no such name".into(),
        Outcome::Invalid => "unusable answer".into(),
        Outcome::TempError(why) => match why {
            Unanswered::Timeout => "no answer in time",
            Unanswered::ServFail => "SERVFAIL",
            Unanswered::Refused => "REFUSED",
            Unanswered::Network => "no connection to a server",
            Unanswered::Deadline => "still open at the deadline",
            Unanswered::Budget => "not asked: the budget was used up",
        }
        .into(),
        Outcome::Records(records) => records.iter().map(record_text).collect::<Vec<_>>().join(", "),
    };
    match text.char_indices().nth(MAX_ANSWER) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn record_text(record: &Record) -> String {
    match record {
        Record::A(ip) => ip.to_string(),
        Record::Aaaa(ip) => ip.to_string(),
        Record::Mx(preference, host) => format!("{preference} {}", shown(host)),
        Record::Ptr(host) => shown(host),
        Record::Txt(text) => format!("\"{}\"", escaped(text.get(..MAX_ANSWER).unwrap_or(text))),
    }
}

struct SignatureLine<'a>(&'a DkimBlock);

impl Display for SignatureLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(signature) = self;
        write!(f, "{}", signature.result)?;
        for (tag, value) in [
            ("d", signature.d.as_ref().map(ToString::to_string)),
            ("s", signature.s.as_ref().map(ToString::to_string)),
            ("a", signature.a.clone()),
        ] {
            if let Some(value) = value {
                write!(f, " {tag}={}", shown(&value))?;
            }
        }
        if let Some(bits) = signature.key_bits {
            write!(f, ", key of {bits} bits")?;
        }
        write!(f, ": {}{}", signature.reason.text(), alignment(signature.aligned))
    }
}

fn outcome(dmarc: &DmarcBlock) -> String {
    match dmarc.result {
        DmarcResult::Pass => "pass: an authenticated identifier is aligned with the author domain".into(),
        DmarcResult::Fail => {
            let policy = dmarc.effective_policy.map_or("none", crate::auth::dmarc::Policy::as_str);
            format!("fail: no authenticated identifier is aligned with the author domain; the domain owner requests {policy}")
        }
        DmarcResult::None => "none: there is no policy to apply".into(),
        DmarcResult::TempError if dmarc.reasons.contains(&Reason::DnsUnanswered) => {
            "temperror: an answer that DNS did not give could have changed the result".into()
        }
        DmarcResult::TempError if dmarc.reasons.contains(&Reason::InternalError) => "temperror: nothing was evaluated".into(),
        DmarcResult::TempError => "temperror: what is not known of the envelope could have changed the result".into(),
        DmarcResult::PermError => "permerror: there is no author domain".into(),
    }
}
