//! Logs librdkafka's lines, and notes why connections fail, for clients without
//! a rebalance callback.

use super::connection::Connection;
use crate::kafka::base::error::{Error, of_client};
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;

/// The context of a client without a rebalance callback.
pub(crate) struct LoggingContext {
    pub(crate) connection: Connection,
}

impl LoggingContext {
    /// Returns the context of a client with these settings.
    pub(crate) fn of(config: &ClientConfig) -> Self {
        Self { connection: Connection::of(config) }
    }

    /// Makes a client with these settings.
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
