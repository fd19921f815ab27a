//! What the client library has to say, among our own log lines.

use super::error::is_lost_connection;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines that say that no broker can be reached: the library says so for every client several times a second.
const SILENCE: Duration = Duration::from_secs(10);

/// A log line of the library.
pub(super) fn line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// An error of a client as a whole. That one connection failed is in the library's own line already.
pub(super) fn client_error(client: &str, error: &KafkaError, reason: &str) {
    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
        static SAID: Mutex<Option<Instant>> = Mutex::new(None);
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() > SILENCE) {
            *said = Some(Instant::now());
            tracing::warn!(client, "no broker can be reached; it is tried again and again");
        }
    } else if is_lost_connection(error) {
        tracing::debug!(client, %error, reason, "client");
    } else {
        tracing::warn!(client, %error, reason, "client");
    }
}

/// An error in the place of a record.
pub(super) fn reading(error: &KafkaError) {
    if is_lost_connection(error) {
        tracing::debug!(%error, "reading");
    } else {
        tracing::warn!(%error, "reading");
    }
}
