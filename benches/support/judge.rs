//! verdmarc over the corpus.

use crate::corpus::{ARRIVAL, Case, Corpus};
use jiff::Timestamp;
use serde_json::Value;
use std::hint::black_box;
use verdmarc::config::Evaluation;
use verdmarc::dns::Zone;
use verdmarc::message::{Envelope, MailFrom};
use verdmarc::verdict::{Verdict, evaluate};

/// verdmarc with a zone in memory.
pub struct Judge {
    zone: Zone,
    settings: Evaluation,
    now: Timestamp,
}

impl Judge {
    /// With the default settings, at the time at which the corpus arrives.
    pub fn new(zone: &Value) -> Self {
        Self {
            zone: Zone::from_json(zone).unwrap(),
            settings: Evaluation::default(),
            now: Timestamp::from_second(ARRIVAL).unwrap(),
        }
    }

    /// One message.
    pub async fn verdict(&self, message: &[u8], envelope: &Envelope) -> Verdict {
        evaluate(message, envelope, &self.zone, self.now, &self.settings).await
    }

    /// Every message of a corpus, for its cost; `envelopes` are its [`envelope`]s.
    pub async fn verdicts(&self, corpus: &Corpus, envelopes: &[Envelope]) {
        for (case, envelope) in corpus.cases.iter().zip(envelopes) {
            black_box(self.verdict(&case.message, envelope).await);
        }
    }

    /// Messages whose verdict is not what the generator expects, each with both.
    #[allow(dead_code, reason = "one of the benchmarks that share this file does not compare")]
    pub async fn differences(&self, corpus: &Corpus) -> Vec<String> {
        let mut differences = Vec::new();
        for case in &corpus.cases {
            let verdict = self.verdict(&case.message, &envelope(case)).await;
            let found = (verdict.spf, verdict.dkim, verdict.dmarc, verdict.dmarc_policy);
            let expected = &case.expected;
            let wanted = (expected.spf_status(), expected.dkim, expected.dmarc, expected.dmarc_policy);
            if found != wanted {
                differences.push(format!("{}: found {found:?}, expected {wanted:?}", case.id));
            }
        }
        differences
    }
}

/// The envelope of a message.
pub fn envelope(case: &Case) -> Envelope {
    Envelope {
        client_ip: Some(case.client_ip),
        helo: Some(case.helo.clone()),
        mail_from: if case.mail_from.is_empty() { MailFrom::Null } else { MailFrom::Path(case.mail_from.clone()) },
        arrival: Timestamp::from_second(ARRIVAL).ok(),
        ..Envelope::default()
    }
}
