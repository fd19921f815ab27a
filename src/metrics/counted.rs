//! What is counted of a record when its outputs are committed.

use super::counters::{DEAD_LETTERS, FAILURES_WRITTEN, REASONS, RETRIES, UNREPORTED, VERDICTS};
use super::durations::{Histogram, record};
use crate::event::{DeadLetterReason, Reason};
use jiff::Timestamp;
use std::time::Duration;

/// Why a message that failed is in no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreported {
    /// It was evaluated too late.
    Late,
    /// No report can name its client.
    NoClient,
    /// Its verdict lacks what stands in a row.
    Incomplete,
}

/// What a record came to, as far as it is counted. It waits beside the outputs, and is counted once, however often they are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    verdict: Option<u8>,
    dead_letter: Option<DeadLetterReason>,
    /// Bit by bit.
    reasons: u64,
    failure: bool,
    retry: bool,
    unreported: Option<Unreported>,
    arrived: Option<Timestamp>,
}

impl Counted {
    /// A verdict of a message that arrived then: the status, and for FAIL the policy, as their words.
    pub fn verdict(status: &str, policy: Option<&str>, arrived: Timestamp) -> Self {
        let number = match (status, policy) {
            ("PASS", _) => 0,
            ("GRAY", _) => 1,
            ("FAIL", None | Some("none")) => 3,
            ("FAIL", Some("quarantine")) => 4,
            ("FAIL", Some(_)) => 5,
            _ => 2,
        };
        Self { verdict: Some(number), arrived: Some(arrived), ..Self::default() }
    }

    /// With these reason codes.
    pub fn reasons(mut self, reasons: impl IntoIterator<Item = Reason>) -> Self {
        for reason in reasons {
            self.reasons |= 1 << reason as u32;
        }
        self
    }

    /// With a failure event, or without one for a reason.
    pub fn failure(mut self, written: bool, unreported: Option<Unreported>) -> Self {
        (self.failure, self.unreported) = (written, unreported);
        self
    }

    /// A dead letter.
    pub fn dead_letter(reason: DeadLetterReason) -> Self {
        Self { dead_letter: Some(reason), ..Self::default() }
    }

    /// A retry.
    pub fn retry() -> Self {
        Self { retry: true, ..Self::default() }
    }

    /// Counts it: its outputs were committed at `now`.
    pub fn commit(&self, now: Timestamp) {
        if let Some(verdict) = self.verdict {
            VERDICTS.add(usize::from(verdict));
        }
        if let Some(reason) = self.dead_letter {
            DEAD_LETTERS.add(reason as usize);
        }
        let mut reasons = self.reasons;
        while reasons != 0 {
            REASONS.add(reasons.trailing_zeros() as usize);
            reasons &= reasons - 1;
        }
        if self.failure {
            FAILURES_WRITTEN.add(0);
        }
        if self.retry {
            RETRIES.add(0);
        }
        if let Some(unreported) = self.unreported {
            UNREPORTED.add(unreported as usize);
        }
        if let Some(arrived) = self.arrived {
            record(Histogram::Latency, Duration::try_from(now.duration_since(arrived)).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_code_has_its_bit() {
        assert!(Reason::ALL.len() <= 64);
        let counted = Counted::default().reasons([Reason::FromMissing, Reason::InternalError, Reason::FromMissing]);
        assert_eq!(counted.reasons.count_ones(), 2);
    }
}
