//! Made-up messages as events: what real and what hostile mail yields.

use anyhow::{Context as _, Result};
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use verdmarc::auth::cause::ResultWord;
use verdmarc::auth::dmarc::{AlignmentMode, Policy, Psd, RecordFault, ReportAddress};
use verdmarc::config::{Content, Discovery, Evaluation};
use verdmarc::dns::{Domain, Zone};
use verdmarc::event::{Disposition, DkimRow, EvaluationBlock, FailureEvent, Input, Override, PublishedPolicy, Row, SpfRow};
use verdmarc::message::{Envelope, MailFrom};
use verdmarc::verdict::{MailDetail, Origin, ReportScope, evaluate, failure_event};

const DAY_MS: i64 = 86_400_000;
/// The first second of some day, in milliseconds.
const FIRST_MS: i64 = 1_780_012_800_000;

/// A domain whose records are applied to mail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) name: &'static str,
    /// Its share of the messages.
    pub(crate) share: usize,
    /// Policies that it has at different times.
    policies: usize,
    /// Different rows under each; 0: every message makes one, all of them on the first day.
    rows: usize,
    /// How many reporting addresses its records name at different times.
    asks: &'static [usize],
}

const fn owner(name: &'static str, share: usize, policies: usize, rows: usize, asks: &'static [usize]) -> Owner {
    Owner { name, share, policies, rows, asks }
}

pub(crate) const OWNERS: [Owner; 11] = [
    owner("example.com", 6, 2, 90, &[2]),
    owner("shop.example.net", 3, 2, 25, &[1]),
    owner("quiet.example", 2, 1, 20, &[0]),
    owner("fickle.example", 2, 1, 12, &[0, 1, 2]),
    owner("bank", 1, 1, 10, &[1]),
    owner("co.test", 2, 2, 15, &[1]),
    owner("xn--bcher-kva.example", 2, 1, 15, &[1]),
    owner("_tcp.under.example", 1, 1, 10, &[1]),
    // With it the name of the report's file is as long as most file systems let it be.
    owner(
        "a-long-label-a-long-label-a-long-label-a-long-label-a-long-lab.\
         a-long-label-a-long-label-a-long-label-a-long-label-a-long-lab.a-long-label-a-long-label-a-lon.example.org",
        2,
        3,
        6,
        &[1],
    ),
    owner("one.example", 1, 1, 1, &[1]),
    owner("flood.example", 18, 1, 0, &[1]),
];

const PUBLIC_SUFFIXES: [&str; 2] = ["bank", "co.test"];
const POLICIES: [Policy; 3] = [Policy::None, Policy::Quarantine, Policy::Reject];
/// Those of SPF; DKIM has all but the last.
const RESULTS: [ResultWord; 8] = [
    ResultWord::None,
    ResultWord::Pass,
    ResultWord::Fail,
    ResultWord::Policy,
    ResultWord::Neutral,
    ResultWord::TempError,
    ResultWord::PermError,
    ResultWord::SoftFail,
];
const FAULTS: [RecordFault; 8] = [
    RecordFault::SeveralRecords,
    RecordFault::MissingPolicy,
    RecordFault::InvalidPolicy,
    RecordFault::InvalidTag,
    RecordFault::DuplicateTag,
    RecordFault::DroppedPart,
    RecordFault::InvalidReportAddress,
    RecordFault::ReportAddressLimit,
];

/// A policy of an owner, and the rows of its mail.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) owner: Owner,
    domain: Domain,
    policy: PublishedPolicy,
    discovery: Discovery,
    hash: String,
    content: Content,
    rows: Vec<Row>,
}

impl Sender {
    /// Every policy of every owner.
    pub(crate) fn all(rng: &mut Rng, content: Content) -> Result<Vec<Self>> {
        let owners = OWNERS.into_iter().flat_map(|owner| std::iter::repeat_n(owner, owner.policies));
        owners.map(|owner| Self::new(rng, owner, content)).collect()
    }

    fn new(rng: &mut Rng, owner: Owner, content: Content) -> Result<Self> {
        let mode = |rng: &mut Rng| if rng.bool() { AlignmentMode::Relaxed } else { AlignmentMode::Strict };
        let mut sender = Self {
            owner,
            domain: Domain::parse(owner.name)?,
            policy: PublishedPolicy {
                p: one_of(rng, &POLICIES),
                sp: one_of(rng, &POLICIES),
                np: one_of(rng, &POLICIES),
                adkim: mode(rng),
                aspf: mode(rng),
                fo: one_of(rng, &["0", "1", "d", "0:d", "1:d:s"]).to_owned(),
                psd: if PUBLIC_SUFFIXES.contains(&owner.name) { Psd::Yes } else { one_of(rng, &[Psd::Unknown, Psd::No]) },
                t: rng.u8(..4) == 0,
                rua: Vec::new(),
            },
            discovery: one_of(rng, &[Discovery::TreeWalk, Discovery::TreeWalk, Discovery::Psl]),
            hash: format!("{:032x}", rng.u128(..)),
            content,
            rows: Vec::new(),
        };
        sender.rows = (0..owner.rows).map(|_| sender.row(rng)).collect::<Result<_>>()?;
        Ok(sender)
    }

    /// A message.
    pub(crate) fn message(&self, rng: &mut Rng, offset: i64) -> Result<FailureEvent> {
        let mut row = if self.rows.is_empty() { self.row(rng)? } else { self.rows[rng.usize(..self.rows.len())].clone() };
        if let IpAddr::V4(address) = row.source_ip
            && rng.u8(..4) == 0
        {
            row.source_ip = address.to_ipv6_mapped().into();
        }
        let day = if self.rows.is_empty() { 0 } else { rng.i64(0..2) };
        let in_day = match rng.u8(..8) {
            0 => 0,
            1 => DAY_MS - 1,
            _ => rng.i64(0..DAY_MS),
        };
        let addresses = ["dmarc@reports.example", "\"a b\"@xn--bcher-kva.example"].into_iter().take(one_of(rng, self.owner.asks));
        let rua: Vec<ReportAddress> =
            addresses.map(|address| serde_json::from_value(address.into())).collect::<Result<_, _>>()?;
        Ok(FailureEvent {
            input: Input { topic: "mail.raw".into(), partition: 0, offset, attempt: 1 },
            arrival: Timestamp::from_millisecond(FIRST_MS + day * DAY_MS + in_day)?,
            policy_domain: self.domain.clone(),
            policy: PublishedPolicy { rua: rua.clone(), ..self.policy.clone() },
            discovery: self.discovery,
            policy_hash: self.hash.clone(),
            record_errors: if rng.u8(..20) == 0 { rng.choose_multiple(FAULTS, 2) } else { Vec::new() },
            report_addresses: rua,
            row,
        })
    }

    fn row(&self, rng: &mut Rng) -> Result<Row> {
        let header_from = at_or_below(rng, self.owner.name)?;
        if self.content == Content::Failures && rng.u8(..8) == 0 {
            let (disposition, overrides) = self.disposition(rng, &header_from, false);
            let client = source(rng);
            return Ok(Row { header_from, disposition, overrides, ..row_of_addresses(rng, client)? });
        }
        let (dkim_aligned, spf_aligned) = match (self.content, rng.u8(..6)) {
            (Content::All, 0) => (true, true),
            (Content::All, 1) => (true, false),
            (Content::All, 2) => (false, true),
            _ => (false, false),
        };
        let spf = match rng.u8(..4) {
            _ if spf_aligned => SpfRow { domain: Some(header_from.clone()), result: ResultWord::Pass, helo: None },
            0 => SpfRow {
                domain: None,
                result: ResultWord::None,
                helo: rng.bool().then(|| at_or_below(rng, "helo.test")).transpose()?,
            },
            _ => SpfRow { domain: Some(at_or_below(rng, "bounce.test")?), result: one_of(rng, &RESULTS), helo: None },
        };
        let signatures = match rng.u8(..30) {
            0 => 130,
            some => some % 13,
        };
        let mut dkim: Vec<DkimRow> = (0..signatures).map(|_| signature(rng)).collect::<Result<_>>()?;
        if dkim_aligned {
            let row = DkimRow { domain: header_from.clone(), selector: Domain::parse("2026")?, result: ResultWord::Pass };
            dkim.insert(0, row);
        }
        let (disposition, overrides) = self.disposition(rng, &header_from, dkim_aligned || spf_aligned);
        Ok(Row {
            source_ip: source(rng),
            envelope_from: match rng.u8(..4) {
                0 => None,
                1 => Some(String::new()),
                _ => Some(at_or_below(rng, "bounce.test")?.to_string()),
            },
            header_from,
            disposition,
            dkim_aligned,
            spf_aligned,
            overrides,
            dkim,
            spf,
        })
    }

    fn disposition(&self, rng: &mut Rng, header_from: &Domain, passes: bool) -> (Disposition, Vec<Override>) {
        let asked = if *header_from == self.domain { self.policy.p } else { self.policy.sp };
        let effective = match (self.policy.t, asked) {
            (true, Policy::Reject) => Policy::Quarantine,
            (true, _) => Policy::None,
            (false, asked) => asked,
        };
        if passes {
            return (if effective == Policy::None { Disposition::None } else { Disposition::Pass }, Vec::new());
        }
        let mut overrides = if self.policy.t { vec![Override::PolicyTestMode] } else { Vec::new() };
        if effective == Policy::None {
            return (Disposition::None, overrides);
        }
        match rng.u8(..6) {
            0 => overrides.push(Override::TrustedForwarder),
            1 => overrides.push(Override::LocalPolicy),
            _ => return (effective.into(), overrides),
        }
        (Disposition::None, overrides)
    }
}

/// The row of a message that has addresses where names are expected: in HELO, in MAIL FROM, in d=. Readers of others refuse a whole
/// report for one of them.
fn row_of_addresses(rng: &mut Rng, client: IpAddr) -> Result<Row> {
    let names = ["192.0.2.1", "192.0.2.1.", "[192.0.2.1]", "mx.bounce.test"];
    let signature = format!("v=1; a=rsa-sha256; d={}; s=s; h=from; bh=QUJD; b=QUJD", one_of(rng, &names));
    let message = format!("DKIM-Signature: {signature}\r\nFrom: a@owner.test\r\n\r\n");
    let envelope = Envelope {
        client_ip: Some(client),
        helo: Some(one_of(rng, &names).to_owned()),
        mail_from: match rng.u8(..3) {
            0 => MailFrom::Path("no path".into()),
            1 => MailFrom::Null,
            _ => MailFrom::Path(format!("a@{}", one_of(rng, &names))),
        },
        ..Envelope::default()
    };
    let zone = Zone::from_json(&json!({"_dmarc.owner.test": [["TXT", "v=DMARC1; p=reject; aspf=s"]]}))?;
    let settings = Evaluation { trusted_networks: Vec::new(), ..Evaluation::default() };
    let now = Timestamp::from_millisecond(FIRST_MS)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let verdict = runtime.block_on(evaluate(message.as_bytes(), &envelope, &zone, now, &settings));
    let origin = Origin {
        message_id: "made up".into(),
        input: Some(Input { topic: "mail.raw".into(), partition: 0, offset: 0, attempt: 1 }),
        detail: MailDetail::Minimal,
        annotate: false,
        report_scope: ReportScope::default(),
        settings_block: EvaluationBlock::new(&settings),
        settings: Arc::new(settings),
        notes: Vec::new(),
    };
    let event = failure_event(&verdict, &origin).map_err(|why| anyhow::anyhow!("a made-up message is not counted: {why:?}"))?;
    Ok(event.context("a made-up message is no failure")?.row)
}

fn one_of<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

/// A name as mail has it, and sometimes one that DNS does not have.
fn at_or_below(rng: &mut Rng, base: &str) -> Result<Domain> {
    let name = match rng.u8(..12) {
        0 => format!("mail.{base}"),
        1 => format!("a-1.b--2.c.d.e.f.g.h.i.{base}"),
        2 => format!("_x.-y-.{base}"),
        3 => format!("München.{base}."),
        4 => format!("{}{base}", "some-long-label.".repeat((Domain::MAX_OCTETS - base.len()) / 16)),
        5 => format!("{}.{base}", "u".repeat(Domain::MAX_OCTETS - base.len() - 1)),
        _ => base.to_owned(),
    };
    Ok(Domain::parse(&name)?)
}

fn signature(rng: &mut Rng) -> Result<DkimRow> {
    let number = rng.u8(..6);
    let selector = match rng.u8(..10) {
        0 => "s".repeat(Domain::MAX_OCTETS),
        1 => format!("k{number}.eu-1.keys"),
        2 => format!("_{number}-"),
        _ => format!("s{number}"),
    };
    let domain = at_or_below(rng, ["signer.test", "bank", "list.example"][usize::from(number % 3)])?;
    Ok(DkimRow { domain, selector: Domain::parse(&selector)?, result: one_of(rng, &RESULTS[..7]) })
}

fn source(rng: &mut Rng) -> IpAddr {
    const NETWORK: u128 = 0x2001_0db8_0000_0005_0000_0000_0000_0000;
    match rng.u8(..6) {
        0 => [198, 51, 100, rng.u8(..)].into(),
        1 => IpAddr::V6((NETWORK + u128::from(rng.u16(..))).into()),
        2 | 3 => IpAddr::V4(rng.u32(0x0100_0000..0xe000_0000).into()),
        _ => IpAddr::V6((NETWORK + rng.u128(..1 << 96)).into()),
    }
}
