//! Converts contexts of records and contexts of spans into each other.

use crate::event::TraceContext;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Returns the context of a record as a span context of OpenTelemetry.
pub(super) fn remote(context: &TraceContext, state: TraceState) -> SpanContext {
    let (trace, span) = (TraceId::from_bytes(context.trace_id), SpanId::from_bytes(context.span_id));
    SpanContext::new(trace, span, TraceFlags::new(context.flags), true, state)
}

/// Returns a span's context for a record; `None` when the span is not recorded, because the
/// exporter was shut down.
pub(super) fn outgoing(context: &SpanContext) -> Option<TraceContext> {
    (context.is_valid() && context.is_sampled()).then(|| TraceContext {
        trace_id: context.trace_id().to_bytes(),
        span_id: context.span_id().to_bytes(),
        flags: context.trace_flags().to_u8(),
    })
}
