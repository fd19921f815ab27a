//! Calls the producer of a transactional id, retries calls where that may help, and tells who is
//! the cause when they fail for good.

use super::abort::{Abort, TransactionFailure};
use super::delivery::{Inner, Producer};
use super::retry::{CALL, MARGIN, Retry};
use super::watchdog::Beats;
use crate::config::Kafka;
use crate::kafka::base::error::{Error, TransactionError, classified, is_fenced};
use crate::kafka::client::rebootstrap::SILENCE;
use crate::kafka::testing::failpoint;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The producers of one transactional id, one after another.
pub(crate) struct Session {
    kafka: Kafka,
    id: String,
    producer: Producer,
    closing: Arc<AtomicBool>,
    beats: Beats,
    /// The time at which the last transaction was begun.
    begun: Option<Instant>,
    /// True when the commit of that transaction was asked for.
    committing: bool,
    /// The time since which every call has ended with an error that asks for a retry.
    unanswered: Cell<Option<Instant>>,
}

impl Session {
    /// Makes a producer, which has not fenced the last user of the id yet.
    pub(crate) fn new(kafka: &Kafka, id: &str, beats: Beats, closing: Arc<AtomicBool>) -> Result<Self, Error> {
        let producer = Producer::transactional(kafka, id)?;
        Ok(Self {
            kafka: kafka.clone(),
            id: id.to_owned(),
            producer,
            closing,
            beats,
            begun: None,
            committing: false,
            unanswered: Cell::default(),
        })
    }

    pub(crate) fn producer(&self) -> &Producer {
        &self.producer
    }

    /// Tells the watchdog that the thread makes progress.
    pub(crate) fn beat(&self) {
        self.beats.beat();
    }

    /// Returns how long the end of a transaction is awaited.
    pub(crate) fn patience(&self) -> Duration {
        self.time_out() + MARGIN
    }

    fn time_out(&self) -> Duration {
        Duration::from_millis(self.kafka.transaction_timeout_ms)
    }

    /// Calls librdkafka, and tells the watchdog that the call returned. A producer that gets no
    /// answer for [`SILENCE`] is given its brokers again.
    pub(crate) fn call(&self, call: impl FnOnce(&Inner) -> Result<(), TransactionError>) -> Result<(), TransactionError> {
        let ended = call(self.producer.inner());
        self.beats.beat();
        match &ended {
            Err(error) if error.retriable => {
                let since = self.unanswered.get().unwrap_or_else(Instant::now);
                self.unanswered.set(Some(since));
                if since.elapsed() >= SILENCE {
                    self.producer.unanswered();
                }
            }
            _ => self.unanswered.set(None),
        }
        ended
    }

    /// Fences the last user of the id, and ends the transaction that it left open.
    pub(crate) fn initialise(&mut self) -> Result<(), Error> {
        self.begun = None;
        let mut retry = Retry::of("the start of transactions");
        loop {
            match self.call(|producer| classified(producer.init_transactions(CALL))) {
                Ok(()) => return Ok(()),
                Err(error) if error.retriable && !error.fatal => retry.wait(&error),
                Err(error) => return Err(self.failure(error.code, error.to_string())),
            }
            if self.closing.load(Ordering::Acquire) {
                return Err(Error::Transaction("stopped before the transaction coordinator answered".to_owned()));
            }
        }
    }

    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        (self.begun, self.committing) = (Some(Instant::now()), false);
        self.call(|producer| classified(producer.begin_transaction()))
            .map_err(|error| self.failure(error.code, error.to_string()))
    }

    /// Commits the transaction. From here on only the brokers' answer counts.
    pub(crate) fn commit(&mut self) -> Result<(), TransactionFailure> {
        self.committing = true;
        let mut retry = Retry::of("a commit");
        let _during = failpoint::during("in-commit");
        loop {
            let error = match self.call(|producer| classified(producer.commit_transaction(CALL))) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if error.fatal {
                return Err(TransactionFailure::Fatal(self.failure(error.code, error.to_string())));
            }
            if error.abortable {
                return Err(TransactionFailure::Abort(Abort::because(error.to_string())));
            }
            if !error.retriable || retry.since.elapsed() > self.patience() {
                return Err(TransactionFailure::Fatal(Error::AmbiguousCommit(error.to_string())));
            }
            retry.wait(&error);
        }
    }

    /// Ends the open transaction without commit.
    pub(crate) fn abort(&mut self) -> Result<(), Error> {
        let mut retry = Retry::of("an abort");
        loop {
            let error = match self.call(|producer| classified(abort_transaction(producer))) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if is_of_another_state(error.code) {
                // If the commit was asked for, the brokers may say this because it has succeeded.
                return if self.committing { Err(Error::AmbiguousCommit(error.to_string())) } else { self.renew(&error) };
            }
            if error.fatal || !error.retriable {
                return Err(self.failure(error.code, error.to_string()));
            }
            if retry.since.elapsed() > self.patience() {
                return Err(Error::Transaction(format!("the abort of a transaction is not answered: {error}")));
            }
            retry.wait(&error);
        }
    }

    /// Replaces a producer that cannot continue although nothing is wrong: the brokers did
    /// not know yet of the transaction that had to be aborted (librdkafka#4849).
    /// The new producer ends what the brokers have heard of that transaction meanwhile.
    fn renew(&mut self, error: &TransactionError) -> Result<(), Error> {
        tracing::warn!(%error, "a new producer takes the place of one whose transaction the brokers did not know yet");
        self.producer = Producer::transactional(&self.kafka, &self.id)?;
        self.initialise()
    }

    /// Returns the failure of a transaction whose producer cannot continue: an abort when a new
    /// producer can take its place, otherwise the end of the role.
    pub(crate) fn failed(&self, code: RDKafkaErrorCode, reason: String) -> TransactionFailure {
        if is_of_another_state(code) {
            TransactionFailure::Abort(Abort::because(reason))
        } else {
            TransactionFailure::Fatal(self.failure(code, reason))
        }
    }

    /// Returns the error that ends the role. A fence came from the brokers when they had to end the
    /// transaction for its age, and from another process otherwise (K13).
    fn failure(&self, code: RDKafkaErrorCode, reason: String) -> Error {
        let open = self.begun.map(|begun| begun.elapsed()).unwrap_or_default();
        match is_fenced(code) {
            true if open >= self.time_out() => Error::Expired { open, reason },
            true => Error::Fenced(reason),
            false if code == RDKafkaErrorCode::TransactionalIdAuthorizationFailed => self.producer.denied_id(&self.id),
            false => Error::Transaction(reason),
        }
    }
}

/// Asks for an abort. A test may have it refused, as the brokers do now and then.
fn abort_transaction(producer: &Inner) -> Result<(), KafkaError> {
    if failpoint::pretends("abort-refused") {
        return Err(KafkaError::Flush(RDKafkaErrorCode::InvalidTransactionalState));
    }
    producer.abort_transaction(CALL)
}

/// Returns whether the brokers say that a transaction is not in a state in which it could be ended.
fn is_of_another_state(code: RDKafkaErrorCode) -> bool {
    code == RDKafkaErrorCode::InvalidTransactionalState
}
