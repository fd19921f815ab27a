//! The span of one message, from the beginning of its processing to its commit.

use super::context::{outgoing, remote};
use super::names;
use super::questions::Evaluating;
use crate::event::headers::Trace;
use crate::event::{Record, TraceContext};
use crate::kafka::Traced;
use crate::telemetry::semconv;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// A record whose processing begins.
#[derive(Debug, Clone, Copy)]
pub struct Received<'r> {
    /// The record.
    pub record: &'r Record,
    /// The consumer group that reads it.
    pub group: &'r str,
    /// Number of the evaluation, counted from 1.
    pub attempt: u32,
    /// When the processing began.
    pub at: SystemTime,
}

/// The outcome of processing a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending<'e> {
    /// The message has a verdict: the status of DMARC, and for FAIL the policy.
    Judged {
        /// The status.
        status: &'static str,
        /// The policy.
        policy: Option<&'static str>,
    },
    /// The message was written to a topic for retries.
    Retried,
    /// The record became a dead letter for this reason.
    Refused(&'e str),
    /// The object could not be fetched; the message will be processed again.
    PutOff,
}

/// The span of a message. It ends when the outputs of the message are committed. A span that is
/// dropped before that has an event that says so.
#[derive(Debug)]
pub struct MessageSpan {
    tracer: SdkTracer,
    context: TraceContext,
    /// The context in which child spans are made.
    children: Context,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    span: Span,
    /// When the present part began: the wait for a batch, or the transaction.
    since: SystemTime,
    /// True when the message is committed, or will be processed again.
    has_ended: bool,
}

impl MessageSpan {
    /// Begins the span. Returns `None` when spans are not recorded any more.
    pub(super) fn begin(tracer: &SdkTracer, received: &Received<'_>, trace: &Trace) -> Option<Arc<Self>> {
        let Received { record, group, attempt, at } = *received;
        let mut attributes = vec![
            KeyValue::new(semconv::MESSAGING_SYSTEM, semconv::KAFKA),
            KeyValue::new(semconv::MESSAGING_OPERATION_NAME, "process"),
            KeyValue::new(semconv::MESSAGING_OPERATION_TYPE, "process"),
            KeyValue::new(semconv::MESSAGING_DESTINATION_NAME, record.topic.clone()),
            KeyValue::new(semconv::MESSAGING_DESTINATION_PARTITION_ID, record.partition.to_string()),
            KeyValue::new(semconv::MESSAGING_CONSUMER_GROUP_NAME, group.to_owned()),
            KeyValue::new(semconv::MESSAGING_KAFKA_OFFSET, record.offset),
            KeyValue::new(semconv::MESSAGING_MESSAGE_BODY_SIZE, record.value.as_ref().map_or(0, Vec::len) as i64),
        ];
        if attempt > 1 {
            attributes.push(KeyValue::new(names::ATTEMPT, i64::from(attempt)));
        }
        let parent = trace.context().map_or_else(Context::new, |parent| {
            // A state that cannot be parsed is still passed on in records, but the span does not
            // have it.
            let state = trace.state.as_deref().and_then(|state| TraceState::from_str(state).ok());
            Context::new().with_remote_span_context(remote(&parent, state.unwrap_or_default()))
        });
        let span = SpanBuilder::from_name(format!("process {}", record.topic))
            .with_kind(SpanKind::Consumer)
            .with_start_time(at)
            .with_attributes(attributes)
            .start_with_context(tracer, &parent);
        let context = outgoing(span.span_context())?;
        let children = Context::new().with_remote_span_context(span.span_context().clone());
        let state = Mutex::new(State { span, since: at, has_ended: false });
        Some(Arc::new(Self { tracer: tracer.clone(), context, children, state }))
    }

    /// Returns the context for records that are written because of this message: the same trace,
    /// with this span as the parent.
    pub fn context(&self) -> TraceContext {
        self.context
    }

    /// Notes that fetching the message from an object store took from `since` until now.
    pub fn fetched(&self, since: SystemTime) {
        drop(self.child("fetch object", since));
    }

    /// Begins the evaluation. The span is in a box, so that messages without a span do not reserve
    /// memory for one.
    pub fn evaluating(&self) -> Box<Evaluating> {
        let span = self.child("evaluate", SystemTime::now());
        Box::new(Evaluating::of(self.tracer.clone(), span))
    }

    /// Notes the outcome of the message, which then waits for its batch. The span of a message that
    /// was put off ends here.
    pub fn ends(&self, ending: Ending<'_>) {
        let mut state = self.lock();
        state.since = SystemTime::now();
        let (word, more) = match ending {
            Ending::Judged { status, policy } => {
                let policy = policy.map(|policy| KeyValue::new(names::DMARC_POLICY, policy));
                ("judged", [Some(KeyValue::new(names::DMARC_STATUS, status)), policy])
            }
            Ending::Retried => ("retried", [None, None]),
            Ending::Refused(code) => {
                state.span.set_status(Status::error("the record breaks the producer's contract"));
                ("refused", [Some(KeyValue::new(semconv::ERROR_TYPE, code.to_owned())), None])
            }
            Ending::PutOff => {
                state.has_ended = true;
                ("put_off", [None, None])
            }
        };
        state.span.set_attribute(KeyValue::new(names::OUTCOME, word));
        more.into_iter().flatten().for_each(|attribute| state.span.set_attribute(attribute));
    }

    fn child(&self, name: &'static str, since: SystemTime) -> Span {
        SpanBuilder::from_name(name).with_start_time(since).start_with_context(&self.tracer, &self.children)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traced for MessageSpan {
    fn batched(&self, at: SystemTime) {
        let mut state = self.lock();
        self.child("batch", state.since).end_with_timestamp(at);
        state.since = at;
    }

    fn aborted(&self, at: SystemTime, cause: &'static str) {
        let mut state = self.lock();
        let mut commit = self.child("commit", state.since);
        commit.set_attribute(KeyValue::new(semconv::ERROR_TYPE, cause));
        commit.set_status(Status::error("aborted"));
        commit.end_with_timestamp(at);
        state.since = at;
        state.span.add_event_with_timestamp("aborted", at, vec![KeyValue::new(semconv::ERROR_TYPE, cause)]);
    }

    fn committed(&self, at: SystemTime, records: usize) {
        let mut state = self.lock();
        let mut commit = self.child("commit", state.since);
        commit.set_attribute(KeyValue::new(semconv::MESSAGING_BATCH_MESSAGE_COUNT, records as i64));
        commit.end_with_timestamp(at);
        state.span.end_with_timestamp(at);
        state.has_ended = true;
    }
}

impl Drop for MessageSpan {
    fn drop(&mut self) {
        let mut state = self.lock();
        if !state.has_ended {
            // The partition was revoked, or the role ended. The next owner processes the message
            // again.
            state.span.add_event("left to the next owner", Vec::new());
        }
    }
}
