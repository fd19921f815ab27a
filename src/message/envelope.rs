//! Defines the SMTP envelope of a message.
//!
//! A value that is not given is unknown, and never guessed (A1).

use jiff::Timestamp;
use std::net::IpAddr;

/// The SMTP envelope and the circumstances of arrival.
///
/// Its strings travel with the verdict, so that a replay evaluates the same.
/// [`Envelope::text`] must make them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// The client's address, or `None` if it is unknown.
    pub client_ip: Option<IpAddr>,
    /// The name given in HELO or EHLO, or `None` if it is unknown.
    pub helo: Option<String>,
    /// The MAIL FROM path.
    pub mail_from: MailFrom,
    /// The RCPT TO paths without brackets.
    pub rcpt_to: Vec<String>,
    /// The submission. A message other than [`Submission::External`] is not evaluated.
    pub submission: Submission,
    /// The time of arrival, or `None` if it is unknown.
    pub arrival: Option<Timestamp>,
    /// The SES status word of an earlier scanner for spam, which is copied.
    pub spam_verdict: Option<String>,
    /// The SES status word of an earlier scanner for viruses, which is copied.
    pub virus_verdict: Option<String>,
}

/// The reverse path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MailFrom {
    /// The path is not given.
    #[default]
    Unknown,
    /// The null path, `<>`.
    Null,
    /// A path without its brackets. [`super::Path::parse`] decides whether it is a valid one.
    Path(String),
}

/// The way in which the message was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Submission {
    /// Somebody outside sent it: SPF, DKIM and DMARC decide.
    #[default]
    External,
    /// An authenticated user of this receiver submitted it.
    Authenticated,
}

impl Envelope {
    /// The longest string of an envelope, in bytes.
    pub const MAX_TEXT: usize = 1024;

    /// Returns the sender's octets as text that travels with the verdict.
    ///
    /// It has at most 1 KiB. Octets that are not UTF-8 become U+FFFD, which no path holds.
    pub fn text(octets: &[u8]) -> String {
        let text = String::from_utf8_lossy(octets.get(..Self::MAX_TEXT).unwrap_or(octets));
        let mut end = text.len().min(Self::MAX_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_owned()
    }
}
