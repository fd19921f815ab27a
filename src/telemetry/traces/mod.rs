//! Traces: a span for each sampled message from its evaluation to its commit, and one for each report that tells of such messages.
//!
//! ```text
//! process mail.raw ─┬─ fetch object     where the message lies in an object store
//!                   ├─ evaluate ── dns  for each question that is not answered from memory
//!                   ├─ batch            from the verdict to the transaction that holds it
//!                   └─ commit           from there to its end; one for each transaction, aborted ones too
//! send mail.reports                     links the first sampled failures of the report
//! ```
//!
//! What is not sampled costs the decision and nothing else: no span is built for it.

mod message;
mod names;
mod questions;
mod report;

pub use message::{Ending, Evaluating, MessageSpan, Received};
pub use report::{Report, ReportSpan};

use super::sampling::{Decision, Sampler, Sampling};
use crate::aggregate::Links;
use crate::event::headers::Trace;
use crate::event::{Input, TraceContext};
use crate::metrics;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::SdkTracer;
use std::sync::Arc;

/// Makes spans, or none when traces are off. Clones share the limit per second.
#[derive(Debug, Clone, Default)]
pub struct Traces(Option<Arc<Tracing>>);

#[derive(Debug)]
struct Tracing {
    tracer: SdkTracer,
    sampler: Sampler,
}

impl Traces {
    /// Traces of a tracer, which must record whatever it is given.
    pub fn of(tracer: SdkTracer, sampling: Sampling) -> Self {
        Self(Some(Arc::new(Tracing { tracer, sampler: Sampler::new(sampling) })))
    }

    /// Whether there are any.
    pub fn are_on(&self) -> bool {
        self.0.is_some()
    }

    /// The span of a record that begins to be processed, if it is sampled. `first` is the record that first held the message.
    pub fn message(&self, received: &Received<'_>, trace: &Trace, first: &Input) -> Option<Arc<MessageSpan>> {
        let Self(Some(tracing)) = self else { return None };
        let parent = trace.context();
        let decision = tracing.sampler.decide(parent.as_ref(), first);
        if decision != Decision::NotWanted {
            metrics::TRACES.add(decision as usize);
        }
        if decision == Decision::Sampled { MessageSpan::begin(&tracing.tracer, received, trace) } else { None }
    }

    /// The span of a report whose failures have these traces.
    pub fn report(&self, report: &Report<'_>, links: &Links) -> Option<ReportSpan> {
        let Self(Some(tracing)) = self else { return None };
        ReportSpan::begin(&tracing.tracer, report, links)
    }
}

/// A context of a record as OpenTelemetry has it.
fn remote(context: &TraceContext, state: TraceState) -> SpanContext {
    let (trace, span) = (TraceId::from_bytes(context.trace_id), SpanId::from_bytes(context.span_id));
    SpanContext::new(trace, span, TraceFlags::new(context.flags), true, state)
}

/// A span's context as it goes into a record; none when the span is not recorded, because the exporter was shut down.
fn outgoing(context: &SpanContext) -> Option<TraceContext> {
    (context.is_valid() && context.is_sampled()).then(|| TraceContext {
        trace_id: context.trace_id().to_bytes(),
        span_id: context.span_id().to_bytes(),
        flags: context.trace_flags().to_u8(),
    })
}

#[cfg(test)]
pub(crate) mod tests;
