//! Who sends: 500 organisations, the providers that some of them send through, and the zone that says so.
//!
//! Addresses: providers in 198.18.0.0/16 and 2001:db8::/32, organisations in 198.19.0.0/16, lists, forwarders and spoofers
//! in 203.0.113.0/24, which no organisation's record names.

use super::sign::Key;
use super::zone::ZoneJson;
use fastrand::Rng;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use verdmarc::auth::cause::ResultWord;
use verdmarc::auth::dmarc::Policy;

/// Number of organisations.
pub const SENDERS: usize = 500;
const PROVIDERS: usize = 20;
/// Addresses whose owners no record of an organisation permits.
pub const OUTSIDE: [u8; 3] = [203, 0, 113];

/// An organisation that sends mail.
pub struct Sender {
    /// Its organizational domain.
    pub org: String,
    /// The domain in From: the organizational domain or one below it.
    pub author: String,
    /// What SPF says about a client that nothing permits; none without a record.
    pub stranger: Option<ResultWord>,
    /// Clients that its record permits, each with the name it gives.
    pub clients: Vec<(IpAddr, String)>,
    /// The host `mail` below its organizational domain, which sends bounces.
    pub mail_host: IpAddr,
    /// Its DMARC record as it applies to the author domain.
    pub dmarc: Option<Dmarc>,
    /// Index of the provider whose signature comes second.
    pub provider: usize,
    /// Index of its RSA key and its Ed25519 key.
    pub keys: (usize, usize),
}

/// What applies to an author domain.
#[derive(Clone, Copy)]
pub struct Dmarc {
    /// The published policy that applies: p or sp.
    pub published: Policy,
    /// t=y.
    pub testing: bool,
    /// adkim=s.
    pub strict_dkim: bool,
    /// aspf=s.
    pub strict_spf: bool,
}

impl Dmarc {
    /// What is asked for mail that fails.
    pub fn effective(self) -> Policy {
        if self.testing { self.published.lowered() } else { self.published }
    }
}

/// A company that sends for others.
pub struct Provider {
    /// Its domain, which signs.
    pub domain: String,
    /// Its clients.
    pub clients: Vec<(IpAddr, String)>,
    /// Index of its RSA key.
    pub key: usize,
}

/// Everybody who sends, and what DNS says about them.
pub struct World {
    /// Organisations, the busiest first.
    pub senders: Vec<Sender>,
    /// Providers.
    pub providers: Vec<Provider>,
    /// Keys that sign.
    pub rsa: Vec<Key>,
    /// Keys that sign.
    pub ed25519: Vec<Key>,
    /// DNS.
    pub zone: ZoneJson,
    weights: Vec<f64>,
}

impl World {
    /// The world of one seed.
    pub fn new(rng: &mut Rng) -> Self {
        let (rsa, ed25519) = (Key::rsa(), Key::ed25519());
        let mut zone = ZoneJson::default();
        let providers: Vec<_> = (0..PROVIDERS).map(|index| provider(index, &rsa, &mut zone)).collect();
        let senders: Vec<_> =
            (0..SENDERS).map(|index| Builder { index, providers: &providers, rng }.build(&rsa, &ed25519, &mut zone)).collect();
        for index in 0..10 {
            outsiders(index, &rsa, &mut zone);
        }
        let mut total = 0.0;
        let weights = (1..=SENDERS)
            .map(|rank| {
                total += 1.0 / rank as f64;
                total
            })
            .collect();
        Self { senders, providers, rsa, ed25519, zone, weights }
    }

    /// A sender: the one of rank n is n times as rare as the first (Zipf).
    pub fn draw(&self, rng: &mut Rng) -> &Sender {
        let at = rng.f64() * self.weights[SENDERS - 1];
        &self.senders[self.weights.partition_point(|&weight| weight < at).min(SENDERS - 1)]
    }
}

/// The address of an outsider's host.
pub fn outside(host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(OUTSIDE[0], OUTSIDE[1], OUTSIDE[2], host))
}

/// Lists, forwarders and spoofers have SPF records of their own and a key.
fn outsiders(index: u8, rsa: &[Key], zone: &mut ZoneJson) {
    let address = format!("{}.{}.{}", OUTSIDE[0], OUTSIDE[1], OUTSIDE[2]);
    for (kind, host) in [("lists", 100 + index), ("forward", 120 + index), ("bulk", 140 + index)] {
        let domain = format!("{kind}{index}.test");
        zone.txt(&domain, &format!("v=spf1 ip4:{address}.{host} -all"));
        zone.address(&format!("mx.{domain}"), outside(host));
        zone.txt(&format!("s1._domainkey.{domain}"), &rsa[usize::from(index) % rsa.len()].record());
    }
}

fn provider(index: usize, rsa: &[Key], zone: &mut ZoneJson) -> Provider {
    let octet = index as u8 * 4;
    let domain = format!("esp{index}.test");
    let spf = format!("_spf.{domain}");
    let key = index % rsa.len();
    let nested = index.is_multiple_of(3);
    let host =
        |third: u8, last: u8| (IpAddr::V4(Ipv4Addr::new(198, 18, octet + third, last)), format!("out{third}-{last}.{domain}"));
    let mut clients = vec![host(0, 17), host(0, 203), host(1, 5)];
    if nested {
        zone.txt(&spf, &format!("v=spf1 include:_nb1.{domain} include:_nb2.{domain} ~all"));
        zone.txt(&format!("_nb1.{domain}"), &format!("v=spf1 ip4:198.18.{octet}.0/24 ip4:198.18.{}.0/24 ~all", octet + 1));
        let blocks: String = (0..12).fold(String::new(), |blocks, block| blocks + &format!("ip4:198.51.100.{}/28 ", block * 16));
        zone.txt(
            &format!("_nb2.{domain}"),
            &format!("v=spf1 {blocks}ip4:198.18.{}.0/24 ip6:2001:db8:{index:x}::/48 ~all", octet + 2),
        );
        clients.push(host(2, 99));
    } else {
        zone.txt(&spf, &format!("v=spf1 ip4:198.18.{octet}.0/23 ip6:2001:db8:{index:x}::/48 -all"));
    }
    clients.push((IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, index as u16, 0, 0, 0, 0, 0x25)), format!("out6.{domain}")));
    zone.txt(&format!("bounces.{domain}"), &format!("v=spf1 include:{spf} -all"));
    zone.txt(&domain, &format!("v=spf1 redirect={spf}"));
    zone.txt(&format!("_dmarc.{domain}"), "v=DMARC1; p=quarantine; rua=mailto:dmarc@reports.test");
    zone.txt(&format!("s1._domainkey.{domain}"), &rsa[key].record());
    Provider { domain, clients, key }
}

struct Builder<'a> {
    index: usize,
    providers: &'a [Provider],
    rng: &'a mut Rng,
}

impl Builder<'_> {
    fn build(mut self, rsa: &[Key], ed25519: &[Key], zone: &mut ZoneJson) -> Sender {
        let org = self.name();
        let below = self.rng.u8(..5) == 0;
        let author = if below { format!("news.{org}") } else { org.clone() };
        let keys = (self.index % (rsa.len() - 1), self.index % ed25519.len());
        let provider = self.rng.usize(..PROVIDERS);
        zone.address(&org, self.own(33));
        if below {
            zone.address(&author, self.own(34));
        }
        let (stranger, clients) = self.spf(&org, &author, provider, zone);
        let dmarc = self.dmarc(&org, &author, zone);
        for domain in [&org, &author, &format!("mail.{org}")] {
            let selector = format!("s1._domainkey.{domain}");
            if !zone.0.contains_key(&selector) {
                zone.txt(&selector, &rsa[keys.0].record());
                zone.txt(&format!("ed._domainkey.{domain}"), &ed25519[keys.1].record());
            }
        }
        Sender { mail_host: self.own(1), org, author, stranger, clients, dmarc, provider, keys }
    }

    fn name(&self) -> String {
        const FIRST: [&str; 20] = [
            "bright", "north", "silver", "green", "blue", "grand", "swift", "quiet", "river", "stone", "maple", "harbor",
            "summit", "urban", "prime", "coastal", "lunar", "amber", "vital", "open",
        ];
        const SECOND: [&str; 25] = [
            "bank",
            "market",
            "labs",
            "travel",
            "foods",
            "media",
            "energy",
            "health",
            "books",
            "works",
            "cloud",
            "supply",
            "insurance",
            "motors",
            "school",
            "fashion",
            "garden",
            "software",
            "logistics",
            "airlines",
            "press",
            "studio",
            "telecom",
            "tickets",
            "charity",
        ];
        let tld = if self.index.is_multiple_of(7) { "test" } else { "example" };
        format!("{}{}.{tld}", FIRST[self.index / SECOND.len()], SECOND[self.index % SECOND.len()])
    }

    /// One of its own addresses: each organisation has 64.
    fn own(&self, host: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 19, 0, 0)) + self.index as u32 * 64 + host))
    }

    /// Writes its SPF records and says what they permit.
    fn spf(
        &mut self,
        org: &str,
        author: &str,
        provider: usize,
        zone: &mut ZoneJson,
    ) -> (Option<ResultWord>, Vec<(IpAddr, String)>) {
        let network = format!("ip4:{}/29", self.own(0));
        let own: Vec<_> = (1..7).map(|host| (self.own(host), format!("out{host}.{org}"))).collect();
        let with_six = |provider: usize| self.providers[provider].clients.clone();
        let without_six = |provider: usize| with_six(provider).into_iter().filter(|(ip, _)| ip.is_ipv4()).collect::<Vec<_>>();
        let include = |provider: usize| format!("include:_spf.esp{provider}.test");
        let (second, third) = ((provider + 5) % PROVIDERS, (provider + 11) % PROVIDERS);
        let mut hosts = vec![(self.own(17), format!("mx1.{org}")), (self.own(18), format!("mx2.{org}"))];
        for (index, (address, name)) in hosts.iter().enumerate() {
            zone.address(name, *address);
            zone.mx(org, 10 * (index as u16 + 1), name);
        }
        let (terms, clients) = match self.rng.u8(..100) {
            0..24 => (network, own),
            24..50 => (include(provider), with_six(provider)),
            50..62 => (format!("{network} {} {}", include(provider), include(second)), [own, with_six(second)].concat()),
            62..72 => (
                format!("{} {} {}", include(provider), include(second), include(third)),
                [with_six(provider), with_six(third)].concat(),
            ),
            72..80 => {
                hosts.push((self.own(33), format!("www.{org}")));
                ("a mx".to_owned(), hosts)
            }
            80..88 => (format!("mx {network} {}", include(provider)), [hosts, own, without_six(provider)].concat()),
            88..96 => (String::new(), with_six(provider)),
            _ if self.index < 20 => (network, own),
            _ => return (None, own),
        };
        let stranger = if terms.is_empty() {
            zone.txt(org, &format!("v=spf1 redirect=_spf.esp{provider}.test"));
            if provider.is_multiple_of(3) { ResultWord::SoftFail } else { ResultWord::Fail }
        } else {
            let (all, stranger) = match self.rng.u8(..20) {
                0..10 => ("-all", ResultWord::Fail),
                10..19 => ("~all", ResultWord::SoftFail),
                _ => ("?all", ResultWord::Neutral),
            };
            zone.txt(org, &format!("v=spf1 {terms} {all}"));
            stranger
        };
        zone.txt(org, &format!("site-verification={:016x}", self.rng.u64(..)));
        if author != org {
            zone.txt(author, &format!("v=spf1 redirect={org}"));
        }
        zone.txt(&format!("bounces.{org}"), &format!("v=spf1 include:{org} -all"));
        zone.txt(&format!("mail.{org}"), "v=spf1 a -all");
        zone.address(&format!("mail.{org}"), self.own(1));
        (Some(stranger), clients)
    }

    /// Writes its DMARC records and says what applies to the author domain.
    fn dmarc(&mut self, org: &str, author: &str, zone: &mut ZoneJson) -> Option<Dmarc> {
        if self.index >= 5 && self.rng.u8(..100) < 12 {
            return None;
        }
        let rng = &mut *self.rng;
        let p = policy(rng);
        let sp = (rng.u8(..4) == 0).then(|| policy(rng));
        let np = (rng.u8(..20) == 0).then_some(Policy::Reject);
        let testing = rng.u8(..40) == 0;
        let strict_dkim = rng.u8(..10) == 0;
        let strict_spf = rng.u8(..10) == 0;
        let mut record = format!("v=DMARC1; p={p}");
        for (tag, value) in [("sp", sp), ("np", np)] {
            if let Some(value) = value {
                record += &format!("; {tag}={value}");
            }
        }
        record += if strict_dkim { "; adkim=s" } else { "" };
        record += if strict_spf { "; aspf=s" } else { "" };
        record += if testing { "; t=y" } else { "" };
        record += match rng.u8(..4) {
            0 => "; pct=100; fo=1",
            1 => "; ri=86400; fo=0",
            _ => "",
        };
        record += &format!("; rua=mailto:dmarc@{org},mailto:{:08x}@reports.test", rng.u32(..));
        zone.txt(&format!("_dmarc.{org}"), &record);
        if author == org {
            return Some(Dmarc { published: p, testing, strict_dkim, strict_spf });
        }
        if rng.u8(..4) == 0 {
            let own = policy(rng);
            zone.txt(&format!("_dmarc.{author}"), &format!("v=DMARC1;p={own};rua=mailto:dmarc@{org}"));
            return Some(Dmarc { published: own, testing: false, strict_dkim: false, strict_spf: false });
        }
        Some(Dmarc { published: sp.unwrap_or(p), testing, strict_dkim, strict_spf })
    }
}

fn policy(rng: &mut Rng) -> Policy {
    match rng.u8(..10) {
        0..4 => Policy::None,
        4..6 => Policy::Quarantine,
        _ => Policy::Reject,
    }
}
