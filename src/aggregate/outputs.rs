//! Makes the records of mail.reports: reports, and summaries of closed windows.

use super::about::About;
use crate::config::Profile;
use crate::event::headers::{Attributes, JSON, Trace};
use crate::event::{Output, ReportAttributes, WINDOW_CLOSED, WindowClosed};
use crate::report::{Part, Submitter};
use jiff::Timestamp;
use std::sync::Arc;

/// The topic and partition that outputs go to, and the source that they name.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) source: Arc<str>,
}

impl Destination {
    pub(super) fn report(
        &self,
        about: &About,
        submitter: &Submitter,
        profile: Profile,
        part: Part,
        number: u32,
        time: Timestamp,
    ) -> Output {
        let period = about.window.period();
        let attributes = ReportAttributes {
            id: part.identity.id.to_string(),
            policy_domain: about.policy_domain.clone(),
            submitter: submitter.domain.clone(),
            begin: period.begin,
            end: period.end,
            file_name: part.identity.file_name,
            subject: part.identity.subject,
            generation: about.generation,
            part: number,
            profile,
            addresses: about.policy.rua.clone(),
            rows: part.rows as u64,
            messages: part.messages,
        };
        Output {
            topic: self.topic.clone(),
            partition: Some(self.partition),
            key: Some(about.policy_domain.as_str().into()),
            value: Some(part.bytes),
            headers: attributes.headers(&self.source, time),
        }
    }

    pub(super) fn closed(&self, closed: &WindowClosed, time: Timestamp) -> Output {
        let id = format!("{}-{}-{}-{}", closed.begin, closed.end, self.partition, closed.generation);
        let attributes = Attributes { id: &id, source: &self.source, kind: WINDOW_CLOSED, time, content_type: JSON };
        Output {
            topic: self.topic.clone(),
            partition: Some(self.partition),
            key: None,
            // Numbers always have a JSON form.
            value: Some(serde_json::to_vec(closed).unwrap_or_default()),
            headers: attributes.headers(&Trace::default()),
        }
    }
}
