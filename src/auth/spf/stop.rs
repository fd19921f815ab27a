//! The causes that end a whole evaluation, whatever other mechanisms would say.

use crate::auth::cause::SpfCause;
use crate::detail::Detail;
use crate::dns::{Answer, Outcome, QueryName, Unanswered};

/// The end of the whole evaluation by a permerror, a temperror, or something unknown.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) cause: SpfCause,
    /// The domain that caused the end.
    pub(super) at: QueryName,
    /// The text that says what exactly is wrong, if that is known at once.
    pub(super) detail: Option<Detail>,
}

impl Stop {
    pub(super) fn because(cause: SpfCause, at: &QueryName, detail: impl std::fmt::Display) -> Self {
        Self { detail: Some(Detail::new(detail)), ..Self::new(cause, at) }
    }

    pub(super) fn new(cause: SpfCause, at: &QueryName) -> Self {
        Self { cause, at: at.clone(), detail: None }
    }

    /// Returns the stop for a failed or unusable answer.
    ///
    /// Returns `None` for records and for definite negative answers (A44).
    pub(super) fn for_answer(answer: &Answer, at: &QueryName) -> Option<Self> {
        let cause = match answer.outcome {
            Outcome::Records(_) | Outcome::NoData | Outcome::NxDomain => return None,
            Outcome::TempError(Unanswered::Budget) => SpfCause::QueryBudget,
            Outcome::TempError(_) => SpfCause::DnsUnanswered,
            Outcome::Invalid => SpfCause::InvalidAnswer,
        };
        Some(Self::new(cause, at))
    }
}
