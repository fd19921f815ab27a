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

use super::assignment::{Assignment, Partition};
use super::client;
use super::consumer::add;
use super::ends::Uncommitted;
use super::error::{Error, rebalance};
use super::inquiry::Inquiry;
use super::ledger::Generation;
use super::reader::Quiet;
use crate::config::Kafka;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Where reading starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    At(i64),
    /// Nothing is committed.
    Beginning,
    /// What is committed is not in the log.
    Lost {
        position: i64,
        first: i64,
        end: i64,
    },
}

/// Where a partition starts.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) partition: Partition,
    pub(super) generation: Generation,
    pub(super) start: Start,
}

/// A partition whose position is asked for.
#[derive(Debug, Clone)]
struct Question {
    partition: Partition,
    generation: Generation,
    since: Instant,
}

/// The owner's side: which partitions wait, and what was found for them. The thread ends behind the requests that it has open when
/// this is dropped.
#[derive(Debug)]
pub(super) struct Starts {
    inquiry: Inquiry<Question, (Question, Start)>,
    waiting: BTreeMap<Partition, Generation>,
}

/// One request for all partitions; with nothing held back it takes milliseconds.
const TOGETHER: Duration = Duration::from_millis(500);
/// One request for one partition, because one that is held back holds back the answer for all others.
const ALONE: Duration = Duration::from_millis(300);
/// Requests at the same time.
const AT_ONCE: usize = 16;
/// Longest time without a look at what the library has to say.
const IDLE: Duration = Duration::from_secs(1);
/// Between two rounds.
const BACK_OFF: Duration = Duration::from_millis(50);
/// A wait that is worth a line in the log, and the time between two of them.
const LONG: Duration = Duration::from_secs(20);

impl Starts {
    /// Starts the thread that asks. It has a client of its own: on the connection that the consumer fetches by, every answer would
    /// wait for the end of a fetch.
    pub(super) fn new(kafka: &Kafka, group: &str) -> Result<Self, Error> {
        let (observer, ends) = (Quiet::consumer(&client::observer(kafka, group)?)?, Uncommitted::new(kafka)?);
        let inquiry = Inquiry::start("positions", move |asked, found| Asker { observer, ends, found: found.clone() }.run(asked))?;
        Ok(Self { inquiry, waiting: BTreeMap::new() })
    }

    /// Asks where these partitions start. Until [`Self::begin`] has started them the library does not know them.
    pub(super) fn ask(&mut self, partitions: impl IntoIterator<Item = (Partition, Generation)>) {
        for (partition, generation) in partitions {
            self.waiting.insert(partition.clone(), generation);
            self.inquiry.ask(Question { partition, generation, since: Instant::now() });
        }
    }

    /// Forgets partitions that were given up.
    pub(super) fn forget(&mut self, partitions: &BTreeSet<Partition>) {
        self.waiting.retain(|partition, _| !partitions.contains(partition));
    }

    /// Whether a partition is given to the library.
    pub(super) fn has_started(&self, partition: &Partition) -> bool {
        !self.waiting.contains_key(partition)
    }

    /// Whether all are.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The partitions for which there is an answer since the last time.
    pub(super) fn answers(&mut self) -> Result<Vec<Answer>, Error> {
        let mut answers = Vec::new();
        while let Some((Question { partition, generation, .. }, start)) = self.inquiry.answer()? {
            if self.waiting.get(&partition) == Some(&generation) {
                answers.push(Answer { partition, generation, start });
            }
        }
        Ok(answers)
    }

    /// Gives the library these partitions.
    pub(super) fn begin<C: ConsumerContext>(
        &mut self,
        consumer: &BaseConsumer<C>,
        assignment: &mut Assignment,
        answers: Vec<Answer>,
    ) -> Result<(), Error> {
        let mut list = TopicPartitionList::new();
        for Answer { partition, generation, start } in answers {
            if self.waiting.get(&partition) != Some(&generation) {
                continue;
            }
            let position = start.position(&partition);
            add(&mut list, &partition, position.map_or(Offset::Beginning, Offset::Offset))?;
            self.waiting.remove(&partition);
            if let Some(position) = position {
                assignment.start(&partition, position);
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        consumer.incremental_assign(&list).map_err(rebalance)
    }
}

impl Start {
    /// Where to read, none for the beginning. What was lost is said, and reading goes on with what there is.
    fn position(self, Partition { topic, number }: &Partition) -> Option<i64> {
        match self {
            Self::At(position) => Some(position),
            Self::Beginning => None,
            Self::Lost { position, end, .. } if position > end => {
                tracing::error!(
                    %topic, partition = number, position, end,
                    "the committed position lies behind the end of the log: the topic was made anew, or its brokers have lost records; it is read from its beginning"
                );
                None
            }
            Self::Lost { position, first, .. } => {
                tracing::error!(
                    %topic, partition = number, position, first,
                    "records were deleted before they were read: the topic's retention is shorter than the backlog"
                );
                Some(position)
            }
        }
    }
}

/// The thread's side.
struct Asker {
    observer: BaseConsumer<Quiet>,
    /// A position may lie behind what readers of committed records see, before the end of a transaction that is still open.
    ends: Uncommitted,
    found: mpsc::Sender<(Question, Start)>,
}

impl Asker {
    fn run(&self, asked: &mpsc::Receiver<Question>) {
        let mut open: Vec<Question> = Vec::new();
        let mut said = Instant::now();
        loop {
            // What the library has to say comes only to whoever polls.
            while self.observer.poll(Duration::ZERO).is_some() {}
            let Some(new) = take(asked, open.is_empty()) else { return };
            // A partition that comes again makes its earlier question void.
            open.retain(|old| new.iter().all(|new| new.partition != old.partition));
            if !new.is_empty() {
                open.extend(self.ask(new, TOGETHER));
            }
            open = self.ask_alone(open);
            if said.elapsed() > LONG && open.iter().any(|question| question.since.elapsed() > LONG) {
                said = Instant::now();
                tracing::warn!(
                    partitions = open.len(),
                    "waiting for committed positions: their coordinator or leaders are away, or a transaction that touches them does not end"
                );
            }
            if !open.is_empty() {
                std::thread::sleep(BACK_OFF);
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
        let Ok(committed) = self.committed(&questions, patience) else { return questions };
        let mut left = Vec::new();
        for question in questions {
            match self.start(&question.partition, &committed) {
                Some(start) => self.answer(question, start),
                None => left.push(question),
            }
        }
        left
    }

    fn answer(&self, question: Question, start: Start) {
        tracing::debug!(partition = ?question.partition, ?start, after = ?question.since.elapsed(), "position");
        // The owner is gone only when nothing is to be read any more.
        let _ = self.found.send((question, start));
    }

    fn committed(&self, questions: &[Question], patience: Duration) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for question in questions {
            list.add_partition(&question.partition.topic, question.partition.number);
        }
        self.observer.committed_offsets(list, patience)
    }

    /// What an answer says of a partition; none when it says nothing, or when the partition's leader does not answer.
    fn start(&self, partition: &Partition, committed: &TopicPartitionList) -> Option<Start> {
        let element = committed.find_partition(&partition.topic, partition.number)?;
        element.error().ok()?;
        let Offset::Offset(position) = element.offset() else { return Some(Start::Beginning) };
        let (first, end) = self.ends.log(&partition.topic, partition.number, TOGETHER).ok()?;
        if position > end || position < first {
            return Some(Start::Lost { position, first, end });
        }
        Some(Start::At(position))
    }
}

/// What was asked since the last time; waits a little when there is nothing else to do. None when nobody asks any more.
fn take(asked: &mpsc::Receiver<Question>, idle: bool) -> Option<Vec<Question>> {
    let first = match asked.recv_timeout(if idle { IDLE } else { Duration::ZERO }) {
        Ok(question) => Some(question),
        Err(mpsc::RecvTimeoutError::Timeout) => None,
        Err(mpsc::RecvTimeoutError::Disconnected) => return None,
    };
    Some(first.into_iter().chain(asked.try_iter()).collect())
}
