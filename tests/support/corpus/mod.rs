//! A corpus of mail, made from a seed, whose verdicts are known because each message was made to get them.
//!
//! Sizes are log-normal as real mail's (median 20 KB, mean 36 KB, a tail to 900 KB); 30 to 50 header fields; none, one or two
//! signatures (mean 1.13); senders by Zipf's law. What a message should come to follows from how it was made (which client was
//! chosen, what was done to it after it was signed) and never from the code under test.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "test support, of which each target that includes it uses a part"
)]

mod compose;
pub mod export;
pub mod mutate;
pub mod senders;
pub mod sign;
pub mod zone;

use compose::{Lines, author_fields, extra_fields, foreign_results, received};
use fastrand::Rng;
use jiff::Timestamp;
use senders::{Dmarc, Sender, World, outside};
use sign::{Key, Terms};
use std::net::IpAddr;
use verdmarc::auth::cause::{ResultWord, SesStatus};
use verdmarc::auth::dmarc::Policy;
use zone::ZoneJson;

/// When every message of the corpus arrives: 2026-06-01T12:00:00Z.
pub const ARRIVAL: i64 = 1_780_315_200;

/// Messages and the DNS they need.
pub struct Corpus {
    /// DNS.
    pub zone: ZoneJson,
    /// Messages.
    pub cases: Vec<Case>,
}

/// One message.
pub struct Case {
    /// Its name: scenario and number.
    pub id: String,
    /// How it was made.
    pub scenario: Scenario,
    /// Its octets.
    pub message: Vec<u8>,
    /// The client.
    pub client_ip: IpAddr,
    /// Its HELO.
    pub helo: String,
    /// MAIL FROM, empty for the null path.
    pub mail_from: String,
    /// What it should come to.
    pub expected: Expected,
    /// The hash inputs of its signatures are this many octets, those of bodies apart; each with its key.
    pub work: Vec<Work>,
}

/// What verifying one signature costs at the least.
#[derive(Clone, Copy)]
pub struct Work {
    /// Index of the key among those of its kind.
    pub key: usize,
    /// Ed25519, otherwise RSA.
    pub ed25519: bool,
}

/// How a message was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// Sent as its domain intends: SPF and DKIM pass.
    Direct,
    /// Forwarded under its own envelope: SPF breaks.
    Forward,
    /// Forwarded under the forwarder's envelope: SPF passes for another domain.
    Rewritten,
    /// Not signed.
    Unsigned,
    /// Sent by a provider under its own envelope.
    Provider,
    /// A relay of its own added a footer: DKIM breaks.
    Footer,
    /// A mailing list changed it and sent it on.
    List,
    /// Somebody else wrote it.
    Spoof,
}

/// What a message should come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// SPF's word.
    pub spf: ResultWord,
    /// Each signature from the top.
    pub signatures: Vec<ExpectedSignature>,
    /// SES's dkimVerdict.
    pub dkim: SesStatus,
    /// SES's dmarcVerdict.
    pub dmarc: SesStatus,
    /// The published policy that applies.
    pub published: Option<Policy>,
    /// SES's dmarcPolicy: the effective policy, on FAIL only.
    pub dmarc_policy: Option<Policy>,
}

impl Expected {
    /// SES's spfVerdict (E.3).
    pub fn spf_status(&self) -> SesStatus {
        match self.spf {
            ResultWord::Pass => SesStatus::Pass,
            ResultWord::Fail => SesStatus::Fail,
            ResultWord::TempError | ResultWord::PermError => SesStatus::ProcessingFailed,
            _ => SesStatus::Gray,
        }
    }
}

/// What a signature should come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedSignature {
    /// d=
    pub domain: String,
    /// s=
    pub selector: &'static str,
    /// a=
    pub algorithm: &'static str,
    /// Its result.
    pub passes: bool,
    /// It is made for the author domain, in a way that the policy's adkim accepts.
    pub aligned: bool,
}

impl Corpus {
    /// `count` messages of `seed`.
    pub fn generate(seed: u64, count: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let world = World::new(&mut rng);
        let lines = Lines::new(&mut rng);
        let maker = Maker { world: &world, lines: &lines };
        let cases = (0..count).map(|index| maker.case(&mut Rng::with_seed(rng.u64(..)), index)).collect();
        Self { zone: world.zone, cases }
    }
}

/// A size drawn from the distribution of real mail, in octets.
fn size(rng: &mut Rng) -> usize {
    const MEDIAN: f64 = 20_000.0;
    // The mean of a log-normal distribution is exp(sigma²/2) times its median.
    let sigma = (2.0 * (36_000.0 / MEDIAN).ln()).sqrt();
    let normal = (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos();
    (MEDIAN * (sigma * normal).exp()).clamp(3_000.0, 900_000.0) as usize
}

struct Maker<'a> {
    world: &'a World,
    lines: &'a Lines,
}

/// A message under way.
struct Draft<'a> {
    scenario: Scenario,
    sender: &'a Sender,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    signed: Vec<(String, ExpectedSignature, Work)>,
}

/// Where a message comes from, and what that makes of SPF.
struct Route {
    client: (IpAddr, String),
    mail_from: String,
    spf: ResultWord,
    /// On a pass: the domain could align under relaxed, under strict.
    aligns: (bool, bool),
}

impl Maker<'_> {
    fn case(&self, rng: &mut Rng, index: usize) -> Case {
        let scenario = match rng.u8(..100) {
            0..75 => Scenario::Direct,
            75..79 => Scenario::Forward,
            79..81 => Scenario::Rewritten,
            81..83 => Scenario::Unsigned,
            83..86 => Scenario::Provider,
            86..88 => Scenario::Footer,
            88..90 => Scenario::List,
            _ => Scenario::Spoof,
        };
        let needs_spf = matches!(scenario, Scenario::Direct | Scenario::Unsigned | Scenario::Footer);
        let sender = loop {
            let sender = self.world.draw(rng);
            if !needs_spf || sender.stranger.is_some() {
                break sender;
            }
        };
        let date = Timestamp::from_second(ARRIVAL - i64::from(rng.u16(5..600))).unwrap();
        let octets = size(rng).saturating_sub(3_900).max(300);
        let (body, mime) = self.lines.body(rng, octets);
        let mut fields = author_fields(rng, self.lines, sender, &date);
        fields.extend(mime);
        let mut draft = Draft { scenario, sender, fields, body, signed: Vec::new() };
        let number = rng.u8(..10);
        self.sign(rng, &mut draft, number, &date);
        Self::alter(&mut draft, number);
        let route = self.route(rng, &draft, number);
        self.finish(rng, index, draft, route, &date)
    }

    /// The author's signatures, and a provider's.
    fn sign(&self, rng: &mut Rng, draft: &mut Draft<'_>, number: u8, date: &Timestamp) {
        let sender = draft.sender;
        match draft.scenario {
            Scenario::Unsigned => return,
            Scenario::Spoof => {
                if rng.u8(..10) < 3 {
                    let bulk = format!("bulk{number}.test");
                    let key = usize::from(number) % self.world.rsa.len();
                    self.add(rng, draft, &bulk, "s1", Work { key, ed25519: false }, false, date);
                }
                return;
            }
            _ => {}
        }
        let strict = sender.dmarc.is_some_and(|dmarc| dmarc.strict_dkim);
        let domain = match rng.u8(..10) {
            _ if strict => sender.author.clone(),
            0..6 => sender.org.clone(),
            6..9 => sender.author.clone(),
            _ => format!("mail.{}", sender.org),
        };
        let (rsa, ed25519) = (Work { key: sender.keys.0, ed25519: false }, Work { key: sender.keys.1, ed25519: true });
        let first_is_ed25519 = rng.u8(..100) < 6;
        if rng.u8(..4) == 0 {
            if rng.u8(..3) == 0 {
                self.add(rng, draft, &domain, "ed", ed25519, true, date);
            } else {
                let provider = &self.world.providers[sender.provider];
                self.add(rng, draft, &provider.domain, "s1", Work { key: provider.key, ed25519: false }, false, date);
            }
        }
        if first_is_ed25519 {
            self.add(rng, draft, &domain, "ed", ed25519, true, date);
        } else {
            self.add(rng, draft, &domain, "s1", rsa, true, date);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the terms of one signature")]
    fn add(
        &self,
        rng: &mut Rng,
        draft: &mut Draft<'_>,
        domain: &str,
        selector: &'static str,
        work: Work,
        aligned: bool,
        date: &Timestamp,
    ) {
        let keys: &[Key] = if work.ed25519 { &self.world.ed25519 } else { &self.world.rsa };
        let key = &keys[work.key];
        let mut names: Vec<&str> =
            compose::SIGNED.into_iter().filter(|name| draft.fields.iter().any(|(field, _)| field == name)).collect();
        if rng.bool() {
            names.extend(["From", "Subject"]);
        }
        let time = date.as_second();
        let terms = Terms {
            domain,
            selector,
            simple_body: rng.u8(..100) < 5,
            time,
            // Far ahead of any clock, as mail-auth judges it by the system's.
            expires: (rng.u8(..5) == 0).then_some(time + 20 * 365 * 86_400),
            names: &names,
        };
        let field = sign::sign(key, &terms, &draft.fields, &draft.body);
        let expected =
            ExpectedSignature { domain: domain.to_owned(), selector, algorithm: key.algorithm(), passes: true, aligned };
        draft.signed.insert(0, (field, expected, work));
    }

    /// What befalls the message after it was signed.
    fn alter(draft: &mut Draft<'_>, number: u8) {
        match draft.scenario {
            Scenario::Footer => {
                draft.body.extend_from_slice(b"\r\n-- \r\nThis message was scanned by the gateway of its sender.\r\n");
            }
            Scenario::List => {
                draft.body.extend_from_slice(
                    b"_______________________________________________\r\nTo unsubscribe see the list's page.\r\n",
                );
                for (name, value) in &mut draft.fields {
                    if name == "Subject" {
                        *value = format!(" [list{number}]{value}");
                    }
                }
            }
            _ => return,
        }
        for (_, expected, _) in &mut draft.signed {
            expected.passes = false;
        }
    }

    fn route(&self, rng: &mut Rng, draft: &Draft<'_>, number: u8) -> Route {
        let sender = draft.sender;
        let other = |kind: &str, host: u8| Route {
            client: (outside(host + number), format!("mx.{kind}{number}.test")),
            mail_from: format!("bounce-{number}@{kind}{number}.test"),
            spf: ResultWord::Pass,
            aligns: (false, false),
        };
        match draft.scenario {
            Scenario::Direct | Scenario::Unsigned | Scenario::Footer => own_route(rng, sender),
            Scenario::Provider => {
                let provider = &self.world.providers[sender.provider];
                let client = provider.clients[rng.usize(..provider.clients.len())].clone();
                let mail_from = format!("b-{:08x}@bounces.{}", rng.u32(..), provider.domain);
                Route { client, mail_from, spf: ResultWord::Pass, aligns: (false, false) }
            }
            Scenario::Forward => foreign_client(rng, sender, (outside(120 + number), format!("mx.forward{number}.test"))),
            Scenario::Rewritten => other("forward", 120),
            Scenario::List => other("lists", 100),
            Scenario::Spoof if rng.bool() => other("bulk", 140),
            Scenario::Spoof => foreign_client(rng, sender, (outside(200 + number), format!("host{number}.bulk{number}.test"))),
        }
    }

    fn finish(&self, rng: &mut Rng, index: usize, draft: Draft<'_>, route: Route, date: &Timestamp) -> Case {
        let Draft { scenario, sender, fields, body, signed } = draft;
        let total = rng.usize(30..=50);
        let hops = rng.usize(2..6);
        let extra = total.saturating_sub(fields.len() + signed.len() + hops + 1);
        let above = rng.usize(..=extra / 2);
        let mut top = vec![received(rng, &route.client.1, route.client.0, "mx1.receiver.example", date)];
        top.extend(extra_fields(rng, self.lines, above));
        let mut below: Vec<_> = (1..hops)
            .map(|hop| {
                let ip = IpAddr::from([10, 0, hop as u8, rng.u8(..)]);
                received(rng, &format!("internal{hop}.{}", sender.org), ip, &format!("relay{hop}.{}", sender.org), date)
            })
            .collect();
        below.push(foreign_results(&self.world.providers[sender.provider], sender));
        let (middle, bottom) = (fields, extra_fields(rng, self.lines, extra - above));

        let mut message = Vec::with_capacity(body.len() + 12_000);
        render(&mut message, &top);
        for (signature, _, _) in &signed {
            message.extend_from_slice(signature.as_bytes());
        }
        for part in [&below, &middle, &bottom] {
            render(&mut message, part);
        }
        message.extend_from_slice(b"\r\n");
        message.extend_from_slice(&body);
        let work = signed.iter().map(|(_, _, work)| *work).collect();
        let signatures = signed.into_iter().map(|(_, expected, _)| expected).collect();
        Case {
            id: format!("{scenario:?}-{index}").to_lowercase(),
            scenario,
            message,
            client_ip: route.client.0,
            helo: route.client.1.clone(),
            mail_from: route.mail_from.clone(),
            expected: expect(sender.dmarc, &route, signatures),
            work,
        }
    }
}

/// A client that the sender's record permits, under one of its own paths.
fn own_route(rng: &mut Rng, sender: &Sender) -> Route {
    let client = sender.clients[rng.usize(..sender.clients.len())].clone();
    let (org, author) = (&sender.org, &sender.author);
    let pass = |client, mail_from, strict| Route { client, mail_from, spf: ResultWord::Pass, aligns: (true, strict) };
    let same = author == org;
    let strict = sender.dmarc.is_some_and(|dmarc| dmarc.strict_spf);
    match rng.u8(..20) {
        0..10 => pass(client, format!("bounce+{:08x}@{author}", rng.u32(..)), true),
        _ if strict => pass(client, format!("postmaster@{author}"), true),
        10..13 => pass(client, format!("info@{org}"), same),
        13..19 => pass(client, format!("b-{:08x}@bounces.{org}", rng.u32(..)), false),
        _ => {
            // The null path: HELO is judged, whose record permits its own address.
            pass((sender.mail_host, format!("mail.{org}")), String::new(), false)
        }
    }
}

/// One of the sender's own paths from a client that nothing permits.
fn foreign_client(rng: &mut Rng, sender: &Sender, client: (IpAddr, String)) -> Route {
    let stranger = sender.stranger.unwrap_or(ResultWord::None);
    let (mail_from, spf) = match rng.u8(..3) {
        0 if stranger != ResultWord::None => (format!("b-{:08x}@bounces.{}", rng.u32(..), sender.org), ResultWord::Fail),
        1 => (format!("bounce@{}", sender.org), stranger),
        _ => (format!("info@{}", sender.author), stranger),
    };
    Route { client, mail_from, spf, aligns: (false, false) }
}

/// What follows from the facts: who aligned, and what the owner asks for.
fn expect(dmarc: Option<Dmarc>, route: &Route, signatures: Vec<ExpectedSignature>) -> Expected {
    let strict_spf = dmarc.is_some_and(|dmarc| dmarc.strict_spf);
    let spf_aligned = route.spf == ResultWord::Pass && if strict_spf { route.aligns.1 } else { route.aligns.0 };
    let dkim_aligned = signatures.iter().any(|signature| signature.passes && signature.aligned);
    let dkim = if dkim_aligned {
        SesStatus::Pass
    } else if signatures.iter().any(|signature| !signature.passes) {
        SesStatus::Fail
    } else {
        SesStatus::Gray
    };
    let (status, dmarc_policy) = match dmarc {
        None => (SesStatus::Gray, None),
        Some(_) if spf_aligned || dkim_aligned => (SesStatus::Pass, None),
        Some(dmarc) => (SesStatus::Fail, Some(dmarc.effective())),
    };
    Expected { spf: route.spf, signatures, dkim, dmarc: status, published: dmarc.map(|dmarc| dmarc.published), dmarc_policy }
}

fn render(message: &mut Vec<u8>, fields: &[(String, String)]) {
    for (name, value) in fields {
        message.extend_from_slice(name.as_bytes());
        message.push(b':');
        message.extend_from_slice(value.as_bytes());
        message.extend_from_slice(b"\r\n");
    }
}
