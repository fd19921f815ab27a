//! Makes the event from which aggregate reports count a verdict (B.2, B4).

use super::origin::Origin;
use super::{EnvelopeFrom, Verdict};
use crate::auth::cause::{DkimWeight, SesStatus};
use crate::auth::dmarc::Policy;
use crate::config::{Applied, Content, Discovery};
use crate::event::{
    Authentication, Disposition, DkimRow, DmarcBlock, FailureEvent, Input, Override, PublishedPolicy, Reason, Row, SpfRow,
};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::net::IpAddr;

/// The reason why a message that reports would count cannot be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncounted {
    /// The message was evaluated long after it arrived (Decisions: clocks).
    Late,
    /// The client is unknown, or in one of the receiver's own networks: no report can name it.
    NoClient,
    /// The verdict lacks something else that every row has.
    Incomplete,
}

/// Returns the event that reports are made of, or `None` for a message that they do not count.
///
/// Reports count a FAIL, and a PASS where passes are counted, of a message from a topic (B16).
///
/// # Errors
/// Returns the reason if reports would count the message, but it cannot be counted.
pub fn failure_event(verdict: &Verdict, origin: &Origin) -> Result<Option<FailureEvent>, Uncounted> {
    let counted = match origin.report_scope.content {
        Content::Failures => verdict.dmarc == SesStatus::Fail,
        Content::All => matches!(verdict.dmarc, SesStatus::Fail | SesStatus::Pass),
    };
    let Some(input) = origin.input.clone().filter(|_| counted) else { return Ok(None) };
    if verdict.has(Reason::LateEvaluation) {
        return Err(Uncounted::Late);
    }
    let source_ip = verdict.source_ip.ok_or(Uncounted::NoClient)?;
    event(verdict, origin, input, source_ip).map(Some).ok_or(Uncounted::Incomplete)
}

fn event(verdict: &Verdict, origin: &Origin, input: Input, source_ip: IpAddr) -> Option<FailureEvent> {
    let authentication = &verdict.authentication;
    let dmarc = &authentication.dmarc;
    let policy = dmarc.published.clone()?;
    let (disposition, overrides) = applied(verdict.dmarc, dmarc, origin.report_scope.applied)?;
    Some(FailureEvent {
        input,
        arrival: verdict.arrival,
        policy_domain: dmarc.policy_domain.clone()?,
        policy_hash: policy_hash(&policy, dmarc.discovery),
        discovery: dmarc.discovery,
        record_errors: dmarc.record_faults.clone(),
        report_addresses: policy.rua.clone(),
        policy,
        row: Row {
            source_ip,
            header_from: authentication.author_domain.clone()?,
            envelope_from: verdict.envelope_from.as_ref().map(|from| match from {
                EnvelopeFrom::Null => String::new(),
                EnvelopeFrom::Domain(domain) => domain.to_string(),
            }),
            disposition,
            dkim_aligned: authentication.dkim.iter().any(|signature| signature.aligned == Some(true)),
            spf_aligned: authentication.spf.aligned == Some(true),
            overrides,
            dkim: dkim_rows(authentication),
            spf: SpfRow {
                domain: authentication.spf.domain.clone(),
                result: authentication.spf.result,
                helo: verdict.unjudged_helo.clone(),
            },
        },
    })
}

/// Returns what was done with the message, and why that is not what its policy asks for (B4).
fn applied(status: SesStatus, dmarc: &DmarcBlock, applied: Applied) -> Option<(Disposition, Vec<Override>)> {
    let effective = dmarc.effective_policy?;
    if status == SesStatus::Pass {
        return Some((if effective == Policy::None { Disposition::None } else { Disposition::Pass }, Vec::new()));
    }
    let mut overrides = Vec::new();
    if dmarc.reasons.contains(&Reason::PolicyTestMode) {
        overrides.push(Override::PolicyTestMode);
    }
    let mut disposition = Disposition::from(effective);
    // Doing nothing complies with a policy of none, whatever the reason, so no override is due.
    if disposition != Disposition::None {
        let milder = match applied {
            Applied::None => Some(Override::LocalPolicy),
            Applied::Recommended => dmarc.reasons.contains(&Reason::TrustedSealer).then_some(Override::TrustedForwarder),
        };
        if let Some(milder) = milder {
            disposition = Disposition::None;
            overrides.push(milder);
        }
    }
    Some((disposition, overrides))
}

/// Returns the signatures that have d= and s=, passes first (B13).
///
/// The list of signatures is already limited to a hundred.
fn dkim_rows(authentication: &Authentication) -> Vec<DkimRow> {
    let mut rows: Vec<_> = authentication
        .dkim
        .iter()
        .filter_map(|signature| {
            let row = DkimRow { domain: signature.d.clone()?, selector: signature.s.clone()?, result: signature.result };
            Some((signature.aligned != Some(true), signature.reason.weight() != DkimWeight::Pass, row))
        })
        .collect();
    rows.sort_by_key(|(unaligned, failed, _)| (*unaligned, *failed));
    rows.into_iter().map(|(_, _, row)| row).collect()
}

/// Returns 32 hexadecimal digits of a hash over the policy with its defaults.
///
/// The hash covers neither the text of the record nor the reporting addresses.
fn policy_hash(policy: &PublishedPolicy, discovery: Discovery) -> String {
    let PublishedPolicy { p, sp, np, adkim, aspf, fo, psd, t, rua: _ } = policy;
    let canonical = format!("{p}|{sp}|{np}|{adkim:?}|{aspf:?}|{fo}|{psd:?}|{t}|{discovery:?}");
    Sha256::digest(canonical).iter().take(16).fold(String::with_capacity(32), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::dmarc::DmarcResult;

    fn block(published: Policy, effective: Policy, reasons: &[Reason]) -> DmarcBlock {
        DmarcBlock {
            result: DmarcResult::Fail,
            policy_domain: None,
            organizational_domain: None,
            discovery: Discovery::TreeWalk,
            record: None,
            published: None,
            published_policy: Some(published),
            effective_policy: Some(effective),
            record_faults: Vec::new(),
            reasons: reasons.to_vec(),
            details: Vec::new(),
        }
    }

    #[test]
    fn b4_what_was_done_and_why_something_else_than_was_asked_for() {
        use Override::{LocalPolicy, PolicyTestMode, TrustedForwarder};
        use Policy::{None, Quarantine, Reject};
        let testing = &[Reason::PolicyTestMode][..];
        let sealed = &[Reason::TrustedSealer][..];
        let cases: [(Policy, Policy, &[Reason], Applied, Disposition, &[Override]); 8] = [
            (Reject, Reject, &[], Applied::Recommended, Disposition::Reject, &[]),
            (None, None, &[], Applied::Recommended, Disposition::None, &[]),
            (Reject, Quarantine, testing, Applied::Recommended, Disposition::Quarantine, &[PolicyTestMode]),
            (Quarantine, None, testing, Applied::Recommended, Disposition::None, &[PolicyTestMode]),
            (Reject, Reject, sealed, Applied::Recommended, Disposition::None, &[TrustedForwarder]),
            (Reject, Reject, &[], Applied::None, Disposition::None, &[LocalPolicy]),
            (None, None, &[], Applied::None, Disposition::None, &[]),
            (Reject, Quarantine, testing, Applied::None, Disposition::None, &[PolicyTestMode, LocalPolicy]),
        ];
        for (published, effective, reasons, how, disposition, overrides) in cases {
            let found = applied(SesStatus::Fail, &block(published, effective, reasons), how);
            assert_eq!(found, Some((disposition, overrides.to_vec())), "{published} {effective} {reasons:?} {how:?}");
        }
    }

    #[test]
    fn a_pass_is_one_only_where_the_policy_asks_for_more_than_nothing() {
        let passed = |effective| applied(SesStatus::Pass, &block(effective, effective, &[]), Applied::None);
        assert_eq!(passed(Policy::Reject), Some((Disposition::Pass, Vec::new())));
        assert_eq!(passed(Policy::None), Some((Disposition::None, Vec::new())));
    }
}
