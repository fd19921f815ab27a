//! Runs SPF, DKIM, ARC and policy discovery at the same time, within the deadline.
//!
//! Discovery asks first, then DKIM asks for its keys, then SPF asks.
//! Identifiers get two thirds of the time. So a sender whose own DNS is slow cannot use up the time
//! of the questions that decide about the author domain (F-28).

use super::spf_identity::{Client, SpfSubject, SubjectDomain};
use crate::auth::arc::{self, ArcOutcome, Vouched};
use crate::auth::cause::{DkimCause, SpfCause};
use crate::auth::dkim::{self, DkimParameters, SignatureOutcome};
use crate::auth::dmarc::{Alignment, Certainty, Decision, Dmarc, DmarcResult, Identifier, Mechanism};
use crate::auth::spf::{self, Identity, SpfOutcome};
use crate::config::{Evaluation, PermissiveSpf};
use crate::dns::{Deadline, Domain, Session};
use crate::message::{Envelope, HeaderSection, Passed};
use futures::poll;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The results from which the verdict is made.
pub(super) struct Gathered {
    pub(super) spf: SpfOutcome,
    pub(super) dkim: Vec<SignatureOutcome>,
    pub(super) arc: ArcOutcome,
    /// The findings of DMARC, or `None` if there is no author domain.
    pub(super) dmarc: Option<DmarcFindings>,
}

/// The decision of DMARC, and the origin of the identifiers that it judged.
pub(super) struct DmarcFindings {
    pub(super) decision: Decision,
    /// For each identifier of the decision, the index of its signature; `None` for SPF.
    pub(super) sources: Vec<Option<usize>>,
    /// True when the result is a fail, but trusted ARC sealers say that the message was authentic
    /// when it came to them.
    pub(super) vouched: bool,
    /// True when the result is a temperror, and DNS contributes to it and not only the envelope.
    pub(super) unanswered: bool,
}

impl DmarcFindings {
    /// Returns the relation of a signature's d= to the author domain.
    ///
    /// Returns `None` if the d= is no identifier.
    pub(super) fn alignment_of(&self, signature: usize) -> Option<Alignment> {
        let position = self.sources.iter().position(|source| *source == Some(signature))?;
        self.decision.alignment.get(position).copied()
    }

    /// Returns the relation of the domain that SPF judged to the author domain.
    ///
    /// Returns `None` if that domain is no identifier.
    pub(super) fn spf_alignment(&self) -> Option<Alignment> {
        self.sources.first().filter(|source| source.is_none()).and(self.decision.alignment.first()).copied()
    }
}

/// The input of one message's evaluation.
pub(super) struct Subject<'a, 'm> {
    pub(super) section: &'a HeaderSection<'m>,
    pub(super) envelope: &'a Envelope,
    pub(super) spf: &'a SpfSubject,
    pub(super) dkim: DkimParameters<'a>,
    pub(super) settings: &'a Evaluation,
}

impl Subject<'_, '_> {
    async fn check_spf(&self, session: &Session<'_>) -> SpfOutcome {
        if let Some(cause) = self.spf.settled() {
            return SpfOutcome { detail: self.spf.detail(self.envelope), ..SpfOutcome::of(cause) };
        }
        let (SubjectDomain::Known(domain), Client::External(client_ip)) = (&self.spf.domain, self.spf.client) else {
            return SpfOutcome::of(SpfCause::NoDomain);
        };
        let identity = Identity {
            client_ip,
            helo: self.envelope.helo.as_deref().map(str::as_bytes),
            local_part: &self.spf.local_part,
            domain,
        };
        spf::check_host(session, &identity, &self.settings.limits).await
    }

    /// Returns the identifiers that are known so far, and the index of the signature of each.
    ///
    /// A result that is still open makes an identifier that is possible.
    fn identifiers(&self, spf: Option<&SpfOutcome>, dkim: Option<&[SignatureOutcome]>) -> (Vec<Identifier>, Vec<Option<usize>>) {
        let counts = self.settings.permissive_spf == PermissiveSpf::Flag;
        let mut identifiers: Vec<_> = self.spf.identifier(spf, counts).into_iter().collect();
        let mut sources = vec![None; identifiers.len()];
        for (index, signature) in dkim.unwrap_or_default().iter().enumerate() {
            let certainty = match signature.cause {
                DkimCause::Valid | DkimCause::ValidTestingKey | DkimCause::ValidSignedInFuture => Certainty::Authenticated,
                DkimCause::KeyUnanswered => Certainty::Possible,
                _ => continue,
            };
            identifiers.push(Identifier { domain: signature.domain.clone(), mechanism: Mechanism::Dkim, certainty });
            sources.push(Some(index));
        }
        if dkim.is_none() {
            identifiers.push(Identifier { domain: None, mechanism: Mechanism::Dkim, certainty: Certainty::Possible });
            sources.push(None);
        }
        (identifiers, sources)
    }
}

/// Gathers all results, until the deadline at the latest. Results that are open then are unknown.
pub(super) async fn gather(session: &Session<'_>, subject: &Subject<'_, '_>, dmarc: Option<Dmarc<'_, '_>>) -> Gathered {
    let limits = &subject.settings.limits;
    let start = Instant::now();
    let end = start + Duration::from_millis(limits.dns_deadline_ms);
    let mut identifiers_end = start + Duration::from_millis(limits.dns_deadline_ms * 2 / 3);

    let bodies = dkim::BodyHashes::new(subject.section.body());
    let mut discovery = pin!(async {
        match dmarc {
            None => None,
            Some(mut dmarc) => {
                dmarc.discover().await;
                Some(dmarc)
            }
        }
    });
    let mut dkim = pin!(dkim::verify(session, subject.section, &bodies, &subject.dkim));
    let mut spf = pin!(subject.check_spf(session));
    let mut arc = pin!(arc::verify(session, subject.section, &bodies, &subject.dkim, &subject.settings.trusted_sealers));
    let mut timer = pin!(sleep_until(identifiers_end));

    // With warm DNS, all results are ready at once, and nothing must be waited for.
    let (mut discovered, mut dkim_out) = (if_ready(poll!(&mut discovery)), if_ready(poll!(&mut dkim)));
    let (mut spf_out, mut arc_out) = (if_ready(poll!(&mut spf)), if_ready(poll!(&mut arc)));
    let mut grace_given = false;
    let mut deadline = Deadline::Nothing;
    while discovered.is_none() || dkim_out.is_none() || spf_out.is_none() || arc_out.is_none() {
        // The loop is still running, so if discovery is done, another result is open.
        if let Some(Some(dmarc)) = &discovered
            && !grace_given
        {
            let (identifiers, _) = subject.identifiers(spf_out.as_ref(), dkim_out.as_deref());
            if dmarc.decided(&identifiers).is_some_and(|decision| decision.result != DmarcResult::TempError) {
                // No open result can change the decision any longer.
                grace_given = true;
                identifiers_end = identifiers_end.min(Instant::now() + Duration::from_millis(limits.dns_after_decision_ms));
                timer.as_mut().reset(identifiers_end);
            }
        }
        tokio::select! {
            biased;
            found = &mut discovery, if discovered.is_none() => discovered = Some(found),
            outcomes = &mut dkim, if dkim_out.is_none() => dkim_out = Some(outcomes),
            outcome = &mut spf, if spf_out.is_none() => spf_out = Some(outcome),
            outcome = &mut arc, if arc_out.is_none() => arc_out = Some(outcome),
            () = &mut timer, if deadline != Deadline::Everything => {
                deadline = if deadline == Deadline::Nothing && Instant::now() < end { Deadline::Identifiers } else { Deadline::Everything };
                session.passed(deadline);
                timer.as_mut().reset(end);
            }
        }
    }
    // The loop ends only when all four results are there.
    let (Some(dmarc), Some(dkim), Some(spf), Some(arc)) = (discovered, dkim_out, spf_out, arc_out) else { unreachable!() };
    let dmarc = match dmarc {
        None => None,
        Some(dmarc) => Some(decide(session, subject, dmarc, (&spf, &dkim, &arc), end).await),
    };
    Gathered { spf, dkim, arc, dmarc }
}

fn if_ready<T>(polled: Poll<T>) -> Option<T> {
    match polled {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Decides DMARC, and asks the questions that alignment needs until `end`.
async fn decide(
    session: &Session<'_>,
    subject: &Subject<'_, '_>,
    mut dmarc: Dmarc<'_, '_>,
    (spf, dkim, arc): (&SpfOutcome, &[SignatureOutcome], &ArcOutcome),
    end: Instant,
) -> DmarcFindings {
    let (identifiers, sources) = subject.identifiers(Some(spf), Some(dkim));
    let mut deciding = pin!(async {
        let decision = dmarc.decide(&identifiers).await;
        let vouched = match &arc.vouched {
            Some(vouched) if decision.result == DmarcResult::Fail => vouches(vouched, subject, &mut dmarc).await,
            _ => false,
        };
        let unanswered = decision.result == DmarcResult::TempError && dns_bears(spf, &identifiers, &mut dmarc).await;
        DmarcFindings { decision, sources, vouched, unanswered }
    });
    tokio::select! {
        biased;
        findings = &mut deciding => findings,
        () = sleep_until(end) => {
            session.passed(Deadline::Everything);
            deciding.await
        }
    }
}

/// Returns whether a missing answer from DNS contributes to a temperror.
///
/// It does, unless the result would be settled without SPF, and SPF lacks only something of the
/// envelope.
async fn dns_bears(spf: &SpfOutcome, identifiers: &[Identifier], dmarc: &mut Dmarc<'_, '_>) -> bool {
    if !spf.cause.is_of_envelope() {
        return true;
    }
    let others: Vec<_> = identifiers.iter().filter(|identifier| identifier.mechanism != Mechanism::Spf).cloned().collect();
    dmarc.decide(&others).await.result == DmarcResult::TempError
}

/// Returns whether a trusted set says that the message was authentic for this author domain.
///
/// The set says so if DMARC passed for this author domain, or SPF or DKIM for an aligned domain.
/// That means that DMARC would pass if the results of the set had been found here.
async fn vouches(vouched: &Vouched, subject: &Subject<'_, '_>, dmarc: &mut Dmarc<'_, '_>) -> bool {
    let claimed =
        |domain: &Domain, mechanism| Identifier { domain: Some(domain.clone()), mechanism, certainty: Certainty::Authenticated };
    let mut identifiers = Vec::new();
    for passed in &vouched.passed {
        match passed {
            Passed::Dmarc(author) if author.is_none() || author.as_ref() == subject.dkim.author => return true,
            Passed::Dmarc(_) => {}
            Passed::Spf(domain) => identifiers.push(claimed(domain, Mechanism::Spf)),
            Passed::Dkim(domain) => identifiers.push(claimed(domain, Mechanism::Dkim)),
        }
    }
    !identifiers.is_empty() && dmarc.decide(&identifiers).await.result == DmarcResult::Pass
}
