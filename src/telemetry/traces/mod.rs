//! Makes traces: a span for each sampled message from its evaluation to its commit, and one for
//! each report that counts such messages.
//!
//! ```text
//! process mail.raw ─┬─ fetch object     where the message lies in an object store
//!                   ├─ evaluate ── dns  for each question that is not answered from memory
//!                   ├─ batch            from the verdict to the transaction that holds it
//!                   └─ commit           each transaction from there to its end, even if aborted
//! send mail.reports                     links the first sampled failures of the report
//! ```
//!
//! A message that is not sampled costs only the decision: no span is built for it.

mod context;
mod message;
mod names;
mod questions;
mod report;

pub use message::{Ending, MessageSpan, Received};
pub use questions::Evaluating;
pub use report::{Report, ReportSpan};

use super::sampling::{Decision, Sampler, Sampling};
use crate::aggregate::Links;
use crate::event::Input;
use crate::event::headers::Trace;
use crate::metrics;
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
    /// Returns traces that use this tracer, which must record every span.
    pub fn of(tracer: SdkTracer, sampling: Sampling) -> Self {
        Self(Some(Arc::new(Tracing { tracer, sampler: Sampler::new(sampling) })))
    }

    /// Returns whether traces are on.
    pub fn are_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins the span of a record whose processing begins; `None` when the record is not sampled.
    /// `first` is the record that first held the message.
    pub fn message(&self, received: &Received<'_>, trace: &Trace, first: &Input) -> Option<Arc<MessageSpan>> {
        let Self(Some(tracing)) = self else { return None };
        let parent = trace.context();
        let decision = tracing.sampler.decide(parent.as_ref(), first);
        if decision != Decision::NotWanted {
            metrics::TRACES.add(decision as usize);
        }
        if decision == Decision::Sampled { MessageSpan::begin(&tracing.tracer, received, trace) } else { None }
    }

    /// Begins the span of a report whose failures have these traces; `None` when traces are off.
    pub fn report(&self, report: &Report<'_>, links: &Links) -> Option<ReportSpan> {
        let Self(Some(tracing)) = self else { return None };
        ReportSpan::begin(&tracing.tracer, report, links)
    }
}

#[cfg(test)]
pub(crate) mod tests;
