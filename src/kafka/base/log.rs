//! Writes the log lines and errors of librdkafka into the log of the program, without secrets
//! and without repetition.

use super::error::is_lost_connection;
use super::secrets::redact;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time between two lines that say the same. Every client of the process retries several times
/// a second, so it would otherwise log each failure as often.
const SILENCE: Duration = Duration::from_mins(1);
/// The number of different lines that are remembered. It bounds the memory for them.
const REMEMBERED: usize = 256;

/// The lines that were logged: when each was logged last, and how often it was suppressed since.
#[derive(Default)]
struct Said(BTreeMap<String, (Instant, u64)>);

impl Said {
    /// Returns how often a line was suppressed since it was logged last, or None when it
    /// must be suppressed at `now`. Lines that differ only in digits, such as ports and
    /// times, are the same line.
    fn again(&mut self, text: &str, now: Instant) -> Option<u64> {
        let key: String = text.chars().filter(|char| !char.is_ascii_digit()).collect();
        if let Some((at, silent)) = self.0.get_mut(&key) {
            if now.saturating_duration_since(*at) < SILENCE {
                *silent += 1;
                return None;
            }
            *at = now;
            return Some(std::mem::take(silent));
        }
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, (at, _)| now.saturating_duration_since(*at) < SILENCE);
        }
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        self.0.insert(key, (now, 0));
        Some(0)
    }
}

/// Returns how often a line was suppressed since it was logged last, or None when
/// it must be suppressed.
pub(crate) fn again(text: &str) -> Option<u64> {
    static SAID: Mutex<Said> = Mutex::new(Said(BTreeMap::new()));
    SAID.lock().unwrap_or_else(PoisonError::into_inner).again(text, Instant::now())
}

/// Logs a warning that concerns the whole process. Each text is logged once,
/// whichever role finds it.
pub fn warn_once(text: &str) {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.iter().any(|known| known == text) {
        said.push(text.to_owned());
        tracing::warn!("{text}");
    }
}

/// The topic that the brokers refused last, until it is taken.
static REFUSED: Mutex<Option<String>> = Mutex::new(None);

/// Takes the topic that the brokers last refused to add to a transaction; None when they refused
/// none since. librdkafka names it only in a line of its log.
pub(crate) fn refused_topic() -> Option<String> {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Returns the topic that a log line names as refused, or None when the line says something else.
fn refused_in<'m>(facility: &str, message: &'m str) -> Option<&'m str> {
    let is_refusal = facility == "ADDPARTS" && message.ends_with("Topic authorization failed");
    message.split('"').nth(1).filter(|_| is_refusal)
}

/// Logs a line of librdkafka. Returns the cause when the line says that a connection
/// failed, otherwise None.
pub(crate) fn line(level: RDKafkaLogLevel, facility: &str, message: &str) -> Option<String> {
    let message = redact(message);
    if let Some(topic) = refused_in(facility, &message) {
        *REFUSED.lock().unwrap_or_else(PoisonError::into_inner) = Some(topic.to_owned());
    }
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            if let Some(silent) = again(cause(&message)) {
                tracing::error!(target: "librdkafka", facility, silent, "{message}");
            }
        }
        RDKafkaLogLevel::Warning => {
            if facility == "CONFWARN" {
                warn_once(behind_thread(&message));
            } else if let Some(silent) = again(cause(&message)) {
                tracing::warn!(target: "librdkafka", facility, silent, "{message}");
            }
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
    (facility == "FAIL").then(|| behind_thread(&message).to_owned())
}

/// Returns a line without the name of librdkafka's thread, which names the client.
fn behind_thread(message: &str) -> &str {
    message.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")).map_or(message, |(_, rest)| rest)
}

/// Returns the part of a line that says what went wrong, without the thread, the elapsed time and
/// the number of repetitions. Lines with the same cause are the same line.
fn cause(message: &str) -> &str {
    let text = behind_thread(message);
    text.split_once(" (after ").map_or(text, |(cause, _)| cause)
}

/// Logs an error of a client as a whole. That a single connection failed is logged for debugging
/// only, because librdkafka has a line of its own about it.
pub(crate) fn client_error(client: &str, error: &KafkaError, reason: &str) {
    let reason = redact(reason);
    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
        if again("no broker can be reached").is_some() {
            tracing::warn!(client, "no broker can be reached; it is tried again and again");
        }
    } else if is_lost_connection(error) {
        tracing::debug!(client, %error, reason, "client");
    } else if let Some(silent) = again(&format!("{error} {reason}")) {
        tracing::warn!(client, %error, reason, silent, "client");
    }
}

/// Logs an error that a client returned in place of a record.
pub(crate) fn reading(error: &KafkaError) {
    if is_lost_connection(error) {
        tracing::debug!(%error, "reading");
    } else if let Some(silent) = again(&error.to_string()) {
        tracing::warn!(%error, silent, "reading");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_just_now_is_said_again_after_a_while_with_how_often_it_was_not() {
        let start = Instant::now();
        let mut said = Said::default();
        let again = |said: &mut Said, text: &str, seconds| said.again(text, start + Duration::from_secs(seconds));
        let failed = |port: u16| format!("ssl://b:{port}/bootstrap: SSL handshake failed (after {port}ms in state X)");
        assert_eq!(again(&mut said, &failed(1), 0), Some(0));
        assert_eq!((2..60).filter_map(|port| again(&mut said, &failed(port), 59)).count(), 0);
        assert_eq!(again(&mut said, "something else", 59), Some(0));
        assert_eq!(again(&mut said, &failed(1), 60), Some(58));
    }

    #[test]
    fn no_variety_makes_the_memory_grow() {
        let (mut said, now) = (Said::default(), Instant::now());
        for number in 0..10_000 {
            let name: String = format!("{number:b}").chars().map(|bit| if bit == '1' { 'x' } else { 'y' }).collect();
            said.again(&name, now);
        }
        assert!(said.0.len() <= REMEMBERED);
    }

    #[test]
    fn a_topic_that_is_refused_is_found_in_the_line_that_names_it() {
        let line = |why: &str| {
            format!("[thrd:main]: TxnCoordinator/1: Failed to add partition \"a.b\" [1] to transaction: Broker: {why}")
        };
        assert_eq!(refused_in("ADDPARTS", &line("Topic authorization failed")), Some("a.b"));
        assert_eq!(refused_in("ADDPARTS", &line("Operation not attempted")), None);
        assert_eq!(refused_in("FAIL", &line("Topic authorization failed")), None);
    }

    #[test]
    fn a_line_is_known_whichever_client_says_it() {
        assert_eq!(behind_thread("[thrd:ssl://b:1/bootstrap]: ssl://b:1/bootstrap: failed"), "ssl://b:1/bootstrap: failed");
        assert_eq!(behind_thread("failed"), "failed");
        for history in ["", " (after 0ms in state CONNECT)", " (after 1ms in state CONNECT, 1 identical error(s) suppressed)"] {
            assert_eq!(cause(&format!("[thrd:b:1/1]: b:1/1: Connection refused{history}")), "b:1/1: Connection refused");
        }
    }
}
