//! Finds out which topics exist, as soon as brokers answer.

use crate::config::Kafka;
use crate::kafka::base::error::{Error, is_passing};
use crate::kafka::base::log;
use crate::kafka::base::stop::Stop;
use crate::kafka::client::context::LoggingContext;
use crate::kafka::client::settings;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::time::Duration;

/// Returns those of `wanted` that exist. The call waits until brokers answer, and returns None when
/// a stop was requested before that.
///
/// # Errors
/// The client library refuses the settings, or the brokers refuse this client.
pub fn existing_topics(kafka: &Kafka, stop: &Stop, wanted: &[String]) -> Result<Option<Vec<String>>, Error> {
    let consumer = LoggingContext::consumer(&settings::plain_reader(kafka)?)?;
    while !stop.is_requested() {
        let error = match consumer.fetch_metadata(None, Duration::from_secs(2)) {
            Ok(metadata) => {
                let known = |name: &String| metadata.topics().iter().any(|topic| topic.name() == name && topic.error().is_none());
                return Ok(Some(wanted.iter().filter(|name| known(name)).cloned().collect()));
            }
            Err(error) if is_passing(&error) => error,
            Err(error) => return Err(Error::Consume(error)),
        };
        // The poll serves the library's events, such as a refused password.
        if let Some(Err(reason)) = consumer.poll(Duration::from_millis(500))
            && is_refusal(&reason)
        {
            return Err(Error::Authentication { brokers: kafka.brokers.clone(), reason });
        }
        if log::again("waiting for the brokers").is_some() {
            let reason = consumer.context().connection.no_broker();
            tracing::warn!(%error, brokers = kafka.brokers, %reason, "waiting for the brokers");
        }
    }
    Ok(None)
}

/// Returns whether an error of a connection means that the next one will be refused too.
fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(error.rdkafka_error_code(), Some(Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL))
}
