//! Repeats the warning about a right that the brokers refuse. The library says it only once, and
//! nobody sees a warning that is an hour old.

use super::fetches::Fetches;
use crate::kafka::client::connection::User;
use crate::kafka::client::settings::STATISTICS_INTERVAL;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::time::{Duration, Instant};

/// The time between two warnings of the same refusal.
const AGAIN: Duration = Duration::from_mins(1);

/// A refusal that lasts.
struct Refusal {
    error: KafkaError,
    since: Instant,
    /// The time of the next warning. The first one waits until statistics show which topics are
    /// refused.
    next: Instant,
}

/// The right that the brokers refuse, if any.
pub(crate) struct Rights {
    /// The user whose right is refused.
    user: User,
    refusal: Option<Refusal>,
    assigned: Option<Instant>,
}

impl Rights {
    pub(crate) fn of(user: User) -> Self {
        Self { user, refusal: None, assigned: None }
    }

    /// Notes an error in the place of a record, if it says that a right is refused.
    pub(crate) fn note(&mut self, error: &KafkaError, now: Instant) {
        use RDKafkaErrorCode as Code;
        let is_refusal = matches!(
            error.rdkafka_error_code(),
            Some(Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed | Code::ClusterAuthorizationFailed)
        );
        if is_refusal {
            let next = self.refusal.as_ref().map_or(now + 2 * STATISTICS_INTERVAL, |refusal| refusal.next);
            self.refusal = Some(Refusal { error: error.clone(), since: now, next });
        }
    }

    /// Notes that the group has made a new assignment, which may be empty.
    pub(crate) fn assigned(&mut self, now: Instant) {
        self.assigned = Some(now);
    }

    /// Warns of a refusal that lasts, when the next warning is due. Returns whether there is one.
    pub(crate) fn remind(&mut self, fetches: &Fetches, now: Instant) -> bool {
        let assigned = self.assigned;
        let _ = self.refusal.take_if(|refusal| refusal.is_over(fetches, assigned));
        let Some(refusal) = &mut self.refusal else { return false };
        if now >= refusal.next {
            refusal.next = now + AGAIN;
            let topics = fetches.refused().iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(" ");
            let (error, user, right) = (&refusal.error, self.user, missing(&refusal.error));
            tracing::warn!(%error, right, %user, topics, "the brokers refuse a right, and reading waits for it");
        }
        true
    }
}

/// Returns the name of the missing right, as the brokers' tools write it.
fn missing(error: &KafkaError) -> &'static str {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::GroupAuthorizationFailed) => "Read on the group",
        Some(RDKafkaErrorCode::ClusterAuthorizationFailed) => "ClusterAction on the cluster",
        _ => "Read on the topics",
    }
}

impl Refusal {
    fn is_over(&self, fetches: &Fetches, assigned: Option<Instant>) -> bool {
        let is_assigned = assigned > Some(self.since);
        let oldest = fetches.oldest();
        let is_fetched = oldest.topic.is_some() && oldest.at > Some(self.since);
        fetches.refused().is_empty() && (is_assigned || is_fetched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::base::partition::Partition;
    use std::collections::BTreeSet;

    fn answer(fetches: &mut Fetches, hi: i64, now: Instant) {
        let ours = [Partition { topic: "a".into(), number: 0 }];
        let statistics = format!(
            r#"{{"brokers": {{"n": {{"nodeid": 1, "source": "learned", "state": "UP", "rxidle": 1}}}},
                "topics": {{"a": {{"partitions": {{"0": {{"broker": 1, "fetch_state": "active", "hi_offset": {hi}}}}}}}}}}}"#
        );
        fetches.assigned(ours.iter());
        fetches.note(statistics.as_bytes(), ours.iter(), &BTreeSet::new(), now);
    }

    #[test]
    fn a_refusal_is_said_again_until_it_is_over() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut rights, mut fetches) = (Rights::of(User::Anonymous), Fetches::default());
        rights.assigned(start);
        let said = |rights: &mut Rights, fetches: &Fetches, now| {
            let before = rights.refusal.as_ref().map(|refusal| refusal.next);
            let stands = rights.remind(fetches, now);
            (stands, before != rights.refusal.as_ref().map(|refusal| refusal.next))
        };
        answer(&mut fetches, 5, start);
        assert_eq!(said(&mut rights, &fetches, at(0)), (false, false));
        rights.note(&KafkaError::MessageConsumption(RDKafkaErrorCode::BrokerTransportFailure), at(1));
        assert_eq!(said(&mut rights, &fetches, at(1)), (false, false));
        rights.note(&KafkaError::MessageConsumption(RDKafkaErrorCode::TopicAuthorizationFailed), at(1));
        answer(&mut fetches, -1, at(2));
        let seen: Vec<_> = [2, 6, 7, 60, 67, 126, 127].map(|second| said(&mut rights, &fetches, at(second))).into();
        assert!(seen.iter().all(|(stands, _)| *stands));
        assert_eq!(seen.iter().map(|(_, said)| *said).collect::<Vec<_>>(), [false, true, false, false, true, false, true]);
        answer(&mut fetches, 5, at(128));
        assert_eq!(said(&mut rights, &fetches, at(200)), (false, true));
    }

    #[test]
    fn a_group_that_takes_us_in_has_refused_before() {
        let start = Instant::now();
        let (mut rights, fetches) = (Rights::of(User::Anonymous), Fetches::default());
        rights.note(&KafkaError::MessageConsumption(RDKafkaErrorCode::GroupAuthorizationFailed), start);
        assert!(rights.remind(&fetches, start + Duration::from_secs(90)));
        rights.assigned(start + Duration::from_secs(91));
        assert!(!rights.remind(&fetches, start + Duration::from_secs(92)));
    }
}
