//! Runs the consumer thread, which owns the consumer and never stops polling.

use super::context::Context;
use super::tally::Tally;
use super::unowned::Unowned;
use crate::kafka::base::error::{Error, is_occupied, of_client};
use crate::kafka::base::headers;
use crate::kafka::base::stop::Stop;
use crate::kafka::client::rebootstrap::{Rebootstrap, SILENCE};
use crate::kafka::testing::failpoint;
use crate::kafka::transaction::membership::Membership;
use crate::kafka::transaction::port::GroupMembership;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Message};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Settings from which a member of the group is made.
pub(crate) struct Member {
    pub(crate) config: ClientConfig,
    pub(crate) topics: Vec<String>,
    pub(crate) rebootstrap: Rebootstrap,
}

impl Member {
    pub(crate) fn consumer(&self, context: Context) -> Result<Arc<BaseConsumer<Context>>, Error> {
        let consumer: BaseConsumer<Context> = self.config.create_with_context(context).map_err(of_client)?;
        Ok(Arc::new(consumer))
    }

    fn subscribe(&self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(|reason| Error::Subscribe { topics: self.topics.join(", "), reason })
    }
}

/// The thread and its data.
pub(crate) struct ConsumerThread {
    pub(crate) consumer: Arc<BaseConsumer<Context>>,
    pub(crate) member: Member,
    /// The time since which the group refuses this process, because it has a member of the same
    /// name.
    pub(crate) occupied: Option<Instant>,
    pub(crate) session_timeout: Duration,
    pub(crate) drain: Duration,
    pub(crate) stop: Stop,
    /// The name of the topic of the last record, so that records of one topic share it.
    pub(crate) topic: Option<Arc<str>>,
    pub(crate) _unowned: Option<Unowned>,
}

/// The longest time for leaving the group and freeing the clients, whatever the library waits for.
pub(crate) const CLOSE: Duration = Duration::from_secs(10);

/// The largest number of records that are polled before the rest of a turn.
const POLLS_PER_TURN: usize = 500;
/// The wait for an event while nothing is held.
const IDLE: Duration = Duration::from_millis(50);
/// The wait for an event while records are held, partitions start, or a transaction is in flight.
const BUSY: Duration = Duration::from_millis(2);
/// The pause between two turns while enough records wait to be evaluated.
const NAP: Duration = Duration::from_millis(1);
/// The longest time without a poll meanwhile. Only in a poll does the library call back, and notice
/// that this process is alive.
const UNPOLLED: Duration = Duration::from_millis(50);
/// The time between two attempts to join a group that has a member of the same name.
const JOIN_AGAIN: Duration = Duration::from_secs(1);
/// The time, beyond the session timeout, for which these attempts continue.
const OCCUPIED: Duration = Duration::from_secs(10);

impl ConsumerThread {
    pub(crate) fn run(mut self, ended: &mpsc::SyncSender<Result<Tally, Error>>) {
        let went = self.member.subscribe(&self.consumer).and_then(|()| self.read()).and_then(|()| self.drain());
        let context = self.consumer.context().clone();
        if !context.state().close(CLOSE) {
            tracing::warn!("the open transaction is left to the brokers, which end it when its time is over");
        }
        // The records in the ledgers are left to the next owner. From here on the role waits for
        // this thread for a limited time.
        let tally = context.state().leave();
        let failure = context.state().take_failure();
        let result = match went.and_then(|()| failure.map_or(Ok(()), Err)) {
            // Nothing of it is visible, so all of it is left to the next owner, which is right at a
            // stop.
            Err(error @ (Error::Expired { .. } | Error::SessionOver(_))) if self.stop.is_requested() => {
                tracing::warn!(%error, "what was not committed is left to the next owner");
                Ok(())
            }
            result => result,
        };
        // `Pipeline::join` waits for the result.
        let _ = ended.send(result.map(|()| tally));
        failpoint::reached("before-leaving");
        // The drop leaves the group, on this thread. It may hang when brokers are away, and nobody
        // waits for it longer than `CLOSE`.
        drop(self.consumer);
    }

    fn read(&mut self) -> Result<(), Error> {
        let mut polled = Instant::now();
        while !self.stop.is_requested() {
            if self.consumer.context().state().has_enough() && polled.elapsed() < UNPOLLED {
                std::thread::sleep(NAP);
            } else {
                self.take_in()?;
                polled = Instant::now();
            }
            match self.occupied() {
                Some(reason) => self.join_again(reason)?,
                None => self.turn()?,
            }
        }
        Ok(())
    }

    /// Returns the brokers' message when a member of the same name holds the place of this process
    /// in the group; None otherwise.
    fn occupied(&mut self) -> Option<String> {
        if self.occupied.is_some() && Membership::of(&self.consumer).is_some_and(|membership| membership.is_let_in()) {
            self.occupied = None;
        }
        self.consumer.client().fatal_error().filter(|(code, _)| is_occupied(*code)).map(|(_, reason)| reason)
    }

    /// Replaces a consumer that the group has not let in. A member that died is in the group until
    /// its session is over. A member that is alive stays, so the attempts end after a while.
    fn join_again(&mut self, reason: String) -> Result<(), Error> {
        let since = *self.occupied.get_or_insert_with(|| {
            tracing::warn!(reason, "a member of this name is in the group: waiting until its session is over");
            Instant::now()
        });
        if since.elapsed() > self.session_timeout + OCCUPIED {
            return Err(Error::Occupied { waited: since.elapsed(), reason });
        }
        let next = Instant::now() + JOIN_AGAIN;
        while Instant::now() < next && !self.stop.is_requested() {
            // Records that the old consumer still reads are dropped.
            let _ = self.consumer.poll(IDLE);
        }
        let context = self.consumer.context().clone();
        context.state().lose_all();
        self.consumer = self.member.consumer(context.as_ref().clone())?;
        self.member.subscribe(&self.consumer)
    }

    /// Polls until there is no event, or until enough was read.
    fn take_in(&mut self) -> Result<(), Error> {
        let mut patience = if self.consumer.context().state().is_idle() { IDLE } else { BUSY };
        for _ in 0..POLLS_PER_TURN {
            if !self.poll(patience)? {
                break;
            }
            patience = Duration::ZERO;
        }
        Ok(())
    }

    /// Finishes the work after a stop: reads nothing new, and waits until the records that were
    /// handed out are written and committed, or until the time for the drain is over.
    fn drain(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + self.drain;
        self.consumer.context().state().stop_intake(&*self.consumer);
        loop {
            self.poll(BUSY)?;
            if self.occupied().is_some() {
                return Ok(());
            }
            self.turn()?;
            if self.consumer.context().state().is_drained() || Instant::now() >= deadline {
                return Ok(());
            }
        }
    }

    fn turn(&mut self) -> Result<(), Error> {
        let mut state = self.consumer.context().state();
        if let Some(failure) = state.take_failure() {
            return Err(failure);
        }
        if let Some((code, reason)) = self.consumer.client().fatal_error().filter(|(code, _)| !is_occupied(*code)) {
            return Err(state.gone(code, reason));
        }
        if state.is_unanswered(SILENCE) {
            self.member.rebootstrap.unanswered(self.consumer.client());
        }
        state.turn(&*self.consumer)
    }

    /// Polls for one event. Returns false when there was none, or when nothing more should be read
    /// for now.
    fn poll(&mut self, patience: Duration) -> Result<bool, Error> {
        let message = match self.consumer.poll(patience) {
            None => return Ok(false),
            Some(Ok(message)) => message,
            Some(Err(KafkaError::MessageConsumptionFatal(code))) if is_occupied(code) => return Ok(false),
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                return Err(self.consumer.context().state().gone(code, "the consumer cannot go on".to_owned()));
            }
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                return Err(Error::Gone(error.to_string()));
            }
            Some(Err(error)) => {
                self.consumer.context().state().not_read(&error);
                return Ok(true);
            }
        };
        let topic = match &self.topic {
            Some(topic) if **topic == *message.topic() => topic.clone(),
            _ => self.topic.insert(message.topic().into()).clone(),
        };
        let record = headers::record(topic, &message);
        drop(message);
        let mut state = self.consumer.context().state();
        let must_pause = state.take_up(record)?;
        Ok(!must_pause && !state.has_enough())
    }
}
