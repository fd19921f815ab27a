//! A plain loop over mail-auth as published, all DNS in its caches.

use crate::corpus::zone::ZoneJson;
use crate::corpus::{Case, Corpus};
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dmarc::{Dmarc, Policy as StockPolicy};
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::hickory_resolver::proto::op::ResponseCode;
use mail_auth::spf::Spf;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, DkimResult, DmarcResult, DnsError, DnssecStatus, Error, MX, MessageAuthenticator, Parameters,
    RecordSet, ResolverCache, SpfResult, Txt, dmarc::verify::DmarcParameters,
};
use serde_json::Value;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;
use verdmarc::auth::cause::{ResultWord, SesStatus};
use verdmarc::auth::dmarc::Policy;

/// A cache that knows the whole zone, so that no question reaches a resolver: what it does not hold does not exist.
struct Known<K, V> {
    entries: HashMap<K, V>,
    absent: Option<V>,
}

impl<K: Hash + Eq, V: Clone> ResolverCache<K, V> for Known<K, V> {
    fn get<Q>(&self, name: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.get(name).or(self.absent.as_ref()).cloned()
    }

    fn remove<Q>(&self, _: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: K, _: V, _: Instant) {}
}

/// mail-auth with its caches.
pub struct Stock {
    authenticator: MessageAuthenticator,
    txt: Known<Box<str>, Txt>,
    mx: Known<Box<str>, RecordSet<MX>>,
    ipv4: Known<Box<str>, RecordSet<Ipv4Addr>>,
    ipv6: Known<Box<str>, RecordSet<Ipv6Addr>>,
    ptr: Known<IpAddr, RecordSet<Box<str>>>,
}

/// What it says of one message.
#[derive(Debug, PartialEq, Eq)]
pub struct StockVerdict {
    /// SPF's word.
    pub spf: ResultWord,
    /// Whether each signature passes, from the top.
    pub signatures: Vec<bool>,
    /// SES's dmarcVerdict.
    pub dmarc: SesStatus,
    /// The effective policy, on FAIL only.
    pub policy: Option<Policy>,
}

impl Stock {
    /// Fills the caches from `zone`. The resolver behind them has no name servers.
    pub fn new(zone: &ZoneJson) -> Self {
        let config = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        let mut stock = Self {
            authenticator: MessageAuthenticator::new(config, ResolverOpts::default()).unwrap(),
            txt: Known {
                entries: HashMap::new(),
                absent: Some(Txt::Error(Error::Dns(DnsError::RecordNotFound(ResponseCode::NXDomain)))),
            },
            mx: known(),
            ipv4: known(),
            ipv6: known(),
            ptr: known(),
        };
        for (name, records) in &zone.0 {
            let texts: Vec<String> =
                of(records, "TXT").map(|strings| strings.iter().filter_map(Value::as_str).collect()).collect();
            if let Some(text) = texts.iter().find_map(|text| typed(name, text)) {
                stock.txt.entries.insert(fqdn(name), text);
            }
            let addresses = |rtype| of(records, rtype).filter_map(|data| data.first()?.as_str()).collect::<Vec<_>>();
            insert(&mut stock.ipv4, name, addresses("A").iter().filter_map(|text| text.parse().ok()).collect());
            insert(&mut stock.ipv6, name, addresses("AAAA").iter().filter_map(|text| text.parse().ok()).collect());
            let exchanges = of(records, "MX").filter_map(|data| {
                let (preference, host) = (data.first()?.as_u64()?, data.get(1)?.as_str()?);
                Some(MX { preference: preference as u16, exchanges: [fqdn(host)].into() })
            });
            insert(&mut stock.mx, name, exchanges.collect());
        }
        stock
    }

    fn with<P>(&self, parameters: P) -> CachedParameters<'_, P> {
        Parameters {
            params: parameters,
            cache_txt: Some(&self.txt),
            cache_mx: Some(&self.mx),
            cache_ptr: Some(&self.ptr),
            cache_ipv4: Some(&self.ipv4),
            cache_ipv6: Some(&self.ipv6),
        }
    }

    /// Every message of a corpus, for its cost.
    pub async fn verify_all(&self, corpus: &Corpus) {
        for case in &corpus.cases {
            black_box(self.verify(case).await);
        }
    }

    /// One message, as a receiver that uses mail-auth alone would do it.
    pub async fn verify(&self, case: &Case) -> StockVerdict {
        const HOST: &str = "mx1.receiver.example";
        let Some(message) = AuthenticatedMessage::parse(&case.message) else {
            return StockVerdict { spf: ResultWord::None, signatures: Vec::new(), dmarc: SesStatus::Gray, policy: None };
        };
        let (identity, mail_from_domain) = match case.mail_from.rsplit_once('@') {
            Some((_, domain)) => (SpfParameters::verify_mail_from(case.client_ip, &case.helo, HOST, &case.mail_from), domain),
            None => (SpfParameters::verify_ehlo(case.client_ip, &case.helo, HOST), case.helo.as_str()),
        };
        let spf = self.authenticator.verify_spf(self.with(identity)).await;
        let dkim = self.authenticator.verify_dkim(self.with(&message)).await;
        let parameters = DmarcParameters::new(&message, &dkim, mail_from_domain, &spf);
        let dmarc = self.authenticator.verify_dmarc(self.with(parameters)).await;
        let status = match (dmarc.spf_result(), dmarc.dkim_result()) {
            (DmarcResult::Pass, _) | (_, DmarcResult::Pass) => SesStatus::Pass,
            (DmarcResult::TempError(_) | DmarcResult::PermError(_), _)
            | (_, DmarcResult::TempError(_) | DmarcResult::PermError(_)) => SesStatus::ProcessingFailed,
            _ if dmarc.dmarc_record().is_none() => SesStatus::Gray,
            _ => SesStatus::Fail,
        };
        let policy = match dmarc.policy() {
            _ if status != SesStatus::Fail => None,
            StockPolicy::Reject => Some(Policy::Reject),
            StockPolicy::Quarantine => Some(Policy::Quarantine),
            _ => Some(Policy::None),
        };
        let signatures = dkim.iter().map(|output| *output.result() == DkimResult::Pass).collect();
        StockVerdict { spf: word(spf.result()), signatures, dmarc: status, policy }
    }
}

type CachedParameters<'x, P> = Parameters<
    'x,
    P,
    Known<Box<str>, Txt>,
    Known<Box<str>, RecordSet<MX>>,
    Known<Box<str>, RecordSet<Ipv4Addr>>,
    Known<Box<str>, RecordSet<Ipv6Addr>>,
    Known<IpAddr, RecordSet<Box<str>>>,
>;

fn known<K, T>() -> Known<K, RecordSet<T>> {
    Known { entries: HashMap::new(), absent: Some(record_set(Vec::new())) }
}

fn record_set<T>(records: Vec<T>) -> RecordSet<T> {
    RecordSet { rrset: records.into(), dnssec_status: DnssecStatus::Indeterminate }
}

fn insert<T>(cache: &mut Known<Box<str>, RecordSet<T>>, name: &str, records: Vec<T>) {
    if !records.is_empty() {
        cache.entries.insert(fqdn(name), record_set(records));
    }
}

fn fqdn(name: &str) -> Box<str> {
    format!("{name}.").into()
}

/// The data of the records of one type.
fn of<'r>(records: &'r [Value], rtype: &str) -> impl Iterator<Item = &'r [Value]> {
    records.iter().filter_map(Value::as_array).filter(move |record| record[0] == rtype).map(|record| &record[1..])
}

/// The record as the question at this name will want it.
fn typed(name: &str, text: &str) -> Option<Txt> {
    let octets = text.as_bytes();
    if name.starts_with("_dmarc.") {
        Dmarc::parse(octets).ok().map(Txt::from)
    } else if name.contains("._domainkey.") {
        DomainKey::parse(octets).ok().map(Txt::from)
    } else {
        Spf::parse(octets).ok().map(Txt::from)
    }
}

fn word(result: SpfResult) -> ResultWord {
    match result {
        SpfResult::Pass => ResultWord::Pass,
        SpfResult::Fail => ResultWord::Fail,
        SpfResult::SoftFail => ResultWord::SoftFail,
        SpfResult::Neutral => ResultWord::Neutral,
        SpfResult::TempError => ResultWord::TempError,
        SpfResult::PermError => ResultWord::PermError,
        SpfResult::None => ResultWord::None,
    }
}
