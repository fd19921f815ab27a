//! Tells logs apart by the ids of their topics instead of their names (K12).
//!
//! A topic that is deleted and made anew has the same name, and offsets that look like
//! those of the topic before.
//! So the id is kept with the assignment, with each committed position and with the state.
//! It is asked for again while a batch is produced: nothing is committed for a topic that
//! is not the one that was read. Where brokers do not report ids, a topic of the same name
//! counts as the same topic.

use super::connection::User;
use super::context::LoggingContext;
use super::lookup::METADATA_PATIENCE;
use super::native::{Answer, Presence, Present, Question};
use super::settings;
use crate::config::Kafka;
use crate::event::TopicId;
use crate::kafka::base::error::Error;
use crate::kafka::testing::embedded;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

/// The time that a batch waits for the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The time beyond [`PATIENCE`] in which librdkafka says that there is no answer.
const MARGIN: Duration = Duration::from_millis(500);

/// A client that asks which topics have certain names.
#[derive(Clone)]
pub(crate) struct LogIds {
    client: Arc<BaseConsumer<LoggingContext>>,
    /// True for the embedded broker, which does not answer. Its topics last as long as the broker.
    embedded: bool,
}

impl LogIds {
    /// Asks with a client of its own.
    pub(crate) fn new(kafka: &Kafka) -> Result<Self, Error> {
        Ok(Self::on(Arc::new(LoggingContext::consumer(&settings::plain_reader(kafka)?)?), kafka))
    }

    /// Asks with this client.
    pub(crate) fn on(client: Arc<BaseConsumer<LoggingContext>>, kafka: &Kafka) -> Self {
        Self { client, embedded: embedded::is_at(&kafka.brokers) }
    }

    /// Returns the topics that have these names now; None when the brokers do not answer in time.
    pub(crate) fn look(&self, topics: &BTreeSet<Arc<str>>, patience: Duration) -> Option<Presence> {
        if self.embedded {
            return Some(topics.iter().map(|topic| (topic.clone(), Present::Unidentified)).collect());
        }
        match Question::ask(&self.client, topics, patience)?.answer(patience) {
            Answer::Is(presence) => {
                if presence.values().any(|present| *present == Present::Unidentified) {
                    warn_of_no_ids();
                }
                Some(presence)
            }
            Answer::NotYet | Answer::Nothing => {
                self.unanswered();
                None
            }
        }
    }

    /// Notes that a question had no answer.
    fn unanswered(&self) {
        self.client.context().connection.rebootstrap.unanswered(self.client.client());
    }

    /// Returns the identity of this client to the brokers.
    pub(crate) fn user(&self) -> User {
        self.client.context().connection.user()
    }

    /// Returns the id of a topic that must be there; None when the brokers do not report ids.
    ///
    /// # Errors
    /// The topic does not exist, or the brokers do not answer.
    pub(crate) fn of(&self, topic: &str) -> Result<Option<TopicId>, Error> {
        let name: Arc<str> = topic.into();
        let presence = self.look(&BTreeSet::from([name.clone()]), METADATA_PATIENCE);
        let failed = |reason: &str| Err(Error::Topic { topic: topic.to_owned(), reason: reason.to_owned() });
        match presence.and_then(|presence| presence.get(&name).copied()) {
            Some(Present::Is(id)) => Ok(Some(id)),
            Some(Present::Unidentified) => Ok(None),
            Some(Present::Missing) => Err(Error::NoTopic { topic: topic.to_owned() }),
            None => failed("the brokers do not say which topic it is"),
        }
    }
}

/// Logs once that the brokers do not report the ids of topics.
fn warn_of_no_ids() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            "the brokers do not say the ids of topics (KIP-516, Kafka 3.1): a topic that is deleted and made anew is taken for the one before"
        );
    });
}

/// The logs that the records of a batch were read from. A topic has two when it was made anew
/// between the starts of two of its partitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Logs(BTreeMap<Arc<str>, BTreeSet<TopicId>>);

/// The answer to the question whether the topics are still those that were read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Confirmed {
    /// The answer has not come yet.
    NotYet,
    /// The topics are those that were read.
    Yes,
    /// These topics are gone, or are others.
    No(BTreeSet<Arc<str>>),
    /// The brokers do not answer the question.
    Unanswered,
}

impl Logs {
    /// Notes that a record was read from this log.
    pub(crate) fn note(&mut self, topic: &Arc<str>, id: TopicId) {
        self.0.entry(topic.clone()).or_default().insert(id);
    }

    /// Asks whether the logs are still there.
    pub(crate) fn ask(&self, ids: &LogIds) -> Confirmation {
        let topics: BTreeSet<Arc<str>> = self.0.keys().cloned().collect();
        let question = if topics.is_empty() { None } else { Question::ask(&ids.client, &topics, PATIENCE) };
        Confirmation { logs: self.clone(), question, ids: ids.clone(), since: Instant::now() }
    }

    /// Compares the logs with the topics that are there now.
    pub(crate) fn confirmed_by(&self, presence: &Presence) -> Confirmed {
        let is_same = |topic: &Arc<str>, known: &BTreeSet<TopicId>| match presence.get(topic) {
            Some(Present::Is(id)) => known.iter().all(|known| known == id),
            Some(Present::Unidentified) => true,
            Some(Present::Missing) | None => false,
        };
        let others = self.0.iter().filter(|(topic, known)| !is_same(topic, known));
        let others: BTreeSet<Arc<str>> = others.map(|(topic, _)| topic.clone()).collect();
        if others.is_empty() { Confirmed::Yes } else { Confirmed::No(others) }
    }
}

/// A question about the logs of a batch that is under way.
pub(crate) struct Confirmation {
    logs: Logs,
    question: Option<Question>,
    ids: LogIds,
    since: Instant,
}

impl Confirmation {
    /// Waits at most `patience` for the answer, and returns it.
    pub(crate) fn wait(&self, patience: Duration) -> Confirmed {
        let Some(question) = &self.question else {
            return if self.logs.0.is_empty() { Confirmed::Yes } else { Confirmed::Unanswered };
        };
        match question.answer(patience) {
            Answer::Is(presence) => self.logs.confirmed_by(&presence),
            Answer::NotYet if self.since.elapsed() < PATIENCE + MARGIN => Confirmed::NotYet,
            Answer::NotYet | Answer::Nothing => {
                self.ids.unanswered();
                Confirmed::Unanswered
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(octet: u8) -> TopicId {
        TopicId::new([octet; 16]).unwrap()
    }

    #[test]
    fn a_batch_is_confirmed_only_when_every_topic_is_the_one_that_was_read() {
        let (raw, retries): (Arc<str>, Arc<str>) = ("raw".into(), "retries".into());
        let mut logs = Logs::default();
        logs.note(&raw, id(1));
        logs.note(&retries, id(2));
        for (of_raw, of_retries, changed) in [
            (Some(Present::Is(id(1))), Some(Present::Is(id(2))), vec![]),
            (Some(Present::Unidentified), Some(Present::Is(id(2))), vec![]),
            (Some(Present::Is(id(2))), Some(Present::Is(id(2))), vec![&raw]),
            (Some(Present::Is(id(1))), Some(Present::Missing), vec![&retries]),
            (Some(Present::Missing), None, vec![&raw, &retries]),
        ] {
            let presence = [(&raw, of_raw), (&retries, of_retries)];
            let presence = presence.into_iter().filter_map(|(topic, present)| Some((topic.clone(), present?))).collect();
            let expected =
                if changed.is_empty() { Confirmed::Yes } else { Confirmed::No(changed.into_iter().cloned().collect()) };
            assert_eq!(logs.confirmed_by(&presence), expected, "{presence:?}");
        }
        // Some partitions were started before the topic was made anew, and some after.
        logs.note(&raw, id(3));
        let presence = Presence::from([(raw.clone(), Present::Is(id(3))), (retries.clone(), Present::Is(id(2)))]);
        assert_eq!(logs.confirmed_by(&presence), Confirmed::No(BTreeSet::from([raw])));
    }

    #[test]
    fn what_no_broker_says_confirms_nothing() {
        let kafka = Kafka { brokers: "127.0.0.1:1".to_owned(), ..Kafka::default() };
        let ids = LogIds::new(&kafka).unwrap();
        assert_eq!(ids.look(&BTreeSet::from(["raw".into()]), Duration::from_millis(50)), None);
        let mut logs = Logs::default();
        assert_eq!(logs.ask(&ids).wait(Duration::ZERO), Confirmed::Yes, "nothing is to be confirmed");
        logs.note(&"raw".into(), id(1));
        let confirmation = logs.ask(&ids);
        assert_eq!(confirmation.wait(Duration::ZERO), Confirmed::NotYet);
        assert_eq!(confirmation.wait(PATIENCE * 2), Confirmed::Unanswered);
    }

    #[test]
    fn the_embedded_broker_is_not_asked() {
        let brokers = embedded::Embedded::start(&["there".to_owned()]).unwrap().brokers;
        let ids = LogIds::new(&Kafka { brokers, ..Kafka::default() }).unwrap();
        assert_eq!(ids.look(&BTreeSet::from(["there".into()]), Duration::ZERO).unwrap()["there"], Present::Unidentified);
        assert_eq!(ids.of("there").unwrap(), None);
    }
}
