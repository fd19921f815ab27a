//! Collects the reason codes of a verdict.

use super::gather::Gathered;
use crate::auth::cause::{DkimCause, SpfCause};
use crate::auth::dmarc::{DmarcFlag, DmarcResult, RecordFault, RecordProblem};
use crate::config::LATE;
use crate::dns::{Answer, Outcome, Question, Unanswered};
use crate::event::Reason;
use crate::message::{Author, AuthorError, Defect, HeaderSection, Normalised};
use jiff::Timestamp;
use std::sync::Arc;

/// Returns the reason code for a message without author domain.
pub(super) fn no_author(error: AuthorError) -> Reason {
    match error {
        AuthorError::Missing => Reason::FromMissing,
        AuthorError::Unparsable => Reason::FromUnparsable,
        AuthorError::MultipleFields => Reason::FromMultipleFields,
        AuthorError::MultipleDomains => Reason::FromMultipleDomains,
        AuthorError::HeadersMalformed => Reason::HeadersMalformed,
    }
}

/// The reasons so far. In the end each occurs once, in the order of their declaration.
#[derive(Default)]
pub(super) struct Reasons(Vec<Reason>);

impl Reasons {
    pub(super) fn note(&mut self, reason: Reason) {
        self.0.push(reason);
    }

    pub(super) fn note_if(&mut self, condition: bool, reason: Reason) {
        if condition {
            self.0.push(reason);
        }
    }

    pub(super) fn into_sorted(mut self) -> Vec<Reason> {
        self.0.sort_unstable();
        self.0.dedup();
        self.0
    }

    pub(super) fn message(&mut self, normalised: &Normalised<'_>, section: &HeaderSection<'_>) {
        self.note_if(normalised.converted, Reason::LineEndsConverted);
        self.note_if(normalised.mbox_line_dropped, Reason::MboxLineDropped);
        for defect in section.defects() {
            self.note(match defect {
                Defect::Malformed | Defect::MalformedFrom => Reason::HeadersMalformed,
                Defect::SpaceBeforeColon => Reason::SpaceBeforeColon,
                Defect::OverLimit => Reason::HeaderLimit,
            });
        }
    }

    pub(super) fn author(&mut self, author: &Result<Author, AuthorError>) {
        match author {
            Ok(author) => {
                self.note_if(author.several_mailboxes, Reason::FromNotUnique);
                self.note_if(author.display_address, Reason::FromDisplayAddress);
                self.note_if(author.sender_missing, Reason::SenderMissing);
            }
            Err(error) => self.note(no_author(*error)),
        }
    }

    pub(super) fn clock(&mut self, arrival: Timestamp, now: Timestamp) {
        self.note_if(now.duration_since(arrival) > LATE, Reason::LateEvaluation);
    }

    pub(super) fn identifiers(&mut self, gathered: &Gathered) {
        self.note_if(gathered.spf.permissive && gathered.spf.cause == SpfCause::Pass, Reason::SpfPermissive);
        match gathered.spf.cause {
            SpfCause::ClientUnknown => self.note(Reason::ClientUnknown),
            SpfCause::ClientNotExternal => self.note(Reason::ClientNotExternal),
            SpfCause::MailFromUnknown => self.note(Reason::MailFromUnknown),
            SpfCause::HeloUnknown => self.note(Reason::HeloUnknown),
            SpfCause::LookupLimit
            | SpfCause::VoidLimit
            | SpfCause::NamesLimit
            | SpfCause::QueryBudget
            | SpfCause::RecordLimit
            | SpfCause::DepthLimit => self.note(Reason::SpfLimit),
            _ => {}
        }
        for signature in &gathered.dkim {
            self.note_if(signature.testing_key, Reason::KeyTesting);
            match signature.cause {
                DkimCause::ValidSignedInFuture => self.note(Reason::SignedInFuture),
                DkimCause::SignatureLimit => self.note(Reason::SignatureLimit),
                DkimCause::SizeLimit => self.note(Reason::SignatureSizeLimit),
                DkimCause::KeyBudget => self.note(Reason::KeyBudget),
                _ => {}
            }
        }
    }

    pub(super) fn dmarc(&mut self, gathered: &Gathered) {
        let Some(findings) = &gathered.dmarc else { return };
        let decision = &findings.decision;
        for flag in &decision.flags {
            self.note(match flag {
                DmarcFlag::Guarded => Reason::PslGuard,
                DmarcFlag::ExistenceUnknown => Reason::ExistenceUnknown,
                DmarcFlag::AlignmentBudget => Reason::AlignmentBudget,
            });
        }
        for fault in &decision.faults {
            self.note(if *fault == RecordFault::SeveralRecords { Reason::SeveralRecords } else { Reason::RecordMalformed });
        }
        self.note_if(decision.result == DmarcResult::Fail && decision.published != decision.effective, Reason::PolicyTestMode);
        self.note_if(decision.details.iter().any(|(problem, _)| *problem == RecordProblem::Ignored), Reason::RecordIgnored);
        self.note_if(findings.vouched, Reason::TrustedSealer);
        self.note_if(findings.unanswered, Reason::DnsUnanswered);
    }

    pub(super) fn answers(&mut self, answers: &[(Question, Arc<Answer>)]) {
        let open = answers.iter().any(|(_, answer)| answer.outcome == Outcome::TempError(Unanswered::Deadline));
        self.note_if(open, Reason::DeadlineExceeded);
    }
}
