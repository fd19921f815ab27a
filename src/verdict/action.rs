//! Suggests an action for a message. It is for the subscriber to enforce it (A47, A49).

use crate::auth::dmarc::{DmarcResult, Policy};
use crate::dns::Domain;
use crate::event::{Action, Reason, SuggestedAction};

pub(super) fn suggest(
    result: DmarcResult,
    effective: Option<Policy>,
    author: Option<&Domain>,
    reasons: &[Reason],
) -> SuggestedAction {
    let plain = |action| SuggestedAction { action, smtp_reply: None };
    let trusted = reasons.contains(&Reason::TrustedSealer);
    match (result, effective) {
        (DmarcResult::Fail, _) if trusted => plain(Action::None),
        (DmarcResult::Fail, Some(Policy::Reject)) => SuggestedAction {
            action: Action::Reject,
            smtp_reply: author.map(|author| {
                format!("550 5.7.1 DMARC: mail from {author} failed authentication, its domain owner asks to reject it")
            }),
        },
        (DmarcResult::Fail, Some(Policy::Quarantine)) | (DmarcResult::PermError, _) => plain(Action::Quarantine),
        // Another try does not bring what the envelope lacks.
        (DmarcResult::TempError, _) if reasons.contains(&Reason::DnsUnanswered) => SuggestedAction {
            action: Action::Defer,
            smtp_reply: author
                .map(|author| format!("451 4.7.1 DMARC: mail from {author} cannot be evaluated now, try again later")),
        },
        (DmarcResult::Fail | DmarcResult::Pass | DmarcResult::None | DmarcResult::TempError, _) => plain(Action::None),
    }
}
