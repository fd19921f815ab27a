//! Says in words why brokers do not answer a client or refuse it, and what to do about it.
//!
//! A call that got no answer does not say why. The cause is in a line of librdkafka's log, which
//! comes from a thread of its own.

use super::rebootstrap::Rebootstrap;
use crate::kafka::base::error::{Error, is_lost_connection};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// The brokers of a client, its user, and the cause of its last failed connection.
#[derive(Debug)]
pub(crate) struct Connection {
    brokers: String,
    user: User,
    pub(crate) rebootstrap: Rebootstrap,
    /// The cause of the last failed connection.
    failed: Mutex<Option<String>>,
}

/// The identity of a client to the brokers. The names are values of properties,
/// which are never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    Named,
    Token,
    Certificate,
    Anonymous,
}

/// A right that a user may have on a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Describe,
    Read,
    Write,
}

impl Connection {
    /// Returns the connection of a client with these settings.
    pub(crate) fn of(config: &ClientConfig) -> Self {
        let brokers = config.get("bootstrap.servers").unwrap_or_default().to_owned();
        Self { brokers, user: User::of(config), rebootstrap: Rebootstrap::of(config), failed: Mutex::default() }
    }

    /// Returns the identity of the client to the brokers.
    pub(crate) fn user(&self) -> User {
        self.user
    }

    /// Logs a line of librdkafka, and keeps the cause of a failed connection if the line says it.
    pub(crate) fn line(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if let Some(why) = crate::kafka::base::log::line(level, facility, message) {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        }
    }

    /// Returns the error for a question about a topic that failed.
    pub(crate) fn no_answer(&self, topic: &str, error: &KafkaError) -> Error {
        match error.rdkafka_error_code() {
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Error::NoTopic { topic: topic.to_owned() },
            Some(code) if is_denied(code) => self.denied(topic, Right::Describe, code),
            Some(Code::OperationTimedOut | Code::RequestTimedOut) => self.no_broker(),
            _ if is_lost_connection(error) => self.no_broker(),
            _ => Error::Topic { topic: topic.to_owned(), reason: error.to_string() },
        }
    }

    /// Returns the error for brokers that do not answer, with the cause as far as it is known.
    pub(crate) fn no_broker(&self) -> Error {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        Error::NoBroker { brokers: self.brokers.clone(), cause: cause(failed.as_deref()) }
    }

    /// Returns the error for a right on a topic that the client's user lacks.
    pub(crate) fn denied(&self, topic: &str, right: Right, code: Code) -> Error {
        let act = match right {
            Right::Describe => "look up",
            Right::Read => "read",
            Right::Write => "write to",
        };
        let lacks = format!("{} lacks the right {right:?} on it ({code:?})", self.user);
        Error::Denied(format!("cannot {act} {topic}: {lacks}: {} --operation {right:?} --topic {topic}", self.allow()))
    }

    /// Returns the error that this user may not write transactions under this id.
    pub(crate) fn denied_id(&self, id: &str) -> Error {
        Error::Denied(format!(
            "transactions under the id {id} are refused: {} lacks the right Write on it: {} --operation Write --operation Describe \
             --transactional-id {id}",
            self.user,
            self.allow()
        ))
    }

    /// Returns the error that this user may not look at the positions of this group,
    /// or be a member of it.
    pub(crate) fn denied_group(&self, group: &str) -> Error {
        Error::Denied(format!(
            "cannot use the group {group}: {} lacks the right Read on it (GroupAuthorizationFailed): {} --operation Read --group {group}",
            self.user,
            self.allow()
        ))
    }

    /// Returns the beginning of the command that grants a right.
    fn allow(&self) -> String {
        format!("kafka-acls.sh --bootstrap-server {} --add --allow-principal {}", self.brokers, self.user.principal())
    }

    /// Explains an error of writing, where the missing right, the missing topic or the failed
    /// connection is known by now. Returns other errors as they are.
    pub(crate) fn explained(&self, error: Error) -> Error {
        let Error::Produce { topic, reason } = &error else { return error };
        match reason.rdkafka_error_code() {
            Some(code) if is_denied(code) => self.denied(topic, Right::Write, code),
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Error::NoTopic { topic: topic.clone() },
            Some(Code::MessageTimedOut) if self.has_failed() => self.no_broker(),
            _ => error,
        }
    }

    fn has_failed(&self) -> bool {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// Returns whether an error says that a user lacks a right on a topic.
pub(crate) fn is_denied(code: Code) -> bool {
    code == Code::TopicAuthorizationFailed
}

impl User {
    pub(crate) fn of(config: &ClientConfig) -> Self {
        let holds = |name: &str, text: &str| config.get(name).is_some_and(|value| value.to_ascii_lowercase().starts_with(text));
        match () {
            () if holds("security.protocol", "sasl") && holds("sasl.mechanism", "oauth") => Self::Token,
            () if holds("security.protocol", "sasl") => Self::Named,
            () if holds("security.protocol", "ssl")
                && ["ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location"]
                    .iter()
                    .any(|name| config.get(name).is_some()) =>
            {
                Self::Certificate
            }
            () => Self::Anonymous,
        }
    }

    /// Returns the user as the brokers' tools write it.
    fn principal(self) -> &'static str {
        if self == Self::Anonymous { "User:ANONYMOUS" } else { "User:NAME" }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named => "the user that sasl.username names",
            Self::Token => "the user that the token names",
            Self::Certificate => "the user that the client's certificate names",
            Self::Anonymous => "User:ANONYMOUS, for nobody logs in without security.protocol,",
        })
    }
}

/// Returns why no broker answers and what to check, from librdkafka's line about the
/// connection that failed last.
fn cause(line: Option<&str>) -> String {
    let Some(line) = line else { return "no connection comes about: check kafka.brokers, and the network between".to_owned() };
    // The line begins with the address of the broker, and ends with the time that
    // the connection took.
    let line = line.split_once(": ").map_or(line, |(_, rest)| rest);
    let line = line.rsplit_once(" (after ").map_or(line, |(before, _)| before);
    let look = if line.contains("Connection refused") {
        "does a broker run there? Check kafka.brokers"
    } else if line.contains("resolve") {
        "the name is not found: check kafka.brokers"
    } else if line.contains("SASL") || line.contains("uthentication") {
        "the login is refused: check sasl.* in [kafka.properties]"
    } else if line.contains("SSL") || line.contains("TLS") || line.contains("ertificate") {
        "TLS fails: check security.protocol and ssl.* in [kafka.properties]"
    } else {
        "check kafka.brokers, and security.protocol in [kafka.properties]"
    };
    format!("{line}; {look}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(properties: &[(&str, &str)]) -> Connection {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "b:9092");
        for (name, value) in properties {
            config.set(*name, *value);
        }
        Connection::of(&config)
    }

    #[test]
    fn the_cause_for_which_no_broker_answers_is_named_with_what_to_look_at() {
        for (line, expected) in [
            (
                "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)",
                "Connect to ipv4#127.0.0.1:1 failed: Connection refused; does a broker run there? Check kafka.brokers",
            ),
            (
                "no.test:9092/bootstrap: Failed to resolve 'no.test:9092': Name or service not known (after 1ms in state CONNECT)",
                "Failed to resolve 'no.test:9092': Name or service not known; the name is not found: check kafka.brokers",
            ),
            (
                "ssl://b:9092/bootstrap: SSL handshake failed: certificate verify failed (after 9ms in state SSL_HANDSHAKE)",
                "SSL handshake failed: certificate verify failed; TLS fails: check security.protocol and ssl.* in [kafka.properties]",
            ),
            (
                "sasl_ssl://b:9092/bootstrap: SASL authentication error: invalid credentials (after 9ms in state AUTH_REQ)",
                "SASL authentication error: invalid credentials; the login is refused: check sasl.* in [kafka.properties]",
            ),
            ("b:9092/bootstrap: Disconnected", "Disconnected; check kafka.brokers, and security.protocol in [kafka.properties]"),
        ] {
            let client = client(&[]);
            let thread = format!("[thrd:x]: {line}");
            client.line(RDKafkaLogLevel::Error, "FAIL", &thread);
            assert_eq!(client.no_broker().to_string(), format!("no broker answers at b:9092: {expected}"));
        }
        assert!(client(&[]).no_broker().to_string().contains("no connection comes about"));
    }

    #[test]
    fn a_right_that_is_missing_is_named_with_the_user_who_needs_it_and_no_value() {
        let sasl = [("security.protocol", "SASL_SSL"), ("sasl.mechanism", "SCRAM-SHA-512"), ("sasl.username", "hunter2")];
        let denied = KafkaError::MetadataFetch(Code::TopicAuthorizationFailed);
        let error = client(&sasl).no_answer("mail.raw", &denied).to_string();
        assert_eq!(
            error,
            "cannot look up mail.raw: the user that sasl.username names lacks the right Describe on it (TopicAuthorizationFailed): \
             kafka-acls.sh --bootstrap-server b:9092 --add --allow-principal User:NAME --operation Describe --topic mail.raw"
        );
        for (properties, expected) in [
            (&[][..], "User:ANONYMOUS"),
            (&[("security.protocol", "ssl"), ("ssl.keystore.location", "f")], "certificate"),
            (&[("security.protocol", "sasl_plaintext"), ("sasl.mechanism", "OAUTHBEARER")], "token"),
        ] {
            let error = client(properties).denied("t", Right::Write, Code::TopicAuthorizationFailed).to_string();
            assert!(error.starts_with("cannot write to t: ") && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_topic_that_is_missing_names_the_command_that_makes_it() {
        let written = Error::Produce { topic: "t".into(), reason: KafkaError::MessageProduction(Code::UnknownTopic) };
        for error in [
            client(&[]).no_answer("t", &KafkaError::MetadataFetch(Code::UnknownTopicOrPartition)),
            client(&[]).explained(written),
        ] {
            assert_eq!(error.to_string(), "topic t does not exist: `verdmarc topics create` makes it");
        }
    }
}
