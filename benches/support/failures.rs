//! Failures as a receiver's day has them: some thousand policy domains, a source and a signature each.

use jiff::Timestamp;
use std::net::IpAddr;
use verdmarc::aggregate::Settings;
use verdmarc::auth::cause::ResultWord;
use verdmarc::auth::dmarc::{AlignmentMode, Policy, Psd};
use verdmarc::config::{Config, Discovery};
use verdmarc::dns::Domain;
use verdmarc::event::{Disposition, DkimRow, FailureEvent, Input, PublishedPolicy, Row, SpfRow};

/// Noon of some day.
pub const NOON: i64 = 1_779_969_600 + 43_200;

pub fn settings() -> Settings {
    let mut config = Config::default();
    config.receiver.domain = Domain::parse("mx.receiver.example").ok();
    (config.receiver.organization, config.receiver.contact) = (Some("Receiver".into()), Some("dmarc@receiver.example".into()));
    config.aggregate.partition_bytes = 8 << 30;
    config.aggregate.process_bytes = 8 << 30;
    Settings::of(&config).unwrap()
}

/// A failure of this owner, from this source, signed with one of the signer's selectors.
pub fn event(owner: usize, source: usize, selector: usize) -> FailureEvent {
    let policy_domain = Domain::parse(&format!("owner{owner}.example")).unwrap();
    let rua = vec![serde_json::from_value(format!("dmarc@{policy_domain}").into()).unwrap()];
    FailureEvent {
        input: Input { topic: "mail.raw".into(), partition: 0, offset: source as i64, attempt: 1 },
        arrival: Timestamp::from_second(NOON).unwrap(),
        policy: PublishedPolicy {
            p: Policy::Reject,
            sp: Policy::Reject,
            np: Policy::Reject,
            adkim: AlignmentMode::Relaxed,
            aspf: AlignmentMode::Relaxed,
            fo: "0".into(),
            psd: Psd::Unknown,
            t: false,
            rua: rua.clone(),
        },
        discovery: Discovery::TreeWalk,
        policy_hash: "0123456789abcdef0123456789abcdef".into(),
        record_errors: Vec::new(),
        report_addresses: rua,
        row: Row {
            source_ip: IpAddr::V6((0x2001_0db8 << 96 | source as u128).into()),
            header_from: Domain::parse(&format!("news.{policy_domain}")).unwrap(),
            envelope_from: Some(format!("bounce{}.sender.example", selector % 10)),
            disposition: Disposition::Reject,
            dkim_aligned: false,
            spf_aligned: false,
            overrides: Vec::new(),
            dkim: vec![DkimRow {
                domain: Domain::parse("signer.example").unwrap(),
                selector: Domain::parse(&format!("s{selector}")).unwrap(),
                result: ResultWord::Fail,
            }],
            spf: SpfRow {
                domain: Some(Domain::parse(&format!("bounce{}.sender.example", selector % 10)).unwrap()),
                result: ResultWord::Pass,
                helo: None,
            },
        },
        policy_domain,
    }
}

pub fn json(event: &FailureEvent) -> String {
    serde_json::to_string(event).unwrap()
}
