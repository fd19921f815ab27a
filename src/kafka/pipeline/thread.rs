//! The consumer thread: it owns the consumer and never stops polling.

use super::context::Context;
use super::tally::Tally;
use super::unowned::Unowned;
use crate::kafka::base::error::{Error, is_occupied, of_client};
use crate::kafka::base::headers;
use crate::kafka::base::stop::Stop;
use crate::kafka::client::rebootstrap::{Rebootstrap, SILENCE};
use crate::kafka::testing::failpoint;
use crate::kafka::transaction::membership::Membership;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Message};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// What makes a member of the group.
pub(crate) struct Member {
    pub(crate) config: ClientConfig,
    pub(crate) topics: Vec<String>,
    pub(crate) rebootstrap: Rebootstrap,
}

impl Member {
    pub(crate) fn consumer(&self, context: Context) -> Result<Arc<BaseConsumer<Context>>, Error> {
        let consumer: BaseConsumer<Context> = self.config.create_with_context(context).map_err(of_client)?;
        #[cfg(feature = "failpoints")]
        Membership::remember(&consumer);
        Ok(Arc::new(consumer))
    }

    fn subscribe(&self, consumer: &BaseConsumer<Context>) -> Result<(), Error> {
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(|reason| Error::Subscribe { topics: self.topics.join(", "), reason })
    }
}

/// The thread and what it owns.
pub(crate) struct ConsumerThread {
    pub(crate) consumer: Arc<BaseConsumer<Context>>,
    pub(crate) member: Member,
    /// Since when the group has not let us in because a member of our name is in it.
    pub(crate) occupied: Option<Instant>,
    pub(crate) session_timeout: Duration,
    pub(crate) drain: Duration,
    pub(crate) stop: Stop,
    /// The last topic's name, so that records of one topic share it.
    pub(crate) topic: Option<Arc<str>>,
    pub(crate) _unowned: Option<Unowned>,
}

/// Longest time for leaving the group and freeing the clients, whatever the library is waiting for.
pub(crate) const CLOSE: Duration = Duration::from_secs(10);

/// Records taken from the library before looking at anything else.
const POLLS_PER_TURN: usize = 500;
const IDLE: Duration = Duration::from_millis(50);
const BUSY: Duration = Duration::from_millis(2);
/// While enough waits to be evaluated: how long to look away, and how long the library may wait for a poll. It calls back and notices
/// that we live only in polls.
const NAP: Duration = Duration::from_millis(1);
const UNPOLLED: Duration = Duration::from_millis(50);
/// Between two tries to join a group in which a member has our name, and for how long beyond the session time-out.
const JOIN_AGAIN: Duration = Duration::from_secs(1);
const OCCUPIED: Duration = Duration::from_secs(10);

impl ConsumerThread {
    pub(crate) fn run(mut self, ended: &mpsc::SyncSender<Result<Tally, Error>>) {
        let went = self.member.subscribe(&self.consumer).and_then(|()| self.read()).and_then(|()| self.drain());
        let context = self.consumer.context().clone();
        if !context.state().close(CLOSE) {
            tracing::warn!("the open transaction is left to the brokers, which end it when its time is over");
        }
        // What is left in the ledgers is left to the next owner. The role waits for us from here on, and not for ever.
        let tally = context.state().leave();
        let failure = context.state().take_failure();
        let result = match went.and_then(|()| failure.map_or(Ok(()), Err)) {
            // Nothing of it is visible, so all of it is left to the next owner, as a stop may.
            Err(error @ (Error::Expired { .. } | Error::SessionOver(_))) if self.stop.is_requested() => {
                tracing::warn!(%error, "what was not committed is left to the next owner");
                Ok(())
            }
            result => result,
        };
        // The receiver waits for it.
        let _ = ended.send(result.map(|()| tally));
        failpoint::reached("before-leaving");
        // Leaves the group, on this thread. It may hang when brokers are away; nobody waits for that.
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

    /// What the brokers say when a member of our name holds our place in the group.
    fn occupied(&mut self) -> Option<String> {
        if self.occupied.is_some() && Membership::of(&self.consumer).is_some_and(|membership| membership.is_let_in()) {
            self.occupied = None;
        }
        self.consumer.client().fatal_error().filter(|(code, _)| is_occupied(*code)).map(|(_, reason)| reason)
    }

    /// Puts a new consumer in the place of one that the group has not let in. A member that died is in it until its session is over;
    /// one that lives stays, so this ends too.
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
            // What it still reads has no place any more.
            let _ = self.consumer.poll(IDLE);
        }
        let context = self.consumer.context().clone();
        context.state().lose_all();
        self.consumer = self.member.consumer(context.as_ref().clone())?;
        self.member.subscribe(&self.consumer)
    }

    /// Serves events until there is none, or enough was read.
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

    /// After a stop: nothing new, but what was handed out is awaited, written and committed.
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

    /// Serves one event; false when there was none to serve, or nothing more is to be read for now.
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
