//! Makes the records for topics: verdict, failure, annotated message.

use super::Verdict;
use super::evaluation::MAX_ENTRIES;
use super::failure::{Uncounted, failure_event};
use super::origin::{MailDetail, Origin};
use crate::auth::cause::SesStatus;
use crate::dns::suffix;
use crate::event::{
    CopiedStatus, EnvelopeBlock, EvidenceBlock, FailureEvent, Mail, NotificationType, Receipt, SettingsBlock, StatusBlock,
    VerdictEvent,
};
use crate::message::{Envelope, HeaderSection, MailFrom, Submission, Summary, annotated, normalise, summary};

/// The outputs for one message.
#[derive(Debug, Clone)]
pub struct Outputs<'m> {
    /// The verdict event.
    pub verdict: VerdictEvent<'m>,
    /// The event for reports: a failure, or a pass if passes are counted too.
    pub failure: Option<FailureEvent>,
    /// The reason why the message is not counted although reports would count it.
    pub uncounted: Option<Uncounted>,
    /// The annotated message, if it is wanted.
    pub annotated: Option<Vec<u8>>,
}

/// Returns everything that is published about one message.
pub fn outputs(message: &[u8], envelope: &Envelope, verdict: Verdict, origin: &Origin) -> Outputs<'static> {
    let settings = &origin.settings;
    let normalised = normalise(message, settings.convert_bare_lf, settings.strip_mbox_line);
    let section = HeaderSection::parse(&normalised.bytes, &settings.limits);
    let Outputs { verdict, failure, uncounted, annotated } = outputs_of(&section, envelope, verdict, origin);
    Outputs { verdict: verdict.into_owned(), failure, uncounted, annotated }
}

/// Does the work of [`outputs`] for a message that was already normalised and cut.
///
/// The origin's settings must have been used for that.
/// The verdict borrows its texts from the message.
pub fn outputs_of<'m>(section: &HeaderSection<'m>, envelope: &'m Envelope, verdict: Verdict, origin: &Origin) -> Outputs<'m> {
    let counted = failure_event(&verdict, origin);
    Outputs {
        uncounted: counted.as_ref().err().copied(),
        failure: counted.ok().flatten(),
        annotated: origin.annotate.then(|| annotated(section, &verdict.fields, &verdict.removed)),
        verdict: verdict_event(section, envelope, verdict, origin),
    }
}

/// Returns the verdict event.
pub fn verdict_event<'m>(
    section: &HeaderSection<'m>,
    envelope: &'m Envelope,
    verdict: Verdict,
    origin: &Origin,
) -> VerdictEvent<'m> {
    let recipients: Vec<String> = envelope.rcpt_to.iter().take(MAX_ENTRIES).cloned().collect();
    let status = |status| StatusBlock { status };
    let copied =
        |given: &Option<String>| CopiedStatus { status: given.clone().unwrap_or_else(|| SesStatus::Disabled.as_str().into()) };
    let (Summary { headers, headers_truncated, common_headers }, full) = match origin.detail {
        MailDetail::Full => (summary(section, &envelope.mail_from, origin.settings.limits.from_mailboxes), true),
        MailDetail::Minimal => (Summary::default(), false),
    };
    let elapsed = verdict.evaluated_at.as_millisecond().saturating_sub(verdict.arrival.as_millisecond());
    let mut authentication = verdict.authentication;
    let reasons = &mut authentication.dmarc.reasons;
    reasons.extend(&origin.notes);
    reasons.sort_unstable();
    reasons.dedup();
    VerdictEvent {
        notification_type: NotificationType::Received,
        receipt: Receipt {
            timestamp: verdict.arrival,
            processing_time_millis: u64::try_from(elapsed).unwrap_or(0),
            recipients: recipients.clone(),
            recipient_count: envelope.rcpt_to.len(),
            spam_verdict: copied(&envelope.spam_verdict),
            virus_verdict: copied(&envelope.virus_verdict),
            spf_verdict: status(verdict.spf),
            dkim_verdict: status(verdict.dkim),
            dmarc_verdict: status(verdict.dmarc),
            dmarc_policy: verdict.dmarc_policy,
        },
        mail: Mail {
            timestamp: verdict.arrival,
            source: match &envelope.mail_from {
                MailFrom::Unknown => None,
                MailFrom::Null => Some("<>".into()),
                MailFrom::Path(path) => Some(path.clone()),
            },
            message_id: origin.message_id.clone(),
            destination: recipients.clone(),
            headers_truncated,
            headers,
            common_headers: full.then_some(common_headers),
        },
        envelope: EnvelopeBlock {
            client_ip: envelope.client_ip,
            helo: envelope.helo.clone(),
            mail_from: match &envelope.mail_from {
                MailFrom::Unknown => None,
                MailFrom::Null => Some(String::new()),
                MailFrom::Path(path) => Some(path.clone()),
            },
            rcpt_to: recipients,
            authenticated: envelope.submission == Submission::Authenticated,
        },
        authentication,
        evidence: EvidenceBlock {
            evaluated_at: verdict.evaluated_at,
            software: concat!("verdmarc ", env!("CARGO_PKG_VERSION")).into(),
            dns: verdict.evidence,
        },
        settings: SettingsBlock { suffix_list: suffix::LIST_VERSION.into(), evaluation: origin.settings_block.clone() },
        input: origin.input.clone(),
    }
}
