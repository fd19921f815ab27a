//! Traces the reports of the transaction in progress, with one span for each report.

use crate::aggregate::{Linked, MAX_LINKS};
use crate::event::headers::Trace;
use crate::event::{Output, ReportAttributes};
use crate::telemetry::traces::{Report, ReportSpan, Traces};
use std::collections::BTreeMap;

// The tracing library keeps no more links of a span.
const _: () = assert!(MAX_LINKS <= 128);

/// The open spans by the ids of their reports. A report that is written again keeps its span.
#[derive(Debug)]
pub(super) struct ReportSpans {
    traces: Traces,
    open: BTreeMap<String, ReportSpan>,
}

impl ReportSpans {
    pub(super) fn of(traces: Traces) -> Self {
        Self { traces, open: BTreeMap::new() }
    }

    /// Returns whether traces are on. If not, there is no use in noting the traces of failures.
    pub(super) fn are_on(&self) -> bool {
        self.traces.are_on()
    }

    /// Begins the spans of the reports among `outputs` that have links, and writes each span's
    /// context into the headers of its report.
    pub(super) fn begin(&mut self, outputs: &mut [Output], linked: &[Linked]) {
        for Linked { output, links } in linked {
            let Some(output) = outputs.get_mut(*output) else { continue };
            let Some(attributes) = ReportAttributes::read(&output.headers) else { continue };
            if !self.open.contains_key(&attributes.id) {
                let report = Report {
                    topic: &output.topic,
                    partition: output.partition.unwrap_or_default(),
                    id: &attributes.id,
                    domain: attributes.policy_domain.as_str(),
                    messages: attributes.messages,
                };
                let Some(span) = self.traces.report(&report, links) else { continue };
                self.open.insert(attributes.id.clone(), span);
            }
            if let Some(span) = self.open.get(&attributes.id) {
                Trace::default().within(span.context()).push_to(&mut output.headers);
            }
        }
    }

    /// Ends the spans, because the transaction has committed.
    pub(super) fn committed(&mut self) {
        std::mem::take(&mut self.open).into_values().for_each(ReportSpan::committed);
    }

    /// Notes in the spans that the transaction was aborted.
    pub(super) fn aborted(&mut self) {
        self.open.values_mut().for_each(ReportSpan::aborted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Links;
    use crate::config::Profile;
    use crate::event::TraceContext;
    use crate::telemetry::traces::tests::Exported;

    fn report(id: &str) -> Output {
        let attributes = ReportAttributes {
            id: id.to_owned(),
            policy_domain: "example.org".parse().unwrap(),
            submitter: "mx.example".parse().unwrap(),
            begin: 0,
            end: 1,
            file_name: "f".to_owned(),
            subject: "s".to_owned(),
            generation: 0,
            part: 0,
            profile: Profile::Rfc9990,
            addresses: Vec::new(),
            rows: 1,
            messages: 2,
        };
        Output {
            topic: "mail.reports".into(),
            partition: Some(1),
            key: None,
            value: None,
            headers: attributes.headers("/verdmarc", jiff::Timestamp::UNIX_EPOCH),
        }
    }

    fn linked(output: usize) -> Linked {
        let context = TraceContext { trace_id: [7; 16], span_id: [7; 8], flags: 1 };
        Linked { output, links: Links::of([context], 0) }
    }

    #[test]
    fn a_report_names_its_span_and_keeps_it_when_it_is_written_again() {
        let exported = Exported::default();
        let mut spans = ReportSpans::of(exported.traces(0.0));
        let write = |spans: &mut ReportSpans| {
            let mut outputs = [report("without"), report("with")];
            spans.begin(&mut outputs, &[linked(1)]);
            outputs.map(|output| Trace::parent_of(&output.headers))
        };
        let [without, with] = write(&mut spans);
        assert_eq!(without, None);
        spans.aborted();
        assert_eq!(write(&mut spans), [None, with]);
        assert!(exported.take().is_empty(), "nothing is committed");
        spans.committed();
        let [span] = &exported.take()[..] else { panic!("one span") };
        assert_eq!(with.map(|with| with.span_id), Some(span.span_context.span_id().to_bytes()));
        assert_eq!(span.events.iter().map(|event| event.name.as_ref()).collect::<Vec<_>>(), ["aborted"]);
        assert_ne!(write(&mut spans)[1], with, "a report of the next transaction has a span of its own");
    }

    #[test]
    fn without_traces_a_report_stays_as_it_is() {
        let mut outputs = [report("with")];
        ReportSpans::of(Traces::default()).begin(&mut outputs, &[linked(0)]);
        assert_eq!(outputs[0].headers, report("with").headers);
    }
}
