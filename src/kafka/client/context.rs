//! The context of clients that no rebalance calls back: what the library says goes to the log, and why connections fail is noted.

use super::connection::Connection;
use crate::kafka::base::error::{Error, of_client};
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;

/// A context that passes log lines on, and notes why connections fail.
pub(crate) struct LoggingContext {
    pub(crate) connection: Connection,
}

impl LoggingContext {
    /// For a client with these settings.
    pub(crate) fn of(config: &ClientConfig) -> Self {
        Self { connection: Connection::of(config) }
    }

    /// A client with these settings.
    pub(crate) fn consumer(config: &ClientConfig) -> Result<BaseConsumer<Self>, Error> {
        config.create_with_context(Self::of(config)).map_err(of_client)
    }
}

impl ClientContext for LoggingContext {
    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        crate::kafka::base::log::client_error("reader", &error, reason);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.connection.line(level, facility, message);
    }
}

impl ConsumerContext for LoggingContext {}
