//! Failures as a receiver's day has them: some thousand policy domains, a source and a signature each.

use jiff::Timestamp;
use std::net::IpAddr;
use verdmarc::aggregate::{Calendar, Settings, Targets};
use verdmarc::auth::cause::ResultWord;
use verdmarc::auth::dmarc::{AlignmentMode, Policy, Psd};
use verdmarc::config::{Discovery, Reports};
use verdmarc::dns::Domain;
use verdmarc::event::{Disposition, DkimRow, FailureEvent, Input, PublishedPolicy, Row, SpfRow};
use verdmarc::report::{Limits, Submitter};

/// Noon of some day.
pub const NOON: i64 = 1_779_969_600 + 43_200;

pub fn settings() -> Settings {
    Settings {
        calendar: Calendar { length: 86_400, grace: 3_600, horizon: 7 * 86_400 },
        submitter: Submitter {
            domain: Domain::parse("mx.receiver.example").unwrap(),
            organization: "Receiver".into(),
            contact: "dmarc@receiver.example".into(),
            extra_contact_info: None,
        },
        reports: Reports::default(),
        limits: Limits { rows: 50_000, bytes: 5 << 20 },
        group_rows: 100_000,
        group_bytes: 64 << 20,
        partition_bytes: 8 << 30,
        targets: Targets { windows: "mail.windows".into(), reports: "mail.reports".into(), source: "/verdmarc/bench".into() },
        deltas: false,
    }
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
            },
        },
        policy_domain,
    }
}

pub fn json(event: &FailureEvent) -> String {
    serde_json::to_string(event).unwrap()
}
