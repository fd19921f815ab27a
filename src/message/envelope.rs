//! What SMTP said about a message. What was not said is unknown, never guessed (A1).

use jiff::Timestamp;
use std::net::IpAddr;

/// The SMTP envelope and the circumstances of arrival.
///
/// Its strings are what travels with the verdict, so that a replay evaluates the same: build them with [`Envelope::text`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// The client's address; none when unknown.
    pub client_ip: Option<IpAddr>,
    /// The name given in HELO or EHLO, none when unknown.
    pub helo: Option<String>,
    /// MAIL FROM.
    pub mail_from: MailFrom,
    /// RCPT TO paths without brackets.
    pub rcpt_to: Vec<String>,
    /// Who submitted it; anything but [`Submission::External`] is not evaluated.
    pub submission: Submission,
    /// When it arrived; none when unknown.
    pub arrival: Option<Timestamp>,
    /// SES status words of an earlier scanner, copied.
    pub spam_verdict: Option<String>,
    /// As `spam_verdict`, for viruses.
    pub virus_verdict: Option<String>,
}

/// The reverse path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MailFrom {
    /// It was not given.
    #[default]
    Unknown,
    /// `<>`.
    Null,
    /// A path without its brackets; whether it is one is decided by [`super::Path::parse`].
    Path(String),
}

/// Who handed the message in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Submission {
    /// Somebody outside: SPF, DKIM and DMARC decide.
    #[default]
    External,
    /// A user of this receiver who authenticated.
    Authenticated,
}

impl Envelope {
    /// Longest string of an envelope in bytes.
    pub const MAX_TEXT: usize = 1024;

    /// What the sender said, as it travels: at most 1 KiB, octets that are not UTF-8 replaced by U+FFFD (which no path holds).
    pub fn text(octets: &[u8]) -> String {
        let text = String::from_utf8_lossy(octets.get(..Self::MAX_TEXT).unwrap_or(octets));
        let mut end = text.len().min(Self::MAX_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_owned()
    }
}
