//! Writes each batch in one transaction, on a thread of its own: the outputs of records together
//! with the offsets of these records.
//!
//! ```text
//! begin ─► produce ─► all acknowledged ─► offsets, under the cut's membership ─► commit ─► Written
//!    any error that asks for it, or a request of the owner ────────────────────► abort ─► Aborted
//!    an error neither retriable nor abortable, or a commit whose outcome is unknown ─► Failed
//! ```
//!
//! All calls block, so they have a thread of their own. An error that librdkafka does
//! not classify is fatal.
//! A commit that timed out is resumed by the same call and never aborted: only the
//! brokers know how it ended.

pub(crate) mod abort;
pub(crate) mod batch;
pub(crate) mod delivery;
pub(crate) mod membership;
pub(crate) mod port;
mod refused_topic;
pub(crate) mod retry;
mod session;
pub(crate) mod watchdog;
pub(crate) mod worker;

use crate::config::Kafka;
use crate::kafka::base::error::Error;
use crate::kafka::client::log_id::LogIds;
use batch::{Batch, Ended, Order};
use membership::Membership;
use port::TransactionPort;
use session::Session;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use watchdog::{Beats, Watchdog};
use worker::Worker;

/// The owner's side of the transaction thread.
#[derive(Debug)]
pub(crate) struct Transactions {
    orders: Option<SyncSender<Order<Membership>>>,
    started: bool,
    outcomes: Receiver<Ended>,
    closing: Arc<AtomicBool>,
    watchdog: Watchdog,
    thread: Option<JoinHandle<()>>,
}

impl Transactions {
    /// Starts the thread, under a transactional id and for a role. An abort that is asked for may
    /// take as long as `revoke`.
    pub(crate) fn start(
        kafka: &Kafka,
        (transactional_id, role): (&str, &'static str),
        ids: LogIds,
        revoke: Duration,
    ) -> Result<Self, Error> {
        // There is one batch at a time: the next is cut when this one has ended.
        let (orders, receiver) = sync_channel(1);
        let (sender, outcomes) = sync_channel(1);
        let (closing, beats) = (Arc::new(AtomicBool::new(false)), Beats::default());
        let session = Session::new(kafka, transactional_id, beats.clone(), closing.clone())?;
        let worker = Worker::new(role, session, ids, (Duration::from_millis(kafka.delivery_timeout_ms), revoke));
        let thread = std::thread::Builder::new()
            .name("transactions".to_owned())
            .spawn(move || worker.run(&receiver, &sender))
            .map_err(|error| Error::Inconsistent(format!("cannot start the transaction thread: {error}")))?;
        let watchdog = Watchdog::new(beats, Instant::now());
        Ok(Self { orders: Some(orders), started: false, outcomes, closing, watchdog, thread: Some(thread) })
    }

    fn order(&mut self, order: Order<Membership>) -> Result<(), Error> {
        self.started = true;
        let gone = || Error::Inconsistent("the transaction thread has ended".to_owned());
        self.orders.as_ref().ok_or_else(gone)?.send(order).map_err(|_| gone())
    }
}

impl TransactionPort<Membership> for Transactions {
    /// Does nothing after the first order.
    fn fence(&mut self) -> Result<(), Error> {
        if self.started { Ok(()) } else { self.order(Order::Fence) }
    }

    fn submit(&mut self, batch: Batch<Membership>) -> Result<(), Error> {
        self.order(Order::Write(batch))
    }

    fn outcome(&mut self, patience: Duration) -> Option<Ended> {
        match self.outcomes.recv_timeout(patience) {
            Ok(outcome) => Some(outcome),
            Err(RecvTimeoutError::Timeout) if self.watchdog.is_stuck(Instant::now()) => {
                let stuck = format!("a call of the client library has not returned for {} s", watchdog::LIMIT.as_secs());
                Some(Ended::Failed(Error::AmbiguousCommit(stuck)))
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                Some(Ended::Failed(Error::Inconsistent("the transaction thread has ended".to_owned())))
            }
        }
    }

    /// The owner may ask this only while the thread has no batch, because the outcome of a batch
    /// would be lost.
    fn failure(&self) -> Option<Error> {
        match self.outcomes.try_recv() {
            Ok(Ended::Failed(error)) => Some(error),
            _ => None,
        }
    }

    fn close(&mut self, patience: Duration) -> bool {
        self.closing.store(true, Ordering::Release);
        self.orders = None;
        if self.watchdog.is_stuck(Instant::now()) {
            return false;
        }
        let deadline = Instant::now() + patience;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.thread.take().is_none_or(|thread| thread.join().is_ok())
    }
}
