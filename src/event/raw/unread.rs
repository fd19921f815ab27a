//! Finds headers that look like an envelope and are not read, which is the usual reason why every
//! message has an unknown envelope.

use super::Mode;
use crate::event::Record;
use crate::event::headers::ATTRIBUTE;

/// Attributes of a message that are read from headers.
const READ: [&str; 15] = [
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "clientip",
    "helo",
    "mailfrom",
    "rcptto",
    "authenticated",
    "spamverdict",
    "virusverdict",
    "dataref",
    "datasha256",
    "datacontenttype",
];

/// Prefixes of attributes that CloudEvents uses with other protocols than Kafka (HTTP; AMQP and its
/// forms).
const FOREIGN: [&str; 3] = ["ce-", "cloudEvents_", "cloudEvents:"];

/// Returns the name of a header that was meant as an attribute and is not read, if there is one.
pub fn unread(record: &Record) -> Option<&str> {
    let headers = record.headers.as_ref().filter(|headers| matches!(Mode::of(headers), Ok(Mode::Binary)))?;
    headers.iter().map(|(name, _)| name).find(|name| is_unread(name))
}

fn is_unread(name: &str) -> bool {
    let behind = |prefix: &str| {
        let (start, rest) = name.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then_some(rest)
    };
    match behind(ATTRIBUTE) {
        // Extensions of others do not matter here. An attribute with a stray separator does.
        Some(rest) => {
            let joined: String = rest.chars().filter(char::is_ascii_alphanumeric).collect();
            joined.len() < rest.len() && READ.iter().any(|known| known.eq_ignore_ascii_case(&joined))
        }
        None => FOREIGN.iter().any(|prefix| behind(prefix).is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_envelope_is_noticed_and_extensions_of_others_are_not() {
        for name in
            ["ce-clientip", "CE-id", "cloudEvents_time", "cloudevents:mailfrom", "ce_client_ip", "ce_Mail-From", "ce_rcpt.to"]
        {
            assert!(is_unread(name), "{name}");
        }
        for name in ["ce_clientip", "CE_ClientIP", "ce_traceparent", "ce_my_own", "content-type", "x-ce-id", "cé", ""] {
            assert!(!is_unread(name), "{name}");
        }
    }
}
