//! Predicts which records a role would refuse whenever they came.

use crate::aggregate;
use crate::config::Config;
use crate::event::Record;
use crate::event::raw::{Body, Raw, Refusal};
use jiff::Timestamp;

/// Returns why the role that reads the record's topic refuses the record with these settings; None
/// when a refusal is not certain. It is not certain for a record that refers to an object, because
/// the object may exist by then, or be another one.
pub fn refused_for_certain(config: &Config, record: &Record, now: Timestamp) -> Option<String> {
    if *record.topic == *config.topics.full(&config.topics.failures) {
        return aggregate::read(record).err().map(|error| error.to_string());
    }
    match Raw::decode(record, config.evaluation.limits.message_bytes, now).map(|raw| raw.body) {
        Err(refusal) => Some(refusal.to_string()),
        Ok(Body::Reference(to)) if !config.claim_check.prefixes.iter().any(|prefix| prefix.holds(&to.location)) => {
            Some(Refusal::ClaimPrefix { url: to.location.to_string() }.to_string())
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Headers;

    #[test]
    fn every_refusal_that_is_certain_is_predicted_and_no_other() {
        let mut config = Config::default();
        config.evaluation.limits.message_bytes = 100;
        config.claim_check.prefixes = vec!["s3://mail/in/".parse().unwrap()];
        let predicted = |topic: &str, headers: &[(&str, &str)], value: Option<&[u8]>| {
            let headers = headers.iter().fold(Headers::default(), |headers, (name, value)| headers.with(name, *value));
            let record = Record {
                topic: topic.into(),
                partition: 0,
                offset: 1,
                timestamp: None,
                key: None,
                value: value.map(<[u8]>::to_vec),
                headers: Some(headers),
            };
            refused_for_certain(&config, &record, "2026-01-02T03:04:05Z".parse().unwrap())
        };
        let (mail, structured) = (Some(&b"From: a@b.example\r\n\r\n"[..]), ("content-type", "application/cloudevents+json"));
        for (headers, value) in [
            (&[][..], mail),
            (&[("ce_dataref", "s3://mail/in/1.eml")], None),
            (&[("ce_dataref", "s3://mail/in/1.eml")], Some(&b""[..])),
        ] {
            assert_eq!(predicted("mail.raw", headers, value), None, "{headers:?}");
        }
        for (headers, value, expected) in [
            (&[][..], None, "value"),
            (&[], Some(&b""[..]), "empty"),
            (&[], Some(&[b'x'; 101][..]), "101"),
            (&[("ce_clientip", "192.0.2.1:25")], mail, "clientip"),
            (&[("content-type", "message/global")], mail, "message/global"),
            (&[structured], mail, "no CloudEvent"),
            (&[("ce_dataref", "s3://mail/out/1.eml")], None, "outside the prefixes"),
            (&[("ce_dataref", "s3://mail/in/1.eml")], mail, "dataref"),
        ] {
            let found = predicted("mail.raw", headers, value);
            assert!(found.as_ref().is_some_and(|reason| reason.contains(expected)), "{expected}: {found:?}");
        }
        assert!(predicted("mail.failures", &[("ce_type", crate::event::FAILURE)], Some(b"{}")).is_some());
        assert_eq!(predicted("mail.failures", &[("ce_type", "something.else")], Some(b"{}")), None);
    }
}
