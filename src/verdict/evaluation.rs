//! Evaluates one message, from its bytes to the verdict.

use super::authentication_results::{AuthenticationResults, nothing_evaluated};
use super::gather::{Gathered, Subject, gather};
use super::reasons::{Reasons, no_author};
use super::spf_identity::{SpfSubject, envelope_from, unjudged_helo};
use super::{Verdict, action, annotation, received_spf, status};
use crate::auth::arc::ArcOutcome;
use crate::auth::cause::{ResultWord, SesStatus, SpfCause};
use crate::auth::dkim::{DkimParameters, SignatureOutcome};
use crate::auth::dmarc::{Alignment, Decision, DiscoveryRules, Dmarc, DmarcResult, RecordProblem};
use crate::auth::spf::SpfOutcome;
use crate::config::Evaluation;
use crate::dns::{Budgets, Evidence, Resolver, Session};
use crate::event::{ArcBlock, Authentication, DkimBlock, DmarcBlock, PublishedPolicy, Reason, ReasonDetail, SpfBlock, to_millis};
use crate::message::{
    Author, AuthorError, Defect, Envelope, HeaderSection, Normalised, Removal, Submission, author, explain_author,
    explain_malformed, forged, normalise,
};
use jiff::Timestamp;

/// The largest number of entries in a list of a verdict.
pub(super) const MAX_ENTRIES: usize = 100;

/// The largest number of details of reasons in a verdict.
const MAX_DETAILS: usize = 20;

/// The least budget of discovery questions, whatever the settings say.
///
/// Policy discovery needs eight questions, and one for the existence of the author domain.
const LEAST_DISCOVERY_QUESTIONS: usize = 9;

/// Decides SPF, DKIM and DMARC for one message.
///
/// It is a pure function of its arguments and of the answers of `resolver`.
/// It never fails, and never panics on any input.
/// `now` is the time of the evaluation. The message's arrival is in its envelope.
/// Without it, `now` counts as the arrival.
pub async fn evaluate(
    message: &[u8],
    envelope: &Envelope,
    resolver: &dyn Resolver,
    now: Timestamp,
    settings: &Evaluation,
) -> Verdict {
    let normalised = normalise(message, settings.convert_bare_lf, settings.strip_mbox_line);
    let section = HeaderSection::parse(&normalised.bytes, &settings.limits);
    evaluate_section(&normalised, &section, envelope, resolver, now, settings).await
}

/// Does the work of [`evaluate`] for a message that was normalised and cut with these settings.
pub async fn evaluate_section(
    normalised: &Normalised<'_>,
    section: &HeaderSection<'_>,
    envelope: &Envelope,
    resolver: &dyn Resolver,
    now: Timestamp,
    settings: &Evaluation,
) -> Verdict {
    let frame = Frame::new(envelope, settings, section, now);
    let mut reasons = Reasons::default();
    reasons.message(normalised, section);
    if envelope.submission == Submission::Authenticated {
        reasons.note(Reason::AuthenticatedSubmission);
        return frame.unevaluated(DmarcResult::None, SpfCause::AuthenticatedSubmission, reasons);
    }
    frame.evaluated(resolver, reasons).await
}

/// Returns the verdict for a message whose evaluation failed by a fault of this program.
pub fn internal_error(envelope: &Envelope, now: Timestamp, settings: &Evaluation) -> Verdict {
    let section = HeaderSection::parse(&[], &settings.limits);
    let frame = Frame::new(envelope, settings, &section, now);
    let mut reasons = Reasons::default();
    reasons.note(Reason::InternalError);
    frame.unevaluated(DmarcResult::TempError, SpfCause::InternalError, reasons)
}

/// The values from which every part of the verdict is made.
struct Frame<'a, 'm> {
    envelope: &'a Envelope,
    settings: &'a Evaluation,
    section: &'a HeaderSection<'m>,
    arrival: Timestamp,
    now: Timestamp,
}

impl<'a, 'm> Frame<'a, 'm> {
    fn new(envelope: &'a Envelope, settings: &'a Evaluation, section: &'a HeaderSection<'m>, now: Timestamp) -> Self {
        Self { envelope, settings, section, arrival: to_millis(envelope.arrival.unwrap_or(now)), now: to_millis(now) }
    }

    async fn evaluated(&self, resolver: &dyn Resolver, mut reasons: Reasons) -> Verdict {
        let settings = self.settings;
        let author = author(self.section);
        reasons.author(&author);
        reasons.clock(self.arrival, self.now);

        let session = Session::new(resolver, budgets(settings));
        let domain = author.as_ref().ok().map(|author| &author.domain);
        let subject_spf = SpfSubject::of(self.envelope, settings);
        let gathered = {
            let dmarc =
                domain.map(|domain| Dmarc::new(&session, domain.clone(), rules(settings), settings.limits.alignment_walks));
            let subject = Subject {
                section: self.section,
                envelope: self.envelope,
                spf: &subject_spf,
                dkim: DkimParameters {
                    author: domain,
                    arrival: self.arrival.as_second(),
                    testing_key: settings.testing_key,
                    limits: &settings.limits,
                },
                settings,
            };
            gather(&session, &subject, dmarc).await
        };

        let answers = session.into_answers();
        reasons.identifiers(&gathered);
        reasons.dmarc(&gathered);
        reasons.answers(&answers);
        let evidence = Evidence::new(answers, settings.limits.evidence_bytes);
        reasons.note_if(evidence.truncated, Reason::EvidenceTruncated);
        self.verdict(&subject_spf, gathered, author.as_ref(), evidence, reasons)
    }

    fn verdict(
        &self,
        subject: &SpfSubject,
        gathered: Gathered,
        author: Result<&Author, &AuthorError>,
        evidence: Evidence,
        reasons: Reasons,
    ) -> Verdict {
        let settings = self.settings;
        let author_error = author.err().copied();
        let author = author.ok().map(|author| &author.domain);
        let dkim_status = status::dkim(&gathered, author, settings.dkim_verdict);
        let decision = gathered.dmarc.as_ref().map(|findings| &findings.decision);
        let dkim_aligned = |index| gathered.dmarc.as_ref().and_then(|findings| compared(findings.alignment_of(index)));
        let spf_aligned = gathered.dmarc.as_ref().and_then(|findings| compared(findings.spf_alignment()));
        let dkim_count = gathered.dkim.len();
        let dkim: Vec<_> =
            telling_first(&gathered.dkim).map(|(index, signature)| dkim_block(signature, dkim_aligned(index))).collect();
        let spf = spf_block(&gathered.spf, subject, spf_aligned);
        let mut dmarc = dmarc_block(decision, settings, reasons.into_sorted());
        dmarc.details.splice(0..0, self.details(author_error));
        dmarc.details.truncate(MAX_DETAILS);
        let arc = arc_block(&gathered.arc);
        let dmarc_status = status::dmarc(dmarc.result);
        let source_ip = subject.client.source_ip();
        let results = AuthenticationResults {
            authserv_id: &settings.authserv_id,
            spf: &spf,
            dkim: &dkim,
            arc: (gathered.arc.word != ResultWord::None).then_some(&arc),
            client_ip: source_ip,
            dmarc: dmarc.result,
            author,
            effective: dmarc.effective_policy,
        }
        .write();
        let received_spf = received_spf::write(&spf, self.envelope, source_ip, &settings.authserv_id);
        let dmarc_policy = dmarc.effective_policy.filter(|_| dmarc_status == SesStatus::Fail);
        let statuses = (gathered.spf.cause.status(), dkim_status, dmarc_status);
        let removed = self.removed();
        let authentication = Authentication {
            author_domain: author.cloned(),
            suggested_action: action::suggest(dmarc.result, dmarc.effective_policy, author, &dmarc.reasons),
            spf,
            dkim,
            dkim_count,
            arc,
            dmarc,
            authentication_results: results.unfolded(),
            received_spf: received_spf.unfolded(),
            removed_headers: removed.iter().take(MAX_ENTRIES).cloned().collect(),
            removed_header_count: removed.len(),
        };
        Verdict {
            spf: statuses.0,
            dkim: statuses.1,
            dmarc: statuses.2,
            dmarc_policy,
            fields: self.fields(results, received_spf, statuses, dmarc_policy),
            authentication,
            evidence,
            removed,
            arrival: self.arrival,
            evaluated_at: self.now,
            source_ip,
            envelope_from: envelope_from(self.envelope),
            unjudged_helo: unjudged_helo(subject, self.envelope),
        }
    }

    /// Returns the verdict without SPF, DKIM and DMARC.
    ///
    /// It is for a submission, and for a message on which this program failed.
    fn unevaluated(&self, result: DmarcResult, spf_cause: SpfCause, reasons: Reasons) -> Verdict {
        let settings = self.settings;
        let subject = SpfSubject::of(self.envelope, settings);
        let spf = spf_block(&SpfOutcome::of(spf_cause), &subject, None);
        let results = nothing_evaluated(&settings.authserv_id);
        let received_spf = received_spf::write(&spf, self.envelope, subject.client.source_ip(), &settings.authserv_id);
        let dkim_status = if result == DmarcResult::None { SesStatus::Gray } else { SesStatus::ProcessingFailed };
        let statuses = (spf_cause.status(), dkim_status, status::dmarc(result));
        let removed = self.removed();
        let mut dmarc = dmarc_block(None, settings, reasons.into_sorted());
        dmarc.result = result;
        Verdict {
            spf: statuses.0,
            dkim: statuses.1,
            dmarc: statuses.2,
            dmarc_policy: None,
            authentication: Authentication {
                author_domain: None,
                suggested_action: action::suggest(result, None, None, &dmarc.reasons),
                spf,
                dkim: Vec::new(),
                dkim_count: 0,
                arc: arc_block(&ArcOutcome::none()),
                dmarc,
                authentication_results: results.unfolded(),
                received_spf: received_spf.unfolded(),
                removed_headers: removed.iter().take(MAX_ENTRIES).cloned().collect(),
                removed_header_count: removed.len(),
            },
            evidence: Evidence::new(Vec::new(), usize::MAX),
            fields: self.fields(results, received_spf, statuses, None),
            removed,
            arrival: self.arrival,
            evaluated_at: self.now,
            source_ip: subject.client.source_ip(),
            envelope_from: envelope_from(self.envelope),
            unjudged_helo: unjudged_helo(&subject, self.envelope),
        }
    }

    /// Returns the details about what is wrong with the header section and with From.
    fn details(&self, error: Option<AuthorError>) -> Vec<ReasonDetail> {
        let malformed = self.section.has(Defect::Malformed) || self.section.has(Defect::MalformedFrom);
        let of_section = malformed.then(|| explain_malformed(self.section)).flatten();
        let of_from = error.and_then(|error| Some((no_author(error), explain_author(self.section, error)?)));
        let all = of_section.map(|detail| (Reason::HeadersMalformed, detail)).into_iter().chain(of_from);
        all.map(|(reason, detail)| ReasonDetail { reason, detail }).collect()
    }

    fn removed(&self) -> Removal {
        let settings = self.settings;
        let own_ids: Vec<_> = std::iter::once(&settings.authserv_id).chain(&settings.own_authserv_ids).collect();
        forged(self.section, &own_ids, &settings.header_prefix)
    }

    fn fields(
        &self,
        results: super::FieldWriter,
        received_spf: super::FieldWriter,
        (spf, dkim, dmarc): (SesStatus, SesStatus, SesStatus),
        policy: Option<crate::auth::dmarc::Policy>,
    ) -> Vec<u8> {
        let statuses = [("SPF-Verdict", spf), ("DKIM-Verdict", dkim), ("DMARC-Verdict", dmarc)];
        annotation::fields(self.envelope, results, received_spf, &self.settings.header_prefix, statuses, policy)
    }
}

fn budgets(settings: &Evaluation) -> Budgets {
    let limits = &settings.limits;
    Budgets {
        discovery: limits.discovery_questions.max(LEAST_DISCOVERY_QUESTIONS),
        dkim_keys: limits.dkim_key_questions,
        spf: limits.spf_questions,
        arc_keys: limits.arc_key_questions,
    }
}

fn rules(settings: &Evaluation) -> DiscoveryRules {
    DiscoveryRules {
        discovery: settings.discovery,
        psl_guard: settings.psl_guard,
        report_addresses: settings.limits.report_addresses,
    }
}

/// Returns at most a hundred signatures, in header order.
///
/// If there are more, it takes evaluated ones before those that were not evaluated.
fn telling_first(signatures: &[SignatureOutcome]) -> impl Iterator<Item = (usize, &SignatureOutcome)> {
    use crate::auth::cause::DkimCause::SignatureLimit;
    let mut chosen: Vec<_> = if signatures.len() <= MAX_ENTRIES {
        signatures.iter().enumerate().collect()
    } else {
        let all = || signatures.iter().enumerate();
        let evaluated = all().filter(|(_, signature)| signature.cause != SignatureLimit);
        evaluated.chain(all().filter(|(_, signature)| signature.cause == SignatureLimit)).take(MAX_ENTRIES).collect()
    };
    chosen.sort_unstable_by_key(|(index, _)| *index);
    chosen.into_iter()
}

/// Returns whether something that passed is aligned.
///
/// Returns `None` if it did not pass, or was not compared.
fn compared(alignment: Option<Alignment>) -> Option<bool> {
    match alignment? {
        Alignment::Aligned => Some(true),
        Alignment::NotAligned => Some(false),
        Alignment::PossiblyAligned | Alignment::NotLookedAt => None,
    }
}

fn spf_block(outcome: &SpfOutcome, subject: &SpfSubject, aligned: Option<bool>) -> SpfBlock {
    SpfBlock {
        result: outcome.cause.word(),
        reason: outcome.cause,
        domain: subject.known_domain().cloned(),
        scope: subject.scope,
        mechanism: outcome.mechanism.clone(),
        at: outcome.at.clone(),
        aligned: aligned.filter(|_| outcome.cause == SpfCause::Pass),
        detail: outcome.detail.clone(),
    }
}

fn dkim_block(signature: &SignatureOutcome, aligned: Option<bool>) -> DkimBlock {
    DkimBlock {
        d: signature.domain.clone(),
        s: signature.selector.clone(),
        a: signature.algorithm.clone(),
        result: signature.cause.word(),
        reason: signature.cause,
        aligned: aligned.filter(|_| signature.cause.word() == ResultWord::Pass),
        i: signature.identity.clone(),
        b: signature.signature_start.clone(),
        signed_at: signature.signed_at,
        expires_at: signature.expires_at,
        key_bits: signature.key_bits,
        detail: signature.detail.clone(),
    }
}

fn arc_block(arc: &ArcOutcome) -> ArcBlock {
    ArcBlock {
        result: arc.word,
        sealers: arc.sealers.clone(),
        oldest_pass: (arc.word == ResultWord::Pass).then_some(arc.oldest_pass),
        trusted_to: arc.vouched.as_ref().map(|vouched| vouched.instance),
        reason: arc.text.to_string(),
    }
}

fn dmarc_block(decision: Option<&Decision>, settings: &Evaluation, reasons: Vec<Reason>) -> DmarcBlock {
    let record = decision.and_then(|decision| decision.record.as_deref());
    DmarcBlock {
        result: decision.map_or(DmarcResult::PermError, |decision| decision.result),
        policy_domain: decision.and_then(|decision| decision.policy_domain.clone()),
        organizational_domain: decision.and_then(|decision| decision.organizational_domain.clone()),
        discovery: settings.discovery,
        record: record.map(|record| record.text.clone()),
        published: record.and_then(PublishedPolicy::of),
        published_policy: decision.and_then(|decision| decision.published),
        effective_policy: decision.and_then(|decision| decision.effective),
        record_faults: decision.map(|decision| decision.faults.clone()).unwrap_or_default(),
        reasons,
        details: decision.map(details).unwrap_or_default(),
    }
}

/// Returns the details about what is wrong with records.
fn details(decision: &Decision) -> Vec<ReasonDetail> {
    let reason = |problem: RecordProblem| match problem {
        RecordProblem::Several => Reason::SeveralRecords,
        RecordProblem::Malformed => Reason::RecordMalformed,
        RecordProblem::Ignored => Reason::RecordIgnored,
    };
    let details = decision.details.iter().take(MAX_DETAILS);
    details.map(|(problem, detail)| ReasonDetail { reason: reason(*problem), detail: detail.clone() }).collect()
}

impl PublishedPolicy {
    /// Returns the tags of a record with defaults, or `None` if it gives no DMARC (A16).
    pub fn of(record: &crate::auth::dmarc::Record) -> Option<Self> {
        Some(Self {
            p: record.policy()?,
            sp: record.subdomain_policy()?,
            np: record.nonexistent_policy()?,
            adkim: record.adkim,
            aspf: record.aspf,
            fo: record.failure_options.clone(),
            psd: record.psd,
            t: record.testing,
            rua: record.report_addresses.clone(),
        })
    }
}
