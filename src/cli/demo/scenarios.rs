//! The messages and records that the demo sends, and the outcomes that they must have.

mod cases;

pub(super) use cases::all;

use super::sign::{Key, Keys, Signature};
use crate::auth::cause::SesStatus;
use crate::auth::dmarc::Policy;
use crate::cli::Failure;
use crate::cli::envelope::{EnvelopeArgs, Sent};
use crate::event::{Headers, Output};
use jiff::Timestamp;
use std::sync::Arc;

/// A message or a broken record, with its expected outcome.
pub(super) struct Scenario {
    /// A description for people.
    pub(super) title: &'static str,
    /// The expected outcome.
    pub(super) expected: Expected,
    from: &'static str,
    client: Option<(&'static str, &'static str, &'static str)>,
    authenticated: Option<&'static str>,
    signatures: Vec<Signature>,
    changes: Vec<Change>,
    form: Form,
}

/// The expected outcome of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// A verdict.
    Verdict { spf: SesStatus, dkim: SesStatus, dmarc: SesStatus, policy: Option<Policy> },
    /// A dead letter with this reason.
    Refused(&'static str),
}

/// A change to a message after it was signed.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// This text is added behind the body.
    Append(&'static str),
    /// This line, complete with its end, is added on top.
    Prepend(&'static str),
    /// So many junk signatures of this domain are added on top.
    Junk(usize, &'static str),
    /// Line ends are changed from CRLF to LF.
    BareLf,
}

/// The form in which a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Binary,
    Structured,
    /// The message without any attributes.
    Bare,
    /// A record without any bytes.
    Empty,
    /// A record with a header, name and value, that is unreadable or names something else than a
    /// message.
    Header(&'static str, &'static str),
}

/// Begins a scenario, which does not have an expected outcome yet. `from` is the value of From;
/// when it is empty the field is left out.
fn mail(title: &'static str, from: &'static str) -> Scenario {
    let nothing = Expected::Refused("");
    Scenario {
        title,
        expected: nothing,
        from,
        client: None,
        authenticated: None,
        signatures: Vec::new(),
        changes: Vec::new(),
        form: Form::Binary,
    }
}

impl Scenario {
    /// Sets address, HELO and MAIL FROM of the client.
    fn by(self, ip: &'static str, helo: &'static str, mail_from: &'static str) -> Self {
        Self { client: Some((ip, helo, mail_from)), ..self }
    }

    fn signed(mut self, domain: &'static str, key: Key) -> Self {
        self.signatures.push(Signature { domain, key, length: false, expires: None });
        self
    }

    fn signature(mut self, signature: Signature) -> Self {
        self.signatures.push(signature);
        self
    }

    fn then(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    fn authenticated(self, user: &'static str) -> Self {
        Self { authenticated: Some(user), ..self }
    }

    fn passes(self, spf: SesStatus, dkim: SesStatus) -> Self {
        self.expect(spf, dkim, SesStatus::Pass, None)
    }

    fn fails(self, spf: SesStatus, dkim: SesStatus, policy: Policy) -> Self {
        self.expect(spf, dkim, SesStatus::Fail, Some(policy))
    }

    fn gray(self, spf: SesStatus, dkim: SesStatus) -> Self {
        self.expect(spf, dkim, SesStatus::Gray, None)
    }

    fn undecided(self, spf: SesStatus, dkim: SesStatus) -> Self {
        self.expect(spf, dkim, SesStatus::ProcessingFailed, None)
    }

    fn refused(self, reason: &'static str) -> Self {
        Self { expected: Expected::Refused(reason), ..self }
    }

    fn expect(self, spf: SesStatus, dkim: SesStatus, dmarc: SesStatus, policy: Option<Policy>) -> Self {
        Self { expected: Expected::Verdict { spf, dkim, dmarc, policy }, ..self }
    }

    /// Returns the record for mail.raw.
    pub(super) fn record(&self, id: &str, topic: &Arc<str>, keys: &Keys, now: Timestamp) -> Result<Output, Failure> {
        let message = self.message(id, keys, now)?;
        let envelope = self.envelope();
        let sent = Sent { id, message: &message, envelope: &envelope };
        let plain = |value: Vec<u8>, headers| Output {
            topic: topic.clone(),
            partition: None,
            key: Some(id.into()),
            value: Some(value),
            headers,
        };
        Ok(match self.form {
            Form::Binary => sent.binary(topic),
            Form::Structured => sent.structured(topic),
            Form::Bare => plain(message, Headers::default()),
            Form::Empty => plain(Vec::new(), Headers::default()),
            Form::Header(name, value) => plain(message, Headers::default().with(name, value)),
        })
    }

    fn envelope(&self) -> EnvelopeArgs {
        EnvelopeArgs {
            client_ip: self.client.and_then(|(ip, _, _)| ip.parse().ok()),
            helo: self.client.map(|(_, helo, _)| helo.to_owned()),
            mail_from: self.client.map(|(_, _, mail_from)| mail_from.to_owned()),
            rcpt: vec!["you@receiver.example".to_owned()],
            authenticated: self.authenticated.map(str::to_owned),
            arrival: None,
        }
    }

    fn message(&self, id: &str, keys: &Keys, now: Timestamp) -> Result<Vec<u8>, Failure> {
        let from = if self.from.is_empty() { String::new() } else { format!("From: {}\r\n", self.from) };
        let date = now.strftime("%a, %d %b %Y %H:%M:%S +0000");
        let mut message = format!(
            "{from}To: You <you@receiver.example>\r\nSubject: {}\r\nDate: {date}\r\nMessage-ID: <{id}@demo.example>\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGood morning,\r\n\r\nthis is: {}.\r\n",
            self.title, self.title
        )
        .into_bytes();
        for signature in &self.signatures {
            message = keys.sign(&message, *signature)?;
        }
        for change in &self.changes {
            message = change.apply(message);
        }
        Ok(message)
    }
}

impl Change {
    fn apply(self, message: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Append(text) => [&message, text.as_bytes()].concat(),
            Self::Prepend(line) => [line.as_bytes(), &message].concat(),
            Self::Junk(count, domain) => {
                let junk = |number| {
                    format!("DKIM-Signature: v=1; a=rsa-sha256; d={domain}; s=junk{number}; h=from:to; bh=AAAA; b=AAAA\r\n")
                };
                let fields: String = (0..count).map(junk).collect();
                [fields.as_bytes(), &message].concat()
            }
            Self::BareLf => message.into_iter().filter(|byte| *byte != b'\r').collect(),
        }
    }
}
