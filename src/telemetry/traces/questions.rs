//! Questions to DNS as spans.

use super::message::Evaluating;
use super::names;
use crate::dns::{Answer, Outcome, Question, RecordType, Resolver, Unanswered, suffix};
use futures::future::BoxFuture;
use opentelemetry::KeyValue;
use opentelemetry::trace::Span as _;
use opentelemetry_sdk::trace::Span;
use std::sync::Arc;

/// Passes every question on; those that are not answered from memory become spans.
pub(super) struct Asking<'e> {
    pub(super) resolver: &'e dyn Resolver,
    pub(super) evaluating: &'e Evaluating,
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

/// A question that is open. Dropped, it was given up at the message's deadline.
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
