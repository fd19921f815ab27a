//! Checks whether the client library accepts the settings.

use crate::config::Kafka;
use crate::kafka::base::error::{Error, of_client};
use crate::kafka::client::context::LoggingContext;
use crate::kafka::client::instance::Instance;
use crate::kafka::client::settings;
use crate::kafka::transaction::delivery::ReportCounter;
use rdkafka::ClientConfig;
use rdkafka::producer::ThreadedProducer;

/// Makes a client of each kind without a broker, so that a setting that the library refuses shows
/// before the first start.
///
/// # Errors
/// The library does not know a property or does not accept its value, or a file cannot be read.
pub fn check_settings(kafka: &Kafka) -> Result<(), Error> {
    let instance = Instance::of(kafka);
    let offline = |mut config: ClientConfig| {
        config.remove("bootstrap.servers");
        config
    };
    let member = offline(settings::role_consumer(kafka, "verdmarc-check", &instance)?);
    let writer = offline(settings::transactional_writer(kafka, &format!("verdmarc-check.{}", instance.name))?);
    let member = LoggingContext::consumer(&member)?;
    let writer: ThreadedProducer<ReportCounter> = writer.create_with_context(ReportCounter::of(&writer)).map_err(of_client)?;
    // To drop the clients would wait for their work in the background, such as asking an OIDC
    // endpoint for a token.
    std::mem::forget((member, writer));
    Ok(())
}
