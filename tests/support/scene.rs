//! One message with its DNS and envelope, judged: what tests of whole verdicts are written in.

#![allow(dead_code, unreachable_pub, reason = "test support, of which each test binary uses a part")]

use super::corpus::sign::{Key, Terms, sign};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use verdmarc::config::Evaluation;
use verdmarc::dns::{Counting, EvidenceResolver, Resolver, Zone};
use verdmarc::event::{EvaluationBlock, FailureEvent, Input, Reason, VerdictEvent};
use verdmarc::message::{Envelope, MailFrom, Submission};
use verdmarc::verdict::{MailDetail, Origin, Outputs, ReportScope, Verdict, evaluate, outputs};

/// 2026-06-01T12:00:00Z.
pub const NOW: i64 = 1_780_315_200;

/// The client of every scene, unless it says otherwise.
pub const CLIENT: &str = "192.0.2.10";

/// A message being made, with everything that its verdict hangs on.
#[derive(Clone)]
pub struct Scene {
    pub zone: Map<String, Value>,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub envelope: Envelope,
    pub settings: Evaluation,
    pub now: Timestamp,
}

impl Scene {
    /// A message from `author` whose envelope says nothing yet.
    pub fn from(author: &str) -> Self {
        let now = Timestamp::from_second(NOW).unwrap();
        let fields =
            [("From", author), ("To", "to@rcpt.example"), ("Subject", "A scene"), ("Date", "Mon, 1 Jun 2026 12:00:00 +0000")];
        Self {
            zone: Map::new(),
            fields: fields.map(|(name, value)| (name.to_owned(), format!(" {value}"))).to_vec(),
            body: b"Hello.\r\n".to_vec(),
            envelope: Envelope { client_ip: CLIENT.parse().ok(), arrival: Some(now), ..Envelope::default() },
            settings: Evaluation { authserv_id: "mx.recv.example".into(), ..Evaluation::default() },
            now,
        }
    }

    /// The usual spoof: From a@victim.example with p=reject, SPF passing for somebody else.
    pub fn spoof() -> Self {
        Self::from("a@victim.example").dmarc("victim.example", "p=reject; rua=mailto:r@victim.example").spf_pass("bad.test")
    }

    pub fn record(mut self, name: &str, record: Value) -> Self {
        if let Value::Array(records) = self.zone.entry(name.to_owned()).or_insert_with(|| json!([])) {
            records.push(record);
        }
        self
    }

    pub fn txt(self, name: &str, text: &str) -> Self {
        self.record(name, json!(["TXT", text]))
    }

    pub fn dmarc(self, name: &str, tags: &str) -> Self {
        self.txt(&format!("_dmarc.{name}"), &format!("v=DMARC1; {tags}"))
    }

    /// MAIL FROM is of this domain, whose SPF record permits the client.
    pub fn spf_pass(self, domain: &str) -> Self {
        self.txt(domain, &format!("v=spf1 ip4:{CLIENT} -all")).mail_from(&format!("m@{domain}"))
    }

    pub fn mail_from(mut self, path: &str) -> Self {
        self.envelope.mail_from = if path.is_empty() { MailFrom::Null } else { MailFrom::Path(path.into()) };
        self
    }

    pub fn helo(mut self, name: &str) -> Self {
        self.envelope.helo = Some(name.into());
        self
    }

    pub fn client(mut self, ip: Option<&str>) -> Self {
        self.envelope.client_ip = ip.map(|ip| ip.parse().unwrap());
        self
    }

    pub fn authenticated(mut self) -> Self {
        self.envelope.submission = Submission::Authenticated;
        self
    }

    /// A field on top.
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.insert(0, (name.into(), format!(" {value}")));
        self
    }

    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    pub fn set(mut self, change: impl FnOnce(&mut Evaluation)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Signs what is there so far for this domain; the key is published.
    pub fn signed(self, domain: &str) -> Self {
        self.signed_with(domain, "s1", &["from", "to", "subject", "date"], None, "")
    }

    /// As [`Scene::signed`], with the names of h=, x=, and tags for the key record.
    pub fn signed_with(mut self, domain: &str, selector: &str, names: &[&str], expires: Option<i64>, key_tags: &str) -> Self {
        let key = &Key::ed25519()[0];
        let terms = Terms { domain, selector, simple_body: false, time: NOW - 60, expires, names };
        let field = sign(key, &terms, &self.fields, &self.body);
        let (name, value) = field.trim_end_matches("\r\n").split_once(':').unwrap();
        self.fields.insert(0, (name.into(), value.into()));
        let at = format!("{selector}._domainkey.{domain}");
        if self.zone.contains_key(&at) { self } else { self.txt(&at, &format!("{}{key_tags}", key.record())) }
    }

    /// The body that arrives is not the one that was signed.
    pub fn changed_on_the_way(mut self) -> Self {
        self.body.extend_from_slice(b"-- \r\nlist footer\r\n");
        self
    }

    pub fn message(&self) -> Vec<u8> {
        let mut message = Vec::new();
        for (name, value) in &self.fields {
            message.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
        }
        message.extend_from_slice(b"\r\n");
        message.extend_from_slice(&self.body);
        message
    }

    pub fn zone(&self) -> Zone {
        Zone::from_json(&Value::Object(self.zone.clone())).unwrap()
    }

    pub fn verdict(&self) -> Verdict {
        self.verdict_by(&self.zone())
    }

    pub fn verdict_by(&self, resolver: &dyn Resolver) -> Verdict {
        runtime().block_on(evaluate(&self.message(), &self.envelope, resolver, self.now, &self.settings))
    }

    /// The verdict, and how many questions it took.
    pub fn counted(&self) -> (Verdict, usize) {
        let zone = Counting::new(self.zone());
        let verdict = self.verdict_by(&zone);
        (verdict, zone.count())
    }

    pub fn origin(&self) -> Origin {
        Origin {
            message_id: "mail.raw-0-7".into(),
            input: Some(Input { topic: "mail.raw".into(), partition: 0, offset: 7, attempt: 1 }),
            detail: MailDetail::Full,
            annotate: true,
            report_scope: ReportScope::default(),
            settings: Arc::new(self.settings.clone()),
            settings_block: EvaluationBlock::new(&self.settings),
            notes: Vec::new(),
        }
    }

    pub fn outputs(&self) -> Outputs<'static> {
        outputs(&self.message(), &self.envelope, self.verdict(), &self.origin())
    }

    pub fn event(&self) -> VerdictEvent<'static> {
        self.outputs().verdict
    }

    pub fn failure(&self) -> Option<FailureEvent> {
        self.outputs().failure
    }

    pub fn annotated(&self) -> String {
        String::from_utf8_lossy(&self.outputs().annotated.unwrap()).into_owned()
    }

    /// The verdict again from its evidence, and the questions that the evidence could not answer.
    pub fn replayed(&self, verdict: &Verdict) -> (VerdictEvent<'static>, usize) {
        let resolver = EvidenceResolver::new(&verdict.evidence);
        let again = self.verdict_by(&resolver);
        let event = outputs(&self.message(), &self.envelope, again, &self.origin()).verdict;
        (event, resolver.missing().len())
    }

    /// SPF, DKIM, DMARC and policy in SES's words.
    pub fn words(&self) -> [String; 4] {
        let verdict = self.verdict();
        [
            verdict.spf.as_str().to_owned(),
            verdict.dkim.as_str().to_owned(),
            verdict.dmarc.as_str().to_owned(),
            verdict.dmarc_policy.map(|policy| policy.to_string()).unwrap_or_default(),
        ]
    }

    #[track_caller]
    pub fn is(&self, words: [&str; 4]) {
        assert_eq!(self.words(), words, "{:#?}", self.verdict().authentication);
    }

    #[track_caller]
    pub fn has(&self, reason: Reason) -> Verdict {
        let verdict = self.verdict();
        assert!(verdict.has(reason), "{reason:?} is not among {:?}", verdict.authentication.dmarc.reasons);
        verdict
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}
