//! Writes the transactions of commands: a few records at a time, on the caller's thread.

use crate::config::Kafka;
use crate::event::Output;
use crate::kafka::base::error::{Error, TransactionError, classified, is_fenced};
use crate::kafka::transaction::delivery::{Inner, Producer};
use crate::kafka::transaction::membership::Membership;
use crate::kafka::transaction::retry::{BACK_OFF, CALL, MARGIN};
use rdkafka::TopicPartitionList;
use rdkafka::producer::Producer as _;
use std::time::{Duration, Instant};

/// The reason why a command that writes has ended.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] Error),
    /// Another process has started the same command.
    #[error("the same command was started elsewhere and has taken over; nothing of the last step is visible: {0}")]
    Fenced(String),
    /// The last transaction was aborted.
    #[error("the last step was aborted, nothing of it is visible: {0}; run the command again")]
    Aborted(String),
    /// The last transaction may have been committed.
    #[error("whether the last step was committed is unknown: {0}; run the command again, it finds out")]
    Unknown(String),
}

/// The positions that a transaction commits for a group, and the membership by which the brokers
/// check them.
pub(crate) struct Positions<'p> {
    pub(crate) offsets: &'p TopicPartitionList,
    pub(crate) membership: &'p Membership,
}

/// A writer of transactions.
pub(crate) struct Writer {
    producer: Producer,
    /// The time after which the brokers end an open transaction.
    time_out: Duration,
}

impl Writer {
    /// Fences earlier users of this id, and waits until the brokers have ended their open
    /// transaction everywhere.
    pub(crate) fn start(kafka: &Kafka, id: &str) -> Result<Self, CommandError> {
        let time_out = Duration::from_millis(kafka.transaction_timeout_ms);
        let writer = Self { producer: Producer::transactional(kafka, id)?, time_out };
        let fenced = |error| writer.ended(&error, Instant::now());
        writer.retried(|producer| classified(producer.init_transactions(CALL))).map_err(fenced)?;
        Ok(writer)
    }

    /// Writes `outputs` and commits `positions`, both or neither.
    pub(crate) fn transact(&self, outputs: &[Output], positions: Option<Positions<'_>>) -> Result<(), CommandError> {
        let begun = Instant::now();
        classified(self.producer.inner().begin_transaction()).map_err(|error| self.ended(&error, begun))?;
        if let Err(error) = self.producer.write_all(outputs, self.time_out + MARGIN) {
            return Err(self.roll_back(error.to_string(), begun));
        }
        if let Some(Positions { offsets, membership }) = positions
            && let Err(error) = self.retried(|producer| membership.send_offsets(producer, offsets, CALL))
        {
            return Err(self.roll_back(error.to_string(), begun));
        }
        // From here on only the brokers' answer counts. A commit is resumed by the same call, and
        // is followed by an abort only when the library says that nothing was committed.
        match self.retried(|producer| classified(producer.commit_transaction(CALL))) {
            Ok(()) => Ok(()),
            Err(error) if error.abortable => Err(self.roll_back(error.to_string(), begun)),
            // This holds even after a fence: before the brokers fence this producer, they finish a
            // commit that they have accepted.
            Err(error) => Err(CommandError::Unknown(error.to_string())),
        }
    }

    /// Makes a call until it succeeds, fails for good, or time has run out.
    fn retried(&self, call: impl Fn(&Inner) -> Result<(), TransactionError>) -> Result<(), TransactionError> {
        let deadline = Instant::now() + self.time_out + MARGIN;
        loop {
            match call(self.producer.inner()) {
                Err(error) if error.retriable && !error.fatal && Instant::now() < deadline => {
                    tracing::debug!(%error, "once more");
                    std::thread::sleep(BACK_OFF);
                }
                ended => return ended,
            }
        }
    }

    fn roll_back(&self, reason: String, begun: Instant) -> CommandError {
        match self.retried(|producer| classified(producer.abort_transaction(CALL))) {
            Ok(()) => CommandError::Aborted(reason),
            // Nothing of the transaction is visible, and the brokers end it when its time is over.
            Err(error) => match self.ended(&error, begun) {
                CommandError::Aborted(_) => CommandError::Aborted(reason),
                other => other,
            },
        }
    }

    /// Converts an error that ended a transaction. A transaction that has reached its time-out was
    /// fenced by the brokers, and not by another process.
    fn ended(&self, error: &TransactionError, begun: Instant) -> CommandError {
        let (code, text) = self.producer.fatal_error().unwrap_or_else(|| (error.code, error.to_string()));
        let fenced = is_fenced(code) && begun.elapsed() < self.time_out;
        if fenced { CommandError::Fenced(text) } else { CommandError::Aborted(text) }
    }
}
