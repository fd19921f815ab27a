//! Where a newly assigned partition is read from: the position that its group has committed.
//!
//! librdkafka would ask for it by itself, but what comes of that cannot be relied on (2.12.1, `rdkafka_assignment.c`): when the
//! assignment changes while a transaction of the last owner holds the position back, the partition is started by
//! `auto.offset.reset`, at its beginning; after some errors of the request it is never started. So the positions are asked here, as
//! often as it takes, and the library is given a partition when it is known where it starts. Nobody waits for that but the
//! partition itself.
//!
//! The brokers answer once no transaction holds an offset of the partition (KIP-447), so whoever has an answer knows that
//! everything below it is settled.

use super::background::Background;
use super::committed::Committed;
use super::context::LoggingContext;
use super::group::Group;
use super::log_id::LogIds;
use super::lookup::UncommittedEnds;
use super::native::{Presence, Present};
use super::settings;
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

/// Where reading starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    At(i64),
    /// The group has committed nothing, and the one that read the topic before it this.
    TakenOver {
        position: i64,
    },
    /// Nothing is committed.
    Beginning,
    /// What is committed is of another topic of the same name.
    Anew {
        position: i64,
    },
    /// Records behind what is committed were deleted.
    Deleted {
        position: i64,
        first: i64,
    },
    /// What is committed lies behind the end of the log, which is the same: it was cut off.
    CutOff {
        position: i64,
        end: i64,
    },
    /// What is committed lies behind the end of a log that may be another: ids are not known.
    Unknown {
        position: i64,
        end: i64,
    },
}

/// Where an assigned partition starts.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) partition: Partition,
    pub(crate) generation: Generation,
    pub(crate) start: Start,
    /// The id of its topic, if the brokers say ids.
    pub(crate) log: Option<TopicId>,
}

/// What is found of a partition: where it starts, and in which log.
pub(crate) type Found = (Start, Option<TopicId>);

/// A partition whose position is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) partition: Partition,
    pub(crate) generation: Generation,
    /// The answer is void when it is over.
    pub(crate) lease: LeaseWatch,
    pub(crate) since: Instant,
}

/// The thread that asks where partitions start. It ends behind the requests that it has open when this is dropped.
pub(crate) type Positions = Background<Question, (Question, Result<Found, Error>)>;

/// One request for all partitions; with nothing held back it takes milliseconds.
const TOGETHER: Duration = Duration::from_millis(500);
/// One request for one partition, because one that is held back holds back the answer for all others.
const ALONE: Duration = Duration::from_millis(300);
/// Requests at the same time.
const AT_ONCE: usize = 16;
/// Longest time without a look at what the library has to say.
const IDLE: Duration = Duration::from_secs(1);
/// Between two rounds, and of what has waited for long already.
const BACK_OFF: Duration = Duration::from_millis(50);
const LATER: Duration = Duration::from_millis(500);
/// A wait that is worth a line in the log, and the time between two of them.
const LONG: Duration = Duration::from_secs(20);

/// Starts the thread that asks for positions of the group. It has a client of its own: on the connection that the consumer fetches
/// by, every answer would wait for the end of a fetch.
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
    /// The position, for the log.
    fn said(self) -> String {
        match self {
            Self::At(position) | Self::TakenOver { position } | Self::Anew { position } | Self::Deleted { position, .. } => {
                position.to_string()
            }
            Self::CutOff { position, end } | Self::Unknown { position, end } => format!("{position}, behind the end {end}"),
            Self::Beginning => "none".to_owned(),
        }
    }

    /// Where to read, none for the beginning. What is lost is said, and reading goes on with what there is.
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

    /// Where a partition starts whose group has committed this, in the topic with this id and a log from `first` to `end`.
    pub(crate) fn of(committed: Option<Committed>, log: Option<TopicId>, (first, end): (i64, i64)) -> Self {
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

/// The thread's side.
struct Asker {
    observer: Arc<BaseConsumer<LoggingContext>>,
    /// Asks for the positions of the group that read the topics before, if there was one.
    former: Option<BaseConsumer<LoggingContext>>,
    ids: LogIds,
    /// A position may lie behind what readers of committed records see, before the end of a transaction that is still open.
    ends: UncommittedEnds,
    found: mpsc::Sender<(Question, Result<Found, Error>)>,
}

impl Asker {
    fn run(&self, asked: &mpsc::Receiver<Question>) {
        let mut open: Vec<Question> = Vec::new();
        let mut said = Instant::now();
        loop {
            // What the library has to say comes only to whoever polls.
            for observer in std::iter::once(&*self.observer).chain(&self.former) {
                while observer.poll(Duration::ZERO).is_some() {}
            }
            let Some(new) = take(asked, pause(&open)) else { return };
            // A partition that was given up makes its question void, also when it came again.
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

    /// A request for each; returns those without answer.
    fn ask_alone(&self, questions: Vec<Question>) -> Vec<Question> {
        let share = questions.len().div_ceil(AT_ONCE).max(1);
        let shares: Vec<Vec<Question>> = questions.chunks(share).map(<[Question]>::to_vec).collect();
        let each =
            |share: Vec<Question>| share.into_iter().flat_map(|question| self.ask(vec![question], ALONE)).collect::<Vec<_>>();
        std::thread::scope(|scope| {
            let asking: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || each(share))).collect();
            // A thread that panicked would lose its questions, and their partitions would never start.
            asking.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    }

    /// One request for all; returns those without answer.
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
        if let Ok((start, _)) = &found {
            let (position, after_ms) = (start.said(), question.since.elapsed().as_millis() as u64);
            tracing::debug!(partition = %question.partition, position, after_ms, "position");
        }
        // The owner is gone only when nothing is to be read any more.
        let _ = self.found.send((question, found));
    }

    /// What the former group has committed of the partitions of which this one has committed nothing.
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

    /// What the answers say of a partition; none when they say nothing, or when the partition's leader does not answer. A topic that is
    /// missing may come again.
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
        let read = |answer| Committed::of(answer, topic, *number);
        let (own, former) = match (read(committed), read(former)) {
            (Ok(own), Ok(former)) => (own, former),
            (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
        };
        let ends = self.ends.log(topic, *number, TOGETHER).ok()?;
        let start = match Start::of(own.or(former), log, ends) {
            Start::At(position) if own.is_none() => Start::TakenOver { position },
            start => start,
        };
        Some(Ok((start, log)))
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

/// How long to wait for more before those that are open are asked again.
fn pause(open: &[Question]) -> Duration {
    let youngest = open.iter().map(|question| question.since.elapsed()).min();
    youngest.map_or(IDLE, |age| if age > LONG { LATER } else { BACK_OFF })
}

/// What was asked since the last time, or within this time. None when nobody asks any more.
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
        // Whatever the offset: before, within and behind what there is.
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
