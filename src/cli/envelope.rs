//! Reads messages from files, and writes them with their envelope as records for mail.raw.

use super::exit::Failure;
use super::options::time;
use crate::event::headers::{CONTENT_TYPE, MESSAGE};
use crate::event::raw::{RECEIVED, names_a_user};
use crate::event::{Headers, Output};
use crate::message::{Envelope, MailFrom, Submission, mbox};
use anyhow::{Context as _, bail};
use base64::Engine as _;
use jiff::Timestamp;
use serde_json::json;
use std::borrow::Cow;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The SMTP envelope. Parts that are not given are unknown, never guessed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct EnvelopeArgs {
    /// The client's address.
    #[arg(long, value_name = "IP")]
    pub(super) client_ip: Option<IpAddr>,
    /// The name in HELO or EHLO.
    #[arg(long, value_name = "NAME")]
    pub(super) helo: Option<String>,
    /// MAIL FROM; `<>` or the empty string for the null path.
    #[arg(long, value_name = "ADDR", allow_hyphen_values = true)]
    pub(super) mail_from: Option<String>,
    /// RCPT TO; may be given several times.
    #[arg(long, value_name = "ADDR")]
    pub(super) rcpt: Vec<String>,
    /// The message was submitted by this user, who authenticated; it is not evaluated then.
    #[arg(long, value_name = "USER")]
    pub(super) authenticated: Option<String>,
    /// When the message arrived. Default: when it is taken.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub(super) arrival: Option<Timestamp>,
}

impl EnvelopeArgs {
    /// Returns the envelope that the options give.
    pub(super) fn envelope(&self) -> Envelope {
        let text = |text: &String| Envelope::text(text.as_bytes());
        Envelope {
            client_ip: self.client_ip,
            helo: self.helo.as_ref().map(text),
            mail_from: match self.mail_from.as_deref().map(strip_brackets) {
                None => MailFrom::Unknown,
                Some("") => MailFrom::Null,
                Some(path) => MailFrom::Path(Envelope::text(path.as_bytes())),
            },
            rcpt_to: self.rcpt.iter().map(|path| Envelope::text(strip_brackets(path).as_bytes())).collect(),
            submission: match &self.authenticated {
                Some(user) if names_a_user(user.as_bytes()) => Submission::Authenticated,
                _ => Submission::External,
            },
            arrival: self.arrival,
            ..Envelope::default()
        }
    }
}

/// Returns a path without the angle brackets that SMTP puts around it.
pub(super) fn strip_brackets(path: &str) -> &str {
    path.strip_prefix('<').and_then(|path| path.strip_suffix('>')).unwrap_or(path)
}

/// A message to send to mail.raw.
pub(super) struct Sent<'a> {
    pub(super) id: &'a str,
    pub(super) message: &'a [u8],
    pub(super) envelope: &'a EnvelopeArgs,
}

impl Sent<'_> {
    /// Returns the record in binary mode: attributes in headers, and the message as the value.
    pub(super) fn binary(&self, topic: &Arc<str>) -> Output {
        let headers = self
            .attributes()
            .into_iter()
            .fold(Headers::default(), |headers, (name, value)| headers.with(&format!("ce_{name}"), value));
        self.record(topic, self.message.to_vec(), headers.with(CONTENT_TYPE, MESSAGE))
    }

    /// Returns the record in structured mode: everything in one JSON object.
    pub(super) fn structured(&self, topic: &Arc<str>) -> Output {
        let mut event: serde_json::Map<String, serde_json::Value> =
            self.attributes().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        event.insert("datacontenttype".to_owned(), json!(MESSAGE));
        event.insert("data_base64".to_owned(), json!(base64::engine::general_purpose::STANDARD.encode(self.message)));
        let value = serde_json::Value::Object(event).to_string().into_bytes();
        self.record(topic, value, Headers::default().with(CONTENT_TYPE, "application/cloudevents+json; charset=UTF-8"))
    }

    fn record(&self, topic: &Arc<str>, value: Vec<u8>, headers: Headers) -> Output {
        Output { topic: topic.clone(), partition: None, key: Some(self.id.into()), value: Some(value), headers }
    }

    fn attributes(&self) -> Vec<(&'static str, String)> {
        let EnvelopeArgs { client_ip, helo, mail_from, rcpt, authenticated, arrival } = self.envelope;
        let mut attributes = vec![
            ("specversion", "1.0".to_owned()),
            ("id", self.id.to_owned()),
            ("source", "/verdmarc/send".to_owned()),
            ("type", RECEIVED.to_owned()),
        ];
        let optional = [
            ("time", arrival.map(|time| time.to_string())),
            ("clientip", client_ip.map(|ip| ip.to_string())),
            ("helo", helo.clone()),
            ("mailfrom", mail_from.clone()),
            ("rcptto", (!rcpt.is_empty()).then(|| json!(rcpt).to_string())),
            ("authenticated", authenticated.clone()),
        ];
        attributes.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        attributes
    }
}

/// Returns the messages of the files in order, each with a name for people. Only an `.mbox` may
/// hold several messages; `-` is standard input.
pub(super) fn read_messages(files: &[PathBuf]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut messages = Vec::new();
    for path in files {
        let shown = path.display().to_string();
        let bytes = read(path).with_context(|| format!("cannot read {shown}"))?;
        if bytes.is_empty() {
            return Err(Failure::usage(format!("{shown} is empty: a message has at least a header field")));
        }
        messages.extend(named(path, &bytes)?.into_iter().map(|(name, message)| (name, message.into_owned())));
    }
    Ok(messages)
}

/// Returns the messages in a file's bytes, each with a name of its own: the name of the file,
/// followed in an `.mbox` by the number of the message.
///
/// # Errors
/// An `.mbox` does not begin like one.
pub(super) fn named<'b>(path: &Path, bytes: &'b [u8]) -> anyhow::Result<Vec<(String, Cow<'b, [u8]>)>> {
    let shown = path.display();
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mbox")) {
        return Ok(vec![(shown.to_string(), Cow::Borrowed(bytes))]);
    }
    if !bytes.starts_with(b"From ") {
        bail!(
            "{shown} is no mbox: each of its messages begins with a line `From `; a single message is read from a file of another name"
        );
    }
    let messages = mbox::split(bytes).into_iter().enumerate();
    Ok(messages.map(|(index, message)| (format!("{shown}#{}", index + 1), message)).collect())
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(path)
}

/// Returns an id for a message that brings none. It is unique enough for people to find the message
/// again.
pub(super) fn new_id(index: usize) -> String {
    format!("{}-{index}", Timestamp::now().as_microsecond())
}
