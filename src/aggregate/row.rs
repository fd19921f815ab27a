//! The forms of a row: as it comes, as it is kept, as it is written, and collapsed (B11, B13;
//! F-32).

use super::names::{Kept, List, Name, Names};
use crate::auth::cause::ResultWord;
use crate::dns::Domain;
use crate::event::{Disposition, Override, Row};
use crate::report::{Collapse, ReportRow, Signature, Spf};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Largest number of signatures in a row (B13).
const MAX_SIGNATURES: usize = 100;

/// A row in canonical form, with borrowed names. Two messages count in the same row when these are
/// equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Canonical<'a> {
    pub(super) source: IpAddr,
    pub(super) header_from: &'a str,
    pub(super) envelope_from: Option<&'a str>,
    pub(super) disposition: Disposition,
    pub(super) dkim_aligned: bool,
    pub(super) spf_aligned: bool,
    pub(super) overrides: Vec<Override>,
    pub(super) collapse: Collapse,
    #[serde(borrow)]
    pub(super) dkim: Vec<(&'a str, &'a str, ResultWord)>,
    /// The domain that SPF checked. When SPF checked none, the name in HELO, or empty when that is
    /// not a domain either.
    pub(super) spf_domain: &'a str,
    /// `None` when SPF checked no domain.
    #[serde(with = "spf_result")]
    pub(super) spf_result: Option<ResultWord>,
}

/// Writes SPF's result as the index of its word, or for `None` as the number after the last word.
/// For a word this is the same as the derived form.
mod spf_result {
    use crate::auth::cause::ResultWord;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    const NOT_JUDGED: u32 = ResultWord::ALL.len() as u32;

    #[expect(clippy::trivially_copy_pass_by_ref, clippy::ref_option, reason = "serde asks for a reference to the field")]
    pub(super) fn serialize<S: Serializer>(result: &Option<ResultWord>, serializer: S) -> Result<S::Ok, S::Error> {
        result.map_or(NOT_JUDGED, |word| word as u32).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ResultWord>, D::Error> {
        match u32::deserialize(deserializer)? {
            NOT_JUDGED => Ok(None),
            place => match usize::try_from(place).ok().and_then(|place| ResultWord::ALL.get(place)) {
                Some(word) => Ok(Some(*word)),
                None => Err(D::Error::custom("SPF's result is unknown")),
            },
        }
    }
}

impl<'a> Canonical<'a> {
    /// Returns the canonical row of an event. IPv4 in IPv6 becomes IPv4. Of the signatures, the
    /// first ones are kept, sorted, and each once.
    pub(super) fn of(row: &'a Row) -> Self {
        let mut dkim: Vec<_> = row
            .dkim
            .iter()
            .take(MAX_SIGNATURES)
            .map(|entry| (entry.domain.as_str(), entry.selector.as_str(), entry.result))
            .collect();
        dkim.sort_unstable();
        dkim.dedup();
        let mut overrides = row.overrides.clone();
        overrides.sort_unstable();
        overrides.dedup();
        Self {
            source: row.source_ip.to_canonical(),
            header_from: row.header_from.as_str(),
            envelope_from: row.envelope_from.as_deref(),
            disposition: row.disposition,
            dkim_aligned: row.dkim_aligned,
            spf_aligned: row.spf_aligned,
            overrides,
            collapse: Collapse::Exact,
            dkim,
            spf_domain: row.spf.domain.as_ref().or(row.spf.helo.as_ref()).map_or("", Domain::as_str),
            spf_result: row.spf.domain.is_some().then_some(row.spf.result),
        }
    }

    /// Returns the row with less detail, under the name of the policy domain.
    pub(super) fn collapsed(&self, level: Collapse, policy_domain: &'a str) -> Self {
        let mut row = self.clone();
        row.collapse = level;
        if level >= Collapse::Identifiers {
            row.header_from = policy_domain;
            row.envelope_from = None;
            row.dkim = Vec::new();
            // A result of another domain must not stand beside the policy domain. Only an aligned
            // pass says something about that domain.
            (row.spf_domain, row.spf_result) =
                if row.spf_aligned { (row.header_from, Some(ResultWord::Pass)) } else { ("", None) };
        }
        match level {
            Collapse::Exact | Collapse::Identifiers => {}
            Collapse::Networks => row.source = network(row.source),
            Collapse::Sources => {
                row.source = match row.source {
                    IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
            }
        }
        row
    }

    /// Stores the row's names and returns the row as it is kept.
    pub(super) fn keep(&self, names: &mut Names) -> Key {
        let list: Vec<Kept> = self
            .dkim
            .iter()
            .map(|(domain, selector, result)| Kept {
                domain: names.keep(domain),
                selector: names.keep(selector),
                result: *result,
            })
            .collect();
        let envelope_from = self.envelope_from.map(|name| names.keep(name));
        let spf_domain = names.keep(self.spf_domain);
        let header_from = names.keep(self.header_from);
        self.key(header_from, envelope_from, spf_domain, names.keep_list(&list))
    }

    /// Returns the row as it is kept; `None` when one of its names is not stored.
    pub(super) fn find(&self, names: &Names) -> Option<Key> {
        let mut list = Vec::with_capacity(self.dkim.len());
        for (domain, selector, result) in &self.dkim {
            list.push(Kept { domain: names.find(domain)?, selector: names.find(selector)?, result: *result });
        }
        let optional = |name: Option<&str>| match name {
            Some(name) => names.find(name).map(Some),
            None => Some(None),
        };
        let (envelope_from, spf_domain) = (optional(self.envelope_from)?, names.find(self.spf_domain)?);
        Some(self.key(names.find(self.header_from)?, envelope_from, spf_domain, names.find_list(&list)?))
    }

    fn key(&self, header_from: Name, envelope_from: Option<Name>, spf_domain: Name, signatures: List) -> Key {
        let overrides = self.overrides.iter().fold(0, |set, reason| set | bit(*reason));
        Key {
            source: match self.source {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            },
            header_from,
            envelope_from,
            spf_domain,
            signatures,
            disposition: self.disposition,
            spf_result: self.spf_result,
            collapse: self.collapse,
            flags: Flags { dkim_aligned: self.dkim_aligned, spf_aligned: self.spf_aligned, overrides },
        }
    }

    /// Returns the estimated bytes of the row in the changelog.
    pub(super) fn bytes(&self) -> usize {
        let names = |(domain, selector, _): &(&str, &str, ResultWord)| domain.len() + selector.len() + 4;
        let others = self.spf_domain.len() + self.envelope_from.map_or(0, str::len);
        64 + self.header_from.len() + others + self.dkim.iter().map(names).sum::<usize>()
    }
}

/// A row as it is kept: 44 bytes, besides its stored names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The client's address, with IPv4 as IPv4-mapped IPv6, which no canonical address is.
    source: [u8; 16],
    header_from: Name,
    envelope_from: Option<Name>,
    spf_domain: Name,
    signatures: List,
    disposition: Disposition,
    spf_result: Option<ResultWord>,
    pub(super) collapse: Collapse,
    flags: Flags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Flags {
    dkim_aligned: bool,
    spf_aligned: bool,
    overrides: u8,
}

impl Key {
    /// Returns the client's address, with IPv4 as IPv4-mapped IPv6.
    pub(super) fn source(self) -> [u8; 16] {
        self.source
    }

    /// Returns the row in the form for a report.
    pub(super) fn to_report<'n>(self, names: &'n Names, count: u64) -> ReportRow<'n> {
        let row = self.canonical(names);
        let mut dkim: Vec<Signature<'n>> =
            row.dkim.into_iter().map(|(domain, selector, result)| Signature { domain, selector, result }).collect();
        // Signatures that pass come first. Their domains show which of them are aligned.
        dkim.sort_by_key(|signature| signature.result != ResultWord::Pass);
        ReportRow {
            source_ip: row.source,
            header_from: row.header_from,
            envelope_from: row.envelope_from,
            disposition: row.disposition,
            dkim_aligned: row.dkim_aligned,
            spf_aligned: row.spf_aligned,
            overrides: row.overrides,
            collapse: row.collapse,
            dkim,
            spf: match row.spf_result {
                Some(result) => Spf::Judged { domain: row.spf_domain, result },
                None => Spf::NotJudged { helo: Some(row.spf_domain).filter(|helo| !helo.is_empty()) },
            },
            count,
        }
    }

    /// Returns the row in canonical form.
    pub(super) fn canonical<'n>(&self, names: &'n Names) -> Canonical<'n> {
        let name = |name: Name| names.name(name);
        Canonical {
            source: IpAddr::V6(self.source.into()).to_canonical(),
            header_from: name(self.header_from),
            envelope_from: self.envelope_from.map(name),
            disposition: self.disposition,
            dkim_aligned: self.flags.dkim_aligned,
            spf_aligned: self.flags.spf_aligned,
            overrides: OVERRIDES.into_iter().filter(|reason| self.flags.overrides & bit(*reason) != 0).collect(),
            collapse: self.collapse,
            dkim: names.list(self.signatures).iter().map(|kept| (name(kept.domain), name(kept.selector), kept.result)).collect(),
            spf_domain: name(self.spf_domain),
            spf_result: self.spf_result,
        }
    }
}

const OVERRIDES: [Override; 3] = [Override::PolicyTestMode, Override::TrustedForwarder, Override::LocalPolicy];

fn bit(reason: Override) -> u8 {
    1 << (reason as u8)
}

/// Returns the network of an address: /24 of IPv4, /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & 0xffff_ff00).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{DkimRow, SpfRow};

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn row(spf: SpfRow, spf_aligned: bool, dkim: &[(&str, ResultWord)]) -> Row {
        Row {
            source_ip: [192, 0, 2, 1].into(),
            header_from: domain("author.example"),
            envelope_from: None,
            disposition: Disposition::Reject,
            dkim_aligned: false,
            spf_aligned,
            overrides: Vec::new(),
            dkim: dkim
                .iter()
                .map(|(name, result)| DkimRow { domain: domain(name), selector: domain("s"), result: *result })
                .collect(),
            spf,
        }
    }

    #[test]
    fn spf_names_the_domain_that_it_judged_and_never_the_author_domain_in_its_place() {
        let spf = |domain: Option<&str>, helo: Option<&str>, result| SpfRow {
            domain: domain.map(self::domain),
            result,
            helo: helo.map(self::domain),
        };
        let (pass, none) = (ResultWord::Pass, ResultWord::None);
        let judged = Spf::Judged { domain: "bounce.example", result: pass };
        let aligned = Spf::Judged { domain: "owner.example", result: pass };
        let (nothing, helo) = (Spf::NotJudged { helo: None }, Spf::NotJudged { helo: Some("client.example") });
        for (event, is_aligned, exact, collapsed) in [
            (spf(Some("bounce.example"), None, pass), false, judged, nothing),
            (spf(Some("bounce.example"), None, pass), true, judged, aligned),
            (spf(None, Some("client.example"), none), false, helo, nothing),
            (spf(None, None, none), false, nothing, nothing),
        ] {
            let (row, mut names) = (row(event, is_aligned, &[]), Names::default());
            let row = Canonical::of(&row);
            for (row, expected) in [(row.clone(), exact), (row.collapsed(Collapse::Identifiers, "owner.example"), collapsed)] {
                let key = row.keep(&mut names);
                assert_eq!(key.to_report(&names, 1).spf, expected, "{row:?}");
            }
        }
    }

    #[test]
    fn b13_signatures_that_passed_come_first_in_a_report() {
        let (pass, fail) = (ResultWord::Pass, ResultWord::Fail);
        let spf = SpfRow { domain: None, result: ResultWord::None, helo: None };
        let row = row(spf, false, &[("a.example", fail), ("b.example", pass), ("c.example", fail), ("d.example", pass)]);
        let mut names = Names::default();
        let key = Canonical::of(&row).keep(&mut names);
        let found: Vec<_> = key.to_report(&names, 1).dkim.iter().map(|signature| (signature.domain, signature.result)).collect();
        assert_eq!(found, [("b.example", pass), ("d.example", pass), ("a.example", fail), ("c.example", fail)]);
    }
}
