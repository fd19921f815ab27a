//! Judges one record of the verdict role: reads it, evaluates its message, and makes the records
//! that are written because of it.

use super::groups::{LANE, NAME};
use super::retry::Retries;
use super::uncounted::Meter;
use crate::auth::dmarc::Policy;
use crate::claim_check::{ClaimChecks, Message, Unfetched};
use crate::config::{Config, Evaluation, Mail};
use crate::dns::Resolver;
use crate::event::dead_letter::dead_letter;
use crate::event::headers::{Attributes, CONTENT_TYPE, JSON, MESSAGE, Trace};
use crate::event::raw::{Body, Raw, Refusal, unread};
use crate::event::{EvaluationBlock, FAILURE, Input, Lineage, Output, Reason, Record};
use crate::kafka::{Completion, failpoint};
use crate::message::{HeaderSection, normalise};
use crate::metrics::{Counted, Histogram, Unreported, record as record_duration};
use crate::telemetry::traces::{Ending, MessageSpan, Received, Traces};
use crate::verdict::{
    MailDetail, Origin, Outputs, ReportScope, Uncounted, evaluate_section, internal_error, outputs, outputs_of,
};
use futures::FutureExt as _;
use jiff::Timestamp;
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

const VERDICT: &str = "verdmarc.verdict.v1";

/// The header with the DMARC status of a verdict, by which a subscriber can choose verdicts without
/// reading them.
const STATUS: &str = "ce_dmarcverdict";
/// The header with the policy of a verdict with the status FAIL, for the same purpose.
const POLICY: &str = "ce_dmarcpolicy";

/// The pause between two attempts to fetch an object. Each attempt itself lasts for a while.
const FETCH_AGAIN: Duration = Duration::from_secs(5);

/// The outcome of a record, and its span when it is traced.
pub(super) type Judged = (Completion, Option<Arc<MessageSpan>>);

/// The evaluation of records, and what it needs.
pub(super) struct Judge {
    resolver: Arc<dyn Resolver>,
    claims: ClaimChecks,
    settings: Arc<Evaluation>,
    settings_block: EvaluationBlock,
    detail: MailDetail,
    annotate: bool,
    report_scope: ReportScope,
    retries: Retries,
    source: String,
    topics: Topics,
    /// True once a header that nobody reads was warned about.
    warned: AtomicBool,
    uncounted: Meter,
    traces: Traces,
    /// The names of the groups of mail.raw and of the retry lane.
    groups: (String, String),
}

struct Topics {
    verdicts: Arc<str>,
    failures: Arc<str>,
    annotated: Arc<str>,
    dead_letters: Arc<str>,
}

impl Judge {
    pub(super) fn new(
        config: &Config,
        resolver: Arc<dyn Resolver>,
        claims: ClaimChecks,
        retries: Retries,
        traces: Traces,
    ) -> Self {
        let names = &config.topics;
        let settings = Arc::new(config.evaluation());
        Self {
            resolver,
            claims,
            source: format!("/verdmarc/{}", settings.authserv_id),
            settings_block: EvaluationBlock::new(&settings),
            settings,
            detail: match config.verdict.mail {
                Mail::Full => MailDetail::Full,
                Mail::Minimal => MailDetail::Minimal,
            },
            annotate: config.verdict.annotated,
            report_scope: ReportScope { content: config.reports.content, applied: config.reports.disposition },
            retries,
            topics: Topics {
                verdicts: names.full(&names.verdicts).into(),
                failures: names.full(&names.failures).into(),
                annotated: names.full(&names.annotated).into(),
                dead_letters: names.full(&names.dead_letters).into(),
            },
            warned: AtomicBool::new(false),
            uncounted: Meter::default(),
            traces,
            groups: (config.group(NAME), config.group(LANE)),
        }
    }

    /// Warns once about a header that seems to be meant for the envelope but is not read.
    fn warn_of_unread(&self, record: &Record) {
        if !self.warned.load(Ordering::Relaxed)
            && let Some(header) = unread(record)
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                header,
                "messages come with a header that is not read: the envelope stands in ce_clientip, ce_helo, ce_mailfrom and so on, \
                 spelt like that; said once"
            );
        }
    }

    /// Begins the span of a record; None when the record is not sampled.
    fn span(&self, record: &Record, trace: &Trace, first: &Input, begun: Timestamp) -> Option<Arc<MessageSpan>> {
        if !self.traces.are_on() {
            return None;
        }
        let (raw, lane) = &self.groups;
        let group = if self.retries.has(&record.topic) { lane } else { raw };
        self.traces.message(&Received { record, group, attempt: first.attempt, at: begun.into() }, trace, first)
    }

    /// Begins the span of a record that cannot be read.
    fn span_of_unread(&self, record: &Record, begun: Timestamp) -> Option<Arc<MessageSpan>> {
        let trace = record.headers.as_ref().filter(|_| self.traces.are_on()).map(Trace::of_headers);
        self.span(record, &trace.unwrap_or_default(), &Lineage::itself(record).input, begun)
    }

    /// Returns the message of a record, which may have to be fetched first.
    async fn message<'b>(&self, body: &'b Body<'_>, span: Option<&MessageSpan>) -> Result<Message<'b>, Unfetched> {
        let since = span.filter(|_| matches!(body, Body::Reference(_))).map(|span| (span, SystemTime::now()));
        let message = self.claims.message(body).await;
        if let Some((span, since)) = since {
            span.fetched(since);
        }
        message
    }

    pub(super) async fn judge(&self, record: Record) -> Judged {
        failpoint::reached("decode");
        self.warn_of_unread(&record);
        let begun = Timestamp::now();
        let mut raw = match Raw::decode(&record, self.settings.limits.message_bytes, begun) {
            Ok(raw) => raw,
            Err(refusal) => {
                let span = self.span_of_unread(&record, begun);
                return self.refused(record, &refusal, span);
            }
        };
        let span = self.span(&record, &raw.trace, &raw.lineage.input, begun);
        if let Some(span) = &span {
            raw.trace = raw.trace.within(span.context());
        }
        let message = match self.message(&raw.body, span.as_deref()).await {
            Ok(message) => message,
            Err(Unfetched::Refused(refusal)) => return self.refused(record, &refusal, span),
            Err(Unfetched::Unavailable(reason)) => {
                tracing::warn!(
                    topic = %record.topic, partition = record.partition, offset = record.offset, reason, "object not fetched"
                );
                ends(span.as_deref(), Ending::PutOff);
                return (Completion::Later { record, wait: FETCH_AGAIN }, None);
            }
        };
        let (now, begun) = (Timestamp::now(), Instant::now());
        let origin = self.origin(&raw);
        let settings = &self.settings;
        let evaluation = async {
            failpoint::reached("evaluate");
            let normalised = normalise(&message, settings.convert_bare_lf, settings.strip_mbox_line);
            let section = HeaderSection::parse(&normalised.bytes, &settings.limits);
            let evaluating = span.as_ref().map(|span| span.evaluating());
            let asking = evaluating.as_ref().map(|evaluating| evaluating.asking(&*self.resolver));
            let resolver: &dyn Resolver = match &asking {
                Some(asking) => asking,
                None => &*self.resolver,
            };
            let verdict = evaluate_section(&normalised, &section, &raw.envelope, resolver, now, settings).await;
            if let Some(mut again) = self.retries.next(&record, &raw.lineage, &verdict, now) {
                if span.is_some() {
                    raw.trace.replace_in(&mut again.headers);
                }
                ends(span.as_deref(), Ending::Retried);
                return (vec![again], Counted::retry());
            }
            let outputs = outputs_of(&section, &raw.envelope, verdict, &origin);
            self.records(&record, &raw, outputs, now, span.as_deref())
        };
        let evaluated = AssertUnwindSafe(evaluation).catch_unwind().await;
        let (written, counted) = evaluated.unwrap_or_else(|_| {
            let (topic, partition, offset) = (&record.topic, record.partition, record.offset);
            tracing::error!(%topic, partition, offset, "evaluation panicked; the verdict is PROCESSING_FAILED");
            let verdict = internal_error(&raw.envelope, now, settings);
            let written = |message| {
                let outputs = outputs(message, &raw.envelope, verdict.clone(), &origin);
                self.records(&record, &raw, outputs, now, span.as_deref())
            };
            catch_unwind(AssertUnwindSafe(|| written(&message))).unwrap_or_else(|_| written(&[]))
        });
        record_duration(Histogram::Process, begun.elapsed());
        (Completion::Done(written, counted), span)
    }

    fn refused(&self, record: Record, refusal: &Refusal, span: Option<Arc<MessageSpan>>) -> Judged {
        tracing::warn!(topic = %record.topic, partition = record.partition, offset = record.offset, reason = refusal.code(), "refused");
        let outputs = vec![dead_letter(&self.topics.dead_letters, record, refusal)];
        ends(span.as_deref(), Ending::Refused(refusal.code()));
        let counted = Counted::dead_letter(refusal.reason());
        let outcome = if refusal.counts_towards_a_stop() {
            Completion::Refused(outputs, counted)
        } else {
            Completion::Done(outputs, counted)
        };
        (outcome, span)
    }

    fn origin(&self, raw: &Raw<'_>) -> Origin {
        Origin {
            message_id: raw.id.clone(),
            input: Some(raw.lineage.input.clone()),
            detail: self.detail,
            annotate: self.annotate,
            report_scope: self.report_scope,
            settings: self.settings.clone(),
            settings_block: self.settings_block.clone(),
            notes: if raw.arrival_corrected { vec![Reason::ArrivalAdjusted] } else { Vec::new() },
        }
    }

    /// Makes the records to write, and the counts that belong to them. The ids follow from the raw
    /// record, so a repetition has the same ids.
    fn records(
        &self,
        record: &Record,
        raw: &Raw<'_>,
        outputs: Outputs<'_>,
        time: Timestamp,
        span: Option<&MessageSpan>,
    ) -> (Vec<Output>, Counted) {
        let id = raw.lineage.id();
        let headers = |kind| Attributes { id: &id, source: &self.source, kind, time, content_type: JSON }.headers(&raw.trace);
        if let Some(why) = outputs.uncounted {
            self.uncounted.note(why, &id);
        }
        let counted = counted(&outputs);
        let receipt = &outputs.verdict.receipt;
        let (status, policy) = (receipt.dmarc_verdict.status.as_str(), receipt.dmarc_policy.map(Policy::as_str));
        ends(span, Ending::Judged { status, policy });
        let mut of_verdict = headers(VERDICT).with(STATUS, receipt.dmarc_verdict.status.as_str());
        if let Some(policy) = receipt.dmarc_policy {
            of_verdict.push(POLICY, Some(policy.to_string().as_bytes()));
        }
        let mut records = Vec::with_capacity(3);
        records.push(Output {
            topic: self.topics.verdicts.clone(),
            partition: None,
            key: record.key.clone(),
            value: Some(json(&outputs.verdict, TYPICAL_VERDICT)),
            headers: of_verdict,
        });
        if let Some(failure) = &outputs.failure {
            records.push(Output {
                topic: self.topics.failures.clone(),
                partition: None,
                key: Some(failure.policy_domain.as_str().into()),
                value: Some(json(failure, TYPICAL_FAILURE)),
                headers: headers(FAILURE),
            });
        }
        if let Some(message) = outputs.annotated {
            let mut headers = raw.attributes().with(CONTENT_TYPE, MESSAGE);
            raw.trace.push_to(&mut headers);
            records.push(Output {
                topic: self.topics.annotated.clone(),
                partition: None,
                key: record.key.clone(),
                value: Some(message),
                headers,
            });
        }
        (records, counted)
    }
}

fn counted(outputs: &Outputs<'_>) -> Counted {
    let receipt = &outputs.verdict.receipt;
    let (status, policy) = (receipt.dmarc_verdict.status.as_str(), receipt.dmarc_policy.map(Policy::as_str));
    Counted::verdict(status, policy, receipt.timestamp)
        .reasons(outputs.verdict.authentication.dmarc.reasons.iter().copied())
        .failure(outputs.failure.is_some(), outputs.uncounted.map(unreported))
}

fn unreported(why: Uncounted) -> Unreported {
    match why {
        Uncounted::Late => Unreported::Late,
        Uncounted::NoClient => Unreported::NoClient,
        Uncounted::Incomplete => Unreported::Incomplete,
    }
}

/// Notes the outcome of a message that is traced.
fn ends(span: Option<&MessageSpan>, ending: Ending<'_>) {
    if let Some(span) = span {
        span.ends(ending);
    }
}

/// The initial capacity of the buffer for a verdict, in bytes. It holds most verdicts, so that the
/// buffer seldom has to grow.
const TYPICAL_VERDICT: usize = 8 << 10;
/// The initial capacity of the buffer for a failure, in bytes. A failure has about a quarter of the
/// size of a verdict.
const TYPICAL_FAILURE: usize = 2 << 10;

#[expect(clippy::expect_used, reason = "our events are structs of strings, numbers and lists, which JSON can always hold")]
fn json(event: &impl Serialize, room: usize) -> Vec<u8> {
    let mut json = Vec::with_capacity(room);
    serde_json::to_writer(&mut json, event).expect("events serialize");
    json
}
