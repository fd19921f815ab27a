//! Compares documents byte for byte, and checks the limits of parts.

use super::*;
use crate::auth::cause::ResultWord;
use crate::auth::dmarc::{AlignmentMode, Policy, Psd, RecordFault};
use crate::config::{Content, Discovery, Profile};
use crate::dns::Domain;
use crate::event::{Disposition, Override, PublishedPolicy};
use flate2::read::GzDecoder;
use std::collections::BTreeSet;
use std::io::Read as _;

fn submitter() -> Submitter {
    Submitter {
        domain: Domain::parse("mx.receiver.example").unwrap(),
        organization: "R & D <\"x\">\u{7}".into(),
        contact: "dmarc@receiver.example".into(),
        extra_contact_info: Some("https://receiver.example/dmarc".into()),
    }
}

fn policy() -> PublishedPolicy {
    PublishedPolicy {
        p: Policy::Reject,
        sp: Policy::Quarantine,
        np: Policy::Reject,
        adkim: AlignmentMode::Strict,
        aspf: AlignmentMode::Relaxed,
        fo: "1".into(),
        psd: Psd::Unknown,
        t: true,
        rua: Vec::new(),
    }
}

fn rows() -> Vec<ReportRow<'static>> {
    let signature = |selector, result| Signature { domain: "signer.example", selector, result };
    let first = ReportRow {
        source_ip: "2001:db8::1".parse().unwrap(),
        header_from: "news.owner.example",
        envelope_from: None,
        disposition: Disposition::Quarantine,
        dkim_aligned: false,
        spf_aligned: false,
        overrides: vec![Override::PolicyTestMode],
        collapse: Collapse::Exact,
        dkim: vec![signature("s1", ResultWord::Pass), signature("s2", ResultWord::PermError)],
        spf: Spf::Judged { domain: "news.owner.example", result: ResultWord::None },
        count: 3,
    };
    let merged = ReportRow {
        source_ip: "192.0.2.0".parse().unwrap(),
        header_from: "owner.example",
        envelope_from: Some(""),
        disposition: Disposition::Pass,
        spf_aligned: true,
        overrides: Vec::new(),
        collapse: Collapse::Networks,
        dkim: Vec::new(),
        spf: Spf::Judged { domain: "bounce.example", result: ResultWord::Policy },
        count: u64::MAX / 2,
        ..first.clone()
    };
    vec![first, merged]
}

fn written(profile: Profile, limits: Limits, rows: &[ReportRow<'static>]) -> Part {
    let (submitter, policy) = (submitter(), policy());
    let errors = BTreeSet::from([RecordFault::DuplicateTag, RecordFault::InvalidTag]);
    let domain = Domain::parse("owner.example").unwrap();
    let head = Head {
        submitter: &submitter,
        profile,
        content: Content::Failures,
        policy_domain: &domain,
        period: Period { begin: 1_780_272_000, end: 1_780_358_399 },
        policy: &policy,
        discovery: Discovery::TreeWalk,
        policy_hash: "00112233445566778899aabbccddeeff",
        errors: &errors,
        collapsed: true,
        partition: 3,
        generation: 0,
    };
    next_part(&head, 0, limits, rows.iter().cloned()).unwrap().unwrap()
}

fn xml(part: &Part) -> String {
    let mut xml = String::new();
    GzDecoder::new(part.bytes.as_slice()).read_to_string(&mut xml).unwrap();
    xml.replace(env!("CARGO_PKG_VERSION"), "0.0.0").replace("><", ">\n<")
}

const LIMITS: Limits = Limits { rows: 50_000, bytes: 5 << 20 };

#[test]
fn b1_b70_a_report_in_either_profile() {
    insta::assert_snapshot!("rfc9990", xml(&written(Profile::Rfc9990, LIMITS, &rows())));
    insta::assert_snapshot!("compat-7489", xml(&written(Profile::Compat7489, LIMITS, &rows())));
}

#[test]
fn b20_b22_b23_names_follow_from_what_a_report_is_about() {
    let part = written(Profile::Rfc9990, LIMITS, &rows());
    let id = part.identity.id.to_string();
    assert_eq!((id.len(), part.rows, part.messages), (32, 2, u64::MAX / 2 + 3));
    assert_eq!(part.identity.file_name, format!("mx.receiver.example!owner.example!1780272000!1780358399!{id}.xml.gz"));
    assert_eq!(part.identity.subject, format!("Report Domain: owner.example Submitter: mx.receiver.example Report-ID: {id}"));
    assert_eq!(part.bytes[4..10], [0, 0, 0, 0, 0, 255], "no time, no system");
    assert_eq!(written(Profile::Rfc9990, LIMITS, &rows()), part, "the same bytes again");
}

#[test]
fn b34_a_part_ends_before_it_is_too_large() {
    let limits = Limits { rows: 1_000_000, bytes: 1 << 20 };
    let mut random = fastrand::Rng::with_seed(1);
    let many: Vec<ReportRow<'static>> = (0..80_000)
        .map(|_| ReportRow { source_ip: std::net::Ipv6Addr::from_bits(random.u128(..)).into(), ..rows()[0].clone() })
        .collect();
    let (mut taken, mut sizes) = (0, Vec::new());
    while taken < many.len() {
        let part = written(Profile::Rfc9990, limits, &many[taken..]);
        taken += part.rows;
        sizes.push(part.bytes.len());
    }
    assert!(sizes.len() > 1 && sizes.iter().all(|size| *size <= limits.bytes), "{sizes:?}");
}
