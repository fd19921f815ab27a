//! Chooses SES's statuses (E.3; Decisions: dkimVerdict).

use super::gather::{DmarcFindings, Gathered};
use crate::auth::cause::{DkimWeight, SesStatus};
use crate::auth::dkim::SignatureOutcome;
use crate::auth::dmarc::{Alignment, AlignmentMode, DmarcResult};
use crate::config::DkimVerdictRule;
use crate::dns::{Domain, suffix};

/// Returns dmarcVerdict.
pub(super) fn dmarc(result: DmarcResult) -> SesStatus {
    match result {
        DmarcResult::Pass => SesStatus::Pass,
        DmarcResult::Fail => SesStatus::Fail,
        DmarcResult::None => SesStatus::Gray,
        DmarcResult::TempError | DmarcResult::PermError => SesStatus::ProcessingFailed,
    }
}

/// Returns dkimVerdict, by the first of these that is there.
///
/// They are: an aligned pass, an aligned temperror, any failure, an unaligned temperror,
/// malformed signatures without any pass, an unaligned pass, nothing.
pub(super) fn dkim(gathered: &Gathered, author: Option<&Domain>, rule: DkimVerdictRule) -> SesStatus {
    let weights =
        |wanted: DkimWeight| gathered.dkim.iter().enumerate().filter(move |(_, signature)| signature.cause.weight() == wanted);
    let aligned =
        |(index, signature): (usize, &SignatureOutcome)| signature_aligned(gathered.dmarc.as_ref(), author, index, signature);
    let any = |wanted| weights(wanted).next().is_some();
    if weights(DkimWeight::Pass).any(aligned) || (rule == DkimVerdictRule::AnyPass && any(DkimWeight::Pass)) {
        SesStatus::Pass
    } else if weights(DkimWeight::TempError).any(aligned) {
        SesStatus::ProcessingFailed
    } else if any(DkimWeight::Failed) {
        SesStatus::Fail
    } else if any(DkimWeight::TempError) {
        SesStatus::ProcessingFailed
    } else if any(DkimWeight::Malformed) && !any(DkimWeight::Pass) {
        SesStatus::ProcessingFailed
    } else {
        SesStatus::Gray
    }
}

/// Returns whether a signature's d= is aligned, for this status only.
///
/// DMARC's decision says so. Where it did not look, or where no record is in force, the suffix list
/// decides.
fn signature_aligned(dmarc: Option<&DmarcFindings>, author: Option<&Domain>, index: usize, signature: &SignatureOutcome) -> bool {
    let (Some(findings), Some(author), Some(domain)) = (dmarc, author, &signature.domain) else { return false };
    let decision = &findings.decision;
    match &decision.record {
        Some(record) if decision.published.is_some() => match findings.alignment_of(index) {
            Some(Alignment::NotLookedAt) | None => {
                domain == author || (record.adkim == AlignmentMode::Relaxed && same_registrable(domain, author))
            }
            Some(alignment) => alignment != Alignment::NotAligned,
        },
        _ => same_registrable(domain, author),
    }
}

fn same_registrable(a: &Domain, b: &Domain) -> bool {
    a == b || suffix::registrable(a).is_some_and(|registrable| suffix::registrable(b).as_ref() == Some(&registrable))
}
