//! Starts a pipeline: a consumer thread that polls, hands records out, collects outcomes, and
//! commits them through the transaction thread.
//!
//! The thread owns the consumer. It polls all the time, also while reading is paused, because
//! rebalances, heartbeats and log lines need polls. Records may be evaluated in any order and on
//! any thread; the outcomes come back through [`Completions`].

mod consumer_state;
mod context;
pub(crate) mod contract;
mod delayed;
mod dispatch;
mod fetches;
mod flow;
mod handling;
mod idle;
mod place;
mod port;
mod rebalance;
pub(crate) mod refusals;
mod rights;
#[cfg(test)]
mod simulation;
pub(crate) mod status;
pub(crate) mod tally;
mod thread;
mod turn;
mod unowned;
mod writing;

use super::base::clock::Clock;
use super::base::error::Error;
use super::base::log;
use super::base::stop::Stop;
use super::client::instance::Instance;
use super::client::rebootstrap::Rebootstrap;
use super::client::{settings, start_position};
use super::state::states::States;
use super::testing::failpoint;
use super::transaction::Transactions;
use crate::config::{Kafka, Protocol};
use consumer_state::{ConsumerState, Parts};
use context::Context;
use contract::{Completions, Intake, Work};
use dispatch::Begun;
use status::Status;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tally::Tally;
use thread::{CLOSE, ConsumerThread, Member};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use unowned::Unowned;

/// A running pipeline.
#[derive(Debug)]
pub struct Pipeline {
    thread: JoinHandle<()>,
    ended: mpsc::Receiver<Result<Tally, Error>>,
}

impl Pipeline {
    /// Starts the consumer thread and the transaction thread. The receiver yields records to
    /// evaluate, in chunks, and ends when no more will come.
    ///
    /// # Errors
    /// The client library refuses the settings.
    pub fn start(
        kafka: &Kafka,
        intake: Intake,
        status: Arc<Status>,
        stop: Stop,
    ) -> Result<(Self, UnboundedReceiver<Vec<Work>>, Completions), Error> {
        failpoint::arm();
        let instance = Instance::of(kafka);
        if let Some(warning) = instance.warning() {
            log::warn_once(warning);
        }
        let (work, receiver) = unbounded_channel();
        let (outcomes, collected) = mpsc::channel();
        let begun = Begun::default();
        let (positions, ids) = start_position::positions(kafka, &intake.group)?;
        let (group, user) = (intake.group.id.clone(), ids.user());
        let id = format!("{group}.{}", instance.name);
        let transactions = Transactions::start(kafka, (&id, intake.name), ids, intake.revoke)?;
        let states = intake.role.state().map(|role| States::new(kafka, role, status.progress())).transpose()?;
        let settings_of = if states.is_some() { settings::role_consumer_strict } else { settings::role_consumer };
        let parts = Parts {
            positions,
            states,
            transactions: Box::new(transactions),
            work,
            outcomes: collected,
            begun: begun.clone(),
            status,
            clock: Clock::of_machine(),
            user,
        };
        let mut state = ConsumerState::new(&intake, kafka.protocol, parts);
        // A static member fences only after the group has taken it in. Before that it could fence a
        // living twin, which would keep its place in the group.
        if !settings::is_static(kafka, &instance) {
            state.fence()?;
        }
        let config = settings_of(kafka, &group, &instance)?;
        let member = Member { topics: intake.topics.clone(), rebootstrap: Rebootstrap::of(&config), config };
        let consumer = member.consumer(Context::new(state))?;
        let unowned = match (kafka.protocol, settings::is_static(kafka, &instance)) {
            (Protocol::Classic, true) => Some(Unowned::watch(Arc::downgrade(&consumer), kafka, &group, &intake.topics)?),
            // A dynamic member that restarts is a new member. With the other protocol the brokers
            // themselves assign step by step.
            _ => None,
        };
        let (sender, ended) = mpsc::sync_channel(1);
        let owner = ConsumerThread {
            consumer,
            member,
            occupied: None,
            session_timeout: Duration::from_millis(kafka.session_timeout_ms),
            drain: intake.drain,
            stop,
            topic: None,
            _unowned: unowned,
        };
        let thread = std::thread::Builder::new()
            .name("consumer".to_owned())
            .spawn(move || owner.run(&sender))
            .map_err(|error| Error::Inconsistent(format!("cannot start the consumer thread: {error}")))?;
        Ok((Self { thread, ended }, receiver, Completions::new(outcomes, begun)))
    }

    /// Waits until the pipeline has ended. The wait for leaving the group is limited.
    ///
    /// # Errors
    /// The pipeline ended for another reason than a stop.
    pub fn join(self) -> Result<Tally, Error> {
        let ended = self.ended.recv().unwrap_or_else(|_| Err(Error::Inconsistent("the consumer thread panicked".to_owned())));
        let deadline = Instant::now() + CLOSE;
        while !self.thread.is_finished() {
            if Instant::now() >= deadline {
                tracing::warn!("leaving the group takes too long and is left to the brokers; everything is committed or aborted");
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        ended
    }

    /// Returns whether the consumer thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}
