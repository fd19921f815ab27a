//! Hands outputs to librdkafka, and counts each until the broker has acknowledged or refused it.

use crate::config::Kafka;
use crate::event::Output;
use crate::kafka::base::error::{Error, is_passing, of_client};
use crate::kafka::base::headers;
use crate::kafka::client::connection::Connection;
use crate::kafka::client::settings;
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The producer of the client library.
pub(crate) type Inner = ThreadedProducer<ReportCounter>;

/// A producer, which writes records.
pub struct Producer {
    inner: Inner,
}

/// The records of one transaction or command, which are written together.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    reports: Arc<Reports>,
    /// The number of records that were handed over.
    sent: usize,
}

/// The delivery reports for the records of one [`InFlight`].
#[derive(Debug, Default)]
pub(crate) struct Reports {
    delivered: AtomicUsize,
    failed: AtomicUsize,
    /// The first failure that will not pass, else the first failure.
    failure: Mutex<Option<(String, KafkaError)>>,
}

/// The result of handing a record over.
#[derive(Debug)]
pub(crate) enum Sending {
    /// The record is in flight.
    Taken,
    /// librdkafka's queue is full. The record can be handed over when reports have come.
    Full,
    /// The record was not accepted.
    Refused(Error),
}

/// The state of the records that are written together.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Some records are neither acknowledged nor refused yet.
    Open,
    /// Every record is acknowledged.
    Delivered,
    /// At least one record was not acknowledged, for a reason that may pass.
    /// All of them must be written again.
    Failed(Error),
    /// At least one record can never be written.
    Refused(Error),
}

impl Producer {
    /// Makes a producer with the settings of `kafka`. It connects in the background.
    ///
    /// # Errors
    /// The client library refuses the settings.
    pub fn new(kafka: &Kafka) -> Result<Self, Error> {
        let config = settings::writer(kafka)?;
        let inner = config.create_with_context(ReportCounter::of(&config)).map_err(of_client)?;
        Ok(Self { inner })
    }

    /// Makes a producer of transactions under this id. Before the first one, `init_transactions`
    /// must be called, which fences the last user of the id.
    pub(crate) fn transactional(kafka: &Kafka, id: &str) -> Result<Self, Error> {
        let config = settings::transactional_writer(kafka, id)?;
        let inner = config.create_with_context(ReportCounter::of(&config)).map_err(of_client)?;
        Ok(Self { inner })
    }

    /// Returns the producer of the client library, for calls about transactions.
    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// Notes that no broker has answered for a while.
    pub(crate) fn unanswered(&self) {
        let client = self.inner.client();
        client.context().connection.rebootstrap.unanswered(client);
    }

    /// Returns the error for which the producer cannot continue; None when it can.
    pub(crate) fn fatal_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.inner.client().fatal_error()
    }

    /// Hands a record over as one of `in_flight`.
    pub(crate) fn hand_over(&self, in_flight: &mut InFlight, output: &Output) -> Sending {
        let record = BaseRecord::<[u8], [u8], Arc<Reports>> {
            topic: &output.topic,
            partition: output.partition,
            payload: output.value.as_deref(),
            key: output.key.as_deref(),
            timestamp: None,
            headers: Some(headers::write(&output.headers)),
            delivery_opaque: in_flight.reports.clone(),
        };
        match self.inner.send(record) {
            Ok(()) => {
                in_flight.sent += 1;
                Sending::Taken
            }
            Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => Sending::Full,
            Err((reason, _)) => Sending::Refused(Error::Produce { topic: output.topic.to_string(), reason }),
        }
    }

    /// Writes `outputs` and waits until each is acknowledged, for commands that
    /// write a few records.
    ///
    /// # Errors
    /// A record was not acknowledged in time, or can never be written.
    pub fn write_all(&self, outputs: &[Output], patience: Duration) -> Result<(), Error> {
        self.write_until(outputs, Instant::now() + patience).map_err(|error| self.explained(error))
    }

    /// Explains an error of writing where its cause is known. Returns other errors as they are.
    pub(crate) fn explained(&self, error: Error) -> Error {
        self.inner.client().context().connection.explained(error)
    }

    /// Returns the error that this user may not write transactions under this id.
    pub(crate) fn denied_id(&self, id: &str) -> Error {
        self.inner.client().context().connection.denied_id(id)
    }

    fn write_until(&self, outputs: &[Output], deadline: Instant) -> Result<(), Error> {
        let mut in_flight = InFlight::default();
        for output in outputs {
            loop {
                match self.hand_over(&mut in_flight, output) {
                    Sending::Taken => break,
                    Sending::Full => std::thread::sleep(Duration::from_millis(5)),
                    Sending::Refused(error) => return Err(error),
                }
            }
        }
        loop {
            match in_flight.progress() {
                Progress::Delivered => return Ok(()),
                Progress::Failed(error) | Progress::Refused(error) => return Err(error),
                Progress::Open if Instant::now() > deadline => {
                    let reason = KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut);
                    let topic = outputs.first().map(|output| output.topic.to_string()).unwrap_or_default();
                    return Err(Error::Produce { topic, reason });
                }
                Progress::Open => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Waits until no record is in flight. Returns false when that takes longer than `patience`.
    pub fn flush(&self, patience: Duration) -> bool {
        self.inner.flush(patience).is_ok()
    }
}

impl InFlight {
    /// Returns whether the brokers know of these records: one of them was answered,
    /// or none was handed over.
    pub(crate) fn is_known(&self) -> bool {
        let Reports { delivered, failed, .. } = &*self.reports;
        self.sent == 0 || delivered.load(Ordering::Acquire) + failed.load(Ordering::Acquire) > 0
    }

    /// Returns the state of the records, after all of them were handed over.
    pub(crate) fn progress(&self) -> Progress {
        let failed = self.reports.failed.load(Ordering::Acquire);
        let delivered = self.reports.delivered.load(Ordering::Acquire);
        if delivered + failed < self.sent {
            return Progress::Open;
        }
        if failed == 0 {
            return Progress::Delivered;
        }
        let failure = self.reports.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        match failure {
            Some((topic, reason)) if is_passing(&reason) => Progress::Failed(Error::Produce { topic, reason }),
            Some((topic, reason)) => Progress::Refused(Error::Produce { topic, reason }),
            None => Progress::Failed(Error::Inconsistent("a failed delivery without reason".to_owned())),
        }
    }
}

/// The context of a producer, which counts the delivery reports.
pub(crate) struct ReportCounter {
    connection: Connection,
}

impl ReportCounter {
    /// Returns the context of a client with these settings.
    pub(crate) fn of(config: &ClientConfig) -> Self {
        Self { connection: Connection::of(config) }
    }
}

impl ClientContext for ReportCounter {
    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        crate::kafka::base::log::client_error("producer", &error, reason);
    }

    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        self.connection.line(level, facility, message);
    }
}

impl ProducerContext for ReportCounter {
    type DeliveryOpaque = Arc<Reports>;

    fn delivery(&self, result: &DeliveryResult<'_>, reports: Arc<Reports>) {
        match result {
            Ok(_) => {
                reports.delivered.fetch_add(1, Ordering::AcqRel);
            }
            Err((error, message)) => {
                let mut failure = reports.failure.lock().unwrap_or_else(PoisonError::into_inner);
                if failure.as_ref().is_none_or(|(_, known)| is_passing(known) && !is_passing(error)) {
                    *failure = Some((message.topic().to_owned(), error.clone()));
                }
                drop(failure);
                reports.failed.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
}
