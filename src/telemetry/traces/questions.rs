//! The spans of an evaluation and of its DNS questions.

use super::names;
use crate::dns::{Answer, Outcome, Question, RecordType, Resolver, Unanswered, suffix};
use futures::future::BoxFuture;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The span of an evaluation, with the number of its questions.
#[derive(Debug)]
pub struct Evaluating {
    tracer: SdkTracer,
    span: Span,
    /// The context in which the spans of questions are made.
    questions: Context,
    asked: AtomicU32,
}

/// Largest number of questions of one message that have a span of their own; further ones are only
/// counted.
const MAX_QUESTIONS: u32 = 32;

impl Evaluating {
    /// Returns the evaluation that has this span.
    pub(super) fn of(tracer: SdkTracer, span: Span) -> Self {
        let questions = Context::new().with_remote_span_context(span.span_context().clone());
        Self { tracer, span, questions, asked: AtomicU32::new(0) }
    }

    /// Returns a resolver whose questions have spans, unless they are answered from memory.
    pub fn asking<'e>(&'e self, resolver: &'e dyn Resolver) -> impl Resolver + 'e {
        Asking { resolver, evaluating: self }
    }

    /// Begins the span of a question; `None` when the message has had too many questions for that.
    fn question(&self, attributes: impl FnOnce() -> Vec<KeyValue>) -> Option<Span> {
        (self.asked.fetch_add(1, Ordering::Relaxed) < MAX_QUESTIONS).then(|| {
            let builder = SpanBuilder::from_name("dns").with_kind(SpanKind::Client).with_attributes(attributes());
            builder.start_with_context(&self.tracer, &self.questions)
        })
    }
}

impl Drop for Evaluating {
    fn drop(&mut self) {
        self.span.set_attribute(KeyValue::new(names::DNS_QUESTIONS, i64::from(*self.asked.get_mut())));
    }
}

/// A resolver that passes every question on, and makes spans for those that are not answered from
/// memory.
struct Asking<'e> {
    resolver: &'e dyn Resolver,
    evaluating: &'e Evaluating,
}

impl Resolver for Asking<'_> {
    fn at_hand(&self, question: &Question) -> Option<Arc<Answer>> {
        self.resolver.at_hand(question)
    }

    fn resolve<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Arc<Answer>> {
        Box::pin(async move {
            let mut asked = Asked(self.evaluating.question(|| {
                let domain = suffix::registered(&question.name).to_owned();
                vec![KeyValue::new(names::DNS_DOMAIN, domain), KeyValue::new(names::DNS_TYPE, record_type(question.rtype))]
            }));
            let answer = self.resolver.resolve(question).await;
            asked.end(outcome(&answer.outcome));
            answer
        })
    }
}

/// The span of a question that is open. When it is dropped, the question was given up at the
/// message's deadline.
struct Asked(Option<Span>);

impl Asked {
    fn end(&mut self, outcome: &'static str) {
        if let Some(mut span) = self.0.take() {
            span.set_attribute(KeyValue::new(names::DNS_OUTCOME, outcome));
            span.end();
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.end(unanswered(Unanswered::Deadline));
    }
}

fn record_type(rtype: RecordType) -> &'static str {
    match rtype {
        RecordType::A => "A",
        RecordType::Aaaa => "AAAA",
        RecordType::Mx => "MX",
        RecordType::Ptr => "PTR",
        RecordType::Txt => "TXT",
    }
}

fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Records(_) => "records",
        Outcome::NoData => "no_data",
        Outcome::NxDomain => "nx_domain",
        Outcome::TempError(why) => unanswered(*why),
        Outcome::Invalid => "invalid",
    }
}

fn unanswered(why: Unanswered) -> &'static str {
    match why {
        Unanswered::Timeout => "timeout",
        Unanswered::ServFail => "serv_fail",
        Unanswered::Refused => "refused",
        Unanswered::Network => "network",
        Unanswered::Deadline => "deadline",
        Unanswered::Budget => "budget",
    }
}
