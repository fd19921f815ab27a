//! Reads DMARC policy records (RFC 9989 4.7 and 4.8).

use super::{AlignmentMode, Policy, Psd, report_address};
use crate::auth::dmarc::ReportAddress;
use crate::detail::{Detail, quoted};
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// The content of a DMARC record, with defaults for absent tags (A13 to A19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The text as it was found, with octets that are not UTF-8 replaced.
    pub text: String,
    /// The policies for the name itself and for names below it.
    pub policies: Policies,
    /// The value of `adkim`.
    pub adkim: AlignmentMode,
    /// The value of `aspf`.
    pub aspf: AlignmentMode,
    /// The value of `psd`.
    pub psd: Psd,
    /// True when the record says `t=y`.
    pub testing: bool,
    /// The value of `fo` in lower case; `0` when it is absent or invalid (A18).
    pub failure_options: String,
    /// The addresses that ask for aggregate reports, in the order of the record.
    pub report_addresses: Vec<ReportAddress>,
    /// The kinds of faults of the record, each once.
    pub faults: Vec<RecordFault>,
    /// The faults of the record in detail, at most eight.
    pub details: Vec<Detail>,
}

/// The policy tags of a record, taken together (A16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policies {
    /// All policy tags of the record are valid, and `p` is there.
    Published {
        /// The policy in `p`.
        p: Policy,
        /// The policy in `sp`.
        sp: Option<Policy>,
        /// The policy in `np`.
        np: Option<Policy>,
    },
    /// `p` is missing or a policy tag is invalid, but a reporting address is valid.
    /// The record means `p=none` for all names.
    Monitoring,
    /// `p` is missing or a policy tag is invalid, and no reporting address is valid.
    /// There is no DMARC for this message.
    Unusable,
}

/// A fault of a record. No fault stops the evaluation on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordFault {
    /// The name has several DMARC records: all were discarded.
    SeveralRecords,
    /// `p` is missing.
    MissingPolicy,
    /// `p`, `sp` or `np` is no policy.
    InvalidPolicy,
    /// `adkim`, `aspf`, `fo`, `psd` or `t` is invalid: its default counts.
    InvalidTag,
    /// A tag occurs twice: the first counts.
    DuplicateTag,
    /// A part is not `name=value`: it was left out.
    DroppedPart,
    /// A reporting address is invalid or not `mailto:`.
    InvalidReportAddress,
    /// The record has more reporting addresses than are looked at.
    ReportAddressLimit,
}

/// Returns whether a TXT record is a DMARC record at all (A11, RFC 9989 4.7).
///
/// It begins with `v=DMARC1`, and only white space may follow before a semicolon or the end.
pub fn is_dmarc(text: &[u8]) -> bool {
    split_version(text).is_some()
}

/// Returns the text after the version, or `None` if the text is no DMARC record.
fn split_version(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"v").or_else(|| text.strip_prefix(b"V"))?;
    let rest = trim_wsp_start(rest).strip_prefix(b"=")?;
    let rest = trim_wsp_start(trim_wsp_start(rest).strip_prefix(b"DMARC1")?);
    matches!(rest.first(), None | Some(b';')).then_some(rest)
}

/// The number of octets at the beginning of a TXT record in which a version is looked for.
const VERSION_WITHIN: usize = 32;

/// Says why a TXT record that was meant to be a DMARC record is none (A11).
///
/// Returns `None` for a DMARC record, and for a text that was meant to be something else.
pub(super) fn ignored(text: &[u8]) -> Option<&'static str> {
    let start = text.get(..VERSION_WITHIN).unwrap_or(text).to_ascii_lowercase();
    let word = memchr::memmem::find(&start, b"dmarc1")?;
    if is_dmarc(text) {
        return None;
    }
    let first = start.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    Some(if first > 0 {
        "white space stands before v=DMARC1"
    } else if matches!(start.first(), Some(b'"' | b'\'')) {
        "v=DMARC1 stands in quotes that belong to the value"
    } else if start.first() != Some(&b'v') {
        "v=DMARC1 has to stand at the beginning"
    } else if text.get(word..word + 6) != Some(b"DMARC1") {
        "DMARC1 has to be written in upper case"
    } else {
        "only a semicolon may follow v=DMARC1"
    })
}

fn is_wsp(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim_wsp_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_wsp(*byte)).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}

fn trim_wsp(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// The values of a record's tags before they are judged.
#[derive(Default)]
struct Tags<'t> {
    p: Option<&'t str>,
    sp: Option<&'t str>,
    np: Option<&'t str>,
    adkim: Option<&'t str>,
    aspf: Option<&'t str>,
    fo: Option<&'t str>,
    psd: Option<&'t str>,
    t: Option<&'t str>,
    rua: Option<&'t str>,
}

impl<'t> Tags<'t> {
    fn slot(&mut self, name: &str) -> Option<&mut Option<&'t str>> {
        const NAMES: [&str; 9] = ["p", "sp", "np", "adkim", "aspf", "fo", "psd", "t", "rua"];
        Some(match NAMES.iter().position(|known| name.eq_ignore_ascii_case(known))? {
            0 => &mut self.p,
            1 => &mut self.sp,
            2 => &mut self.np,
            3 => &mut self.adkim,
            4 => &mut self.aspf,
            5 => &mut self.fo,
            6 => &mut self.psd,
            7 => &mut self.t,
            _ => &mut self.rua,
        })
    }

    fn read(text: &'t str, faults: &mut Faults) -> Self {
        let mut tags = Self::default();
        for part in text.split(';').map(trim_wsp).filter(|part| !part.is_empty()) {
            let Some((name, value)) = part.split_once('=').map(|(name, value)| (trim_wsp(name), trim_wsp(value))) else {
                faults.note(RecordFault::DroppedPart, format_args!("{} is not tag=value", quoted(part.as_bytes())));
                continue;
            };
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                faults.note(RecordFault::DroppedPart, format_args!("{} does not begin with a tag", quoted(part.as_bytes())));
                continue;
            }
            match tags.slot(name) {
                Some(slot @ None) => *slot = Some(value),
                Some(Some(_)) => {
                    faults.note(
                        RecordFault::DuplicateTag,
                        format_args!("{} stands twice: the first counts", quoted(name.as_bytes())),
                    );
                }
                None => {}
            }
        }
        tags
    }
}

/// The largest number of faults of one record that are described in detail.
const MAX_DETAILS: usize = 8;

#[derive(Default)]
struct Faults {
    kinds: Vec<RecordFault>,
    details: Vec<Detail>,
}

impl Faults {
    fn note(&mut self, fault: RecordFault, detail: impl Display) {
        if !self.kinds.contains(&fault) {
            self.kinds.push(fault);
        }
        if self.details.len() < MAX_DETAILS {
            self.details.push(Detail::new(detail));
        }
    }

    /// Reads the value of a tag. Notes an invalid value and returns the default (A14).
    fn or_default<T: Default>(&mut self, tag: &str, value: Option<&str>, read: impl FnOnce(&str) -> Option<T>) -> T {
        let Some(value) = value else { return T::default() };
        read(value).unwrap_or_else(|| {
            self.note(RecordFault::InvalidTag, format_args!("{tag}={} is invalid: its default counts", quoted(value.as_bytes())));
            T::default()
        })
    }
}

impl Record {
    /// Reads one TXT record. Returns `None` if it is no DMARC record (A11).
    ///
    /// Any octets give a record or `None`.
    /// At most `max_addresses` reporting addresses are looked at (F.1).
    pub fn parse(text: &[u8], max_addresses: usize) -> Option<Self> {
        let rest = split_version(text)?;
        let text = String::from_utf8_lossy(text).into_owned();
        let mut faults = Faults::default();
        let rest = String::from_utf8_lossy(rest);
        let tags = Tags::read(&rest, &mut faults);
        let uris = report_address::read_list(tags.rua.unwrap_or_default(), max_addresses);
        if let Some(uri) = uris.invalid {
            let uri = quoted(uri.as_bytes());
            faults.note(RecordFault::InvalidReportAddress, format_args!("rua= holds {uri}, which is no address to report to"));
        }
        if uris.over_limit {
            faults.note(RecordFault::ReportAddressLimit, format_args!("rua= holds more than {max_addresses} addresses"));
        }
        let policies = Self::policies(&tags, uris.any_valid, &mut faults);
        Some(Self {
            policies,
            adkim: faults.or_default("adkim", tags.adkim, alignment_mode),
            aspf: faults.or_default("aspf", tags.aspf, alignment_mode),
            psd: faults.or_default("psd", tags.psd, psd),
            testing: faults.or_default("t", tags.t, yes_or_no),
            failure_options: faults.or_default("fo", tags.fo, failure_options).0,
            report_addresses: uris.addresses,
            faults: faults.kinds,
            details: faults.details,
            text,
        })
    }

    fn policies(tags: &Tags<'_>, any_valid_uri: bool, faults: &mut Faults) -> Policies {
        let read = |value: Option<&str>| value.map(|word| Policy::parse(word).ok_or(()));
        let (p, sp, np) = (read(tags.p), read(tags.sp).transpose(), read(tags.np).transpose());
        if let (Some(Ok(p)), Ok(sp), Ok(np)) = (p, sp, np) {
            return Policies::Published { p, sp, np };
        }
        let outcome = if any_valid_uri { "the record counts as p=none" } else { "the record gives no DMARC" };
        let invalid = [("p", tags.p), ("sp", tags.sp), ("np", tags.np)]
            .into_iter()
            .find_map(|(tag, value)| value.filter(|word| Policy::parse(word).is_none()).map(|word| (tag, word)));
        match invalid {
            Some((tag, word)) => faults.note(
                RecordFault::InvalidPolicy,
                format_args!("{tag}={} is none of none, quarantine and reject: {outcome}", quoted(word.as_bytes())),
            ),
            None => faults.note(RecordFault::MissingPolicy, format_args!("p= is missing: {outcome}")),
        }
        if any_valid_uri { Policies::Monitoring } else { Policies::Unusable }
    }

    /// Returns the policy for the name that holds this record. `None` means that there is no DMARC.
    pub fn policy(&self) -> Option<Policy> {
        match self.policies {
            Policies::Published { p, .. } => Some(p),
            Policies::Monitoring => Some(Policy::None),
            Policies::Unusable => None,
        }
    }

    /// Returns the policy for a name below that exists (A25).
    pub fn subdomain_policy(&self) -> Option<Policy> {
        match self.policies {
            Policies::Published { p, sp, .. } => Some(sp.unwrap_or(p)),
            _ => self.policy(),
        }
    }

    /// Returns the policy for a name below that does not exist (A25).
    pub fn nonexistent_policy(&self) -> Option<Policy> {
        match self.policies {
            Policies::Published { p, sp, np } => Some(np.or(sp).unwrap_or(p)),
            _ => self.policy(),
        }
    }
}

fn alignment_mode(value: &str) -> Option<AlignmentMode> {
    match value {
        "r" | "R" => Some(AlignmentMode::Relaxed),
        "s" | "S" => Some(AlignmentMode::Strict),
        _ => None,
    }
}

fn psd(value: &str) -> Option<Psd> {
    match value {
        "y" | "Y" => Some(Psd::Yes),
        "n" | "N" => Some(Psd::No),
        "u" | "U" => Some(Psd::Unknown),
        _ => None,
    }
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value {
        "y" | "Y" => Some(true),
        "n" | "N" => Some(false),
        _ => None,
    }
}

/// Reads the value of `fo` (A18).
///
/// Returns `None` if it has both `0` and `1`, or if an option is unknown or doubled.
fn failure_options(value: &str) -> Option<FailureOptions> {
    let mut options = Vec::new();
    for option in value.split(':').map(trim_wsp) {
        let option = ["0", "1", "d", "s"].into_iter().find(|known| option.eq_ignore_ascii_case(known))?;
        let excluded = match option {
            "0" => "1",
            "1" => "0",
            other => other,
        };
        if options.contains(&option) || options.contains(&excluded) {
            return None;
        }
        options.push(option);
    }
    Some(FailureOptions(options.join(":")))
}

/// The value of `fo`.
struct FailureOptions(String);

impl Default for FailureOptions {
    fn default() -> Self {
        Self("0".into())
    }
}
