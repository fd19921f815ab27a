//! The span of a report, which links the messages that the report counts.

use super::context::{outgoing, remote};
use super::names;
use crate::aggregate::Links;
use crate::event::TraceContext;
use crate::telemetry::semconv;
use opentelemetry::trace::{Link, Span as _, SpanBuilder, SpanKind, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span};

/// A report that is about to be written.
#[derive(Debug, Clone, Copy)]
pub struct Report<'r> {
    /// The topic.
    pub topic: &'r str,
    /// The partition.
    pub partition: i32,
    /// The id of the report.
    pub id: &'r str,
    /// The policy domain that the report is about.
    pub domain: &'r str,
    /// Number of messages in it.
    pub messages: u64,
}

/// The span of a report, until the transaction that holds it has committed.
#[derive(Debug)]
pub struct ReportSpan {
    span: Span,
    has_ended: bool,
    context: TraceContext,
}

impl ReportSpan {
    /// Begins the span in a trace of its own, because a report belongs to all of its messages
    /// alike. Returns `None` when spans are not recorded any more.
    pub(super) fn begin(tracer: &SdkTracer, report: &Report<'_>, links: &Links) -> Option<Self> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let attributes = [
            KeyValue::new(semconv::MESSAGING_SYSTEM, semconv::KAFKA),
            KeyValue::new(semconv::MESSAGING_OPERATION_NAME, "send"),
            KeyValue::new(semconv::MESSAGING_OPERATION_TYPE, "send"),
            KeyValue::new(semconv::MESSAGING_DESTINATION_NAME, report.topic.to_owned()),
            KeyValue::new(semconv::MESSAGING_DESTINATION_PARTITION_ID, report.partition.to_string()),
            KeyValue::new(semconv::MESSAGING_MESSAGE_ID, report.id.to_owned()),
            KeyValue::new(names::REPORT_DOMAIN, report.domain.to_owned()),
            KeyValue::new(names::REPORT_MESSAGES, number(report.messages)),
            KeyValue::new(names::REPORT_SAMPLED, number(links.sampled())),
            KeyValue::new(names::REPORT_RESTORED, number(links.restored())),
        ];
        let to = |context: &TraceContext| Link::with_context(remote(context, TraceState::NONE));
        let span = SpanBuilder::from_name(format!("send {}", report.topic))
            .with_kind(SpanKind::Producer)
            .with_attributes(attributes)
            .with_links(links.contexts().iter().map(to).collect())
            .start_with_context(tracer, &Context::new());
        let context = outgoing(span.span_context())?;
        Some(Self { span, has_ended: false, context })
    }

    /// Returns the context for the record of the report.
    pub fn context(&self) -> TraceContext {
        self.context
    }

    /// Notes that the transaction was aborted; the report is written again.
    pub fn aborted(&mut self) {
        self.span.add_event("aborted", Vec::new());
    }

    /// Ends the span, because the transaction was committed.
    pub fn committed(mut self) {
        self.span.end();
        self.has_ended = true;
    }
}

impl Drop for ReportSpan {
    fn drop(&mut self) {
        if !self.has_ended {
            // The partition was revoked, or the role ended. The next owner writes the report again.
            self.span.add_event("left to the next owner", Vec::new());
        }
    }
}
