//! Finds where a newly assigned partition is read from: the position that its group has committed.
//!
//! librdkafka would ask for it on its own, but the result is not reliable (2.12.1,
//! `rdkafka_assignment.c`). When the assignment changes while a transaction of the last owner holds
//! the position, librdkafka starts the partition by `auto.offset.reset`, at its beginning.
//! After some errors of the request it never starts the partition.
//! So this module asks for the positions itself, as often as it takes, and librdkafka is given a
//! partition only when its start is known. Meanwhile no other partition waits.
//!
//! The brokers answer once no transaction holds an offset of the partition (KIP-447).
//! So when there is an answer, everything below the position is settled.

use super::background::Background;
use super::committed::{Commit, Committed};
use super::context::LoggingContext;
use super::group::Group;
use super::log_id::LogIds;
use super::lookup::UncommittedEnds;
use super::native::{Presence, Present};
use super::settings;
use super::written::Written;
use crate::config::Kafka;
use crate::event::TopicId;
use crate::kafka::base::error::Error;
use crate::kafka::base::lease::LeaseWatch;
use crate::kafka::base::partition::{Generation, Partition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// The start of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// The position that the group has committed.
    At(i64),
    /// The group has committed nothing. This is the position of the group that
    /// read the topic before.
    TakenOver { position: i64 },
    /// The beginning of the log, because nothing is committed.
    Beginning,
    /// The committed position is one of another topic of the same name.
    Anew { position: i64 },
    /// Records from the committed position on were deleted, up to `first`.
    Deleted { position: i64, first: i64 },
    /// The committed position is beyond the end of the log, which is the same log: it was cut off.
    CutOff { position: i64, end: i64 },
    /// The committed position is beyond the end of a log that may be another one,
    /// because ids are not known.
    Unknown { position: i64, end: i64 },
}

/// The start of an assigned partition, for its owner.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) partition: Partition,
    pub(crate) generation: Generation,
    pub(crate) found: Found,
}

/// The brokers' answer about the start of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) start: Start,
    /// The id of the partition's topic, if the brokers report ids.
    pub(crate) log: Option<TopicId>,
    /// The offsets above the position whose outputs are written.
    pub(crate) written: Written,
}

impl Found {
    /// Returns the start of a partition whose group has committed this, in the topic with this id
    /// and a log from `first` to `end`. What the set holds of another log, or beyond the end of
    /// this one, says nothing: records with these offsets are yet to come.
    pub(crate) fn of(commit: Option<Commit>, log: Option<TopicId>, (first, end): (i64, i64)) -> Self {
        let start = Start::of(commit.as_ref().map(|commit| commit.position), log, (first, end));
        let written = match (start, commit) {
            (Start::At(position) | Start::Deleted { position, .. }, Some(commit)) => commit.written.within(position..end),
            _ => Written::default(),
        };
        Self { start, log, written }
    }
}

/// A partition whose position is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) partition: Partition,
    pub(crate) generation: Generation,
    /// The lease of the assignment. When it is over, the answer is void.
    pub(crate) lease: LeaseWatch,
    /// The time at which the question was asked first.
    pub(crate) since: Instant,
}

/// The thread that finds where partitions start. When this is dropped, it finishes the requests
/// that it has open and ends.
pub(crate) type Positions = Background<Question, (Question, Result<Found, Error>)>;

/// The longest wait for one request about all partitions. When no position is held,
/// the answer takes milliseconds.
const TOGETHER: Duration = Duration::from_millis(500);
/// The longest wait for a request about one partition. Such requests are needed because one
/// position that is held would hold up the answer for all others.
const ALONE: Duration = Duration::from_millis(300);
/// The number of requests that are made at the same time.
const AT_ONCE: usize = 16;
/// The longest time for which the clients are not polled for librdkafka's messages.
const IDLE: Duration = Duration::from_secs(1);
/// The time between two rounds of requests.
const BACK_OFF: Duration = Duration::from_millis(50);
/// The time between two rounds of requests when all open ones are older than [`LONG`].
const LATER: Duration = Duration::from_millis(500);
/// The wait for a position from which it is logged, and the time between two such lines.
const LONG: Duration = Duration::from_secs(20);

/// Starts the thread that asks for positions of the group. It has a client of its own: on the
/// connection that the consumer fetches with, every answer would wait for the end of a fetch.
pub(crate) fn positions(kafka: &Kafka, group: &Group) -> Result<(Positions, LogIds), Error> {
    let observer = |group: &str| LoggingContext::consumer(&settings::committed_positions(kafka, group)?);
    let former = group.former.as_deref().map(observer).transpose()?;
    let (observer, ends) = (Arc::new(observer(&group.id)?), UncommittedEnds::new(kafka)?);
    let ids = LogIds::on(observer.clone(), kafka);
    let asking = ids.clone();
    let positions = Background::start("positions", move |asked, found| {
        Asker { observer, former, ids: asking, ends, found: found.clone() }.run(asked);
    })?;
    Ok((positions, ids))
}

impl Start {
    /// Returns the position as log lines show it.
    fn said(self) -> String {
        match self {
            Self::At(position) | Self::TakenOver { position } | Self::Anew { position } | Self::Deleted { position, .. } => {
                position.to_string()
            }
            Self::CutOff { position, end } | Self::Unknown { position, end } => format!("{position}, behind the end {end}"),
            Self::Beginning => "none".to_owned(),
        }
    }

    /// Returns the offset to read first; None for the beginning. Logs which records are lost.
    /// Reading continues with the records that are there.
    pub(crate) fn position(self, Partition { topic, number }: &Partition) -> Option<i64> {
        match self {
            Self::At(position) => Some(position),
            Self::TakenOver { position } => {
                tracing::info!(
                    %topic, partition = number, position,
                    "the position is taken over from the group that read the topic before"
                );
                Some(position)
            }
            Self::Beginning => None,
            Self::Anew { position } => {
                tracing::error!(
                    %topic, partition = number, position,
                    "the topic was deleted and made anew: what was not read of the old one is lost, the new one is read from its beginning"
                );
                None
            }
            Self::CutOff { position, end } => {
                tracing::error!(
                    %topic, partition = number, position, end,
                    "the committed position lies behind the end of the log: its brokers have lost records, which were read; reading goes on at \
                     the end"
                );
                Some(end)
            }
            Self::Unknown { position, end } => {
                tracing::error!(
                    %topic, partition = number, position, end,
                    "the committed position lies behind the end of the log: the topic was made anew, or its brokers have lost records; it is read from its beginning"
                );
                None
            }
            Self::Deleted { position, first } => {
                tracing::error!(
                    %topic, partition = number, position, first,
                    "records were deleted before they were read: the topic's retention is shorter than the backlog"
                );
                Some(position)
            }
        }
    }

    /// Returns the start of a partition whose group has committed this, in the topic with this id
    /// and a log from `first` to `end`.
    fn of(committed: Option<Committed>, log: Option<TopicId>, (first, end): (i64, i64)) -> Self {
        let Some(committed) = committed else { return Self::Beginning };
        let position = committed.next;
        match committed {
            committed if committed.is_of_another(log) => Self::Anew { position },
            Committed { log: Some(_), .. } if position > end && log.is_some() => Self::CutOff { position, end },
            _ if position > end => Self::Unknown { position, end },
            _ if position < first => Self::Deleted { position, first },
            _ => Self::At(position),
        }
    }
}

/// The side of [`Positions`] that runs on the thread.
struct Asker {
    observer: Arc<BaseConsumer<LoggingContext>>,
    /// The client that asks for the positions of the group that read the topics
    /// before, if there was one.
    former: Option<BaseConsumer<LoggingContext>>,
    ids: LogIds,
    /// The client that sees open transactions. Before the end of a transaction that is still open,
    /// a position may be beyond the last record that readers of committed records see.
    ends: UncommittedEnds,
    found: mpsc::Sender<(Question, Result<Found, Error>)>,
}

impl Asker {
    fn run(&self, asked: &mpsc::Receiver<Question>) {
        let mut open: Vec<Question> = Vec::new();
        let mut said = Instant::now();
        loop {
            // librdkafka reports errors only to a client that is polled.
            for observer in std::iter::once(&*self.observer).chain(&self.former) {
                while observer.poll(Duration::ZERO).is_some() {}
            }
            let Some(new) = take(asked, pause(&open)) else { return };
            // A question is void once its partition was given up, even when the partition
            // was assigned again.
            open.retain(|old| !old.lease.is_over());
            if !new.is_empty() {
                open.extend(self.ask(new, TOGETHER));
            }
            open = self.ask_alone(open);
            if said.elapsed() > LONG && open.iter().any(|question| question.since.elapsed() > LONG) {
                said = Instant::now();
                tracing::warn!(
                    partitions = open.len(),
                    "waiting for committed positions: their coordinator or leaders are away, their topic is gone, or a transaction that touches them does not end"
                );
            }
        }
    }

    /// Makes a request for each question. Returns the questions without an answer.
    fn ask_alone(&self, questions: Vec<Question>) -> Vec<Question> {
        let share = questions.len().div_ceil(AT_ONCE).max(1);
        let shares: Vec<Vec<Question>> = questions.chunks(share).map(<[Question]>::to_vec).collect();
        let each =
            |share: Vec<Question>| share.into_iter().flat_map(|question| self.ask(vec![question], ALONE)).collect::<Vec<_>>();
        std::thread::scope(|scope| {
            let asking: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || each(share))).collect();
            // A thread's panic is resumed here. Otherwise its questions would be lost, and their
            // partitions would never start.
            asking.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    }

    /// Makes one request for all questions. Returns the questions without an answer.
    fn ask(&self, questions: Vec<Question>, patience: Duration) -> Vec<Question> {
        let topics = questions.iter().map(|question| question.partition.topic.clone()).collect();
        let Some(presence) = self.ids.look(&topics, patience) else { return questions };
        let Ok(committed) = committed(&self.observer, &questions, patience) else { return questions };
        let Ok(former) = self.committed_before(&questions, &committed, patience) else { return questions };
        let mut left = Vec::new();
        for question in questions {
            match self.start(&question.partition, &presence, (&committed, &former)) {
                Some(found) => self.answer(question, found),
                None => left.push(question),
            }
        }
        left
    }

    fn answer(&self, question: Question, found: Result<Found, Error>) {
        if let Ok(Found { start, .. }) = &found {
            let (position, after_ms) = (start.said(), question.since.elapsed().as_millis() as u64);
            tracing::debug!(partition = %question.partition, position, after_ms, "position");
        }
        // The owner is gone only when nothing will be read any more.
        let _ = self.found.send((question, found));
    }

    /// Returns what the former group has committed in the partitions in which this one
    /// has committed nothing.
    fn committed_before(
        &self,
        questions: &[Question],
        committed: &TopicPartitionList,
        patience: Duration,
    ) -> KafkaResult<TopicPartitionList> {
        let lacks = |Question { partition: Partition { topic, number }, .. }: &&Question| {
            let element = committed.find_partition(topic, *number);
            element.is_some_and(|element| !matches!(element.offset(), Offset::Offset(_)))
        };
        let lacking: Vec<Question> = questions.iter().filter(lacks).cloned().collect();
        match &self.former {
            Some(former) if !lacking.is_empty() => self::committed(former, &lacking, patience),
            _ => Ok(TopicPartitionList::new()),
        }
    }

    /// Returns the start of a partition by the brokers' answers; None when they do not say it,
    /// or when the partition's leader does not answer. A topic that is missing may come again,
    /// so it gives None too.
    fn start(
        &self,
        Partition { topic, number }: &Partition,
        presence: &Presence,
        (committed, former): (&TopicPartitionList, &TopicPartitionList),
    ) -> Option<Result<Found, Error>> {
        let log = match presence.get(topic)? {
            Present::Is(id) => Some(*id),
            Present::Unidentified => None,
            Present::Missing => return None,
        };
        committed.find_partition(topic, *number)?.error().ok()?;
        former.find_partition(topic, *number).map_or(Ok(()), |element| element.error()).ok()?;
        let read = |answer| Commit::of(answer, topic, *number);
        let (own, former) = match (read(committed), read(former)) {
            (Ok(own), Ok(former)) => (own, former),
            (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
        };
        let ends = self.ends.log(topic, *number, TOGETHER).ok()?;
        let is_former = own.is_none();
        let mut found = Found::of(own.or(former), log, ends);
        if let (Start::At(position), true) = (found.start, is_former) {
            found.start = Start::TakenOver { position };
        }
        Some(Ok(found))
    }
}

fn committed(
    observer: &BaseConsumer<LoggingContext>,
    questions: &[Question],
    patience: Duration,
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for question in questions {
        list.add_partition(&question.partition.topic, question.partition.number);
    }
    observer.committed_offsets(list, patience)
}

/// Returns how long to wait for new questions before the open ones are asked again.
fn pause(open: &[Question]) -> Duration {
    let youngest = open.iter().map(|question| question.since.elapsed()).min();
    youngest.map_or(IDLE, |age| if age > LONG { LATER } else { BACK_OFF })
}

/// Returns the questions that came since the last call, or that come within `patience`.
/// Returns None when no more can come.
fn take(asked: &mpsc::Receiver<Question>, patience: Duration) -> Option<Vec<Question>> {
    let first = match asked.recv_timeout(patience) {
        Ok(question) => Some(question),
        Err(mpsc::RecvTimeoutError::Timeout) => None,
        Err(mpsc::RecvTimeoutError::Disconnected) => return None,
    };
    Some(first.into_iter().chain(asked.try_iter()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_one_of_the_log_whose_id_was_committed_with_it() {
        let [same, other] = [1, 2].map(|octet| TopicId::new([octet; 16]));
        let of = |next, log, present| Start::of(Some(Committed { next, log }), present, (10, 20));
        // The offset does not matter: below, within or beyond the log.
        for position in [5, 15, 20, 25] {
            assert_eq!(of(position, other, same), Start::Anew { position });
        }
        for (log, present) in [(same, same), (None, same), (same, None), (None, None)] {
            for position in [10, 15, 20] {
                assert_eq!(of(position, log, present), Start::At(position));
            }
            assert_eq!(of(5, log, present), Start::Deleted { position: 5, first: 10 });
        }
        assert_eq!(of(25, same, same), Start::CutOff { position: 25, end: 20 });
        for (log, present) in [(None, same), (same, None), (None, None)] {
            assert_eq!(of(25, log, present), Start::Unknown { position: 25, end: 20 }, "it may be another log");
        }
        assert_eq!(Start::of(None, same, (10, 20)), Start::Beginning);
    }
}
