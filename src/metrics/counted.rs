//! Notes what to count for a record, and counts it when its outputs are committed.

use super::counters::{DEAD_LETTERS, FAILURES_WRITTEN, REASONS, RETRIES, UNREPORTED, VERDICTS};
use super::durations::{Histogram, record};
use crate::event::{DeadLetterReason, Reason};
use jiff::Timestamp;
use std::time::Duration;

/// The reason why a message that failed is in no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreported {
    /// The message was evaluated too late.
    Late,
    /// No report can name its client.
    NoClient,
    /// The verdict lacks a fact that every row has.
    Incomplete,
}

/// The figures to count for a record. They wait beside the record's outputs. They are counted once,
/// however often the outputs are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    verdict: Option<u8>,
    dead_letter: Option<DeadLetterReason>,
    /// One bit for each reason code.
    reasons: u64,
    failure: bool,
    retry: bool,
    unreported: Option<Unreported>,
    arrived: Option<Timestamp>,
}

impl Counted {
    /// Counts a verdict of a message that arrived at `arrived`. Status and policy are given as
    /// their words, the policy only for FAIL.
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

    /// Counts these reason codes too.
    pub fn reasons(mut self, reasons: impl IntoIterator<Item = Reason>) -> Self {
        for reason in reasons {
            self.reasons |= 1 << reason as u32;
        }
        self
    }

    /// Counts a failure event if one was written, or else the reason why there is none.
    pub fn failure(mut self, written: bool, unreported: Option<Unreported>) -> Self {
        (self.failure, self.unreported) = (written, unreported);
        self
    }

    /// Counts a dead letter.
    pub fn dead_letter(reason: DeadLetterReason) -> Self {
        Self { dead_letter: Some(reason), ..Self::default() }
    }

    /// Counts a retry.
    pub fn retry() -> Self {
        Self { retry: true, ..Self::default() }
    }

    /// Adds everything to the counters. The outputs were committed at `now`.
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
