//! Implements the retry lane: a message whose DNS failed temporarily is evaluated again later,
//! before its PROCESSING_FAILED is published.
//!
//! Each delay has a topic of its own, and one separate pipeline reads all of these topics. In the
//! group of mail.raw they would count when partitions are shared out, although they hold hardly any
//! records. The record goes into the topic unchanged, with its origin, the number of the attempt,
//! and the time before which it must not be evaluated. The partition waits until its first record
//! is due; all records after that one are due later. After the last delay the verdict is published,
//! whatever it is.

use crate::auth::dmarc::DmarcResult;
use crate::config::Config;
use crate::dns::{Outcome, Unanswered};
use crate::event::lineage::{self, NOT_BEFORE, not_before};
use crate::event::{Headers, Lineage, Output, Record};
use crate::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// The largest difference that the clocks of the processes of a role may have.
const CLOCKS: Duration = Duration::from_mins(1);

/// The delays of the retry lane and their topics.
#[derive(Debug, Clone)]
pub(super) struct Retries {
    /// True when messages are put into the lane and read from it.
    is_on: bool,
    delays: Vec<Duration>,
    topics: Vec<Arc<str>>,
}

impl Retries {
    /// Makes the lane that the settings describe.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            is_on: config.verdict.retries,
            delays: config.verdict.retry_delays_s.iter().map(|seconds| Duration::from_secs(*seconds)).collect(),
            topics: config.topics.all_retries().map(Into::into).collect(),
        }
    }

    /// Returns whether the lane is on.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Returns the topics that this process reads if they exist: all that may hold retries,
    /// including those of delays that are not configured any more. There are none when the lane is
    /// off.
    pub(super) fn read(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|topic| &**topic).take(if self.is_on { self.topics.len() } else { 0 })
    }

    /// Returns whether a topic belongs to the lane.
    pub(super) fn has(&self, topic: &str) -> bool {
        self.topics.iter().any(|known| **known == *topic)
    }

    /// Returns the topics that this process writes to.
    pub(super) fn written(&self) -> impl Iterator<Item = &str> {
        self.read().take(self.delays.len())
    }

    /// Returns how long a record must wait before it is evaluated; None when it is due, or when it
    /// is not a retry.
    pub(super) fn wait(&self, record: &Record, now: Timestamp) -> Option<Duration> {
        let index = self.topics.iter().position(|topic| *topic == record.topic)?;
        let mut due = not_before(record)?;
        if let Some(delay) = self.delays.get(index) {
            // A header that this program cannot have written must not stop a partition for ever.
            // The wait is computed again each time that the record is read, so only a fixed time
            // can limit it: the time when the record was written.
            due = due.min(record.timestamp?.time.checked_add(*delay + CLOCKS).ok()?);
        }
        Duration::try_from(due.duration_since(now)).ok().filter(|wait| !wait.is_zero())
    }

    /// Makes the record for the next topic of the lane. Returns None when the verdict cannot change
    /// after a delay, when the last delay is over, or when the lane is off.
    pub(super) fn next(&self, record: &Record, lineage: &Lineage, verdict: &Verdict, now: Timestamp) -> Option<Output> {
        if !self.is_on || !may_change(verdict) {
            return None;
        }
        let done = self.topics.iter().position(|topic| *topic == record.topic).map_or(0, |index| index + 1);
        let (topic, delay) = self.topics.get(done).zip(self.delays.get(done))?;
        let due = now.saturating_add(SignedDuration::try_from(*delay).ok()?).ok()?;
        let mut headers: Headers = record.headers.iter().flat_map(lineage::foreign).collect();
        lineage.clone().next_attempt().push_to(&mut headers);
        headers.push(NOT_BEFORE, Some(due.to_string().as_bytes()));
        Some(Output { topic: topic.clone(), partition: None, key: record.key.clone(), value: record.value.clone(), headers })
    }
}

/// Returns whether a DNS failure that may pass kept the result from being known.
fn may_change(verdict: &Verdict) -> bool {
    let passing = |outcome: &Outcome| matches!(outcome, Outcome::TempError(why) if *why != Unanswered::Budget);
    verdict.authentication.dmarc.result == DmarcResult::TempError
        && verdict.evidence.answers.iter().any(|entry| passing(&entry.answer.outcome))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Zone;
    use crate::event::Stamp;
    use crate::message::Envelope;

    const MESSAGE: &[u8] = b"From: a@flaky.example\r\n\r\nhello\r\n";

    fn config(retries: bool) -> Config {
        let mut config = Config::default();
        (config.verdict.retries, config.verdict.retry_delays_s) = (retries, vec![5, 60]);
        config
    }

    fn record(topic: &str, headers: Headers) -> Record {
        Record {
            topic: topic.into(),
            partition: 1,
            offset: 9,
            timestamp: Some(Stamp::of_producer(now())),
            key: Some(b"k".to_vec()),
            value: Some(MESSAGE.to_vec()),
            headers: Some(headers),
        }
    }

    fn now() -> Timestamp {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    fn verdict(zone: &str) -> Verdict {
        let zone = Zone::from_json_str(zone).unwrap();
        let settings = Config::default().evaluation();
        // Deadlines need a timer.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(crate::verdict::evaluate(MESSAGE, &Envelope::default(), &zone, now(), &settings))
    }

    fn flaky() -> Verdict {
        verdict(r#"{"_dmarc.flaky.example": [["SERVFAIL", "TXT"]]}"#)
    }

    #[test]
    fn the_lane_goes_from_topic_to_topic_and_keeps_the_origin() {
        let retries = Retries::new(&config(true));
        let mut record = record("mail.raw", Headers::default().with("ce_id", "x").with("verdmarc-forged", "y"));
        for (attempt, topic, delay) in [(2, "mail.retries.1", 5), (3, "mail.retries.2", 60)] {
            let lineage = Lineage::of(&record).unwrap();
            let next = retries.next(&record, &lineage, &flaky(), now()).unwrap();
            assert_eq!((&*next.topic, next.value.as_deref()), (topic, Some(MESSAGE)));
            assert_eq!((next.headers.get("ce_id"), next.headers.get("verdmarc-forged")), (Some(&b"x"[..]), None));
            record = Record { topic: next.topic, offset: 77, headers: Some(next.headers), ..record };
            let lineage = Lineage::of(&record).unwrap();
            assert_eq!((lineage.id().as_str(), lineage.input.attempt), ("mail.raw-1-9", attempt));
            assert_eq!(retries.wait(&record, now()), Some(Duration::from_secs(delay)));
        }
        let lineage = Lineage::of(&record).unwrap();
        assert!(retries.next(&record, &lineage, &flaky(), now()).is_none(), "after the last delay the verdict is published");
    }

    #[test]
    fn only_dns_that_may_recover_is_tried_again() {
        let retries = Retries::new(&config(true));
        let record = record("mail.raw", Headers::default());
        let lineage = Lineage::of(&record).unwrap();
        let next = |zone: &str| retries.next(&record, &lineage, &verdict(zone), now());
        assert!(next(r#"{"_dmarc.flaky.example": [["TIMEOUT", "TXT"]]}"#).is_some());
        // MAIL FROM is unknown, which no later DNS answer will change.
        assert!(next(r#"{"_dmarc.flaky.example": [["TXT", "v=DMARC1; p=reject"]]}"#).is_none());
        assert!(next("{}").is_none(), "no policy");
        assert!(Retries::new(&config(false)).next(&record, &lineage, &flaky(), now()).is_none(), "switched off");
    }

    #[test]
    fn nothing_outside_the_lane_waits_and_nothing_in_it_much_longer_than_its_delay() {
        let retries = Retries::new(&config(false));
        let late = Headers::default().with(NOT_BEFORE, "2030-01-01T00:00:00Z");
        assert_eq!(retries.wait(&record("mail.raw", late.clone()), now()), None);
        let late = Record { timestamp: Some(Stamp::of_producer(now())), ..record("mail.retries.1", late) };
        assert_eq!(retries.wait(&late, now()), Some(Duration::from_secs(5) + CLOCKS));
        assert_eq!(retries.wait(&late, now() + Duration::from_secs(4)), Some(Duration::from_secs(1) + CLOCKS));
        assert_eq!(retries.wait(&late, now() + Duration::from_secs(5) + CLOCKS), None);
        assert_eq!(retries.wait(&Record { timestamp: None, ..late }, now()), None);
        let past = Headers::default().with(NOT_BEFORE, "2026-05-01T11:59:59Z");
        assert_eq!(retries.wait(&record("mail.retries.1", past), now()), None);
        assert_eq!(retries.wait(&record("mail.retries.1", Headers::default()), now()), None);
    }
}
